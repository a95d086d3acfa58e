"""What identifies a person at a door, held so that the number itself is neither logged nor sent.

A credential goes on as a keyed hash (its token) and as the last two characters of its number. It decides
nothing about rights. Card formats: HID, "Understanding Card Data Formats" (H10301, H10302, H10304, H10306).
"""

import hmac
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

KEY_BYTES = 32
KEY_FILE = "credential.key"
BITS_MAX = 512
_TOKEN_DIGITS = 32
_SHOWN = 2
_SHOWN_FROM = 5
"""Shorter numbers are masked whole: two of four characters would be half of the secret."""


class CredentialError(Exception):
    """What was read is no credential; the text names no digit of it."""


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """One credential. `kind` is `card`, `pin`, `qr`, …; `number` identifies it within its format."""

    kind: str
    format: str
    number: str
    facility: int | None = None

    @property
    def masked(self) -> str:
        """What may be shown: the end of the number, and nothing of a PIN."""
        shown = self.kind != "pin" and len(self.number) >= _SHOWN_FROM
        return "…" + (self.number[-_SHOWN:] if shown else "")

    def token(self, key: bytes) -> str:
        """Return the keyed hash (HMAC-SHA256, first 16 bytes, hexadecimal) by which it is known elsewhere."""
        facility = "" if self.facility is None else str(self.facility)
        text = "\0".join((self.kind, self.format, facility, self.number))
        return hmac.digest(key, text.encode("utf-8", "replace"), "sha256").hex()[:_TOKEN_DIGITS]

    def __repr__(self) -> str:
        return f"Credential({self.kind} {self.format} {self.masked})"


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential at a reader, for rooms of this process; shows no number in its repr."""

    reader: str
    """As in events: the subject of the reader."""
    credential: Credential
    at_ns: int
    """Monotonic."""
    doubt_ms: int | None = None
    """It may have been shown so long before, while the gateway stood still; None: it is shown now."""


Listener = Callable[[Presented], None]
"""Called in the loop, one after the other; must not block."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The bits from `first` to `last` (both counted, from 0) hold an even or an odd number of ones."""

    first: int
    last: int
    odd: bool

    def holds(self, value: int, bits: int) -> bool:
        """Whether it is so in a frame of this many bits."""
        ones = _field(value, bits, (self.first, self.last)).bit_count()
        return ones % 2 == int(self.odd)


@dataclass(frozen=True, slots=True)
class CardFormat:
    """Where facility and number lie in a frame; bit 0 is sent first. Ranges count both ends."""

    name: str
    bits: int
    number: tuple[int, int]
    facility: tuple[int, int] | None
    parity: Sequence[Parity]


FORMATS: Mapping[str, CardFormat] = MappingProxyType(
    {
        one.name: one
        for one in (
            CardFormat("h10301", 26, (9, 24), (1, 8), (Parity(0, 12, odd=False), Parity(13, 25, odd=True))),
            CardFormat("h10306", 34, (17, 32), (1, 16), (Parity(0, 16, odd=False), Parity(17, 33, odd=True))),
            CardFormat("h10304", 37, (17, 35), (1, 16), (Parity(0, 18, odd=False), Parity(18, 36, odd=True))),
            CardFormat("h10302", 37, (1, 35), None, (Parity(0, 18, odd=False), Parity(18, 36, odd=True))),
        )
    }
)


def card_of(value: int, bits: int, formats: Collection[str]) -> Credential:
    """Return the card of a frame, or raise `CredentialError`; `value` holds the first bit as its highest.

    Of `formats` (names of `FORMATS`, or `raw`) the first of this length counts; `raw` takes any length that
    no other one has, as it is: what readers send that give a chip's UID.
    """
    if not 1 <= bits <= BITS_MAX or not 0 <= value < 1 << bits:
        raise CredentialError(f"{bits} bits: expected 1 to {BITS_MAX} bits and a number that fits them")
    found = next((FORMATS[name] for name in formats if name in FORMATS and FORMATS[name].bits == bits), None)
    if found is None:
        if "raw" not in formats:
            raise CredentialError(f"{bits} bits: expected the length of {', '.join(formats)}")
        return Credential("card", f"raw{bits}", f"{value:0{(bits + 3) // 4}x}")
    wrong = [place for place in found.parity if not place.holds(value, bits)]
    if wrong:
        raise CredentialError(f"parity of a {found.name} frame: {len(wrong)} of {len(found.parity)} wrong")
    facility = None if found.facility is None else _field(value, bits, found.facility)
    return Credential("card", found.name, str(_field(value, bits, found.number)), facility)


def frame_of(card_format: CardFormat, number: int, facility: int = 0) -> int:
    """Return the frame of a card, with its parity bits; for tests and commissioning."""
    bits = card_format.bits
    value = number << (bits - 1 - card_format.number[1])
    if card_format.facility is not None:
        value |= facility << (bits - 1 - card_format.facility[1])
    for parity, place in zip(card_format.parity, (0, bits - 1), strict=True):
        if not parity.holds(value, bits):
            value |= 1 << (bits - 1 - place)
    return value


def key_id(key: bytes) -> str:
    """Return by what a key is known beside its tokens; it tells nothing of the key."""
    return hmac.digest(key, b"credential key id", "sha256").hex()[:16]


def load_key(folder: Path) -> bytes:
    """Return the key of a gateway's tokens, made when it is missing; `CredentialError` when it is unfit.

    Gateways that have to know one another's tokens are given the same file.
    """
    file = folder / KEY_FILE
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise CredentialError(f"{KEY_FILE}: {error.strerror}") from None
    else:
        with os.fdopen(handle, "wb") as made:
            made.write(os.urandom(KEY_BYTES))
            made.flush()
            os.fsync(made.fileno())
    try:
        key = file.read_bytes()
    except OSError as error:
        raise CredentialError(f"{KEY_FILE}: {error.strerror}") from None
    if len(key) != KEY_BYTES:
        raise CredentialError(f"{KEY_FILE}: {len(key)} bytes: expected {KEY_BYTES}")
    return key


def _field(value: int, bits: int, span: tuple[int, int]) -> int:
    first, last = span
    return (value >> (bits - 1 - last)) & ((1 << (last - first + 1)) - 1)
