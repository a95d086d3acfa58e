"""What a job is judged by: readings of its zone, breaches that gateways told, who came and went.

It writes nothing. Names of tables are those of the whole hub: who may see a job may see what it rests on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cloud.store.calibration import load_scales
from cloud.store.connection import Connection
from cloud.store.ticks import tick_of_datetime
from rules.alarm.model import Sample

STALE_PERIODS = 3
"""A reading stands for so many periods of its point."""


@dataclass(frozen=True, slots=True)
class ZonePoint:
    """A measured point of a zone."""

    id: int
    name: str
    quantity: str
    period_ms: int | None
    exponent: int


_POINTS = """
SELECT p.id, p.name, p.quantity, v.period_ms, coalesce(v.exponent, 0)
  FROM public.zones z JOIN public.points p ON p.site_id = z.site_id
  LEFT JOIN LATERAL (SELECT exponent, period_ms FROM public.point_versions
                      WHERE point_id = p.id ORDER BY valid DESC LIMIT 1) v ON true
 WHERE z.site_id = %(site)s AND z.name = %(zone)s AND p.kind = 'analog' AND p.quantity <> 'position'
   AND NOT p.name LIKE '%%setpoint'
   AND EXISTS (SELECT 1 FROM unnest(z.covers) c
                WHERE p.name = c OR starts_with(p.name, rtrim(c, '/') || '/'))
 ORDER BY p.id
"""


async def points_in(connection: Connection, site_id: int, zone: str) -> list[ZonePoint]:
    """Return the measured points that a zone covers, setpoints left out."""
    rows = await (await connection.execute(_POINTS, {"site": site_id, "zone": zone})).fetchall()
    return [ZonePoint(*row) for row in rows]


async def count_readings(
    connection: Connection, point_ids: Sequence[int], from_at: datetime, to_at: datetime, *, most: int
) -> int:
    """Return how many readings there are, `most` when there are as many or more."""
    cursor = await connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM readings WHERE point_id = ANY(%s) AND observed_at >= %s"
        " AND observed_at < %s LIMIT %s) probe",
        (list(point_ids), from_at, to_at, most),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def read_samples(
    connection: Connection, point_id: int, from_at: datetime, to_at: datetime
) -> tuple[Sample, ...]:
    """Return calibrated readings from `from_at` until before `to_at`, and the one that stood at the start."""
    cursor = await connection.execute(
        "(SELECT observed_at, raw FROM readings WHERE point_id = %(point)s"
        " AND observed_at < %(from)s ORDER BY observed_at DESC LIMIT 1) UNION ALL"
        " (SELECT observed_at, raw FROM readings WHERE point_id = %(point)s"
        " AND observed_at >= %(from)s AND observed_at < %(to)s ORDER BY observed_at)",
        {"point": point_id, "from": from_at, "to": to_at},
    )
    return await _samples(connection, point_id, await cursor.fetchall())


async def neighbours(
    connection: Connection, point_id: int, at: datetime, *, later: bool, bound: datetime, limit: int = 500
) -> tuple[Sample, ...]:
    """Return readings from `bound` until before `at`, the nearest first; `later`: from `at` to it."""
    query = (
        "SELECT observed_at, raw FROM readings WHERE point_id = %s"
        " AND observed_at >= %s AND observed_at < %s ORDER BY observed_at LIMIT %s"
        if later
        else "SELECT observed_at, raw FROM readings WHERE point_id = %s"
        " AND observed_at >= %s AND observed_at < %s ORDER BY observed_at DESC LIMIT %s"
    )
    span = (at, bound) if later else (bound, at)
    cursor = await connection.execute(query.encode(), (point_id, *span, limit))
    return await _samples(connection, point_id, await cursor.fetchall())


async def is_silent_since(connection: Connection, point_id: int, at: datetime) -> bool:
    """Whether a gateway told that nothing comes of a point since its reading of this time, and still so."""
    cursor = await connection.execute(
        "SELECT EXISTS (SELECT 1 FROM public.gaps WHERE point_id = %s AND from_at >= %s AND to_at IS NULL)",
        (point_id, at),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _samples(
    connection: Connection, point_id: int, rows: Iterable[Sequence[Any]]
) -> tuple[Sample, ...]:
    rows = list(rows)
    if not rows:
        return ()
    times = [row[0] for row in rows]
    scales = await load_scales(connection, point_id, min(times), max(times) + timedelta(seconds=1))
    found = []
    for observed_at, raw in rows:
        scale = None if raw is None else scales.at(observed_at)
        value = None if scale is None or raw is None else Decimal(scale.value(raw))
        found.append(Sample(tick_of_datetime(observed_at), value))
    return tuple(found)


# --- breaches that gateways told ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """One event of an interlock."""

    gateway: str
    interlock: str
    kind: str
    tick: int


_BREACHES = """
SELECT g.name, CASE WHEN e.kind LIKE 'work%%' THEN e.data->>'interlock' ELSE e.subject END AS interlock,
       e.kind, e.observed_at
  FROM public.events e JOIN public.gateways g ON g.id = e.gateway_id
 WHERE e.kind IN ('interlock_tripped', 'interlock_breached', 'interlock_enabled', 'interlock_resumed',
                  'work_held', 'work_released')
   AND e.site_id = %(site)s AND e.observed_at >= %(from)s AND e.observed_at < %(to)s
   AND CASE WHEN e.kind LIKE 'work%%' THEN e.subject = %(zone)s ELSE EXISTS (
            SELECT 1 FROM unnest(%(gateways)s::int[], %(interlocks)s::text[]) AS w (gateway_id, interlock)
             WHERE w.gateway_id = e.gateway_id AND w.interlock = e.subject) END
 ORDER BY e.gateway_id, interlock, e.observed_at, e.id
