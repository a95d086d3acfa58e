"""What a receiver says of its antenna and of jamming in its own words, as far as gpsd hands them on.

Lines of gpsd's raw watch: NMEA sentences as they are, binary packets as hexadecimal. Sources: u-blox 8/M8 and
F9 interface descriptions (UBX-MON-HW, UBX-MON-RF, NMEA TXT); CASIC protocol (TXT `ANTENNA OK`).
"""

import re
from dataclasses import dataclass
from enum import IntEnum


class OwnError(Exception):
    """A message whose checksum or length is wrong; the text says which."""


class Antenna(IntEnum):
    """Counts of the point `antenna`."""

    OK = 1
    OPEN = 2
    SHORT = 3


class Jamming(IntEnum):
    """Counts of the point `jamming_state`, of the worst radio block."""

    NONE = 1
    WARNING = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True)
class Own:
    """What one message told; None is "not told here"."""

    antenna: Antenna | None = None
    jamming: int | None = None
    """u-blox's indicator of a continuous wave, 0 to 255."""
    jamming_state: Jamming | None = None


NOTHING = Own()
_UBX_ANTENNA = {2: Antenna.OK, 3: Antenna.SHORT, 4: Antenna.OPEN}
_UBX_JAMMING = {1: Jamming.NONE, 2: Jamming.WARNING, 3: Jamming.CRITICAL}
_MON_HW = b"\x0a\x09"
_MON_RF = b"\x0a\x38"
_TXT = re.compile(r"\$[A-Z]{2}TXT,\d\d?,\d\d?,\d\d?,([^*]*)\*([0-9A-F]{2})")
_ANTENNA = re.compile(r"ANT(?:STATUS=|ENNA )(OK|OPEN|SHORT)\b")
_WORDS = {"OK": Antenna.OK, "OPEN": Antenna.OPEN, "SHORT": Antenna.SHORT}
_HEX = re.compile(rb"(?:[0-9a-f]{2})+", re.IGNORECASE)


def is_own(line: bytes) -> bool:
    """Whether a line of gpsd is the receiver's, not a report."""
    return line[:1] in (b"$", b"!") or line[:4].lower() == b"b562" or bool(_HEX.fullmatch(line))


def parse_own(line: bytes) -> Own | None:
    """Return what a line says of antenna and jamming, None when it is about something else; `OwnError`."""
    if line[:4].lower() == b"b562":
        try:
            return _ubx(bytes.fromhex(line.decode("ascii")))
        except ValueError:
            raise OwnError("UBX: expected hexadecimal digits") from None
    found = _TXT.match(line.decode("ascii", errors="replace"))
    if found is None:
        return None
    checksum = 0
    for byte in line[1 : line.index(b"*")]:
        checksum ^= byte
    if checksum != int(found[2], 16):
        raise OwnError("NMEA TXT: wrong checksum")
    word = _ANTENNA.search(found[1])
    return Own(antenna=_WORDS[word[1]]) if word else None


def _ubx(packet: bytes) -> Own | None:
    kind, payload = packet[2:4], packet[6:-2]
    if kind not in (_MON_HW, _MON_RF):
        return None
    if len(packet) < 8 or int.from_bytes(packet[4:6], "little") != len(payload):
        raise OwnError("UBX: wrong length")
    if _fletcher(packet[2:-2]) != packet[-2:]:
        raise OwnError("UBX: wrong checksum")
    return _mon_hw(payload) if kind == _MON_HW else _mon_rf(payload)


def _fletcher(data: bytes) -> bytes:
    first = second = 0
    for byte in data:
        first = (first + byte) & 0xFF
        second = (second + first) & 0xFF
    return bytes((first, second))


def _mon_hw(payload: bytes) -> Own:
    if len(payload) != 60:
        raise OwnError(f"UBX-MON-HW of {len(payload)} bytes: expected 60")
    state = _UBX_JAMMING.get(payload[22] >> 2 & 3)
    return Own(_UBX_ANTENNA.get(payload[20]), payload[45], state)


def _mon_rf(payload: bytes) -> Own:
    blocks = [payload[start : start + 24] for start in range(4, len(payload), 24)]
    if len(payload) < 4 or len(blocks) != payload[1] or not blocks or len(blocks[-1]) != 24:
        raise OwnError(f"UBX-MON-RF of {len(payload)} bytes: expected 4 and 24 for each block")
    states = [_UBX_JAMMING[block[1] & 3] for block in blocks if block[1] & 3]
    antennas = [_UBX_ANTENNA[block[2]] for block in blocks if block[2] in _UBX_ANTENNA]
    # The worst of them: OK < OPEN < SHORT, NONE < WARNING < CRITICAL.
    return Own(max(antennas, default=None), max(block[16] for block in blocks), max(states, default=None))
