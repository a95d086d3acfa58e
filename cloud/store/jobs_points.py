"""Points, zones and sites of an organisation by their names, and what was stored of points lately."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from cloud.store.connection import Connection
from wire.status import Status

AHEAD = timedelta(seconds=5)
"""By so much a gateway's clock may be ahead of the hub's."""
READINGS_MAX = 2000


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A point, as rules of the hub name it."""

    id: int
    name: str
    """`site/name`."""
    quantity: str
    kind: str
    exponent: int
    period_ms: int | None


_POINTS = """
SELECT p.id, s.name || '/' || p.name AS name, p.quantity, p.kind, coalesce(v.exponent, 0) AS exponent,
       v.period_ms
  FROM public.points p JOIN public.sites s ON s.id = p.site_id
  LEFT JOIN LATERAL (SELECT exponent, period_ms FROM public.point_versions
                      WHERE point_id = p.id ORDER BY valid DESC LIMIT 1) v ON true
 WHERE s.organisation_id = %s AND s.name || '/' || p.name = ANY(%s)
"""


async def named_points(
    connection: Connection, organisation_id: int, names: Sequence[str]
) -> list[NamedPoint]:
    """Return those points of an organisation that have these names."""
    async with connection.cursor(row_factory=class_row(NamedPoint)) as cursor:
        await cursor.execute(_POINTS, (organisation_id, list(names)))
        return await cursor.fetchall()


async def named_zones(connection: Connection, organisation_id: int) -> frozenset[str]:
    """Return the zones of an organisation, `site/name`, that are in use."""
    cursor = await connection.execute(
        "SELECT s.name || '/' || z.name FROM public.zones z JOIN public.sites s ON s.id = z.site_id"
        " WHERE s.organisation_id = %s AND z.retired_at IS NULL",
        (organisation_id,),
    )
    return frozenset(str(row[0]) for row in await cursor.fetchall())


async def site_of_point(connection: Connection, name: str) -> int | None:
    """Return the site of a point that is called so, as far as the asker sees it."""
    cursor = await connection.execute(
        "SELECT s.id FROM sites s JOIN points p ON p.site_id = s.id WHERE s.name || '/' || p.name = %s",
        (name,),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def organisation_of(connection: Connection, site_id: int) -> int | None:
    """Return whose site it is, None when the asker sees no such site."""
    cursor = await connection.execute("SELECT organisation_id FROM sites WHERE id = %s", (site_id,))
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def organisations_seen(connection: Connection) -> list[tuple[int, str]]:
    """Return id and name of every organisation that the asker sees."""
    cursor = await connection.execute("SELECT id, name FROM organisations ORDER BY name")
    return [(int(row[0]), str(row[1])) for row in await cursor.fetchall()]


_ROWS = """
SELECT observed_at, raw, status FROM readings
 WHERE point_id = %(point)s AND observed_at > %(since)s AND observed_at <= %(until)s
 ORDER BY observed_at LIMIT %(limit)s
"""
_NEWEST = "SELECT observed_at, raw, status FROM latest WHERE point_id = %(point)s"
_SPEEDS = """
SELECT observed_at, speed_mm_s, CASE WHEN speed_mm_s IS NULL OR mode < 2 THEN 16 ELSE 0 END FROM positions
 WHERE point_id = %(point)s AND observed_at > %(since)s AND observed_at <= %(until)s
 ORDER BY observed_at LIMIT %(limit)s
"""
_NEWEST_SPEED = """
SELECT observed_at, speed_mm_s, CASE WHEN speed_mm_s IS NULL OR mode < 2 THEN 16 ELSE 0 END
  FROM latest_positions WHERE point_id = %(point)s
"""


async def stored_since(
    connection: Connection, point_id: int, since: datetime | None, *, now: datetime, speed: bool
) -> list[tuple[datetime, int | None, int]]:
    """Return (time, count, status) of readings after `since`, in order; None: of the newest alone.

    With `speed` those of positions, in mm/s.
    """
    first, later = (_NEWEST_SPEED, _SPEEDS) if speed else (_NEWEST, _ROWS)
    query = first if since is None else later
    given = {"point": point_id, "since": since, "until": now + AHEAD, "limit": READINGS_MAX}
    rows = await (await connection.execute(query.encode(), given)).fetchall()
    return [(row[0], None if Status(row[2]).absent else row[1], row[2]) for row in rows]
