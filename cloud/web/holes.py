"""Where a chart has no evidence: gaps as recorded, and stretches that no record explains. Pure arithmetic.

Times are ms since 1970.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cloud.store.calibration import Scales
from cloud.store.latest import SILENT_PERIODS
from cloud.web.figures import milliseconds

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch without readings; `cause` is None when no record explains it, `to` None while it lasts."""

    from_ms: int
    to_ms: int | None
    cause: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """What was declared for a stretch of event time: a reading every `period_ms`, or none is due."""

    from_ms: int
    to_ms: int
    period_ms: int | None


def dues(scales: Scales, span: Stretch) -> list[Due]:
    """Return which period was valid when, in order and cut to `span`; nothing where nothing was declared."""
    cut = [
        Due(max(milliseconds(one.from_at), span[0]), min(milliseconds(one.to_at), span[1]), one.period_ms)
        for one in scales.all
    ]
    return [one for one in cut if one.from_ms < one.to_ms]


def unexplained(
    covered: Sequence[Stretch], gaps: Iterable[Stretch], *, span: Stretch, declared: Sequence[Due]
) -> list[Hole]:
    """Return stretches of `span` in which more than three readings were due, with neither one nor a gap.

    `covered` are the readings' own stretches in order (a single reading has equal ends). What was due is
    judged by the periods valid then; where none was declared nothing is owed, so nothing is unexplained.
    """
    explained = sorted(gaps)
    free = list(_without(span, [(one.from_ms, one.to_ms) for one in declared if one.period_ms is not None]))
    holes = []
    for stretch in _between(covered, span):
        if owed(stretch, declared) > SILENT_PERIODS:
            holes += [
                Hole(*left, None)
                for left in _without(stretch, sorted([*explained, *free]))
                if owed(left, declared) > SILENT_PERIODS
            ]
    return holes


def owed(stretch: Stretch, declared: Sequence[Due]) -> Fraction:
    """Return how many periods, as they were declared then, have passed in a stretch."""
    passed = Fraction(0)
    for one in declared:
        low, high = max(stretch[0], one.from_ms), min(stretch[1], one.to_ms)
        if one.period_ms is not None and low < high:
            passed += Fraction(high - low, one.period_ms)
    return passed


def _between(covered: Sequence[Stretch], span: Stretch) -> Iterable[Stretch]:
    reached = span[0]
    for start, end in covered:
        if start > reached:
            yield reached, start
        reached = max(reached, end)
    if span[1] > reached:
        yield reached, span[1]


def _without(stretch: Stretch, cuts: Sequence[Stretch]) -> Iterable[Stretch]:
    start, end = stretch
    for low, high in cuts:
        if high <= start or low >= end:
            continue
        if low > start:
            yield start, low
        start = max(start, high)
    if start < end:
        yield start, end
