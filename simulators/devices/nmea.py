"""NMEA 0183 sentences as a GPS and BeiDou receiver writes them.

It opens nothing. Source: NMEA 0183 V4.11 sentence layouts as gpsd documents them ("NMEA Revealed").
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from simulators.drives import Fix

GEOID_SEPARATION_M = -16.0
KNOTS_PER_M_S = 3600 / 1852


@dataclass(frozen=True, slots=True)
class Satellite:
    """One satellite in view."""

    talker: str
    number: int
    elevation: int
    azimuth: int
    snr: int


def sentence(body: str) -> bytes:
    """Return `$body*checksum` with its line end."""
    checksum = 0
    for byte in body.encode("ascii"):
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n".encode("ascii")


def ubx(kind: bytes, payload: bytes) -> bytes:
    """Return a packet of u-blox's binary protocol."""
    body = kind + len(payload).to_bytes(2, "little") + payload
    first = second = 0
    for byte in body:
        first = (first + byte) & 0xFF
        second = (second + first) & 0xFF
    return b"\xb5\x62" + body + bytes((first, second))


def mon_rf(*, antenna: int, jamming: int, state: int) -> bytes:
    """Return UBX-MON-RF with one radio block: antenna status, CW indicator 0 to 255, jamming state."""
    block = bytes([0, state, antenna, 1]) + bytes(8) + bytes([80, 0, 0x10, 0x10, jamming]) + bytes(7)
    return ubx(b"\x0a\x38", bytes([0, 1, 0, 0]) + block)


def sky(key: str, time_s: float) -> list[Satellite]:
    """Return the satellites in view of a key (it holds the seed); they move within minutes."""
    satellites: list[Satellite] = []
    for talker, numbers in (("GP", range(1, 33)), ("BD", range(1, 33))):
        rng = random.Random(f"{key}/{talker}")
        for number in rng.sample(numbers, 9):
            elevation = 12 + 70 * abs(math.sin(time_s / 7000 + rng.uniform(0, math.tau)))
            azimuth = (rng.uniform(0, 360) + time_s / 120) % 360
            snr = 25 + elevation / 4 + rng.uniform(-3, 3)
            satellites.append(Satellite(talker, number, int(elevation), int(azimuth), int(snr)))
    return satellites


def epoch(fix: Fix | None, moment: datetime, satellites: list[Satellite]) -> bytes:
    """Return the sentences of one second; without a fix the receiver says so and tells only the time."""
    return b"".join(sentence(body) for body in _bodies(fix, moment, satellites))


def _bodies(fix: Fix | None, moment: datetime, satellites: list[Satellite]) -> Iterator[str]:
    clock, date = (
        moment.strftime("%H%M%S.") + f"{moment.microsecond // 10_000:02d}",
        moment.strftime("%d%m%y"),
    )
    if fix is None:
        yield f"GNRMC,{clock},V,,,,,,,{date},,,N,V"
        yield f"GNGGA,{clock},,,,,0,00,99.99,,,,,,"
        yield "GPGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99"
        return
    where = f"{_degrees(fix.latitude, 2, 'NS')},{_degrees(fix.longitude, 3, 'EW')}"
    course = f"{fix.course_deg:.2f}" if fix.speed_m_s > 0.5 else ""
    yield f"GNRMC,{clock},A,{where},{fix.speed_m_s * KNOTS_PER_M_S:.3f},{course},{date},,,A,V"
    yield (
        f"GNGGA,{clock},{where},1,{min(len(satellites), 12):02d},0.80,"
        f"{fix.altitude_m - GEOID_SEPARATION_M:.1f},M,{GEOID_SEPARATION_M:.1f},M,,"
    )
    for talker in ("GP", "BD"):
        numbers = [f"{s.number:02d}" for s in satellites if s.talker == talker][:12]
        yield f"{talker}GSA,A,3,{','.join(numbers + [''] * (12 - len(numbers)))},1.40,0.80,1.15"
    for talker in ("GP", "BD"):
        yield from _in_view(talker, [s for s in satellites if s.talker == talker])
    yield f"GNGST,{clock},3.2,1.8,1.5,42.0,1.7,1.6,3.1"


def _degrees(value: float, width: int, letters: str) -> str:
    minutes = round(abs(value) * 60 * 10**7)
    whole, rest = divmod(minutes, 60 * 10**7)
    return f"{whole:0{width}d}{rest // 10**7:02d}.{rest % 10**7:07d},{letters[value < 0]}"


def _in_view(talker: str, satellites: list[Satellite]) -> Iterator[str]:
    groups = [satellites[index : index + 4] for index in range(0, len(satellites), 4)]
    for number, group in enumerate(groups, 1):
        listed = "".join(f",{s.number:02d},{s.elevation:02d},{s.azimuth:03d},{s.snr:02d}" for s in group)
        yield f"{talker}GSV,{len(groups)},{number},{len(satellites):02d}{listed}"
