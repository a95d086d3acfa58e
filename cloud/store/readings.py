"""Readings of one point over an interval: as stored while they are few, in buckets when they are many.

A bucket keeps the extremes, the first and the last of its readings. Aggregates are corrected by the
calibration after aggregation: minimum and maximum map through the monotone correction. A bucket in which the
calibration or the exponent changes is computed from its readings, apart before and after the change. Nothing
is interpolated.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloud.store.buckets import Grid, Stretch, choose_grid, cut, finer_stretches, without
from cloud.store.calibration import Scales, load_scales
from cloud.store.connection import Connection
from cloud.store.gaps_read import Gap, list_gaps
from cloud.store.rollups import pending_stretches
from cloud.store.status_words import status_word
from cloud.store.tallies import Bucket, Part, Tally, make_buckets

RESOLUTIONS = ("auto", "raw", "1m", "1h")
GAPS_MAX = 1000
_LONG = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Reading:
    """One stored reading."""

    observed_at: datetime
    value: str | None
    """Exact decimal, corrected; None when absent, and `status` says why."""
    raw: str | None
    """Exact decimal as the device gave it."""
    status: str


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one point; exactly one of `readings` and `buckets` is not None."""

    point_id: int
    from_at: datetime
    to_at: datetime
    resolution: str
    """Where the answer comes from: `raw`, `1m` or `1h`."""
    step_s: float | None
    """Width of the buckets."""
    readings: list[Reading] | None
    buckets: list[Bucket] | None
    gaps: list[Gap]
    gaps_complete: bool
    """False when there are more gaps than the answer holds."""


_COUNT = """
SELECT count(*) FROM (
    SELECT 1 FROM readings WHERE point_id = %s AND observed_at >= %s AND observed_at < %s LIMIT %s) probe
"""

# Whole hours only, so never more than there are readings.
_COUNT_HOURS = """
SELECT coalesce(sum(n + absent), 0) FROM readings_1h
WHERE point_id = %s AND bucket >= %s AND bucket < %s - INTERVAL '1 hour'
"""

_READINGS = """
SELECT observed_at, raw, status FROM readings
WHERE point_id = %s AND observed_at >= %s AND observed_at < %s ORDER BY observed_at
"""

_TALLIES = {
    "raw": """
SELECT date_bin(%(step)s, observed_at, %(origin)s) AS start, count(raw), count(*) - count(raw),
       coalesce(sum(raw), 0), min(raw), max(raw),
       (array_agg(raw ORDER BY observed_at) FILTER (WHERE raw IS NOT NULL))[1],
       (array_agg(raw ORDER BY observed_at DESC) FILTER (WHERE raw IS NOT NULL))[1], max(status)
FROM readings
WHERE point_id = %(point_id)s AND observed_at >= %(from_at)s AND observed_at < %(to_at)s
GROUP BY 1 ORDER BY 1
""",
    "1m": """
SELECT date_bin(%(step)s, bucket, %(origin)s) AS start, sum(n)::int8, sum(absent)::int8,
       coalesce(sum(sum), 0), min(min), max(max),
       (array_agg(first ORDER BY bucket) FILTER (WHERE n > 0))[1],
       (array_agg(last ORDER BY bucket DESC) FILTER (WHERE n > 0))[1], max(worst)
FROM readings_1m
WHERE point_id = %(point_id)s AND bucket >= %(from_at)s AND bucket < %(to_at)s
GROUP BY 1 ORDER BY 1
""",
    "1h": """
SELECT date_bin(%(step)s, bucket, %(origin)s) AS start, sum(n)::int8, sum(absent)::int8,
       coalesce(sum(sum), 0), min(min), max(max),
       (array_agg(first ORDER BY bucket) FILTER (WHERE n > 0))[1],
       (array_agg(last ORDER BY bucket DESC) FILTER (WHERE n > 0))[1], max(worst)
FROM readings_1h
WHERE point_id = %(point_id)s AND bucket >= %(from_at)s AND bucket < %(to_at)s
GROUP BY 1 ORDER BY 1
""",
}


