"""What gateway and hub say to each other over HTTPS: pictures, recordings, live frames, and what is wanted.

Every request is signed with the gateway's batch key, as the TLS layer's certificate is not the key that
evidence rests on. The signature covers method, target, description and the hash of the body::

    PUT  /media/<gateway>/<sha256>               a picture or a segment; `Description` beside it
    GET  /media/<gateway>/wanted?seen=<digest>   `Wanted`, as soon as it is another one than was seen
    POST /media/<gateway>/live/<session>?n=<n>   one frame of a live view, each with a greater number
    POST /media/<gateway>/wanted/<id>            `Outcome` of a recording that was wanted
"""

import hashlib
import json
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from wire.errors import MessageError
from wire.messages import GatewayId, LongText, Message, Text, Ticks

KEY_HEADER = "heng-key"
"""Id of the batch key, 16 hexadecimal digits."""
SIGNATURE_HEADER = "heng-signature"
"""128 hexadecimal digits."""
HASH_HEADER = "heng-sha256"
"""SHA-256 of the body; that of nothing where there is none."""
DESCRIPTION_HEADER = "heng-media"
"""`Description` as JSON in ASCII."""
NO_BODY = hashlib.sha256(b"").hexdigest()
PICTURE_BYTES_MAX = 20_000_000
SEGMENT_BYTES_MAX = 2_000_000_000
FRAME_BYTES_MAX = 2_000_000
OUTCOME_BYTES_MAX = 65_536
ANSWER_BYTES_MAX = 262_144
HEADER_BYTES_MAX = 16_384
POLL_S = 25
"""So long the hub keeps a question for what is wanted when there is nothing new."""
LIVE_FOR_S = 45
"""So long a live session lasts after the last answer that named it."""
FPS_MAX = 5
SPAN_S_MAX = 600
"""Longest stretch of a recording that is asked for at once."""
SHA256 = re.compile(r"[0-9a-f]{64}")
_DOMAIN = b"heng/1/media"

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
CameraPrefix = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_./-]{0,62}$(?!\n)")]
DeviceWord = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$(?!\n)")]
Utc = Annotated[int, Meta(ge=0, le=2**42)]
"""Milliseconds since 1970."""
WishId = Annotated[int, Meta(ge=1, le=2**53)]
ContentType = Literal["image/jpeg", "video/mp2t", "video/x-matroska"]
CONTENT_TYPES: dict[str, tuple[ContentType, ...]] = {
    "picture": ("image/jpeg",),
    "segment": ("video/mp2t", "video/x-matroska"),
}
"""Kind of what is sent -> what its bytes may be."""


class Description(Message, frozen=True):
    """What is told beside a picture or a segment."""

    camera: CameraPrefix
    """First part of the camera's points."""
    device: DeviceWord
    kind: Literal["picture", "segment"]
    content_type: ContentType
    bytes: Annotated[int, Meta(ge=1, le=SEGMENT_BYTES_MAX)]
    tick: Ticks
    """Monotonic tick of the frame, or of the segment's first one."""
    from_ms: Utc | None = None
    """UTC of the frame or of the segment's first one, as far as the gateway knew the time then."""
    to_ms: Utc | None = None
    """UTC of the segment's end."""
    moment: Literal["", "before", "after", "timer"] = ""
    """Where a picture is from what it was taken for."""
    reason: Text = ""
    """What a picture was taken for."""
    wish: WishId | None = None
    """The stretch that was wanted, of which a segment is a part."""


class LiveWanted(Message, frozen=True, forbid_unknown_fields=True):
    """Somebody looks at a camera: send frames of now until `for_s` after the last answer that said so."""

    camera: CameraPrefix
    session: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]
    fps: Annotated[int, Meta(ge=1, le=FPS_MAX)] = 2
    for_s: Annotated[int, Meta(ge=1, le=600)] = LIVE_FOR_S


class SpanWanted(Message, frozen=True, forbid_unknown_fields=True):
    """Somebody wants what was recorded from `from_ms` until before `to_ms` (UTC)."""

    id: WishId
    camera: CameraPrefix
    from_ms: Utc
    to_ms: Utc


class Wanted(Message, frozen=True, forbid_unknown_fields=True):
    """Everything that the hub wants of a gateway at this moment."""

    gateway: GatewayId
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$(?!\n)")] = ""
    """Names this answer; asked with it, the hub waits until there is another one."""
    live: Annotated[list[LiveWanted], Meta(max_length=64)] = msgspec.field(default_factory=list)
    spans: Annotated[list[SpanWanted], Meta(max_length=200)] = msgspec.field(default_factory=list)


class Outcome(Message, frozen=True):
    """What became of a stretch that was wanted."""

    state: Literal["done", "none", "failed"]
    """`none`: nothing of it is recorded any more, or ever was."""
    why: Text = ""
    segments: Annotated[list[Sha256], Meta(max_length=400)] = msgspec.field(default_factory=list)


class Answer(Message, frozen=True):
    """What the hub says to a request that is not a question for what is wanted."""

    said: LongText = ""


def media_path(gateway: str, *rest: str) -> str:
    """Return the path of a request."""
    return "/".join(["/media", gateway, *rest])


def signed_media(method: str, target: str, *, description: str, sha256: str) -> bytes:
    """Return what a request's signature covers; `description` is the header's text, if there is one."""
    return b"\0".join([_DOMAIN, method.encode(), target.encode(), description.encode(), sha256.encode()])


def wanted_digest(wanted: Wanted) -> str:
    """Return what names a `Wanted` by its content."""
    return hashlib.sha256(msgspec.json.encode([wanted.live, wanted.spans])).hexdigest()[:16]


def description_text(description: Description) -> str:
    """Return a description as its header carries it."""
    return json.dumps(msgspec.to_builtins(description), ensure_ascii=True, separators=(",", ":"))


def read_description(text: str) -> Description:
    """Return what a header says; `MessageError` names what is wrong."""
    try:
        found = msgspec.json.decode(text.encode(), type=Description)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MessageError(f"Description: {error}") from None
    if found.content_type not in CONTENT_TYPES[found.kind]:
        raise MessageError(f"content_type {found.content_type!r}: expected that of a {found.kind}")
    if found.kind == "picture" and found.bytes > PICTURE_BYTES_MAX:
        raise MessageError(f"bytes {found.bytes}: expected at most {PICTURE_BYTES_MAX} of a picture")
    if found.from_ms is not None and found.to_ms is not None and found.to_ms < found.from_ms:
        raise MessageError(f"to_ms {found.to_ms}: expected a time after from_ms, which is {found.from_ms}")
    return found


def read_wanted(body: bytes) -> Wanted:
    """Return what the hub wants; `MessageError`."""
    try:
        return msgspec.json.decode(body, type=Wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"Wanted: {error}") from None


def read_outcome(body: bytes) -> Outcome:
    """Return what became of a wish; `MessageError`."""
    try:
        return msgspec.json.decode(body, type=Outcome)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"Outcome: {error}") from None
