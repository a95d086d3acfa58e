"""Samples in order of event time in, occurrences out: one detector per rule of a point.

A sample stands as evidence until the next one, at most for the point's hold. Every change carries the time at
which its condition was fulfilled, however late somebody looks: looking more often changes nothing. The table
`NEXT` is that of docs/explanation/alarms.md.
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rules.alarm.model import (
    FLAGS,
    HIGHS,
    LOWS,
    ZERO,
    Applied,
    Condition,
    Ended,
    Occurrence,
    Rule,
    Sample,
)

SLOTS = 60
"""Into so many slots the window of a rate is divided; it reaches back one slot further at most."""


class Verdict(StrEnum):
    """What one sample says about one condition."""

    BEYOND = "beyond"
    BETWEEN = "between"
    """Not beyond the limit, not back behind the deadband."""
    BACK = "back"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """Where a detector stands."""

    QUIET = "quiet"
    PENDING = "pending"
    """Beyond, but not for the on-delay."""
    ACTIVE = "active"
    RETURNING = "returning"
    """Back, but not for the off-delay."""


NEXT = {
    (Phase.QUIET, Verdict.BEYOND): Phase.PENDING,
    (Phase.QUIET, Verdict.BETWEEN): Phase.QUIET,
    (Phase.QUIET, Verdict.BACK): Phase.QUIET,
    (Phase.QUIET, Verdict.UNKNOWN): Phase.QUIET,
    (Phase.PENDING, Verdict.BEYOND): Phase.PENDING,
    (Phase.PENDING, Verdict.BETWEEN): Phase.QUIET,
    (Phase.PENDING, Verdict.BACK): Phase.QUIET,
    (Phase.PENDING, Verdict.UNKNOWN): Phase.QUIET,
    (Phase.ACTIVE, Verdict.BEYOND): Phase.ACTIVE,
    (Phase.ACTIVE, Verdict.BETWEEN): Phase.ACTIVE,
    (Phase.ACTIVE, Verdict.BACK): Phase.RETURNING,
    (Phase.ACTIVE, Verdict.UNKNOWN): Phase.ACTIVE,
    (Phase.RETURNING, Verdict.BEYOND): Phase.ACTIVE,
    (Phase.RETURNING, Verdict.BETWEEN): Phase.ACTIVE,
    (Phase.RETURNING, Verdict.BACK): Phase.RETURNING,
    (Phase.RETURNING, Verdict.UNKNOWN): Phase.ACTIVE,
}


class Slot(Struct, frozen=True, array_like=True):
    """Lowest and highest value within one part of a rate's window."""

    number: int
    low: Decimal
    high: Decimal


class Detector(Struct, frozen=True, array_like=True, omit_defaults=True):
    """What one rule knows of one point; the default has heard nothing."""

    phase: Phase = Phase.QUIET
    since: int = 0
    """While pending or returning: since when."""
    onset: int = 0
    raised_at: int = 0
    value: Decimal | None = None
    worst: Decimal | None = None
    worst_at: int | None = None
    heard: int | None = None
    """The newest sample, or when watching began."""
    lapsed: bool = False
    """The newest sample stands no more."""
    steady: int | None = None
    """`rate`: since when there are values without a break."""
    slots: tuple[Slot, ...] = ()


Step = tuple[Detector, tuple[Occurrence, ...]]
"""What is known, and what came to its end."""


def see(detector: Detector, rule: Rule, applied: Applied, *, sample: Sample) -> Step:
    """Return what is known after a sample that is newer than all before."""
    detector, ended = passed(detector, rule, applied, to=sample.at)
    detector, measure, verdict = _judge(detector, rule, sample)
    detector = _judged(detector, verdict, at=sample.at, measure=measure, rule=rule)
    detector, more = _timed(detector, rule, applied, to=sample.at)
    return replace(detector, heard=sample.at, lapsed=False), (*ended, *more)


def passed(detector: Detector, rule: Rule, applied: Applied, *, to: int) -> Step:
    """Return what is known when nothing more was heard up to `to`."""
    if detector.lapsed or applied.hold_ticks is None or detector.heard is None:
        return _timed(detector, rule, applied, to=to)
    lapse = detector.heard + applied.hold_ticks
    if to <= lapse:
        return _timed(detector, rule, applied, to=to)
    detector, first = _timed(detector, rule, applied, to=lapse)
    verdict = Verdict.BEYOND if rule.condition is Condition.COMMS else Verdict.UNKNOWN
    detector = _judged(detector, verdict, at=lapse, measure=None, rule=rule)
    detector, rest = _timed(replace(detector, lapsed=True, steady=None), rule, applied, to=to)
    return detector, (*first, *rest)


