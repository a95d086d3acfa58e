"""NMEA 0183 sentences as a GPS and BeiDou receiver writes them, and recorded logs with their dates moved.

It opens nothing. Source: NMEA 0183 V4.11 sentence layouts as gpsd documents them ("NMEA Revealed").
"""

import math
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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


_TIMED = re.compile(rb"\$(..(?:RMC|GGA|GLL|GNS|GST|ZDA)),")
_CLOCK_FIELD = {"RMC": 1, "GGA": 1, "GNS": 1, "GST": 1, "ZDA": 1, "GLL": 5}


def rebased(log: Iterable[bytes], start: datetime) -> list[bytes]:
    """Return the epochs of a recorded log with every date and time moved so that its first one is `start`.

    Sentences without a time stay as they are; checksums are made anew. An epoch ends where the clock of a
    timed sentence changes. A clock that goes back by half a day passes midnight; one that goes back by more
    than a few seconds starts another recording, which follows the one before after a second.
    """
    epochs: list[bytes] = []
    first: float | None = None
    last, shift = 0.0, 0.0
    for line in log:
        line = line.strip()
        if not line.startswith((b"$", b"!")) or b"*" not in line:
            continue
        timed = _TIMED.match(line)
        fields = line[1 : line.rindex(b"*")].decode("ascii").split(",")
        seconds = _seconds(fields[_CLOCK_FIELD[fields[0][2:]]]) if timed else None
        if seconds is not None:
            if seconds < last - 43_200:
                shift += 86_400
            elif seconds < last - 5:
                shift += last - seconds + 1
            elapsed = seconds + shift
            first = elapsed if first is None else first
            if not epochs or seconds != last:
                epochs.append(b"")
            last = seconds
            fields = _moved(fields, start.astimezone(UTC) + timedelta(seconds=elapsed - first))
        if epochs:
            epochs[-1] += sentence(",".join(fields)) if timed else line + b"\r\n"
    return epochs


def _seconds(text: str) -> float | None:
    if not re.fullmatch(r"\d{6}(\.\d+)?", text):
        return None
    return int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])


def _moved(fields: list[str], moment: datetime) -> list[str]:
    kind = fields[0][2:]
    fields = [*fields]
    place = _CLOCK_FIELD[kind]
    decimals = len(fields[place].partition(".")[2])
    fields[place] = moment.strftime("%H%M%S") + (
        f".{moment.microsecond:06d}"[: decimals + 1] if decimals else ""
    )
    if kind == "RMC":
        fields[9] = moment.strftime("%d%m%y")
    if kind == "ZDA":
        fields[2:5] = [moment.strftime("%d"), moment.strftime("%m"), moment.strftime("%Y")]
    return fields
