"""Devices as the pages and the API show them: what they are, whether they work, when they were seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.store.connection import Connection
from cloud.store.gaps_read import Gap, newest_open
from cloud.store.judging import Judged, judge
from cloud.store.latest import Latest, latest_of
from cloud.store.points import points_of
from cloud.store.sites import Gateway, list_gateways

_EVENTS_SEEN_FOR = "7 days"
_GATEWAYS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """What a device consists of: a reader on a line, a unit on a bus, a sensor."""

    name: str
    """Names of its points are this name, or begin with it and a slash."""
    kind: str
    state: str
    """As of the device."""
    since_at: datetime | None
    cause: str | None
    reason: str
    points: list[int]
    """Ids of its points."""
    last_seen_at: datetime | None
    left: str | None
    """Of an output: the word of the state it is in although it was declared to rest in another one."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a gateway's settings."""

    id: int
    gateway: str
    site_id: int | None
    site: str | None
    name: str
    driver: str
    """`modbus`, `osdp`, …; `unknown` when the gateway does not tell."""
    declared_at: datetime | None
    """Since when it is set up as it is; None: since the gateway first told."""
    state: str
    """`working`; `partly` (some of its points are silent); `silent` (all of them, or none has a value);
    `never` (nothing came yet); `unmonitored` (no points to judge by)."""
    since_at: datetime | None
    """Since when it is not working."""
    cause: str | None
    """A word of `GapCause`, or `offline`, `no_value`, `session_lost`, `line_low`, `frozen`."""
    reason: str
    """As the gateway wrote it, in English."""
    silent: int
    """How many of its points give nothing."""
    points: list[int]
    """Ids of its points."""
    last_seen_at: datetime | None
    """Time of its newest reading or event."""
    parts: list[Part]


_DEVICES = """
SELECT d.id, d.gateway_id, g.name, s.id, s.name, d.name, d.driver, lower(d.valid), d.channels, d.parts
FROM devices d
JOIN gateways g ON g.id = d.gateway_id
LEFT JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> now()
LEFT JOIN sites s ON s.id = b.site_id
WHERE upper_inf(d.valid) AND d.id > %(after)s
  AND (%(site_id)s::int IS NULL OR s.id = %(site_id)s)
  AND (%(gateway)s::text IS NULL OR g.name = %(gateway)s)
ORDER BY d.id
LIMIT %(limit)s
"""

_CHANNELS = """
SELECT gateway_id, channel, point_id FROM channel_bindings WHERE gateway_id = ANY(%s) AND valid @> now()
"""

# What a device tells of is named like it, like one of its parts, or below one of these.
_EVENTS = """
SELECT gateway_id, subject, max(observed_at) FROM events
WHERE gateway_id = ANY(%(gateways)s) AND observed_at > %(now)s - %(span)s::interval
  AND observed_at <= %(now)s AND kind <> 'candidate_seen'
GROUP BY gateway_id, subject
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What devices are judged by: points with their newest readings, open gaps, gateways."""

    points: Mapping[tuple[int, str], Latest]
    """(gateway id, channel) -> its point."""
    gaps: Mapping[int, Gap]
    gateways: Mapping[int, Gateway]
    events: Mapping[int, list[tuple[str, datetime]]]
    """Gateway id -> subjects with the time of their newest event."""


async def list_devices(
    connection: Connection,
    *,
    now: datetime,
    site_id: int | None = None,
    gateway: str | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Device]:
    """Return the devices that are set up now, by id, those with an id greater than `after`."""
    values = {"site_id": site_id, "gateway": gateway, "after": after, "limit": limit}
    rows = await (await connection.execute(_DEVICES, values)).fetchall()
    evidence = await _evidence(connection, sorted({row[1] for row in rows}), now=now)
    return [_device(row, evidence) for row in rows]


async def _evidence(connection: Connection, gateway_ids: Sequence[int], *, now: datetime) -> Evidence:
    bound = await (await connection.execute(_CHANNELS, (gateway_ids,))).fetchall()
    points = await points_of(connection, sorted({row[2] for row in bound}))
    latest = {one.point.id: one for one in await latest_of(connection, points, now=now)}
    lacking = [one.point.id for one in latest.values() if one.state != "live" or one.point.period_ms is None]
    asked = {"gateways": gateway_ids, "now": now, "span": _EVENTS_SEEN_FOR}
    events: dict[int, list[tuple[str, datetime]]] = {}
    for gateway_id, subject, at in await (await connection.execute(_EVENTS, asked)).fetchall():
        events.setdefault(gateway_id, []).append((subject, at))
    return Evidence(
        points={(row[0], row[1]): latest[row[2]] for row in bound if row[2] in latest},
        gaps=await newest_open(connection, lacking, now=now),
        gateways={one.id: one for one in await list_gateways(connection, limit=_GATEWAYS_MAX)},
        events=events,
    )


def _device(row: Sequence[Any], evidence: Evidence) -> Device:
    number, gateway_id, gateway, site_id, site, name, driver, declared_at, channels, parts = row
    own = [evidence.points[gateway_id, one] for one in channels if (gateway_id, one) in evidence.points]
    judged = judge(own, evidence.gaps, evidence.gateways.get(gateway_id))
    events = evidence.events.get(gateway_id, [])
    names = [name, *(part["name"] for part in parts), *channels]
    return Device(
        id=number,
        gateway=gateway,
        site_id=site_id,
        site=site,
        name=name,
        driver=driver,
        declared_at=declared_at,
        state=judged.state,
        since_at=judged.since_at,
        cause=judged.cause,
        reason=judged.reason,
        silent=judged.silent,
        points=[one.point.id for one in own],
        last_seen_at=_seen(own, [at for subject, at in events if _is_of(subject, names)]),
        parts=[
            _part(part, own, evidence.gaps, gateway=evidence.gateways.get(gateway_id), events=events)
            for part in parts
        ],
    )


def _part(
    part: Mapping[str, str],
    points: Sequence[Latest],
    gaps: Mapping[int, Gap],
    *,
    gateway: Gateway | None,
    events: Sequence[tuple[str, datetime]],
) -> Part:
    name = part["name"]
    own = [one for one in points if _is_of(one.point.name, [name])]
    judged: Judged = judge(own, gaps, gateway)
    return Part(
        name=name,
        kind=part["kind"],
        state=judged.state,
        since_at=judged.since_at,
        cause=judged.cause,
        reason=judged.reason,
        points=[one.point.id for one in own],
        last_seen_at=_seen(own, [at for subject, at in events if _is_of(subject, [name])]),
        left=_left(own, part.get("rest", "")),
    )


def _left(points: Sequence[Latest], rest: str) -> str | None:
    said = [one.word for one in points if one.state == "live" and one.word is not None]
    return next((word for word in said if rest and word != rest), None)


def _is_of(name: str, owners: Sequence[str]) -> bool:
    """Whether a point or subject is one of these names, or below one."""
    return any(name == owner or name.startswith(owner + "/") for owner in owners)


def _seen(points: Sequence[Latest], events: Sequence[datetime]) -> datetime | None:
    return max([*(one.observed_at for one in points if one.observed_at), *events], default=None)
