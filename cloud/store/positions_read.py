"""Positions of vehicles and mobile laboratories: the newest fix and the track; writes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from cloud.store.connection import Connection

FIX_MODES = (2, 3)
"""gpsd modes that are a fix: two- and three-dimensional."""


@dataclass(frozen=True, slots=True)
class LatestPosition:
    """The newest position report of a point; WGS-84. Latitude and longitude are None without a fix."""

    point_id: int
    point: str
    site_id: int
    site: str
    site_title: str
    site_kind: str
    observed_at: datetime
    mode: int
    """0 unknown, 1 no fix, 2 two-dimensional, 3 three-dimensional."""
    latitude_e9: int | None
    longitude_e9: int | None
    speed_mm_s: int | None
    course_mdeg: int | None
    age_s: float


@dataclass(frozen=True, slots=True)
class Fix:
    """One position report of a track; WGS-84, None is "not measured"."""

    observed_at: datetime
    mode: int
    latitude_e9: int | None
    longitude_e9: int | None
    altitude_mm: int | None
    speed_mm_s: int | None
    course_mdeg: int | None
    error_horizontal_mm: int | None
    satellites_used: int | None


@dataclass(frozen=True, slots=True)
class Track:
    """Position reports of one point in order; `reduced` says that only some of them are here."""

    point_id: int
    from_at: datetime
    to_at: datetime
    fixes: list[Fix]
    reduced: bool
    step_s: float | None
    """When reduced: the first report of every stretch of this length is here."""


_LATEST = """
SELECT l.point_id, p.name AS point, p.site_id, s.name AS site, s.title AS site_title, s.kind AS site_kind,
       l.observed_at, l.mode, l.latitude_e9, l.longitude_e9, l.speed_mm_s, l.course_mdeg,
       extract(epoch FROM %(now)s - l.observed_at)::float8 AS age_s
FROM latest_positions l
JOIN points p ON p.id = l.point_id
JOIN sites s ON s.id = p.site_id
WHERE l.point_id > %(after)s AND (%(site_id)s::int IS NULL OR p.site_id = %(site_id)s)
ORDER BY l.point_id
LIMIT %(limit)s
"""

_COUNT = """
SELECT count(*) FROM (
    SELECT 1 FROM positions
    WHERE point_id = %(point_id)s AND observed_at >= %(from_at)s AND observed_at < %(to_at)s
    LIMIT %(limit)s) probe
"""

_TRACK = """
SELECT observed_at, mode, latitude_e9, longitude_e9, altitude_mm, speed_mm_s, course_mdeg,
       error_horizontal_mm, satellites_used
FROM positions
WHERE point_id = %(point_id)s AND observed_at >= %(from_at)s AND observed_at < %(to_at)s
ORDER BY observed_at
"""

_REDUCED = """
SELECT DISTINCT ON (date_bin(%(step)s, observed_at, %(from_at)s))
       observed_at, mode, latitude_e9, longitude_e9, altitude_mm, speed_mm_s, course_mdeg,
       error_horizontal_mm, satellites_used
FROM positions
WHERE point_id = %(point_id)s AND observed_at >= %(from_at)s AND observed_at < %(to_at)s
ORDER BY date_bin(%(step)s, observed_at, %(from_at)s), observed_at
"""


async def list_latest_positions(
    connection: Connection,
    *,
    now: datetime,
    site_id: int | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[LatestPosition]:
    """Return the newest position of every point that has one, by point id."""
    values = {"now": now, "site_id": site_id, "after": after, "limit": limit}
    async with connection.cursor(row_factory=class_row(LatestPosition)) as cursor:
        await cursor.execute(_LATEST, values)
        return await cursor.fetchall()


async def read_track(
    connection: Connection,
    point_id: int,
    from_at: datetime,
    to_at: datetime,
    *,
    max_points: int = 2000,
) -> Track:
    """Return position reports from `from_at` until before `to_at`, at most `max_points` of them."""
    values: dict[str, Any] = {"point_id": point_id, "from_at": from_at, "to_at": to_at}
    row = await (await connection.execute(_COUNT, values | {"limit": max_points + 1})).fetchone()
    reduced = row is not None and row[0] > max_points
    step = timedelta(milliseconds=-((from_at - to_at) // timedelta(milliseconds=1) // max_points))
    async with connection.cursor(row_factory=class_row(Fix)) as cursor:
        await cursor.execute(_REDUCED if reduced else _TRACK, values | {"step": step})
        fixes = await cursor.fetchall()
    return Track(
        point_id=point_id,
        from_at=from_at.astimezone(UTC),
        to_at=to_at.astimezone(UTC),
        fixes=fixes,
        reduced=reduced,
        step_s=step.total_seconds() if reduced else None,
    )
