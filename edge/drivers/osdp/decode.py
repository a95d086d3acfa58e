"""Takes OSDP apart: frames on the line, what may be sent, cards, keys pressed, status, keys of readers.

Bytes in, values out. The secure channel itself is libosdp's; what is read here of a frame is never encrypted.
Source: IEC 60839-11-5, clauses 5.9 (frame), 6 and 7 (commands and replies), annex D (secure channel).
"""

from binascii import crc_hqx
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from edge.credential import Credential, CredentialError, card_of

SOM = 0x53
FRAME_BYTES_MIN = 7
FRAME_BYTES_MAX = 256
"""What libosdp takes; a reader with longer frames is none that it can speak with."""
DEFAULT_KEY = bytes(range(0x30, 0x40))
"""SCBK-D, the key that every unpaired reader has and everybody knows."""
KEY_BYTES = 16

ID, CAP, LSTAT, CHLNG, SCRYPT = 0x61, 0x62, 0x64, 0x76, 0x77
NAK, BUSY, CCRYPT, RMAC_I = 0x41, 0x79, 0x76, 0x78
_UNKNOWN = 3
_NAKS = {
    1: "bad check bytes",
    2: "bad length",
    _UNKNOWN: "unknown command",
    4: "unexpected sequence number",
    5: "no secure channel of this kind",
    6: "secure channel needed",
}
_WITH_MAC = frozenset({0x15, 0x16, 0x17, 0x18})
_ENTER, _CLEAR = 0x0D, 0x7F
_WIEGAND_BITS_MAX = 512


class OsdpError(Exception):
    """What came is not what the protocol says; the text names no digit of a credential or key."""


class KeyUnfitError(Exception):
    """A reader's key must not be used; the text names no byte of it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame with right check bytes; `raw` starts with SOM."""

    raw: bytes
    address: int
    reply: bool
    block: int | None
    """Type of the security block (SCS_11 … SCS_18), None when the frame is in clear."""
    block_data: int | None
    """First byte of the block's data: 0 means the default key."""
    id: int
    """Command or reply."""
    first: int | None
    """First byte behind the id, when it is in clear."""

    @property
    def secure(self) -> bool:
        """Whether it carries the MAC of a running session."""
        return self.block in _WITH_MAC


class Frames:
    """Finds frames in what a line gives, whatever lies between them; keeps at most one frame's bytes."""

    def __init__(self) -> None:
        self._kept = b""
        self.skipped = 0
        """How many bytes belonged to no frame."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every whole frame."""
        rest = self._kept + data
        while rest:
            start = rest.find(SOM)
            if start < 0:
                self.skipped += len(rest)
                rest = b""
                break
            self.skipped += start
            rest = rest[start:]
            if len(rest) < FRAME_BYTES_MIN:
                break
            length = rest[2] | rest[3] << 8
            if FRAME_BYTES_MIN <= length <= FRAME_BYTES_MAX and len(rest) < length:
                break
            try:
                frame = frame_of(rest[:length])
            except OsdpError:
                self.skipped += 1
                rest = rest[1:]
                continue
            rest = rest[length:]
            yield frame
        self._kept = rest

    def forget(self) -> None:
        """Drop the beginning of a frame whose end did not come."""
        self.skipped += len(self._kept)
        self._kept = b""


def frame_of(raw: bytes) -> Frame:
    """Return the frame that these bytes are, the mark byte before SOM left out; `OsdpError`."""
    if not FRAME_BYTES_MIN <= len(raw) <= FRAME_BYTES_MAX or raw[0] != SOM:
        raise OsdpError(f"{len(raw)} bytes: expected a frame of {FRAME_BYTES_MIN} to {FRAME_BYTES_MAX} bytes")
    control = raw[4]
    check = 2 if control & 0x04 else 1
    body = raw[: len(raw) - check]
    wanted = crc16(body).to_bytes(2, "little") if check == 2 else bytes([-sum(body) & 0xFF])
    if raw[2] | raw[3] << 8 != len(raw) or raw[-check:] != wanted:
        raise OsdpError("length or check bytes are wrong")
    block = body[5 : 5 + body[5]] if control & 0x08 and len(body) > 5 else b""
    data = body[5 + len(block) :]
    if (control & 0x08 and len(block) < 2) or not data:
        raise OsdpError("no security block, or nothing behind it")
    return Frame(
        raw,
        address=raw[1] & 0x7F,
        reply=bool(raw[1] & 0x80),
        block=block[1] if block else None,
        block_data=block[2] if len(block) > 2 else None,
        id=data[0],
        first=data[1] if len(data) > 1 and not block else None,
    )


