"""What goes over the media channel is read strictly, and what is signed is all of it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import MessageError
from wire.media import (
    Description,
    LiveWanted,
    Outcome,
    SpanWanted,
    Wanted,
    description_text,
    media_path,
    read_description,
    read_outcome,
    read_wanted,
    signed_media,
    wanted_digest,
)

PICTURE = Description(
    camera="weighing/camera",
    device="cam",
    kind="picture",
    content_type="image/jpeg",
    bytes=1000,
    tick=7,
    from_ms=1_767_225_600_000,
    moment="before",
    reason="door_opened \u95e8",
)


def test_description_survives_its_header_in_ascii() -> None:
    text = description_text(PICTURE)
    assert text.isascii()
    assert read_description(text) == PICTURE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"content_type": "video/mp2t"}, "that of a picture"),
        ({"bytes": 20_000_001}, "at most 20000000"),
        ({"bytes": 0}, "bytes"),
        ({"to_ms": 5}, "a time after from_ms"),
        ({"camera": "../x"}, "camera"),
        ({"moment": "never"}, "moment"),
    ],
)
def test_description_that_cannot_be_is_refused_by_name(change: dict[str, object], words: str) -> None:
    text = json.dumps(json.loads(description_text(PICTURE)) | change)
    with pytest.raises(MessageError, match=words):
        read_description(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (
        read_description,
        lambda one: read_wanted(one.encode()),
        lambda one: read_outcome(one.encode()),
    ):
        try:
            read(text.replace("\ud800", ""))
        except MessageError:
            continue


def test_signature_covers_method_target_description_and_body() -> None:
    one = signed_media("PUT", media_path("g", "a"), description="{}", sha256="0")
    others = [
        signed_media("POST", media_path("g", "a"), description="{}", sha256="0"),
        signed_media("PUT", media_path("g", "b"), description="{}", sha256="0"),
        signed_media("PUT", media_path("g", "a"), description="", sha256="0"),
        signed_media("PUT", media_path("g", "a"), description="{}", sha256="1"),
    ]
    assert len({one, *others}) == 5


def test_digest_names_what_is_wanted() -> None:
    live = LiveWanted(camera="c", session="0" * 32)
    none = Wanted(gateway="g")
    some = Wanted(gateway="g", live=[live])
    more = Wanted(gateway="g", live=[live], spans=[SpanWanted(id=1, camera="c", from_ms=1, to_ms=2)])
    assert len({wanted_digest(one) for one in (none, some, more)}) == 3
    told = msgspec.structs.replace(more, digest=wanted_digest(more))
    assert wanted_digest(told) == told.digest
    assert read_wanted(msgspec.json.encode(told)) == told


@pytest.mark.parametrize(
    "body", [b"[]", b'{"gateway":"g","more":1}', b'{"gateway":"g","live":[{}]}', b"\xff"]
)
def test_gateway_refuses_what_it_does_not_know(body: bytes) -> None:
    with pytest.raises(MessageError):
        read_wanted(body)


def test_outcome_names_its_files() -> None:
    outcome = Outcome(state="done", segments=["0" * 64])
    assert read_outcome(msgspec.json.encode(outcome)) == outcome
    with pytest.raises(MessageError, match="state"):
        read_outcome(b'{"state":"waiting"}')
