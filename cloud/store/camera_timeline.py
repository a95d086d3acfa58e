"""What a camera did over an interval: recorded, not recorded and why, pictures, recordings that are here.

What was recorded is told by heartbeats: each says how much was recorded before it. Writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from cloud.store.cameras import Found
from cloud.store.connection import Connection
from cloud.store.gaps_read import Gap, list_gaps
from cloud.store.latest import SILENT_PERIODS
from cloud.store.media_wishes import Wish, list_wishes

PICTURES_MAX = 1000
SEGMENTS_MAX = 2000
SPANS_MAX = 5000
_SLACK = timedelta(seconds=700)
"""A heartbeat tells of at most so much before it."""
_APART = timedelta(seconds=1)
_PART_OF_BEAT = 0.2


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one state."""

    state: str
    """`recorded`; `gap` (it was told that nothing was recorded); `awaited` (the next heartbeat is not due
    yet); `unknown` (nobody has said)."""
    from_at: datetime
    to_at: datetime
    cause: str | None = None
    """Of a gap: a word of `GapCause`."""
    reason: str = ""
    """Of a gap, in English as the gateway said it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a moment."""

    at: datetime | None
    """Of the frame; null when neither the gateway nor its evidence has a time for it yet."""
    state: str
    """`stored` (here, and its hash is in evidence); `awaited` (its hash is in evidence, the picture has not
    come); `dropped` (as `awaited`, and its gateway had no room to keep it); `without_event` (here, and
    nothing in evidence says so); `deleted` (it was here); `missing` (the gateway could take none)."""
    moment: str
    """`before`, `after` or `timer`."""
    reason: str
    """What it was taken for; of a missing one why there is none."""
    sha256: str | None
    bytes: int | None
    event_id: int | None
    """The event in evidence."""
    deleted_at: datetime | None
    deleted_why: str | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording that was brought here because somebody asked for it."""

    from_at: datetime
    to_at: datetime
    sha256: str
    bytes: int
    content_type: str
    in_evidence: bool
    """Whether the gateway's evidence names its hash."""
    deleted_at: datetime | None
    deleted_why: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a camera did over an interval."""

    camera_id: int
    from_at: datetime
    to_at: datetime
    """Not later than now."""
    spans: list[Span]
    """All of the interval, in order."""
    pictures: list[Picture]
    """In order; of more than 1000 the newest."""
    pictures_more: bool
    """Whether there are more: ask for a shorter interval."""
    segments: list[Segment]
    wishes: list[Wish]
    """What was asked for of the interval, the last one first."""


_RECORDED = """
WITH beats AS (
    SELECT r.observed_at AS end_at,
           r.observed_at - (r.raw * 10.0 ^ v.exponent)::float8 * interval '1 second' AS start_at
    FROM readings r JOIN point_versions v ON v.point_id = r.point_id AND v.valid @> r.observed_at
    WHERE r.point_id = %(point)s AND r.raw > 0
      AND r.observed_at > %(from_at)s AND r.observed_at < %(to_at)s + %(slack)s
), marked AS (
    SELECT start_at, end_at, start_at > lag(end_at) OVER (ORDER BY end_at) + %(apart)s AS new FROM beats
), grouped AS (
    SELECT start_at, end_at, count(*) FILTER (WHERE new) OVER (ORDER BY end_at) AS island FROM marked
)
SELECT min(start_at), max(end_at) FROM grouped GROUP BY island ORDER BY 1 LIMIT %(limit)s
"""

_PICTURES = """
WITH told AS (
    SELECT e.id, e.observed_at, e.kind, e.data, decode(coalesce(e.data->>'sha256', ''), 'hex') AS sha256
    FROM events e
    WHERE e.gateway_id = ANY(%(gateways)s) AND e.subject = %(camera)s
      AND e.kind IN ('picture', 'picture_missing')
      AND e.observed_at >= %(from_at)s AND e.observed_at < %(to_at)s
), here AS (
    SELECT * FROM media
    WHERE gateway_id = ANY(%(gateways)s) AND camera = %(camera)s AND kind = 'picture'
), dropped AS (
    SELECT DISTINCT e.data->>'sha256' AS sha256
    FROM events e
    WHERE e.gateway_id = ANY(%(gateways)s) AND e.subject = %(camera)s AND e.kind = 'picture_dropped'
      AND e.observed_at >= %(from_at)s
)
SELECT t.observed_at AS at,
       CASE WHEN t.kind = 'picture_missing' THEN 'missing'
            WHEN h.id IS NULL AND d.sha256 IS NOT NULL THEN 'dropped' WHEN h.id IS NULL THEN 'awaited'
            WHEN h.deleted_at IS NOT NULL THEN 'deleted' ELSE 'stored' END AS state,
       coalesce(t.data->>'kind', '') AS moment,
       coalesce(CASE t.kind WHEN 'picture' THEN t.data->>'reason' ELSE t.data->>'why' END, '') AS reason,
       t.data->>'sha256' AS sha256, (t.data->>'bytes')::bigint AS bytes, t.id AS event_id,
       h.deleted_at, h.deleted_why