def standing(detector: Detector, rule: Rule, applied: Applied) -> Occurrence | None:
    """Return the occurrence that has not come to its end, if there is one."""
    if detector.phase not in (Phase.ACTIVE, Phase.RETURNING):
        return None
    return Occurrence(
        point=applied.point,
        condition=rule.condition,
        revision=applied.revision,
        onset=detector.onset,
        raised_at=detector.raised_at,
        priority=rule.priority,
        ack_required=rule.ack_required,
        limit=rule.limit,
        value=detector.value,
        worst=detector.worst,
        worst_at=detector.worst_at,
        returned_at=detector.since if detector.phase is Phase.RETURNING else None,
    )


def _timed(detector: Detector, rule: Rule, applied: Applied, *, to: int) -> Step:
    """Let the delay run out that is running, if it does up to `to`."""
    if detector.phase is Phase.PENDING and detector.since + rule.on_delay_ticks <= to:
        return replace(detector, phase=Phase.ACTIVE, raised_at=detector.since + rule.on_delay_ticks), ()
    cleared_at = detector.since + rule.off_delay_ticks
    if detector.phase is Phase.RETURNING and cleared_at <= to:
        occurrence = standing(detector, rule, applied)
        assert occurrence is not None
        over = replace(occurrence, cleared_at=cleared_at, ended=Ended.RETURNED)
        return _quiet(detector), (over,)
    return detector, ()


def _judged(
    detector: Detector, verdict: Verdict, *, at: int, measure: Decimal | None, rule: Rule
) -> Detector:
    phase = NEXT[detector.phase, verdict]
    if phase is Phase.QUIET:
        return detector if detector.phase is Phase.QUIET else _quiet(detector)
    if phase is not detector.phase and phase in (Phase.PENDING, Phase.RETURNING):
        detector = replace(detector, since=at)
    if detector.phase is Phase.QUIET:
        worst_at = None if measure is None else at
        return replace(detector, phase=phase, onset=at, value=measure, worst=measure, worst_at=worst_at)
    if verdict is Verdict.BEYOND and _worse(rule, measure, detector.worst):
        detector = replace(detector, worst=measure, worst_at=at)
    return replace(detector, phase=phase)


def _quiet(detector: Detector) -> Detector:
    return Detector(
        heard=detector.heard, lapsed=detector.lapsed, steady=detector.steady, slots=detector.slots
    )


def _worse(rule: Rule, measure: Decimal | None, worst: Decimal | None) -> bool:
    if measure is None or worst is None:
        return False
    return measure < worst if rule.condition in LOWS else measure > worst


def _judge(detector: Detector, rule: Rule, sample: Sample) -> tuple[Detector, Decimal | None, Verdict]:
    """Return what a sample says: the detector with its memory, the measure that is compared, the verdict."""
    value = sample.value
    if rule.condition is Condition.COMMS:
        return detector, None, Verdict.BACK
    if rule.condition is Condition.DEVICE:
        return detector, None, Verdict.BEYOND if value is None else Verdict.BACK
    if value is None:
        return replace(detector, steady=None), None, Verdict.UNKNOWN
    if rule.condition in FLAGS:
        return detector, None, Verdict.BEYOND if value > 0 else Verdict.BACK
    limit = ZERO if rule.limit is None else rule.limit
    if rule.condition in LOWS:
        return detector, value, _compared(-value, -limit, rule.deadband)
    if rule.condition in HIGHS:
        return detector, value, _compared(value, limit, rule.deadband)
    detector, change = _changed(detector, rule, sample.at, value=value)
    verdict = _compared(change, limit, rule.deadband)
    steady = sample.at if detector.steady is None else detector.steady
    if verdict is not Verdict.BEYOND and sample.at - steady < rule.window_ticks:
        verdict = Verdict.UNKNOWN  # that nothing changed takes a whole window to see
    return replace(detector, steady=steady), change, verdict


def _compared(value: Decimal, limit: Decimal, deadband: Decimal) -> Verdict:
    if value > limit:
        return Verdict.BEYOND
    return Verdict.BACK if value <= limit - deadband else Verdict.BETWEEN


def _changed(detector: Detector, rule: Rule, at: int, *, value: Decimal) -> tuple[Detector, Decimal]:
    """Return the largest change between this value and any other of the window."""
    length = max(rule.window_ticks // SLOTS, 1)
    number, oldest = at // length, (at - rule.window_ticks) // length
    slots = [slot for slot in detector.slots if slot.number >= oldest]
    if slots and slots[-1].number == number:
        last = slots.pop()
        slots.append(Slot(number, min(last.low, value), max(last.high, value)))
    else:
        slots.append(Slot(number, value, value))
    change = max(max(slot.high for slot in slots) - value, value - min(slot.low for slot in slots))
    return replace(detector, slots=tuple(slots)), change