def crc16(data: bytes) -> int:
    """Return the CRC of OSDP: polynomial 0x1021, start 0x1D0F, not reflected."""
    return crc_hqx(data, 0x1D0F)


def may_send(frame: Frame, *, installing: bool) -> bool:
    """Whether a command may go out: in clear only who the reader is and what it can; the default key never.

    While a new reader is being paired (`installing`) the default key may open the session that sets its own.
    """
    if frame.secure:
        return True
    if frame.block is None:
        return frame.id in (ID, CAP)
    return frame.id in (CHLNG, SCRYPT) and (frame.block_data == 1 or installing)


def knows_not(reply: Frame) -> bool:
    """Whether a reply refuses a command because the reader does not have it.

    Its reason cannot be read within a session, where nothing else is refused; what is refused in clear may
    as well say that the session or the sequence is over.
    """
    return reply.id == NAK and (reply.secure or reply.first == _UNKNOWN)


def nak_text(code: int | None) -> str:
    """Return what a refusal says."""
    return _NAKS.get(code, f"code {code}") if code is not None else "no reason that can be read"


def card_from(data: bytes, bits: int, formats: Collection[str], *, reversed_uid: bool = False) -> Credential:
    """Return the card of a RAW reply: the first bit is the highest of the first byte; `OsdpError`.

    `formats` are names of `edge.credential.FORMATS` or `raw`; `reversed_uid` turns the bytes of a raw one.
    """
    if not 1 <= bits <= _WIEGAND_BITS_MAX or len(data) != (bits + 7) // 8:
        raise OsdpError(f"{len(data)} bytes for {bits} bits: expected as many bytes as the bits need")
    value = int.from_bytes(data, "big") >> (-bits % 8)
    try:
        card = card_of(value, bits, formats)
        if reversed_uid and card.format.startswith("raw") and bits % 8 == 0:
            card = card_of(int.from_bytes(data, "little"), bits, formats)
    except CredentialError as error:
        raise OsdpError(str(error)) from None
    return card


def keys_from(data: bytes) -> str:
    """Return pressed keys as `0`-`9`, `A`-`D`, `#` (enter) and `*` (clear); `OsdpError` for any other."""
    text = data.replace(bytes([_ENTER]), b"#").replace(bytes([_CLEAR]), b"*")
    if not all(byte in b"0123456789ABCD#*" for byte in text):
        raise OsdpError(f"{len(data)} pressed keys, not all of a keypad: expected digits, A to D, 0x0D, 0x7F")
    return text.decode("ascii")


def local_status(report: bytes) -> tuple[bool, bool]:
    """Return (tampered with, power fails) of a local status reply; `OsdpError`."""
    if len(report) != 2 or max(report) > 1:
        raise OsdpError(f"status of {len(report)} bytes: expected 2, each 0 or 1")
    return bool(report[0]), bool(report[1])


def key_from(text: str) -> bytes:
    """Return a reader's key from its file; `KeyUnfitError` for what is none, or what anybody guesses."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or not text.isascii():
        raise KeyUnfitError(f"expected {2 * KEY_BYTES} hexadecimal digits and nothing else")
    if key == DEFAULT_KEY:
        raise KeyUnfitError("the default key (SCBK-D), which everybody knows: expected a key of its own")
    if len({(after - before) & 0xFF for before, after in pairwise(key)}) == 1:
        raise KeyUnfitError("a key that anybody guesses: expected a random one")
    return key
