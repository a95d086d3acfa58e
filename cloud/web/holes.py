"""Where a chart has no evidence: gaps as recorded, and stretches that no record explains. Pure arithmetic.

Times are ms since 1970.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud.store.latest import SILENT_PERIODS

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch without readings; `cause` is None when no record explains it, `to` None while it lasts."""

    from_ms: int
    to_ms: int | None
    cause: str | None
    reason: str = ""


def unexplained(
    covered: Sequence[Stretch], gaps: Iterable[Stretch], *, span: Stretch, period_ms: int | None
) -> list[Hole]:
    """Return stretches of `span` longer than three periods with neither readings nor a gap.

    `covered` are the readings' own stretches in order (a single reading has equal ends). A point without a
    period owes no reading, so nothing of it is unexplained.
    """
    if period_ms is None:
        return []
    least = SILENT_PERIODS * period_ms
    explained = sorted(gaps)
    holes = []
    for start, end in _between(covered, span):
        if end - start > least:
            holes += [
                Hole(*left, None) for left in _without((start, end), explained) if left[1] - left[0] > least
            ]
    return holes


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
