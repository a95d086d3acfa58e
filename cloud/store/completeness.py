"""Completeness of a point over an interval: expected = stored + explained + unexplained.

Expected readings follow from the period that was declared, in event time. Stored readings count, absent ones
with their reason too. What is missing is explained by gaps, cause by cause, no place twice; the rest is
unexplained. A point without a period owes nothing that can be counted: `period_ms` is None then. Nothing is
written here; the arithmetic is in `slots`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloud.store.calibration import Scale, Scales, load_scales
from cloud.store.connection import Connection
from cloud.store.gaps_read import Gap, list_gaps
from cloud.store.neighbours import Stored, find_stored, first_from, last_before
from cloud.store.points import Point
from cloud.store.slots import Cover, Hole, clip, explain, hole_after, hole_between

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Piece = tuple[datetime, datetime, int | None]
"""From, to and the period in ms."""

HOLES_MAX = 100
GAPS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A stretch in which due readings are missing and no gap says why."""

    from_at: datetime
    to_at: datetime
    missing: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """The account of one point over an interval, in readings."""

    point_id: int
    point: str
    from_at: datetime
    to_at: datetime
    """Not after the time of asking: what is not due yet is not expected."""
    period_ms: int | None
    """The newest period declared in the interval; None when none was."""
    expected: int
    stored: int
    absent: int
    """Of the stored ones: without a value, with a reason."""
    duplicated: int
    """Stored at the very time of another one of the point; 0 unless something is wrong."""
    explained: int
    causes: dict[str, int]
    """Explained missing readings by cause."""
    unexplained: int
    awaited: int
    """Of the unexplained ones: after the newest stored reading, so that they may be on their way."""
    holes: list[Unexplained]
    """The first stretches with unexplained ones."""


# One pass over the index: counts, and the pairs of neighbours that are further apart than a period allows.
_STEPS = {
    "readings": """
SELECT count(*), count(*) FILTER (WHERE absent), count(*) FILTER (WHERE next_at = observed_at),
       min(observed_at), max(observed_at),
       array_agg(observed_at ORDER BY observed_at) FILTER (WHERE next_at - observed_at > %(apart)s),
       array_agg(next_at ORDER BY observed_at) FILTER (WHERE next_at - observed_at > %(apart)s)
FROM (SELECT observed_at, raw IS NULL AS absent, lead(observed_at) OVER (ORDER BY observed_at) AS next_at
      FROM readings
      WHERE point_id = %(point_id)s AND observed_at >= %(from_at)s AND observed_at < %(to_at)s) steps
""",
    "positions": """
SELECT count(*), count(*) FILTER (WHERE absent), count(*) FILTER (WHERE next_at = observed_at),
       min(observed_at), max(observed_at),
       array_agg(observed_at ORDER BY observed_at) FILTER (WHERE next_at - observed_at > %(apart)s),
       array_agg(next_at ORDER BY observed_at) FILTER (WHERE next_at - observed_at > %(apart)s)
FROM (SELECT observed_at, latitude_e9 IS NULL AS absent,
             lead(observed_at) OVER (ORDER BY observed_at) AS next_at
      FROM positions
      WHERE point_id = %(point_id)s AND observed_at >= %(from_at)s AND observed_at < %(to_at)s) steps
""",
}

_FIRST_GAP = "SELECT min(from_at) FROM gaps WHERE point_id = %s"


@dataclass(frozen=True, slots=True)
class _Piece:
    count: int
    absent: int
    duplicated: int
    holes: list[Hole]


async def read_completeness(
    connection: Connection, point: Point, from_at: datetime, to_at: datetime, *, now: datetime
) -> Completeness:
    """Return the account of a point from `from_at` until before `to_at` or now, whichever is earlier."""
    from_at, to_at = from_at.astimezone(UTC), max(min(to_at, now), from_at).astimezone(UTC)
    stored = await find_stored(connection, point.id)
    scales = (await load_scales(connection, point.id, from_at, to_at)).uncorrected()
    gaps = await list_gaps(connection, from_at, to_at, now=now, point_id=point.id, limit=GAPS_MAX)
    pieces = [
        await _count(connection, stored, point, span=span, period_ms=period_ms)
        for *span, period_ms in _pieces(scales, from_at, to_at)
    ]
    return _account(point, (from_at, to_at), scales=scales, pieces=pieces, gaps=gaps)


