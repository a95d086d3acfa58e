"""What watches each zone, and whether it does so now; writes nothing.

A zone is covered by what its site file names for it: points by their names, cameras, readers, the readers and
contacts of its portals; a radio among the readers tells which tags and badges are there. What is named and
not there is said so, and covers nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cloud.store.connection import Connection
from cloud.store.devices_read import Device, Part, list_devices
from cloud.store.gaps_read import newest_open
from cloud.store.judging import Judged, judge
from cloud.store.latest import Latest, list_latest
from cloud.store.sites import Gateway, list_gateways
from cloud.store.zones import Zone, list_zones

GROUPS = {
    "temperature": ("temperature",),
    "humidity": ("relative_humidity", "dew_point", "absolute_humidity"),
    "pressure": ("pressure", "differential_pressure"),
    "other": (
        *("illuminance", "sound_level", "vibration", "acceleration", "air_speed", "co2", "pm2_5", "pm10"),
        *("gas_concentration", "flow_rate", "electric_field", "magnetic_flux_density", "radiation_dose_rate"),
    ),
}
"""Column -> quantities that count as such a sensor."""
SETPOINT = "setpoint"
"""How names of points end that say what is wanted, not what is."""
WHAT = ("camera", "temperature", "humidity", "pressure", "other", "contact", "reader", "presence")
"""The columns of the matrix."""
PRESENCE = ("presence", "occupancy", "motion")
"""How names of points end that say whether somebody or something is there."""
_DRIVERS = {"camera": ("camera",), "reader": ("osdp", "wiegand", "terminal"), "presence": ("ble",)}
_KINDS = {
    "camera": ("camera",),
    "reader": ("reader", "terminal"),
    "contact": ("door_contact",),
    "presence": (),
}
_POINTS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Cover:
    """One thing that watches a zone."""

    name: str
    """Of the point, or of the camera or reader as the site file names it."""
    state: str
    """`live`; `partly`; `silent`; `never` (nothing came yet); `unmonitored` (it has no points to judge by);
    `missing` (no gateway has it)."""
    since_at: datetime | None = None
    cause: str | None = None
    """As of a device."""
    reason: str = ""
    point_id: int | None = None
    """A point of it, to look at."""
    title: str = ""
    """Of the point: what people call it; empty: nothing is known."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of watching in one zone."""

    what: str
    """`camera`, `temperature`, `humidity`, `pressure`, `other`, `contact`, `reader` or `presence`."""
    state: str
    """`live` (all of it), `partly`, `silent` (none of it now), `unmonitored` (nothing of it can be judged) or
    `none` (nothing is there)."""
    by: list[Cover]


@dataclass(frozen=True, slots=True)
class ZoneCoverage:
    """One zone, and what watches it."""

    zone_id: int
    site_id: int
    site: str
    name: str
    title: str
    kind: str
    cells: list[Cell]
    lacks: list[str]
    """What it has none of: `camera`, `sensor` (of any quantity), `reader` (or what tells presence)."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What there is at the sites."""

    points: Sequence[Latest]
    judged: dict[int, Judged]
    devices: Sequence[Device]


