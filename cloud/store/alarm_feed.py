"""What is new for alarms since a position of the feed: readings of watched points, events; writes nothing.

The position is a transaction id, as in `cloud.store.feed`: what commits late is in the next look. One look
takes a bounded number of batches and events, and all of a position together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from cloud.store.calibration import Scales
from cloud.store.connection import Connection
from cloud.store.ticks import tick_of_datetime
from rules.alarm.model import Sample, sample_of
from wire.status import Status

BATCHES_MAX = 2_000
_STATUSES = {int(one) for one in Status}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of event time in which a gateway sent readings."""

    gateway_id: int
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """One event that may concern an alarm."""

    organisation_id: int
    site_id: int
    gateway_id: int | None
    tick: int
    kind: str
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arrived:
    """New samples of one point, and the gateway that brought them."""

    gateway_id: int
    samples: list[Sample]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Positions from `after` on and before `until`; `more`: there is something behind it already."""

    after: int
    until: int
    more: bool


_REACH = """
SELECT max(feed)::text::bigint, count(*) FROM (
    SELECT feed FROM (SELECT feed FROM batches
                       WHERE feed >= %(after)s::text::xid8 AND feed < %(head)s::text::xid8
                       ORDER BY feed LIMIT %(most)s) b
    UNION ALL
    SELECT feed FROM (SELECT feed FROM events
                       WHERE feed >= %(after)s::text::xid8 AND feed < %(head)s::text::xid8
                       ORDER BY feed LIMIT %(most)s) e
    ORDER BY feed LIMIT %(most)s) next
"""

_SPANS = """
SELECT gateway_id, lower(stretch), upper(stretch) FROM (
    SELECT gateway_id, unnest(range_agg(tstzrange(first_at, last_at + interval '1 second', '[]'))) AS stretch
      FROM batches
     WHERE feed >= %(after)s::text::xid8 AND feed < %(until)s::text::xid8
       AND first_at IS NOT NULL AND state IN ('placed', 'conflict')
     GROUP BY gateway_id) s
"""

_READINGS = """
SELECT DISTINCT s.gateway_id, r.point_id, r.observed_at, r.raw, r.status
FROM unnest(%(gateways)s::int[], %(froms)s::timestamptz[], %(tos)s::timestamptz[])
     s(gateway_id, from_at, to_at)
JOIN channel_bindings c ON c.gateway_id = s.gateway_id AND c.point_id = ANY(%(points)s)
JOIN readings r ON r.point_id = c.point_id AND r.observed_at >= s.from_at AND r.observed_at <= s.to_at
"""

_SINCE = """
SELECT observed_at, raw, status FROM readings
WHERE point_id = %s AND observed_at > %s AND observed_at <= %s ORDER BY observed_at
LIMIT %s
"""

_EVENTS = """
SELECT organisation_id, site_id, gateway_id, observed_at, kind, subject, data FROM events
WHERE feed >= %(after)s::text::xid8 AND feed < %(until)s::text::xid8
  AND kind = ANY(%(kinds)s) AND site_id IS NOT NULL
ORDER BY id
"""

_EVENTS_SINCE = """
SELECT organisation_id, site_id, gateway_id, observed_at, kind, subject, data FROM events
WHERE organisation_id = %(organisation)s AND observed_at > %(since)s
  AND site_id = %(site)s AND kind = ANY(%(kinds)s)
ORDER BY observed_at, id
"""


async def next_stretch(connection: Connection, after: int, head: int) -> Stretch:
    """Return the positions to look at next, up to before `head`; all of one position belong together."""
    cursor = await connection.execute(_REACH, {"after": str(after), "head": str(head), "most": BATCHES_MAX})
    row = await cursor.fetchone()
    if row is None or row[1] < BATCHES_MAX:
        return Stretch(after, max(head, after), more=False)
    return Stretch(after, int(row[0]) + 1, more=True)


async def spans(connection: Connection, stretch: Stretch) -> list[Span]:
    """Return when the new batches were measured, by gateway."""
    cursor = await connection.execute(_SPANS, _between(stretch))
    return [Span(*row) for row in await cursor.fetchall()]


async def readings(
    connection: Connection, found: Sequence[Span], scales: Mapping[int, Scales]
) -> dict[int, Arrived]:
    """Return point id -> samples within these stretches, of the points that have scales."""
    if not found or not scales:
        return {}
    cursor = await connection.execute(
        _READINGS,
        {
            "gateways": [one.gateway_id for one in found],
            "froms": [one.from_at for one in found],
            "tos": [one.to_at for one in found],
            "points": list(scales),
        },
    )
    arrived: dict[int, Arrived] = {}
    async for gateway_id, point_id, at, raw, status in cursor:
        one = arrived.setdefault(point_id, Arrived(gateway_id, []))
        one.samples.append(_sample(at, raw, status, scales=scales[point_id]))
    return arrived


async def readings_since(
    connection: Connection,
    point_id: int,
    *,
    since: datetime,
    until: datetime,
    scales: Scales,
    most: int | None = None,
) -> list[Sample]:
    """Return samples of a point after one time and up to another, in order: all, or the first of them."""
    cursor = await connection.execute(_SINCE, (point_id, since, until, most))
    return [_sample(at, raw, status, scales=scales) for at, raw, status in await cursor.fetchall()]


async def events(connection: Connection, stretch: Stretch, kinds: Sequence[str]) -> list[Told]:
    """Return new events of these kinds."""
    cursor = await connection.execute(_EVENTS, _between(stretch) | {"kinds": list(kinds)})
    return [_told(row) for row in await cursor.fetchall()]


async def events_since(
    connection: Connection, organisation_id: int, site_id: int, *, since: datetime, kinds: Sequence[str]
) -> list[Told]:
    """Return events of a site after a time, in order of event time."""
    values = {"organisation": organisation_id, "site": site_id, "since": since, "kinds": list(kinds)}
    cursor = await connection.execute(_EVENTS_SINCE, values)
    return [_told(row) for row in await cursor.fetchall()]


def _between(stretch: Stretch) -> dict[str, Any]:
    return {"after": str(stretch.after), "until": str(stretch.until)}


def _told(row: Sequence[Any]) -> Told:
    organisation_id, site_id, gateway_id, at, kind, subject, data = row
    return Told(organisation_id, site_id, gateway_id, tick_of_datetime(at), kind, subject, data)


def _sample(at: datetime, raw: int | None, status: int, *, scales: Scales) -> Sample:
    scale = None if raw is None else scales.at(at)
    value = None if scale is None or raw is None else Decimal(scale.value(raw))
    known = Status(status) if status in _STATUSES else Status.UNKNOWN
    return sample_of(tick_of_datetime(at), value, known)
