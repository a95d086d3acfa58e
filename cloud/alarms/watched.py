"""One watched series in memory: its timeline, what it showed last, and when to look again."""

from collections.abc import Iterable
from dataclasses import dataclass

from cloud.store.alarm_series import Base, Series
from rules.alarm.detect import Phase
from rules.alarm.model import Applied, Condition, Rule, Sample
from rules.alarm.timeline import Timeline, View, arrive, begin, compact, view

REMEMBERED_TICKS = 10 * 60 * 100
"""Samples of ten minutes are in memory; older ones are judged again from a base."""
READING_CONDITIONS = frozenset(Condition) - {Condition.CALIBRATION, Condition.TAMPER, Condition.EVENT}


def part_rules(rules: Iterable[Rule]) -> dict[str, tuple[Rule, ...]]:
    """Return which rules of a template each series of a point has: flags have one of their own."""
    parts: dict[str, tuple[Rule, ...]] = {}
    for rule in rules:
        part = "readings" if rule.condition in READING_CONDITIONS else rule.condition.value
        parts[part] = (*parts.get(part, ()), rule)
    return parts


@dataclass(slots=True, eq=False)
class Watched:
    """A series that is watched now."""

    series: Series
    timeline: Timeline
    seen: View
    """What was observed last."""
    wake: int | None

    def take(self, samples: Iterable[Sample], *, reached: int | None) -> int | None:
        """Take samples in, and let time come to `reached`; return the oldest that came too late, if any."""
        base = self.timeline.base_at
        given = tuple(samples)
        late = min((sample.at for sample in given if sample.at <= base), default=None)
        fresh = given if late is None else tuple(sample for sample in given if sample.at > base)
        self.timeline = arrive(self.timeline, fresh, reached=reached)
        self.wake = next_wake(self.timeline)
        return late

    def compacted(self) -> Base | None:
        """Forget samples that are older than is remembered; return what is to be kept of them."""
        before = self.timeline.reached - REMEMBERED_TICKS
        if self.series.part == "calibration" and self.timeline.samples:
            before = self.timeline.reached  # what it was made from is stored nowhere else
        elif before - self.timeline.base_at < REMEMBERED_TICKS:
            return None
        self.timeline = compact(self.timeline, before)
        self.seen = view(self.timeline)
        return Base(self.timeline.base_at, self.timeline.base)


def applied_of(series: Series) -> Applied:
    """Return the rules of a series as its timeline takes them."""
    return Applied(series.point, series.revision, series.rules, series.hold_ticks)


def timeline_of(series: Series, base: Base | None) -> Timeline:
    """Return the timeline of a series at a base, or at its beginning."""
    if base is None:
        return begin(applied_of(series), series.from_tick)
    return Timeline(applied_of(series), base.tick, base.detectors, head=base.detectors, reached=base.tick)


def watched(series: Series, timeline: Timeline) -> Watched:
    """Return a series with its timeline, of which nothing was observed yet."""
    seen = View(
        series.point, tuple(rule.condition for rule in series.rules), timeline.base_at, timeline.reached, ()
    )
    return Watched(series, timeline, seen, next_wake(timeline))


def next_wake(timeline: Timeline) -> int | None:
    """Return when something may change by time alone; None when nothing will."""
    hold, times = timeline.applied.hold_ticks, []
    for detector, rule in zip(timeline.head, timeline.applied.rules, strict=True):
        if detector.phase is Phase.PENDING:
            times.append(detector.since + rule.on_delay_ticks)
        elif detector.phase is Phase.RETURNING:
            times.append(detector.since + rule.off_delay_ticks)
        if hold is not None and detector.heard is not None and not detector.lapsed:
            lapse = detector.heard + hold
            times += [lapse + 1, lapse + 1 + rule.on_delay_ticks]
    return min((at for at in times if at > timeline.reached), default=None)
