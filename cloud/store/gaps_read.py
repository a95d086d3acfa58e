"""Gaps with both ends resolved against the readings stored now; writes nothing.

A gap without a start begins at the last reading stored before it; one without an end lasts to the next
reading stored after it, or to now. Late readings move these ends, so they are found at query time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg.rows import class_row

from cloud.store.connection import Connection
from cloud.store.neighbours import find_stored, first_from, last_before

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of one point without readings, and why."""

    id: int
    point_id: int
    point: str
    site_id: int
    site: str
    cause: str
    """A word of `GapCause`."""
    reason: str
    from_at: datetime | None
    """None when nothing was ever stored before."""
    to_at: datetime
    open: bool
    """Still lasting: no end is known and no reading came after it; `to_at` is then the time of asking."""
    stored_at: datetime


# Ends that are not known are NULL or, for to_at, the time of asking, until they are resolved.
_GAPS = """
SELECT g.id, g.point_id, p.name AS point, p.site_id, s.name AS site, g.cause, g.reason,
       g.from_at, coalesce(g.to_at, %(now)s) AS to_at, g.to_at IS NULL AS open, g.stored_at
FROM gaps g
JOIN points p ON p.id = g.point_id
JOIN sites s ON s.id = p.site_id
WHERE (%(point_id)s::int IS NULL OR g.point_id = %(point_id)s)
  AND (%(site_id)s::int IS NULL OR p.site_id = %(site_id)s)
  AND (%(cause)s::text IS NULL OR g.cause = %(cause)s)
  AND (g.from_at IS NULL OR g.from_at < %(to_at)s)
  AND (g.to_at IS NULL OR g.to_at > %(from_at)s)
"""
_BY_ID = _GAPS + " AND g.id > %(after)s ORDER BY g.id LIMIT %(limit)s"
_NEWEST = (
    _GAPS
    + """
  AND (g.to_at IS NULL) = %(unended)s
ORDER BY coalesce(g.to_at, g.from_at, g.stored_at) DESC, g.id DESC
LIMIT %(limit)s
"""
)
_UNENDED_MAX = 1000

# No reading came after the newest one's start if none came after an older one's: one a point is enough.
_NEWEST_OPEN = """
SELECT DISTINCT ON (g.point_id)
       g.id, g.point_id, p.name AS point, p.site_id, s.name AS site, g.cause, g.reason,
       g.from_at, %(now)s AS to_at, true AS open, g.stored_at
FROM gaps g
JOIN points p ON p.id = g.point_id
JOIN sites s ON s.id = p.site_id
WHERE g.point_id = ANY(%(point_ids)s) AND g.to_at IS NULL
ORDER BY g.point_id, coalesce(g.from_at, g.stored_at) DESC, g.id DESC
"""


async def list_gaps(
    connection: Connection,
    from_at: datetime,
    to_at: datetime,
    *,
    now: datetime,
    point_id: int | None = None,
    site_id: int | None = None,
    cause: str | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Gap]:
    """Return gaps that touch the interval, by id, those with an id greater than `after`."""
    values = {"from_at": from_at, "to_at": to_at, "now": now, "limit": limit}
    values |= {"point_id": point_id, "site_id": site_id, "cause": cause, "after": after}
    found: list[Gap] = []
    while True:
        async with connection.cursor(row_factory=class_row(Gap)) as cursor:
            await cursor.execute(_BY_ID, values)
            rows = await cursor.fetchall()
        resolved = [await _resolve(connection, gap, now) for gap in rows]
        found += [
            gap for gap in resolved if gap.to_at > from_at and (gap.from_at is None or gap.from_at < to_at)
        ]
        if len(rows) < limit or len(found) >= limit:
            return found[:limit]
        values["after"] = rows[-1].id


async def newest_gaps(
    connection: Connection, from_at: datetime, to_at: datetime, *, now: datetime, site_id: int, limit: int
) -> list[Gap]:
    """Return the gaps of a site that touch the interval and ended last, the newest first.

    Of those whose end nobody told, the newest thousand are looked at.
    """
    values = {"from_at": from_at, "to_at": to_at, "now": now, "site_id": site_id}
    values |= {"point_id": None, "cause": None}
    rows: list[Gap] = []
    for unended, most in ((True, _UNENDED_MAX), (False, limit)):
        async with connection.cursor(row_factory=class_row(Gap)) as cursor:
            await cursor.execute(_NEWEST, {**values, "unended": unended, "limit": most})
            rows += await cursor.fetchall()
    found = [await _resolve(connection, gap, now) for gap in rows]
    touching = [one for one in found if one.to_at > from_at and (one.from_at is None or one.from_at < to_at)]
    return sorted(touching, key=lambda one: (one.to_at, one.id), reverse=True)[:limit]


async def newest_open(connection: Connection, point_ids: Sequence[int], *, now: datetime) -> dict[int, Gap]:
    """Return the newest gap that still lasts, of each of these points that has one."""
    async with connection.cursor(row_factory=class_row(Gap)) as cursor:
        await cursor.execute(_NEWEST_OPEN, {"point_ids": list(point_ids), "now": now})
        rows = await cursor.fetchall()
    resolved = [await _resolve(connection, gap, now) for gap in rows]
    return {gap.point_id: gap for gap in resolved if gap.open}


async def _resolve(connection: Connection, gap: Gap, now: datetime) -> Gap:
    """Find the ends of a gap that are not known."""
    if gap.from_at is not None and not gap.open:
        return gap
    stored = await find_stored(connection, gap.point_id)
    if gap.from_at is None:
        end = gap.stored_at if gap.open else gap.to_at
        gap = replace(gap, from_at=await last_before(connection, stored, end))
    if gap.open:
        start = gap.from_at + _TICK if gap.from_at else gap.stored_at
        after = await first_from(connection, stored, start)
        gap = replace(gap, to_at=after or max(now, start), open=after is None)
    return gap
