"""Small shapes and folds that the keeper and what it follows share. Pure."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from cloud.alarms.watched import Watched, timeline_of
from cloud.store.alarm_series import Base, Series
from rules.alarm.desk import Desk, Open
from rules.alarm.model import Occurrence, Sample
from rules.alarm.timeline import Timeline, View, arrive, compact, view

OnEnd = Callable[[Watched, View], Awaitable[None]]
"""Called with the last view of rules that hold no more."""
FOLDED = 20_000
"""So many samples are judged at once; then what they came to is kept."""


@dataclass(slots=True)
class Taken:
    """What one turn brought."""

    samples: dict[int, list[Sample]] = field(default_factory=dict)
    """Series id -> samples; one that is to be looked at again has an empty list."""
    late: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Series id -> organisation, and the tick of what came too late."""


@dataclass(frozen=True, slots=True)
class Again:
    """What a series shows when it is judged again from an old base."""

    timeline: Timeline
    seen: View
    """From the old base on."""
    bases: tuple[Base, ...]


def with_open(desk: Desk, opened: Mapping[str, tuple[Open, ...]]) -> Desk:
    """Return a desk with these open alarms; points without any are left out."""
    return replace(desk, open={point: items for point, items in opened.items() if items})


@dataclass(slots=True)
class Judging:
    """A series that is being judged again, in pieces, so that memory is bounded whatever came late."""

    timeline: Timeline
    since: int
    bases: list[Base] = field(default_factory=list)
    found: dict[str, Occurrence] = field(default_factory=dict)

    @property
    def read_to(self) -> int:
        """Return up to where what is stored was read."""
        return self.timeline.base_at

    def take(self, samples: Sequence[Sample]) -> None:
        """Judge a piece, and keep what it came to."""
        timeline = arrive(self.timeline, samples)
        self.found |= by_id(timeline.closed)
        self.timeline = compact(timeline, timeline.reached)
        self.bases.append(Base(self.timeline.base_at, self.timeline.base))

    def end(self, samples: Sequence[Sample], reached: int | None) -> Again:
        """Judge the last piece and return what the series shows."""
        for start in range(0, len(samples) - FOLDED, FOLDED):
            self.take(samples[start : start + FOLDED])
        rest = (len(samples) - 1) // FOLDED * FOLDED if samples else 0
        self.timeline = arrive(self.timeline, samples[rest:])
        self.found |= by_id(self.timeline.closed)
        timeline = arrive(self.timeline, (), reached=reached)
        last = view(timeline)
        self.found |= by_id(last.occurrences)
        seen = View(
            *(last.point, last.conditions, self.since, last.reached),
            *(tuple(self.found.values()), last.silent),
        )
        return Again(timeline, seen, tuple(self.bases))


def begin_again(series: Series, base: Base | None) -> Judging:
    """Begin to judge a series from a base on."""
    timeline = timeline_of(series, base)
    return Judging(timeline, timeline.base_at)


def by_id(occurrences: Iterable[Occurrence]) -> dict[str, Occurrence]:
    """Return occurrences by their names."""
    return {one.id: one for one in occurrences}
