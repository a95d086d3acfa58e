"""Reports of gpsd in, integers out; what a report does not carry stays None.

It opens no connection. Decimal digits become integers without a binary fraction in between, so that
1e-9 degree survives. Source: gpsd_json(5) of gpsd 3.22, objects TPV, SKY, VERSION, DEVICES and ERROR.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from edge.drivers.exact import count_of
from edge.drivers.gnss.own import NOTHING, Antenna, Jamming, Own
from rules.motion import Motion, metres_between
from wire.messages import Position
from wire.settings.gnss import GnssPoint
from wire.status import Status

CONSTELLATIONS: dict[str, int] = {
    # point: gnssid of gpsd
    "satellites_gps": 0,
    "satellites_galileo": 2,
    "satellites_beidou": 3,
    "satellites_glonass": 6,
    "satellites_qzss": 5,
}
CONSTELLATION_BITS = (0, 2, 3, 6, 5, 1, 7)
"""gnssid of bit i of the point `constellations`: GPS, Galileo, BeiDou, GLONASS, QZSS, SBAS, NavIC."""
SKY_AGE_MAX_NS = 5_000_000_000


class ReportError(Exception):
    """A line that is no report of gpsd; the text says what was wrong."""


class Tpv(msgspec.Struct, frozen=True, tag_field="class", tag="TPV"):
    """Time, position and velocity."""

    mode: int
    device: str = ""
    time: str | None = None
    lat: Decimal | None = None
    lon: Decimal | None = None
    alt_hae: Decimal | None = msgspec.field(default=None, name="altHAE")
    speed: Decimal | None = None
    track: Decimal | None = None
    climb: Decimal | None = None
    eph: Decimal | None = None
    epv: Decimal | None = None
    eps: Decimal | None = None
    ept: Decimal | None = None
    leap_seconds: int | None = msgspec.field(default=None, name="leapseconds")
    jam: int | None = None
    """0 to 255, of gpsd 3.25 and newer."""


class Satellite(msgspec.Struct, frozen=True):
    """One satellite of a SKY report."""

    used: bool
    gnssid: int | None = None


class Sky(msgspec.Struct, frozen=True, tag_field="class", tag="SKY"):
    """The satellites in view; gpsd 3.22 also sends SKY reports that carry only dilutions."""

    device: str = ""
    u_sat: int | None = msgspec.field(default=None, name="uSat")
    satellites: list[Satellite] | None = None


class Version(msgspec.Struct, frozen=True, tag_field="class", tag="VERSION"):
    """What gpsd says of itself when a client connects."""

    release: str
    proto_major: int
    proto_minor: int


class Device(msgspec.Struct, frozen=True):
    """One receiver of the daemon."""

    path: str = ""
    driver: str = ""


class Devices(msgspec.Struct, frozen=True, tag_field="class", tag="DEVICES"):
    """The receivers of the daemon."""

    devices: list[Device]


class Failure(msgspec.Struct, frozen=True, tag_field="class", tag="ERROR"):
    """gpsd's own complaint."""

    message: str


Report = Tpv | Sky | Version | Devices | Failure


class _Head(msgspec.Struct, frozen=True):
    kind: str = msgspec.field(name="class")


_head: msgspec.json.Decoder[_Head] = msgspec.json.Decoder(_Head)
_report: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
_KNOWN = frozenset({"TPV", "SKY", "VERSION", "DEVICES", "ERROR"})


def parse(line: bytes) -> Report | None:
    """Return the report of one line, None for a class that is of no use here; `ReportError`."""
    try:
        if _head.decode(line).kind not in _KNOWN:
            return None
        return _report.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"{error} in {line[:80]!r}") from None


