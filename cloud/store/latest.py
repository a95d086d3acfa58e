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
from wire.status import Status

SILENT_PERIODS = 3
"""A point is silent when its newest reading is older than this many of its periods."""


@dataclass(frozen=True, slots=True)
class Latest:
    """One point and its newest reading."""

    point: Point
    state: str
    """`live`; `absent` (no value, or no fix); `silent` (too old); `never` (nothing yet)."""
    observed_at: datetime | None
    value: str | None
    """Exact decimal, corrected by the calibration valid then; None when absent, and for a position, which is
    in `positions_read`."""
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

_LATEST_POSITIONS = """
SELECT point_id, observed_at, latitude_e9 IS NOT NULL FROM latest_positions WHERE point_id = ANY(%s)
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
    ids = [point.id for point in points]
    rows = await (await connection.execute(_LATEST, (ids,))).fetchall()
    reports = await (await connection.execute(_LATEST_POSITIONS, (ids,))).fetchall()
    readings = {row[0]: row[1:] for row in rows}
    positions = {row[0]: row[1:] for row in reports}
    return [
        _reading(point, readings[point.id], now)
        if point.id in readings
        else _position(point, positions[point.id], now)
        if point.id in positions
        else Latest(point, "never", None, None, None, None, None, None)
        for point in points
    ]


def _reading(point: Point, row: Sequence[Any], now: datetime) -> Latest:
    observed_at, count, status, exponent, *calibration = row
    raw = value = None
    if count is not None and exponent is not None:
        raw = decimal_text(count, exponent)
        value = corrected_text(count, exponent, make_curve(calibration) if calibration[0] else None)
    return Latest(
        point=point,
        state=_state(point, observed_at, now=now, present=value is not None),
        observed_at=observed_at.astimezone(UTC),
        value=value,
        raw=raw,
        word=point.states.get(value) if value is not None else None,
        status=status_word(status),
        age_s=(now - observed_at).total_seconds(),
    )


def _position(point: Point, row: Sequence[Any], now: datetime) -> Latest:
    observed_at, fixed = row
    status = Status.GOOD if fixed else Status.NOT_MEASURED
    return Latest(
        point=point,
        state=_state(point, observed_at, now=now, present=fixed),
        observed_at=observed_at.astimezone(UTC),
        value=None,
        raw=None,
        word=None,
        status=status_word(status),
        age_s=(now - observed_at).total_seconds(),
    )


def _state(point: Point, observed_at: datetime, *, now: datetime, present: bool) -> str:
    age_ms = (now - observed_at).total_seconds() * 1000
    if point.period_ms is not None and age_ms > SILENT_PERIODS * point.period_ms:
        return "silent"
    return "live" if present else "absent"
