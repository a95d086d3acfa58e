"""The newest reading of every point, with its value, status and age; writes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from cloud.store.calibration import load_scales
from cloud.store.points import Point, list_points
from wire.status import Status

Connection = AsyncConnection[Any]

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


def status_word(code: int) -> str:
    """Return the word of a status; a code that this version does not know is named by its number."""
    return _STATUS_WORDS.get(code, f"status_{code}")


_STATUS_WORDS = {int(status): status.name.lower() for status in Status}

_LATEST = """
SELECT l.point_id, l.observed_at, l.raw, l.status FROM latest l WHERE l.point_id = ANY(%s)
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


async def latest_of(connection: Connection, points: list[Point], *, now: datetime) -> list[Latest]:
    """Return these points with their newest reading, in the same order."""
    ids = [point.id for point in points]
    found = {row[0]: row for row in await (await connection.execute(_LATEST, (ids,))).fetchall()}
    return [
        await _read(connection, point, found[point.id], now) if point.id in found else _never(point)
        for point in points
    ]


async def _read(
    connection: Connection, point: Point, row: tuple[int, datetime, int | None, int], now: datetime
) -> Latest:
    _, observed_at, count, status = row
    scale = (await load_scales(connection, point.id, observed_at, observed_at)).at(observed_at)
    known = count is not None and scale is not None
    raw = scale.indicated(count) if scale is not None and count is not None else None
    value = scale.value(count) if scale is not None and count is not None else None
    age_s = (now - observed_at).total_seconds()
    late = point.period_ms is not None and age_s * 1000 > SILENT_PERIODS * point.period_ms
    return Latest(
        point=point,
        state="silent" if late else "live" if known else "absent",
        observed_at=observed_at.astimezone(UTC),
        value=value,
        raw=raw,
        word=point.states.get(value) if value is not None else None,
        status=status_word(status),
        age_s=age_s,
    )


def _never(point: Point) -> Latest:
    return Latest(point, "never", None, None, None, None, None, None)