"""


async def read_breaches(
    connection: Connection,
    place: tuple[int, str],
    interlocks: Sequence[tuple[int, str]],
    *,
    from_at: datetime,
    to_at: datetime,
) -> list[Told]:
    """Return what gateways told of interlocks that hold work at (site, zone), in order for each of them.

    That work is held there they tell by itself; `interlocks`, (id of the gateway, name), are those known to
    do so.
    """
    given = {
        "gateways": [one[0] for one in interlocks],
        "interlocks": [one[1] for one in interlocks],
        "site": place[0],
        "zone": place[1],
        "from": from_at,
        "to": to_at,
    }
    rows = await (await connection.execute(_BREACHES, given)).fetchall()
    return [Told(row[0], row[1] or "", row[2], tick_of_datetime(row[3])) for row in rows]


# --- who was there --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passage:
    """Somebody went through a portal of a zone."""

    tick: int
    people: tuple[str, ...]
    inward: bool


@dataclass(frozen=True, slots=True)
class Way:
    """A portal of a zone, as far as it tells who goes through it."""

    name: str
    reads_in: bool
    reads_out: bool


_WAYS = """
SELECT p.name,
       CASE WHEN p.to_zone_id = z.id THEN p.reader_in ELSE p.reader_out END IS NOT NULL,
       CASE WHEN p.to_zone_id = z.id THEN p.reader_out ELSE p.reader_in END IS NOT NULL
  FROM public.zones z JOIN public.portals p ON z.id IN (p.from_zone_id, p.to_zone_id)
 WHERE z.site_id = %(site)s AND z.name = %(zone)s AND p.retired_at IS NULL
 ORDER BY p.name
"""

_PASSAGES = """
SELECT e.observed_at, e.data->>'person', e.data->>'admits',
       (e.subject = p.name || '/in') = (p.to_zone_id = z.id)
  FROM public.zones z JOIN public.portals p ON z.id IN (p.from_zone_id, p.to_zone_id)
  JOIN public.events e ON e.site_id = z.site_id AND e.subject IN (p.name || '/in', p.name || '/out')
 WHERE z.site_id = %(site)s AND z.name = %(zone)s AND e.kind = 'access_passed'
   AND e.organisation_id = z.organisation_id AND e.observed_at >= %(from)s AND e.observed_at < %(to)s
 ORDER BY e.observed_at, e.id