async def list_coverage(
    connection: Connection,
    *,
    now: datetime,
    site_id: int | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[ZoneCoverage]:
    """Return zones by id with what watches them, those with an id greater than `after`."""
    zones = await list_zones(connection, site_id=site_id, after=after, limit=limit)
    if not zones:
        return []
    only = {zone.site_id for zone in zones}
    one = next(iter(only)) if len(only) == 1 else None
    points = [
        point
        for point in await list_latest(connection, now=now, site_id=one, limit=_POINTS_MAX)
        if point.point.site_id in only
    ]
    devices = await list_devices(connection, now=now, site_id=one, limit=_POINTS_MAX)
    gateways = await list_gateways(connection, site_id=one)
    judged = await _judge_points(connection, points, gateways, now=now)
    known = _Known(points, judged, devices)
    return [_covered(zone, known) for zone in zones]


async def _judge_points(
    connection: Connection, points: Sequence[Latest], gateways: Sequence[Gateway], *, now: datetime
) -> dict[int, Judged]:
    asked = [one.point.id for one in points if one.state != "live" or one.point.period_ms is None]
    gaps = await newest_open(connection, asked, now=now)
    found = {}
    for one in points:
        own = [gateway for gateway in gateways if gateway.site_id == one.point.site_id]
        heard = any(gateway.online for gateway in own)
        found[one.point.id] = judge([one], gaps, own[0] if own and not heard else None)
    return found


def _covered(zone: Zone, known: _Known) -> ZoneCoverage:
    points = [one for one in known.points if one.point.site_id == zone.site_id]
    devices = [one for one in known.devices if one.site_id == zone.site_id]
    inside = [
        one
        for one in points
        if _is_below(one.point.name, zone.covers) and not one.point.name.endswith(SETPOINT)
    ]
    cells = []
    for what in WHAT:
        if what in GROUPS:
            covers = [_of_point(one, known.judged) for one in inside if one.point.quantity in GROUPS[what]]
        elif what == "contact":
            covers = list(_contacts(zone, points, devices, known=known))
        elif what == "presence":
            covers = list(_presence(zone, inside, devices, known=known))
        else:
            covers = [_of_thing(name, what, devices) for name in _named(zone, what, devices)]
        cells.append(Cell(what, _state(covers), covers))
    return ZoneCoverage(
        zone_id=zone.id,
        site_id=zone.site_id,
        site=zone.site,
        name=zone.name,
        title=zone.title,
        kind=zone.kind,
        cells=cells,
        lacks=list(_lacks(cells)),
    )


def _named(zone: Zone, what: str, devices: Iterable[Device]) -> list[str]:
    """Return the names of the zone's cameras or readers, those at its portals included, radios left out."""
    if what == "camera":
        return zone.cameras
    radios = {one.name for one in devices if one.driver in _DRIVERS["presence"]}
    ways_in = [one.reader_in for one in zone.portals if one.to_zone == zone.name]
    ways_out = [one.reader_out for one in zone.portals if one.from_zone == zone.name]
    named = dict.fromkeys([*zone.readers, *(one for one in (*ways_in, *ways_out) if one)])
    return [name for name in named if name not in radios]


def _presence(
    zone: Zone, inside: Sequence[Latest], devices: Iterable[Device], *, known: _Known
) -> Iterator[Cover]:
    """Yield what tells who or what is there: sensors in the zone, and radios that follow tags and badges."""
    sensors = [one for one in inside if one.point.name.rpartition("/")[2] in PRESENCE]
    yield from (_of_point(one, known.judged) for one in sensors)
    told = {one.point.id for one in known.points if one.point.name.endswith("/presence")}
    for device in devices:
        if device.name in zone.readers and device.driver in _DRIVERS["presence"]:
            found = _of_thing(device.name, "presence", [device])
            point = next((one for one in device.points if one in told), None)
            yield replace(found, point_id=point)


def _of_thing(name: str, what: str, devices: Iterable[Device]) -> Cover:
    """Return a camera or reader by its name: a device's, or that of a part of one."""
    for device in devices:
        found: Device | Part | None = next(
            (part for part in device.parts if part.name == name and part.kind in _KINDS[what]), None
        )
        if found is None and device.name == name and device.driver in _DRIVERS[what]:
            found = device
        if found is not None:
            state = "live" if found.state == "working" else found.state
            point = found.points[0] if found.points else None
            return Cover(name, state, found.since_at, found.cause, found.reason, point)
    return Cover(name, "missing")


def _contacts(
    zone: Zone, points: Sequence[Latest], devices: Iterable[Device], *, known: _Known
) -> Iterator[Cover]:
    """Yield the contacts of the zone's portals, and those that are in it."""
    kinds = _KINDS["contact"]
    parts = {part.name for device in devices for part in device.parts if part.kind in kinds}
    named = [one.contact for one in zone.portals if one.contact]
    inside = [name for name in sorted(parts) if _is_below(name, zone.covers)]
    for name in dict.fromkeys([*named, *inside]):
        found = next((one for one in points if _is_below(one.point.name, [name])), None)
        yield _of_point(found, known.judged) if found else Cover(name, "missing")


def _of_point(one: Latest, judged: dict[int, Judged]) -> Cover:
    found = judged[one.point.id]
    state = "live" if found.state == "working" else found.state
    point = one.point
    return Cover(point.name, state, found.since_at, found.cause, found.reason, point.id, point.title)


def _is_below(name: str, beginnings: Iterable[str]) -> bool:
    return any(name == one or name.startswith(one.rstrip("/") + "/") for one in beginnings)


def _state(covers: Sequence[Cover]) -> str:
    there = [one for one in covers if one.state != "missing"]
    if not there:
        return "none"
    if all(one.state == "unmonitored" for one in there):
        return "unmonitored"
    live = sum(one.state == "live" for one in there)
    if live == len(covers):
        return "live"
    return "partly" if live or any(one.state == "partly" for one in there) else "silent"


def _lacks(cells: Sequence[Cell]) -> Iterator[str]:
    states = {cell.what: cell.state for cell in cells}
    if states["camera"] == "none":
        yield "camera"
    if all(states[what] == "none" for what in GROUPS):
        yield "sensor"
    if states["reader"] == states["presence"] == "none":
        yield "reader"