def _pieces(
    scales: Scales, from_at: datetime, to_at: datetime
) -> list[tuple[datetime, datetime, int | None]]:
    """Return the interval in pieces of one period each; a stretch with no declaration owes nothing."""
    pieces: list[Piece] = []
    start = from_at
    for scale in scales.all:
        low, high = max(scale.from_at, from_at), min(scale.to_at, to_at)
        if start < low:
            pieces.append((start, low, None))
        if pieces and pieces[-1][1:] == (low, scale.period_ms):
            pieces[-1] = (pieces[-1][0], high, scale.period_ms)
        elif low < high:
            pieces.append((low, high, scale.period_ms))
        start = max(start, high)
    if start < to_at:
        pieces.append((start, to_at, None))
    return pieces


async def _count(
    connection: Connection,
    stored: Stored,
    point: Point,
    *,
    span: Sequence[datetime],
    period_ms: int | None,
) -> _Piece:
    """Count what is stored in a piece and find its holes, those to the neighbours outside included."""
    apart = None if period_ms is None else timedelta(milliseconds=period_ms) * 3 / 2
    values = {"point_id": point.id, "from_at": span[0], "to_at": span[1], "apart": apart}
    row = await (await connection.execute(_STEPS[stored.table], values)).fetchone()
    if row is None:
        raise LookupError(f"no account of point {point.id}")
    count, absent, duplicated, first, last, starts, ends = row
    if period_ms is None:
        return _Piece(count, absent, duplicated, [])
    before = await last_before(connection, stored, span[0])
    after = await first_from(connection, stored, span[1])
    steps = list(zip(starts or [], ends or [], strict=True))
    steps += [(last, after)] if last else []
    if before is None:
        begin = await _beginning(connection, point, first or after)
        before = max(begin, span[0]) - timedelta(milliseconds=period_ms)
    steps.append((before, first or after))
    return _Piece(count, absent, duplicated, _holes(steps, span, period_ms))


async def _beginning(connection: Connection, point: Point, first: datetime | None) -> datetime:
    """Return since when a point owes readings: its first reading or gap; its declaration without either."""
    row = await (await connection.execute(_FIRST_GAP, (point.id,))).fetchone()
    known = [time for time in (first, row[0] if row else None) if time is not None]
    return min(known, default=point.created_at)


def _holes(
    steps: Sequence[tuple[datetime, datetime | None]], span: Sequence[datetime], period_ms: int
) -> list[Hole]:
    low, high = _ms(span[0]), _ms(span[1])
    found = [
        hole_after(_ms(start), high, period_ms)
        if end is None
        else hole_between(_ms(start), _ms(end), period_ms)
        for start, end in steps
    ]
    clipped = [clip(hole, low, high) for hole in found if hole]
    return [hole for hole in clipped if hole]


def _account(
    point: Point,
    span: tuple[datetime, datetime],
    *,
    scales: Scales,
    pieces: Sequence[_Piece],
    gaps: Sequence[Gap],
) -> Completeness:
    covers = [Cover(gap.cause, _ms(gap.from_at) if gap.from_at else None, _ms(gap.to_at)) for gap in gaps]
    causes: Counter[str] = Counter()
    open_holes: list[tuple[Hole, int]] = []
    for hole in sorted((hole for piece in pieces for hole in piece.holes), key=lambda hole: hole.start_ms):
        explained = explain(hole, covers)
        causes += explained
        if rest := hole.missing - explained.total():
            open_holes.append((hole, rest))
    stored = sum(piece.count for piece in pieces)
    unexplained = sum(rest for _, rest in open_holes)
    return Completeness(
        point_id=point.id,
        point=point.name,
        from_at=span[0],
        to_at=span[1],
        period_ms=_newest_period(scales.all),
        expected=stored + causes.total() + unexplained,
        stored=stored,
        absent=sum(piece.absent for piece in pieces),
        duplicated=sum(piece.duplicated for piece in pieces),
        explained=causes.total(),
        causes=dict(sorted(causes.items())),
        unexplained=unexplained,
        awaited=sum(rest for hole, rest in open_holes if hole.awaited),
        holes=[Unexplained(_time(hole.start_ms), _time(hole.end_ms), rest) for hole, rest in open_holes][
            :HOLES_MAX
        ],
    )


def _newest_period(scales: Sequence[Scale]) -> int | None:
    return next((scale.period_ms for scale in reversed(scales) if scale.period_ms is not None), None)


def _ms(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


def _time(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