"""


async def ways_into(connection: Connection, site_id: int, zone: str) -> list[Way]:
    """Return the portals of a zone."""
    rows = await (await connection.execute(_WAYS, {"site": site_id, "zone": zone})).fetchall()
    return [Way(*row) for row in rows]


async def read_passages(
    connection: Connection, site_id: int, zone: str, *, from_at: datetime, to_at: datetime
) -> list[Passage]:
    """Return proven passages into and out of a zone, in order."""
    given = {"site": site_id, "zone": zone, "from": from_at, "to": to_at}
    rows = await (await connection.execute(_PASSAGES, given)).fetchall()
    return [Passage(tick_of_datetime(row[0]), _people(row[1], row[2]), bool(row[3])) for row in rows]


def _people(person: str | None, admits: str | None) -> tuple[str, ...]:
    """Return who passed: `admits` names everybody, separated by commas or blanks."""
    named = [one for one in (admits or "").replace(",", " ").split() if one]
    return tuple(dict.fromkeys([*([person] if person else []), *named]))


async def heard_until(connection: Connection, gateways: Sequence[int]) -> datetime | None:
    """Return until when each of these gateways has delivered; None: one never has."""
    cursor = await connection.execute(
        "SELECT min(last_batch_at), bool_or(last_batch_at IS NULL) FROM public.gateways WHERE id = ANY(%s)",
        (list(gateways),),
    )
    row = await cursor.fetchone()
    return None if row is None or row[1] is None or row[1] else row[0]


# --- facts of this instant ------------------------------------------------------------------------------


async def authorised_for(
    connection: Connection,
    organisation_id: int,
    people: Sequence[str],
    *,
    activities: Sequence[str],
    at: datetime,
) -> tuple[str, ...]:
    """Return those of some people, by number, who may do all of these activities at this time."""
    cursor = await connection.execute(
        "SELECT p.number FROM public.people p WHERE p.organisation_id = %(body)s AND p.number = ANY(%(who)s)"
        " AND (p.left_at IS NULL OR p.left_at > %(at)s)"
        " AND NOT EXISTS (SELECT 1 FROM unnest(%(what)s::text[]) w WHERE NOT EXISTS ("
        " SELECT 1 FROM public.authorisations a WHERE a.person_id = p.id AND a.kind = 'activity'"
        " AND a.subject = w AND a.valid @> %(at)s::timestamptz"
        " AND (a.withdrawn_at IS NULL OR a.withdrawn_at > %(at)s)))",
        {"body": organisation_id, "who": list(people), "what": list(activities), "at": at},
    )
    known = {row[0] for row in await cursor.fetchall()}
    return tuple(one for one in people if one in known)


async def known_people(connection: Connection, organisation_id: int, people: Sequence[str]) -> frozenset[str]:
    """Return which of these numbers are people of the organisation who have not left."""
    cursor = await connection.execute(
        "SELECT number FROM public.people"
        " WHERE organisation_id = %s AND number = ANY(%s) AND left_at IS NULL",
        (organisation_id, list(people)),
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def overdue_instruments(
    connection: Connection, site_id: int, instruments: Sequence[str], *, at: datetime
) -> tuple[str, ...]:
    """Return instruments of which a point, named below them, has a calibration that is overdue."""
    cursor = await connection.execute(
        "SELECT i FROM unnest(%(names)s::text[]) i WHERE EXISTS ("
        " SELECT 1 FROM public.points p JOIN public.sites s ON s.id = p.site_id"
        " LEFT JOIN public.calibrations c ON c.point_id = p.id AND c.valid @> %(at)s::timestamptz"
        " WHERE p.site_id = %(site)s AND (p.name = i OR starts_with(p.name, i || '/'))"
        " AND coalesce(c.due_on, p.calibration_due) < (%(at)s::timestamptz AT TIME ZONE s.time_zone)::date)",
        {"names": list(instruments), "site": site_id, "at": at},
    )
    known = {row[0] for row in await cursor.fetchall()}
    return tuple(one for one in instruments if one in known)


async def unlisted_instruments(
    connection: Connection, site_id: int, instruments: Sequence[str], *, at: datetime
) -> tuple[str, ...]:
    """Return instruments that nothing knows at a site: no device, point, equipment or entered instrument.

    Of those no calibration is looked at, whatever it says on their label.
    """
    cursor = await connection.execute(
        "SELECT i FROM unnest(%(names)s::text[]) i WHERE NOT EXISTS ("
        " SELECT 1 FROM public.points WHERE site_id = %(site)s AND (name = i OR starts_with(name, i || '/')))"
        " AND NOT EXISTS (SELECT 1 FROM public.devices d JOIN public.gateway_bindings b USING (gateway_id)"
        " WHERE b.site_id = %(site)s AND b.valid @> %(at)s::timestamptz AND upper_inf(d.valid)"
        " AND d.name = i)"
        " AND NOT EXISTS (SELECT 1 FROM public.access_items"
        " WHERE site_id = %(site)s AND kind = 'equipment' AND name = i)"
        " AND NOT EXISTS (SELECT 1 FROM public.assets a JOIN public.sites s USING (organisation_id)"
        " WHERE s.id = %(site)s AND a.retired_at IS NULL AND i IN (a.name, a.tag))",
        {"names": list(instruments), "site": site_id, "at": at},
    )
    unknown = {row[0] for row in await cursor.fetchall()}
    return tuple(one for one in instruments if one in unknown)


async def person_of_account(connection: Connection, account_id: int, *, organisation_id: int) -> str | None:
    """Return the number of the person whose account it is; None: of nobody of this organisation."""
    cursor = await connection.execute(
        "SELECT p.number FROM public.accounts a JOIN public.people p ON p.id = a.person_id"
        " WHERE a.id = %s AND p.organisation_id = %s",
        (account_id, organisation_id),
    )
    row = await cursor.fetchone()
    return None if row is None else str(row[0])