def time_ms_of(text: str | None) -> int | None:
    """Return ISO 8601 UTC text as ms since 1970; None for what is no time (a leap second included)."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    since = moment - datetime.fromisoformat("1970-01-01T00:00:00Z")
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def position_of(tpv: Tpv, sky: Sky | None, *, point: str, tick: int) -> Position:
    """Return the fix as a record. `sky` is the newest report of satellites, if it is fresh."""
    mode = tpv.mode if 0 <= tpv.mode <= 3 else 0
    latitude, longitude = _coordinate(tpv.lat, 90), _coordinate(tpv.lon, 180)
    if mode < 2 or latitude is None or longitude is None:
        latitude = longitude = None
    course = _scaled(tpv.track, -3)
    return Position(
        point=point,
        tick=tick,
        mode=mode,
        latitude_e9=latitude,
        longitude_e9=longitude,
        altitude_mm=_scaled(tpv.alt_hae, -3),
        speed_mm_s=_scaled(tpv.speed, -3),
        course_mdeg=course if course is not None and 0 <= course <= 360_000 else None,
        climb_mm_s=_scaled(tpv.climb, -3),
        error_horizontal_mm=_scaled(tpv.eph, -3),
        error_vertical_mm=_scaled(tpv.epv, -3),
        error_speed_mm_s=_scaled(tpv.eps, -3),
        satellites_used=satellites_used(sky),
        gnss_time_ms=time_ms_of(tpv.time),
    )


def _scaled(value: Decimal | None, exponent: int) -> int | None:
    return None if value is None else count_of(value, exponent)


def _coordinate(value: Decimal | None, limit: int) -> int | None:
    count = _scaled(value, -9)
    return count if count is not None and abs(count) <= limit * 10**9 else None


def satellites_used(sky: Sky | None, constellation: int | None = None) -> int | None:
    """Return how many satellites are used, of one constellation (gpsd's gnssid) or all; None if not told."""
    if sky is None:
        return None
    if sky.satellites is None:
        used = sky.u_sat if constellation is None else None
    elif constellation is None:
        used = sum(satellite.used for satellite in sky.satellites)
    elif any(satellite.gnssid is None for satellite in sky.satellites):
        used = None
    else:
        used = sum(sat.used and sat.gnssid == constellation for sat in sky.satellites)
    return used if used is None or 0 <= used <= 1000 else None


def constellations_used(sky: Sky | None) -> int | None:
    """Return which constellations are used, as bits; None if not told."""
    if sky is None or sky.satellites is None or any(sat.gnssid is None for sat in sky.satellites):
        return None
    used = {sat.gnssid for sat in sky.satellites if sat.used}
    return sum(1 << bit for bit, gnssid in enumerate(CONSTELLATION_BITS) if gnssid in used)


def _hold(motion: Motion | None) -> dict[str, int | None]:
    if motion is None:
        return {"hold": None, "hold_north": None, "hold_east": None}
    north, east = metres_between(motion.place, motion.last)
    return {"hold": int(motion.held), "hold_north": round(north * 1000), "hold_east": round(east * 1000)}


@dataclass(frozen=True, slots=True)
class PointKindOf:
    """How a point of the driver is declared."""

    quantity: str
    exponent: int
    states: tuple[tuple[str, str], ...] = ()


POINTS: dict[GnssPoint, PointKindOf] = {
    "speed": PointKindOf("speed", -3),
    "course": PointKindOf("course", -3),
    "satellites": PointKindOf("satellites", 0),
    "satellites_gps": PointKindOf("satellites", 0),
    "satellites_beidou": PointKindOf("satellites", 0),
    "satellites_galileo": PointKindOf("satellites", 0),
    "satellites_glonass": PointKindOf("satellites", 0),
    "mode": PointKindOf("state", 0, (("0", "unknown"), ("1", "no_fix"), ("2", "fix_2d"), ("3", "fix_3d"))),
    "error": PointKindOf("position_error", -3),
    "satellites_qzss": PointKindOf("satellites", 0),
    "constellations": PointKindOf("state", 0),
    "error_vertical": PointKindOf("position_error", -3),
    "error_time": PointKindOf("duration", -6),
    "antenna": PointKindOf("state", 0, tuple((str(int(a)), a.name.lower()) for a in Antenna)),
    "jamming": PointKindOf("dimensionless", 0),
    "jamming_state": PointKindOf("state", 0, tuple((str(int(j)), j.name.lower()) for j in Jamming)),
    "hold": PointKindOf("state", 0, (("0", "moving"), ("1", "held"))),
    "hold_north": PointKindOf("distance", -3),
    "hold_east": PointKindOf("distance", -3),
    "odometer": PointKindOf("distance", -3),
}


@dataclass(frozen=True, slots=True)
class Extra:
    """What is known beside a fix: of the receiver itself, and of the vehicle's motion."""

    own: Own = NOTHING
    error_time_us: int | None = None
    motion: Motion | None = None
    """None without a place in this fix."""
    odometer_mm: int | None = None


def counts_of(
    position: Position, sky: Sky | None, points: list[GnssPoint], *, extra: Extra = Extra()
) -> tuple[list[int | None], list[tuple[int, int]]]:
    """Return counts and flags of the chosen points: absent is NOT_MEASURED."""
    known: dict[str, int | None] = {
        "speed": position.speed_mm_s,
        "course": position.course_mdeg,
        "satellites": position.satellites_used,
        "mode": position.mode,
        "error": position.error_horizontal_mm,
        "constellations": constellations_used(sky),
        "error_vertical": position.error_vertical_mm,
        "error_time": extra.error_time_us,
        "antenna": extra.own.antenna,
        "jamming": extra.own.jamming,
        "jamming_state": extra.own.jamming_state,
        "odometer": extra.odometer_mm,
        **_hold(extra.motion),
    }
    known |= {name: satellites_used(sky, gnssid) for name, gnssid in CONSTELLATIONS.items()}
    counts = [None if (count := known[point]) is None else int(count) for point in points]
    flags = [(index, int(Status.NOT_MEASURED)) for index, count in enumerate(counts) if count is None]
    return counts, flags
