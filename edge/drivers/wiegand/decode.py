"""Pulses on two wires become frames: bits in their order, an end by silence, and what a frame is.

Everything goes by the times of the pulses, so that it does not matter when anybody looks. What a card's
bits mean is in `edge.credential`.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from edge.credential import Credential, CredentialError, card_of

BITS_MAX = 128
"""Longer frames are noise: no format has so many."""
KEY_BITS = (4, 8)
_KEYS = "0123456789*#"


@dataclass(frozen=True, slots=True)
class Line:
    """What came on the two wires since the last silence."""

    value: int = 0
    bits: int = 0
    first_ns: int = 0
    last_ns: int = 0
    noise: int = 0
    """Pulses that are too many for a frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The bits between two silences; the first one is the highest of `value`."""

    value: int
    bits: int
    first_ns: int
    last_ns: int
    noise: int

    def __repr__(self) -> str:
        return f"Frame({self.bits} bits, {self.noise} noise)"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a keypad."""

    key: str


@dataclass(frozen=True, slots=True)
class Noise:
    """A frame that is nothing; the reason names no bit of it."""

    reason: str


def pulse(line: Line, bit: int, *, at_ns: int, silence_ns: int) -> tuple[Line, Frame | None]:
    """Take a pulse on D0 (0) or D1 (1); return the frame that had ended before it, if one had."""
    line, frame = silent(line, now_ns=at_ns, silence_ns=silence_ns)
    if line.bits == 0:
        return Line(bit, 1, at_ns, at_ns), frame
    # Pulses that were held up on their way may bear times that are too near for a wire: their order counts.
    at_ns = max(at_ns, line.last_ns)
    if line.bits >= BITS_MAX:
        return replace(line, last_ns=at_ns, noise=line.noise + 1), frame
    return replace(line, value=line.value << 1 | bit, bits=line.bits + 1, last_ns=at_ns), frame


def silent(line: Line, *, now_ns: int, silence_ns: int) -> tuple[Line, Frame | None]:
    """Return the frame that has ended at `now_ns`, if one has."""
    if line.bits == 0 or now_ns < line.last_ns + silence_ns:
        return line, None
    return Line(), Frame(line.value, line.bits, line.first_ns, line.last_ns, line.noise)


def read(frame: Frame, formats: Collection[str], *, keypad: bool) -> Credential | Key | Noise:
    """Return what a frame is: a card of one of the formats, a key, or nothing that can be used."""
    if frame.noise:
        return Noise(f"{frame.bits + frame.noise} bits: expected at most {BITS_MAX}")
    if keypad and frame.bits in KEY_BITS:
        return _key(frame)
    try:
        return card_of(frame.value, frame.bits, formats)
    except CredentialError as error:
        return Noise(str(error))


def _key(frame: Frame) -> Key | Noise:
    """Keys come as 4 bits, or as 8 of which the first four are the complement of the others."""
    key = frame.value & 0xF
    if frame.bits == 8 and frame.value >> 4 != key ^ 0xF:
        return Noise("8 bits that are no key: the first four are not the complement of the others")
    return Key(_KEYS[key]) if key < len(_KEYS) else Noise("4 bits that are no key: above 11")
