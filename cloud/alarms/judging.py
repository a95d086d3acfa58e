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


def judge_again(
    series: Series, base: Base | None, samples: Sequence[Sample], *, reached: int | None
) -> Again:
    """Judge samples from a base on, in pieces, so that memory is bounded whatever came late."""
    timeline = timeline_of(series, base)
    since, bases, found = timeline.base_at, [], dict[str, Occurrence]()
    for start in range(0, len(samples), FOLDED):
        timeline = arrive(timeline, samples[start : start + FOLDED])
        found |= by_id(timeline.closed)
        if start + FOLDED < len(samples):
            timeline = compact(timeline, timeline.reached)
            bases.append(Base(timeline.base_at, timeline.base))
    timeline = arrive(timeline, (), reached=reached)
    last = view(timeline)
    found |= by_id(last.occurrences)
    seen = View(
        last.point, last.conditions, since, last.reached, tuple(found[name] for name in found), last.silent
    )
    return Again(timeline, seen, tuple(bases))


def by_id(occurrences: Iterable[Occurrence]) -> dict[str, Occurrence]:
    """Return occurrences by their names."""
    return {one.id: one for one in occurrences}
