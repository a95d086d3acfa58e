"""Pure arithmetic of completeness: which readings were due, and which of the missing ones a gap explains.

A point with a period owes one reading every period. Between two stored readings `d` apart there are
`round(d / period) - 1` due readings missing (halves rounded down), spread evenly, so that jitter below half
a period and drift are no loss. Nor is what a correction of the gateway's clock adds between two readings: a
tick, and another one every second. A missing reading is explained by a gap that covers its place, give or
take half a period. Times are integers of milliseconds; nothing here knows the database.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wire.messages import TICK_MS


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch between neighbouring readings in which `missing` were due.

    Place k of 1 to `missing` is at `start_ms + k * (end_ms - start_ms) / parts`.
    """

    start_ms: int
    end_ms: int
    missing: int
    parts: int
    period_ms: int
    awaited: bool = False
    """After the newest stored reading: what is missing may still come."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A resolved gap; `from_ms` None reaches back to the beginning."""

    cause: str
    from_ms: int | None
    to_ms: int


def hole_between(start_ms: int, end_ms: int, period_ms: int) -> Hole | None:
    """Return the hole between two stored readings, None when nothing was due between them."""
    missing = -((period_ms - 2 * (end_ms - start_ms)) // (2 * period_ms)) - 1
    corrected_ms = end_ms - start_ms - _correction_ms(end_ms - start_ms, period_ms)
    if missing < 1 or (missing == 1 and 2 * corrected_ms <= 3 * period_ms):
        return None
    return Hole(start_ms, end_ms, missing, missing + 1, period_ms)


def _correction_ms(apart_ms: int, period_ms: int) -> int:
    """Return how much further apart a corrected clock may put two readings, below half a period."""
    return min(TICK_MS + apart_ms * TICK_MS // 1000, (period_ms - 1) // 2)


def hole_after(start_ms: int, until_ms: int, period_ms: int, *, awaited: bool = True) -> Hole | None:
    """Return the hole after a reading with none after it: places one period apart, before `until_ms`."""
    missing = (until_ms - start_ms - 1) // period_ms
    if missing < 1:
        return None
    return Hole(start_ms, start_ms + missing * period_ms, missing, missing, period_ms, awaited)


def clip(hole: Hole, from_ms: int, to_ms: int) -> Hole | None:
    """Return the part of a hole whose places lie from `from_ms` until before `to_ms`."""
    length = hole.end_ms - hole.start_ms
    first = max(_ceil((from_ms - hole.start_ms) * hole.parts, length), 1)
    last = min(_ceil((to_ms - hole.start_ms) * hole.parts, length) - 1, hole.missing)
    if last < first:
        return None
    before = hole.start_ms + (first - 1) * length // hole.parts
    parts = hole.parts - first + 1
    return Hole(before, hole.end_ms, last - first + 1, parts, hole.period_ms, hole.awaited)


def explain(hole: Hole, covers: Iterable[Cover]) -> Counter[str]:
    """Return how many of a hole's missing readings each cause explains; the earliest gap takes a place."""
    explained: Counter[str] = Counter()
    free = [(1, hole.missing)]
    for cover in sorted(covers, key=lambda c: (c.from_ms is not None, c.from_ms, c.to_ms, c.cause)):
        first, last = _places(hole, cover)
        taken, free = _take(free, first, last)
        if taken:
            explained[cover.cause] += taken
    return explained


def _places(hole: Hole, cover: Cover) -> tuple[int, int]:
    """Return the first and last place that lies in the gap widened by half a period."""
    length = 2 * (hole.end_ms - hole.start_ms)
    first = 1
    if cover.from_ms is not None:
        low = 2 * (cover.from_ms - hole.start_ms) - hole.period_ms
        first = max(_ceil(low * hole.parts, length), 1)
    high = 2 * (cover.to_ms - hole.start_ms) + hole.period_ms
    return first, min(high * hole.parts // length, hole.missing)


def _take(free: Sequence[tuple[int, int]], first: int, last: int) -> tuple[int, list[tuple[int, int]]]:
    """Take the places `first` to `last` out of the free ones; return how many, and what is left."""
    taken, left = 0, []
    for low, high in free:
        start, end = max(low, first), min(high, last)
        if start > end:
            left.append((low, high))
            continue
        taken += end - start + 1
        left += [piece for piece in ((low, start - 1), (end + 1, high)) if piece[0] <= piece[1]]
    return taken, left


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
