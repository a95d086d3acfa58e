"""Gaps with both ends resolved against the readings stored now; writes nothing.

A gap without a start begins at the last reading stored before it; one without an end lasts to the next
reading stored after it, or to now. Late readings move these ends, so they are found at query time.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


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


# Readings and positions are looked up alike: a point has the one or the other.
_GAPS = """
SELECT * FROM (
    SELECT g.id, g.point_id, p.name AS point, p.site_id, s.name AS site, g.cause, g.reason,
           f.from_at, greatest(coalesce(g.to_at, n.next_at, %(now)s), f.from_at) AS to_at,
           (g.to_at IS NULL AND n.next_at IS NULL) AS open, g.stored_at
    FROM gaps g
    JOIN points p ON p.id = g.point_id
    JOIN sites s ON s.id = p.site_id
    CROSS JOIN LATERAL (SELECT CASE WHEN g.from_at IS NOT NULL THEN g.from_at ELSE greatest(
        (SELECT max(observed_at) FROM readings
          WHERE point_id = g.point_id AND observed_at < coalesce(g.to_at, g.stored_at)),
        (SELECT max(observed_at) FROM positions
          WHERE point_id = g.point_id AND observed_at < coalesce(g.to_at, g.stored_at))) END AS from_at) f
    CROSS JOIN LATERAL (SELECT CASE WHEN g.to_at IS NULL THEN least(
        (SELECT min(observed_at) FROM readings
          WHERE point_id = g.point_id AND observed_at > coalesce(f.from_at, g.stored_at)),
        (SELECT min(observed_at) FROM positions
          WHERE point_id = g.point_id AND observed_at > coalesce(f.from_at, g.stored_at))) END AS next_at) n
    WHERE g.id > %(after)s
      AND (%(point_id)s::int IS NULL OR g.point_id = %(point_id)s)
      AND (%(site_id)s::int IS NULL OR p.site_id = %(site_id)s)
      AND (%(cause)s::text IS NULL OR g.cause = %(cause)s)
      AND (g.from_at IS NULL OR g.from_at < %(to_at)s)
      AND (g.to_at IS NULL OR g.to_at > %(from_at)s)
) resolved
WHERE to_at > %(from_at)s AND (from_at IS NULL OR from_at < %(to_at)s)
ORDER BY id
LIMIT %(limit)s
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
    values = {
        "from_at": from_at,
        "to_at": to_at,
        "now": now,
        "point_id": point_id,
        "site_id": site_id,
        "cause": cause,
        "after": after,
        "limit": limit,
    }
    async with connection.cursor(row_factory=class_row(Gap)) as cursor:
        await cursor.execute(_GAPS, values)
        return await cursor.fetchall()