async def read_series(
    connection: Connection,
    point_id: int,
    from_at: datetime,
    to_at: datetime,
    *,
    now: datetime,
    resolution: str = "auto",
    max_points: int = 2000,
    corrected: bool = True,
) -> Series:
    """Return readings from `from_at` until before `to_at`, at most `max_points` of them or of their buckets.

    `resolution` is one of `RESOLUTIONS`; `auto` and `raw` give the stored readings while they fit. Without
    `corrected`, values are as the device gave them. Late readings are in the answer, rolled up or not.
    """
    from_at, to_at = from_at.astimezone(UTC), to_at.astimezone(UTC)
    scales = await load_scales(connection, point_id, from_at, to_at)
    scales = scales if corrected else scales.uncorrected()
    gaps = await list_gaps(connection, from_at, to_at, now=now, point_id=point_id, limit=GAPS_MAX + 1)
    readings, buckets, grid = None, None, None
    if resolution in ("auto", "raw") and await _fits(connection, point_id, (from_at, to_at), max_points):
        readings = await _read(connection, point_id, (from_at, to_at), scales)
    else:
        grid = choose_grid(from_at, to_at, max_points=max_points, resolution=resolution)
        buckets = await _bucket(connection, point_id, (from_at, to_at), grid=grid, scales=scales)
    return Series(
        point_id=point_id,
        from_at=from_at,
        to_at=to_at,
        resolution=grid.resolution if grid else "raw",
        step_s=grid.step.total_seconds() if grid else None,
        readings=readings,
        buckets=buckets,
        gaps=gaps[:GAPS_MAX],
        gaps_complete=len(gaps) <= GAPS_MAX,
    )


async def _fits(connection: Connection, point_id: int, span: Stretch, max_points: int) -> bool:
    """Whether all readings fit; over long spans the aggregates are asked first, which are far fewer."""
    if span[1] - span[0] > _LONG:
        row = await (await connection.execute(_COUNT_HOURS, (point_id, *span))).fetchone()
        if row is not None and row[0] > max_points:
            return False
    row = await (await connection.execute(_COUNT, (point_id, *span, max_points + 1))).fetchone()
    return row is not None and row[0] <= max_points


async def _read(connection: Connection, point_id: int, span: Stretch, scales: Scales) -> list[Reading]:
    rows = await (await connection.execute(_READINGS, (point_id, *span))).fetchall()
    return [_reading(observed_at, count, status, scales=scales) for observed_at, count, status in rows]


def _reading(observed_at: datetime, count: int | None, status: int, *, scales: Scales) -> Reading:
    scale = None if count is None else scales.at(observed_at)
    if scale is None or count is None:
        return Reading(observed_at, None, None, status_word(status))
    return Reading(observed_at, scale.value(count), scale.indicated(count), status_word(status))


async def _bucket(
    connection: Connection, point_id: int, span: Stretch, *, grid: Grid, scales: Scales
) -> list[Bucket]:
    """Aggregate from the grid's resolution, and from readings where that cannot answer."""
    edges = scales.edges
    if grid.resolution == "raw":
        fine, coarse = [span], []
    else:
        pending = await pending_stretches(connection, point_id)
        fine = finer_stretches(span, grid.unit, edges=edges, pending=pending)
        coarse = without(span, fine)
    parts: list[Part] = []
    for source, stretches in (("raw", cut(fine, edges)), (grid.resolution, cut(coarse, edges))):
        for stretch in stretches:
            scale = scales.at(stretch[0])
            tallies = await _tally(connection, source, point_id, stretch=stretch, grid=grid)
            parts += [Part(stretch[0], scale, tally) for tally in tallies]
    return make_buckets(parts, grid.step, span)


async def _tally(
    connection: Connection, source: str, point_id: int, *, stretch: Stretch, grid: Grid
) -> list[Tally]:
    values = {
        "point_id": point_id,
        "from_at": stretch[0],
        "to_at": stretch[1],
        "step": grid.step,
        "origin": grid.origin,
    }
    rows = await (await connection.execute(_TALLIES[source], values)).fetchall()
    return [Tally(row[0], row[1], row[2], int(row[3]), *row[4:]) for row in rows]
