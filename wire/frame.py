"""The signed envelope of every message, in both directions.

Layout, in bytes: version (1), flags (1), key id (8), signature (64), body. The signature covers the
topic, a zero byte and the *uncompressed* body, so that a frame is good on its own topic only.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wire.errors import FrameError

VERSION = 1
KEY_ID_BYTES = 8
SIGNATURE_BYTES = 64
HEADER_BYTES = 2 + KEY_ID_BYTES + SIGNATURE_BYTES
FRAME_BYTES_MAX = 256 * 1024
BODY_BYTES_MAX = 1024 * 1024
DEFLATE_ABOVE_BYTES = 384
LARGE_FRAME_BYTES_MAX = 4 * 1024 * 1024
LARGE_BODY_BYTES_MAX = 8 * 1024 * 1024

_FLAG_DEFLATE = 0x01


class Signer(Protocol):
    """Holds one private key. The algorithm is its own business (Ed25519 today, SM2 possible)."""

    @property
    def key_id(self) -> bytes:
        """First 8 bytes of the SHA-256 of the raw public key."""

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature."""


Verify = Callable[[bytes, bytes], bool]
"""(data, signature) -> whether the signature is good; bound to one public key."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a frame may be, and its body once inflated."""

    frame: int
    body: int


ANY = Bounds(FRAME_BYTES_MAX, BODY_BYTES_MAX)
LARGE = Bounds(LARGE_FRAME_BYTES_MAX, LARGE_BODY_BYTES_MAX)
"""Of access rights: a laboratory of 10,000 people is 2.2 MB."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame taken apart; `body` is uncompressed, nothing is verified yet."""

    key_id: bytes
    signature: bytes
    body: bytes


def signed_bytes(topic: str, body: bytes) -> bytes:
    """Return what a signature covers."""
    return topic.encode() + b"\0" + body


def encode(topic: str, body: bytes, signer: Signer, *, bounds: Bounds = ANY) -> bytes:
    """Sign and wrap a body; deflated when that is worth it. `FrameError` when it is too large."""
    if len(body) > bounds.body:
        raise FrameError(f"body of {len(body)} bytes: expected at most {bounds.body}")
    signature = signer.sign(signed_bytes(topic, body))
    flags, packed = 0, body
    if len(body) > DEFLATE_ABOVE_BYTES:
        flags, packed = _FLAG_DEFLATE, zlib.compress(body, 6)
    frame = b"".join((bytes((VERSION, flags)), signer.key_id, signature, packed))
    if len(frame) > bounds.frame:
        raise FrameError(f"frame of {len(frame)} bytes: expected at most {bounds.frame}")
    return frame


def decode(data: bytes, *, bounds: Bounds = ANY) -> Frame:
    """Take a frame apart. `FrameError` names what is wrong; sizes are bounded before anything is inflated."""
    if len(data) > bounds.frame:
        raise FrameError(f"frame of {len(data)} bytes: expected at most {bounds.frame}")
    if len(data) <= HEADER_BYTES:
        raise FrameError(f"frame of {len(data)} bytes: expected more than the {HEADER_BYTES} of its header")
    version, flags = data[0], data[1]
    if version != VERSION:
        raise FrameError(f"frame version {version}: expected {VERSION}")
    if flags & ~_FLAG_DEFLATE:
        raise FrameError(f"frame flags 0x{flags:02x}: expected 0x00 or 0x01")
    key_id = data[2 : 2 + KEY_ID_BYTES]
    signature = data[2 + KEY_ID_BYTES : HEADER_BYTES]
    packed = data[HEADER_BYTES:]
    return Frame(key_id, signature, _inflate(packed, bounds.body) if flags else packed)


def _inflate(packed: bytes, bytes_max: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(packed, bytes_max + 1)
    except zlib.error as error:
        raise FrameError(f"deflated body: {error}") from None
    if len(body) > bytes_max:
        raise FrameError(f"deflated body: expected at most {bytes_max} bytes once inflated")
    if not inflater.eof or inflater.unused_data:
        raise FrameError("deflated body: expected one complete stream and nothing behind it")
    return body
