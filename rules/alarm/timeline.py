"""Samples of one point in any order of arrival, and the occurrences that they show: the same for every order.

A timeline keeps the samples of the last while, so that what comes a little late is put in its place. What is
older than its base is refused with `TooOldError`: the caller begins again from stored readings, further back.
How far time has come (`reached`) is kept apart from what was heard: an alarm that a timer raised is withdrawn
when a late sample shows that there was none.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rules.alarm.detect import Detector, passed, see, standing
from rules.alarm.model import ZERO, Applied, Condition, Ended, Occurrence, Sample


class TooOldError(ValueError):
    """A sample lies before what a timeline still remembers."""


class Timeline(Struct, frozen=True):
    """What one point's samples show."""

    applied: Applied
    base_at: int
    """Samples up to here are folded into `base` for good."""
    base: tuple[Detector, ...]
    """One for each rule, as all below."""
    head: tuple[Detector, ...]
    """After the newest sample."""
    reached: int
    """So far time has come; nothing is known of later."""
    samples: tuple[Sample, ...] = ()
    """After `base_at`, in order."""
    closed: tuple[Occurrence, ...] = ()
    """What the samples brought to an end."""


class View(Struct, frozen=True, omit_defaults=True):
    """What one timeline says of its point: every occurrence that stands or ended after `since`."""

    point: str
    conditions: tuple[Condition, ...]
    """What its rules look for. Other timelines may speak of other conditions of the same point."""
    since: int
    reached: int
    occurrences: tuple[Occurrence, ...]
    silent: bool = False
    """The newest sample stands no more: what is in alarm is so by old evidence, silence itself excepted."""


class Change(StrEnum):
    """How an occurrence differs from what was known before."""

    FOUND = "found"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


class Revision(Struct, frozen=True):
    """One occurrence that is not as it was; the earlier one stays in the record."""

    change: Change
    occurrence: Occurrence


def begin(applied: Applied, at: int) -> Timeline:
    """Return the timeline of a point that is watched from `at` on; silence counts from there."""
    detectors = tuple(Detector(heard=at) for _ in applied.rules)
    return Timeline(applied, base_at=at, base=detectors, head=detectors, reached=at)


def arrive(timeline: Timeline, samples: Iterable[Sample], *, reached: int | None = None) -> Timeline:
    """Return what is known with more samples and when time has come to `reached`.

    A sample that is known changes nothing. Of two at one instant, the same one stays whichever came first.

    Raises:
        TooOldError: a sample lies at or before `base_at`. Nothing was taken in.
    """
    given = tuple(samples)
    newest = timeline.samples[-1].at if timeline.samples else timeline.base_at
    is_late = any(sample.at <= newest for sample in given)
    known = {sample.at: sample for sample in timeline.samples} if is_late else {}
    fresh: dict[int, Sample] = {}
    for sample in given:
        if sample.at <= timeline.base_at:
            raise TooOldError(f"a sample at tick {sample.at}; expected one after {timeline.base_at}")
        other = fresh.get(sample.at, known.get(sample.at))
        if other is None or _rank(sample) > _rank(other):
            fresh[sample.at] = sample
    added = tuple(fresh[at] for at in sorted(fresh))
    if added and added[0].at > newest:
        head, closed = _fold(timeline.head, added, timeline.applied)
        timeline = replace(
            timeline, samples=(*timeline.samples, *added), head=head, closed=(*timeline.closed, *closed)
        )
    elif added:
        merged = known | fresh
        ordered = tuple(merged[at] for at in sorted(merged))
        head, closed = _fold(timeline.base, ordered, timeline.applied)
        timeline = replace(timeline, samples=ordered, head=head, closed=closed)
    times = [timeline.reached, *fresh, *([] if reached is None else [reached])]
    return replace(timeline, reached=max(times))


def view(timeline: Timeline) -> View:
    """Return the occurrences as they are known, oldest first."""
    found = list(timeline.closed)
    for detector, rule in zip(timeline.head, timeline.applied.rules, strict=True):
        now, ended = passed(detector, rule, timeline.applied, to=timeline.reached)
        found.extend(ended)
        occurrence = standing(now, rule, timeline.applied)
        if occurrence is not None:
            found.append(occurrence)
    found.sort(key=_order)
    applied, hold = timeline.applied, timeline.applied.hold_ticks
    newest = timeline.head[0].heard if timeline.head else None
    return View(
        point=applied.point,
        conditions=tuple(rule.condition for rule in applied.rules),
        since=timeline.base_at,
        reached=timeline.reached,
        occurrences=tuple(found),
        silent=hold is not None and newest is not None and timeline.reached > newest + hold,
    )


def compact(timeline: Timeline, before: int) -> Timeline:
    """Return a timeline that remembers no samples up to `before`; what ended by them leaves its view."""
    before = min(before, timeline.reached)
    if before <= timeline.base_at:
        return timeline
    old = tuple(sample for sample in timeline.samples if sample.at <= before)
    rest = timeline.samples[len(old) :]
    base, _ = _fold(timeline.base, old, timeline.applied)
    # What the old samples brought to an end had cleared by the last of them.
    last = old[-1].at if old else timeline.base_at
    closed = tuple(one for one in timeline.closed if not is_settled(one, last))
    return replace(timeline, base_at=before, base=base, samples=rest, closed=closed)


def retire(timeline: Timeline, at: int) -> View:
    """Return the last view of rules that hold no more from `at` on: what stood then ended there.

    Raises:
        TooOldError: `at` lies before `base_at`.
    """
    if at < timeline.base_at:
        raise TooOldError(f"rules end at tick {at}; expected {timeline.base_at} or later")
    valid = tuple(sample for sample in timeline.samples if sample.at <= at)
    head, closed = _fold(timeline.base, valid, timeline.applied)
    seen = view(replace(timeline, samples=valid, head=head, closed=closed, reached=at))
    over = tuple(
        replace(occurrence, cleared_at=at, ended=Ended.RULE_CHANGED) if occurrence.stands else occurrence
        for occurrence in seen.occurrences
    )
    return replace(seen, occurrences=over)


def compare(before: View, after: View) -> tuple[Revision, ...]:
    """Return what is not as it was. What left the view because it is settled is unchanged."""
    old = {occurrence.id: occurrence for occurrence in before.occurrences}
    new = {occurrence.id: occurrence for occurrence in after.occurrences}
    revisions = [
        Revision(Change.CHANGED if name in old else Change.FOUND, occurrence)
        for name, occurrence in new.items()
        if old.get(name) != occurrence
    ]
    revisions += [
        Revision(Change.WITHDRAWN, occurrence)
        for name, occurrence in old.items()
        if name not in new and not is_settled(occurrence, after.since)
    ]
    return tuple(revisions)


def is_settled(occurrence: Occurrence, since: int) -> bool:
    """Whether an occurrence lies wholly in what a timeline with this base remembers no more."""
    return occurrence.cleared_at is not None and occurrence.cleared_at <= since


def _fold(
    detectors: tuple[Detector, ...], samples: Iterable[Sample], applied: Applied
) -> tuple[tuple[Detector, ...], tuple[Occurrence, ...]]:
    ended: list[Occurrence] = []
    states = list(detectors)
    for sample in samples:
        for place, rule in enumerate(applied.rules):
            states[place], over = see(states[place], rule, applied, sample=sample)
            ended.extend(over)
    ended.sort(key=_order)
    return tuple(states), tuple(ended)


def _order(occurrence: Occurrence) -> tuple[int, str]:
    return occurrence.onset, occurrence.condition


def _rank(sample: Sample) -> tuple[bool, object]:
    return sample.value is not None, sample.value or ZERO
