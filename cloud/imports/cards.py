"""Numbers of cards become keyed hashes, the very ones that gateways make; pure.

A test compares them with the gateway's own.
"""

import hmac
import re
from dataclasses import dataclass

_FORMATS = {
    # name: greatest facility code (None: it has none), greatest number
    "h10301": (255, 65535),
    "h10306": (65535, 65535),
    "h10304": (65535, 2**19 - 1),
    "h10302": (None, 2**35 - 1),
}
_RAW = re.compile(r"raw([1-9][0-9]{0,2})")
_RAW_BITS_MAX = 512
FORMAT_WORDS = f"one of {', '.join(_FORMATS)}, or raw with the number of bits, such as raw32"
_TOKEN_DIGITS = 32
_SHOWN_FROM = 5


@dataclass(frozen=True, slots=True, repr=False)
class Card:
    """A card as a reader gives it; shows no number in its repr."""

    format: str
    facility: int | None
    number: str

    @property
    def ending(self) -> str:
        """What may be shown of the number."""
        return self.number[-2:] if len(self.number) >= _SHOWN_FROM else ""

    def __repr__(self) -> str:
        return f"Card({self.format} …{self.ending})"

    def token(self, key: bytes) -> str:
        """Return the keyed hash by which gateways know the card."""
        facility = "" if self.facility is None else str(self.facility)
        text = "\0".join(("card", self.format, facility, self.number))
        return hmac.digest(key, text.encode(), "sha256").hex()[:_TOKEN_DIGITS]


def key_id(key: bytes) -> str:
    """Return by what a key is known beside its hashes; it tells nothing of the key."""
    return hmac.digest(key, b"credential key id", "sha256").hex()[:16]


def format_fault(name: str) -> str | None:
    """Return what is expected when this is no format that is known."""
    raw = _RAW.fullmatch(name)
    known = name in _FORMATS or (raw is not None and int(raw[1]) <= _RAW_BITS_MAX)
    return None if known else FORMAT_WORDS


def card_of(name: str, facility: str, number: str) -> tuple[Card | None, str, str]:
    """Return the card of a known format, or None with the field that is wrong and what is expected there."""
    if name not in _FORMATS:
        bits = int(name.removeprefix("raw"))
        digits = (bits + 3) // 4
        plain = re.sub(r"[\s:-]", "", number).lower()
        if facility:
            return None, "facility", f"nothing: {name} has none"
        if not re.fullmatch(r"[0-9a-f]{1,128}", plain) or int(plain, 16) >= 1 << bits:
            return None, "number", f"hexadecimal digits of {bits} bits, as a text"
        return Card(name, None, f"{int(plain, 16):0{digits}x}"), "", ""
    most_facility, most_number = _FORMATS[name]
    if most_facility is None and facility:
        return None, "facility", f"nothing: {name} has none"
    if most_facility is not None and (not _is_number(facility) or int(facility) > most_facility):
        return None, "facility", f"0 to {most_facility}"
    if not _is_number(number) or int(number) > most_number:
        return None, "number", f"0 to {most_number}"
    return Card(name, int(facility) if most_facility is not None else None, str(int(number))), "", ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12
