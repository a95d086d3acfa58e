"""Pure arithmetic of charts: which resolution, which buckets, which stretches need finer data.

Times are datetimes, aware; a stretch is (from, to), its end not included. Nothing here knows the database.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

Stretch = tuple[datetime, datetime]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(milliseconds=10)
UNITS = {"raw": TICK, "1m": timedelta(minutes=1), "1h": timedelta(hours=1)}
"""What buckets of each resolution are multiples of."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Buckets of equal width: bucket k is from `origin + k * step`."""

    resolution: str
    """Where the buckets come from: `raw`, `1m` or `1h`."""
    step: timedelta
    origin: datetime

    @property
    def unit(self) -> timedelta:
        """The width of what the buckets are made of."""
        return UNITS[self.resolution]


def choose_grid(from_at: datetime, to_at: datetime, *, max_points: int, resolution: str = "auto") -> Grid:
    """Return buckets over the interval, at most `max_points` of them.

    `auto` picks the coarsest resolution that still fills them. Buckets stand on multiples of their width
    since 1970, so that a chart that moves on keeps its buckets; a single one starts with the interval.
    """
    width = _divide(to_at - from_at, max(max_points - 1, 1))
    if resolution == "auto":
        resolution = "1h" if width >= UNITS["1h"] else "1m" if width >= UNITS["1m"] else "raw"
    unit = UNITS[resolution]
    if max_points > 1:
        return Grid(resolution, max(_divide(width, 1, unit), unit), EPOCH)
    origin = floor_to(from_at, unit)
    return Grid(resolution, _divide(max(to_at - origin, unit), 1, unit), origin)


def floor_to(time: datetime, unit: timedelta, origin: datetime = EPOCH) -> datetime:
    """Return the last multiple of `unit` since `origin` that is not after `time`."""
    return time - (time - origin) % unit


def ceil_to(time: datetime, unit: timedelta) -> datetime:
    """Return the first multiple of `unit` since 1970 that is not before `time`."""
    return time + (EPOCH - time) % unit


def finer_stretches(
    span: Stretch,
    unit: timedelta,
    *,
    edges: Iterable[datetime],
    pending: Iterable[Stretch],
) -> list[Stretch]:
    """Return the stretches of `span` that rollups of width `unit` cannot answer, merged and in order.

    These are: pieces of a unit at both ends, units in which the meaning of counts changes (`edges`), and
    units whose rollup is behind the readings (`pending`).
    """
    low, high = span
    wanted = [(low, ceil_to(low, unit)), (floor_to(high, unit), high)]
    wanted += [(floor_to(edge, unit), ceil_to(edge, unit)) for edge in edges if low < edge < high]
    wanted += [
        (floor_to(max(start, low), unit), ceil_to(min(end, high), unit))
        for start, end in pending
        if start < high and end > low
    ]
    clipped = [(max(start, low), min(end, high)) for start, end in wanted]
    return merge(stretch for stretch in clipped if stretch[0] < stretch[1])


def merge(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the union of stretches, in order; those that touch become one."""
    result: list[Stretch] = []
    for start, end in sorted(stretches):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def without(span: Stretch, holes: Sequence[Stretch]) -> list[Stretch]:
    """Return what is left of `span` when these merged stretches are cut out."""
    left: list[Stretch] = []
    start = span[0]
    for low, high in holes:
        if start < low:
            left.append((start, min(low, span[1])))
        start = max(start, high)
    if start < span[1]:
        left.append((start, span[1]))
    return left


def cut(stretches: Iterable[Stretch], edges: Iterable[datetime]) -> list[Stretch]:
    """Return the stretches, cut in two at every edge inside them."""
    result: list[Stretch] = []
    inner = sorted(edges)
    for start, end in stretches:
        marks = [start, *(edge for edge in inner if start < edge < end), end]
        result += pairwise(marks)
    return result


def _divide(span: timedelta, parts: int, unit: timedelta = TICK) -> timedelta:
    """Return the smallest multiple of `unit` of which `parts` cover `span`."""
    return -(-span // (unit * parts)) * unit
