"""The newest reading of every point, with its value, status and age; writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloud.store.calibration import corrected_text, make_curve
from cloud.store.connection import Connection
from cloud.store.exact import decimal_text
from cloud.store.points import Point, list_points
from cloud.store.status_words import status_word

SILENT_PERIODS = 3
"""A point is silent when its newest reading is older than this many of its periods."""


@dataclass(frozen=True, slots=True)
class Latest:
    """One point and its newest reading."""

    point: Point
    state: str
    """`live`; `absent` (a reading without value); `silent` (too old); `never` (no reading yet)."""
    observed_at: datetime | None
    value: str | None
    """Exact decimal, corrected by the calibration valid then; None when absent."""
    raw: str | None
    """Exact decimal as the device gave it."""
    word: str | None
    """For kind state: what the value means."""
    status: str | None
    """A word of `Status`, in lower case; from `not_measured` on it says why there is no value."""
    age_s: float | None


_LATEST = """
SELECT l.point_id, l.observed_at, l.raw, l.status, v.exponent,
       c.id, c.indicated, c.correction, c.exponent, c.certificate
FROM latest l
LEFT JOIN point_versions v ON v.point_id = l.point_id AND v.valid @> l.observed_at
LEFT JOIN calibrations c ON c.point_id = l.point_id AND c.valid @> l.observed_at
WHERE l.point_id = ANY(%s)
"""


async def list_latest(
    connection: Connection,
    *,
    now: datetime,
    site_id: int | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Latest]:
    """Return points by id with their newest reading, points without any included."""
    points = await list_points(connection, site_id=site_id, after=after, limit=limit)
    return await latest_of(connection, points, now=now)


async def latest_of(connection: Connection, points: Sequence[Point], *, now: datetime) -> list[Latest]:
    """Return these points with their newest reading, in the same order."""
    rows = await (await connection.execute(_LATEST, ([point.id for point in points],))).fetchall()
    found = {row[0]: row[1:] for row in rows}
    return [_latest(point, found.get(point.id), now) for point in points]


def _latest(point: Point, row: tuple[Any, ...] | None, now: datetime) -> Latest:
    if row is None:
        return Latest(point, "never", None, None, None, None, None, None)
    observed_at, count, status, exponent, *calibration = row
    raw = value = None
    if count is not None and exponent is not None:
        raw = decimal_text(count, exponent)
        value = corrected_text(count, exponent, make_curve(calibration) if calibration[0] else None)
    age_s = (now - observed_at).total_seconds()
    late = point.period_ms is not None and age_s * 1000 > SILENT_PERIODS * point.period_ms
    return Latest(
        point=point,
        state="silent" if late else "absent" if value is None else "live",
        observed_at=observed_at.astimezone(UTC),
        value=value,
        raw=raw,
        word=point.states.get(value) if value is not None else None,
        status=status_word(status),
        age_s=age_s,
    )