FROM told t LEFT JOIN here h ON h.sha256 = t.sha256 AND t.kind = 'picture'
LEFT JOIN dropped d ON d.sha256 = t.data->>'sha256'
UNION ALL
SELECT h.from_at, CASE WHEN h.deleted_at IS NULL THEN 'without_event' ELSE 'deleted' END, h.moment, h.reason,
       encode(h.sha256, 'hex'), h.bytes, NULL, h.deleted_at, h.deleted_why
FROM here h
WHERE coalesce(h.from_at, h.received_at) >= %(from_at)s AND coalesce(h.from_at, h.received_at) < %(to_at)s
  AND NOT EXISTS (SELECT 1 FROM events e
                   WHERE e.gateway_id = h.gateway_id AND e.subject = h.camera AND e.kind = 'picture'
                     AND e.data->>'sha256' = encode(h.sha256, 'hex'))
ORDER BY 1 DESC, 7 DESC LIMIT %(limit)s
"""

_SEGMENTS = """
SELECT h.from_at, h.to_at, encode(h.sha256, 'hex') AS sha256, h.bytes, h.content_type,
       EXISTS (SELECT 1 FROM events e
                WHERE e.gateway_id = h.gateway_id AND e.subject = h.camera AND e.kind = 'recording_uploaded'
                  AND e.data->>'sha256' = encode(h.sha256, 'hex')) AS in_evidence,
       h.deleted_at, h.deleted_why
FROM media h
WHERE h.gateway_id = ANY(%(gateways)s) AND h.camera = %(camera)s AND h.kind = 'segment'
  AND h.from_at < %(to_at)s AND h.to_at > %(from_at)s
ORDER BY h.from_at LIMIT %(limit)s
"""


async def read_timeline(
    connection: Connection, camera: Found, *, from_at: datetime, to_at: datetime, now: datetime
) -> Timeline:
    """Return what a camera did from `from_at` until before `to_at`, or now if that is earlier."""
    end = max(from_at, min(to_at, now))
    values: dict[str, Any] = {"gateways": camera.gateway_ids, "camera": camera.prefix}
    values |= {"from_at": from_at, "to_at": end}
    async with connection.cursor(row_factory=class_row(Picture)) as cursor:
        await cursor.execute(_PICTURES, values | {"limit": PICTURES_MAX + 1})
        pictures = await cursor.fetchall()
    async with connection.cursor(row_factory=class_row(Segment)) as segments:
        await segments.execute(_SEGMENTS, values | {"limit": SEGMENTS_MAX})
        found = await segments.fetchall()
    return Timeline(
        camera_id=camera.id,
        from_at=from_at,
        to_at=end,
        spans=await _spans(connection, camera, (from_at, end), now=now),
        pictures=pictures[PICTURES_MAX - 1 :: -1],
        pictures_more=len(pictures) > PICTURES_MAX,
        segments=found,
        wishes=await list_wishes(connection, camera.gateway_id, camera.prefix, from_at=from_at, to_at=to_at),
    )


async def _spans(
    connection: Connection, camera: Found, during: tuple[datetime, datetime], *, now: datetime
) -> list[Span]:
    period = timedelta(milliseconds=camera.period_ms or 0)
    values = {
        "point": camera.id,
        "from_at": during[0],
        "to_at": during[1],
        "slack": _SLACK,
        "apart": max(_APART, period * _PART_OF_BEAT),
        "limit": SPANS_MAX,
    }
    rows = await (await connection.execute(_RECORDED, values)).fetchall()
    gaps = await list_gaps(connection, *during, now=now, point_id=camera.id, limit=SPANS_MAX)
    awaited = (camera.heartbeat_at or now) + SILENT_PERIODS * period
    return compose(during, [(row[0], row[1]) for row in rows], gaps, awaited=awaited)


def compose(
    during: tuple[datetime, datetime],
    recorded: Sequence[tuple[datetime, datetime]],
    gaps: Sequence[Gap],
    *,
    awaited: datetime,
) -> list[Span]:
    """Return all of an interval as spans: what was recorded, else a gap that covers it, else unknown.

    What nobody has said and lies after everything that was recorded is awaited, if that is until `awaited`.
    """
    start, end = during
    found: list[Span] = []
    at = start
    for low, high in [*recorded, (end, end)]:
        low, high = min(max(low, at), end), min(high, end)
        if at < low:
            found += _not_recorded(at, low, gaps, last=low == end and low == high)
        if low < high:
            found.append(Span("recorded", low, high))
        at = max(at, low, high)
    if found and found[-1].state == "last":
        state = "awaited" if end <= awaited and len(found) > 1 else "unknown"
        found[-1] = Span(state, found[-1].from_at, found[-1].to_at)
    return found


def _not_recorded(start: datetime, end: datetime, gaps: Sequence[Gap], *, last: bool) -> list[Span]:
    found: list[Span] = []
    at = start
    for gap in sorted(gaps, key=lambda gap: (gap.from_at or start, gap.id)):
        low, high = max(gap.from_at or start, at), min(gap.to_at, end)
        if low >= high:
            continue
        if at < low:
            found.append(Span("unknown", at, low))
        found.append(Span("gap", low, high, gap.cause, gap.reason))
        at = high
    if at < end:
        found.append(Span("last" if last else "unknown", at, end))
    return found
