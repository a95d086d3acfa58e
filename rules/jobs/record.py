"""What a job's record states, from series alone: environment, presence, gaps and holds.

Everything is judged in event time between start and finish. *Work* is that stretch without the marked ones:
what happened while work was held is told, and does not count against it. Late data give another record, the
same whenever and in whatever order they came.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct

from rules.alarm.model import Sample
from rules.jobs.model import Hold, Job, Limit, LimitSet, frame, marks
from rules.jobs.spans import Span, joined, total, within, without

MEAN_PLACES = 2
"""A mean has so many places more than its readings; rounded half to even."""


class Verdict(StrEnum):
    """Whether what was asked was met throughout the work."""

    MET = "met"
    NOT_MET = "not_met"
    UNDETERMINED = "undetermined"
    """Nothing says that it was not, but there is no evidence for all of the time."""
    NOT_ASKED = "not_asked"


class Series(Struct, frozen=True):
    """The readings of one point, in any order; those shortly before the start belong to it."""

    point: str
    quantity: str
    exponent: int
    """Readings are counts of ten to this power."""
    hold_ticks: int | None
    """How long a reading stands; None: until the next."""
    samples: tuple[Sample, ...]


class Stay(Struct, frozen=True, omit_defaults=True):
    """Somebody was in the zone; `to_at` None: still is."""

    person: str
    from_at: int
    to_at: int | None = None


class Summary(Struct, frozen=True):
    """Of so many readings; None when there was none."""

    count: int
    least: Decimal | None
    mean: Decimal | None
    most: Decimal | None


class Excursion(Struct, frozen=True):
    """A stretch outside the limits, with the value that was furthest out."""

    span: Span
    worst: Decimal


class Environment(Struct, frozen=True):
    """What one point says of a job."""

    point: str
    quantity: str
    limit: Limit | None
    whole: Summary
    work: Summary
    excursions: tuple[Excursion, ...]
    gaps: tuple[Span, ...]
    """Stretches in which no reading stood."""
    verdict: Verdict


class Shortage(Struct, frozen=True):
    """A stretch of work with fewer people of the job than needed, and who they were."""

    span: Span
    people: tuple[str, ...]


class Presence(Struct, frozen=True):
    """Whether enough of the job's people were there throughout the work."""

    least: int
    shortages: tuple[Shortage, ...]
    blind: tuple[Span, ...]
    """Stretches of work in which nothing says who was there."""
    verdict: Verdict


class Record(Struct, frozen=True):
    """What became of a job."""

    job: str
    method: str
    limits_version: int
    span: Span
    final: bool
    """False while the job is not finished."""
    work: tuple[Span, ...]
    marked: tuple[Span, ...]
    holds: tuple[Hold, ...]
    held_ticks: int
    environment: tuple[Environment, ...]
    missing: tuple[str, ...]
    """Quantities with a limit for which there is no series."""
    presence: Presence
    verdict: Verdict


def record(
    job: Job,
    limits: LimitSet,
    series: Iterable[Series],
    *,
    stays: Iterable[Stay],
    blind: Iterable[Span] = (),
    until: int,
) -> Record | None:
    """Return the record of a job up to its finish, or up to `until`; None before it started.

    Raises:
        ValueError: `limits` is not the limit set that the job names.
    """
    if (job.method, job.limits_version) != (limits.method, limits.version):
        raise ValueError(
            f"limits are {limits.method}, version {limits.version}; "
            f"expected {job.method}, version {job.limits_version}"
        )
    whole = frame(job, until)
    if whole is None:
        return None
    marked = marks(job, until)
    work = without([whole], marked)
    given = sorted(series, key=lambda one: (one.quantity, one.point))
    environment = tuple(environment_of(one, _limit(limits, one.quantity), whole, work=work) for one in given)
    there = {one.quantity for one in given}
    missing = tuple(limit.quantity for limit in limits.limits if limit.quantity not in there)
    presence = presence_of(stays, job.people, work, least=limits.people_min, blind=blind)
    verdicts = [one.verdict for one in environment] + [presence.verdict]
    verdicts += [Verdict.UNDETERMINED for _ in missing]
    return Record(
        job=job.id,
        method=job.method,
        limits_version=job.limits_version,
        span=whole,
        final=job.finished_at is not None,
        work=work,
        marked=marked,
        holds=job.holds,
        held_ticks=total(marked),
        environment=environment,
        missing=missing,
        presence=presence,
        verdict=_worst(verdicts),
    )


def environment_of(series: Series, limit: Limit | None, whole: Span, *, work: Sequence[Span]) -> Environment:
    """Return what one series says between start and finish; `work` is the part that counts."""
    stood = _stood(series, whole)
    inside = [(span, value) for span, value in stood if any(frame.covers(span.start) for frame in work)]
    gaps = without([whole], (span for span, _ in stood))
    excursions = () if limit is None else _excursions(stood, limit)
    if limit is None:
        verdict = Verdict.NOT_ASKED
    elif within((one.span for one in excursions), work):
        verdict = Verdict.NOT_MET
    else:
        verdict = Verdict.UNDETERMINED if within(gaps, work) else Verdict.MET
    return Environment(
        point=series.point,
        quantity=series.quantity,
        limit=limit,
        whole=_summary([value for _, value in stood], series.exponent),
        work=_summary([value for _, value in inside], series.exponent),
        excursions=excursions,
        gaps=gaps,
        verdict=verdict,
    )


def presence_of(
    stays: Iterable[Stay],
    people: Iterable[str],
    work: Sequence[Span],
    *,
    least: int,
    blind: Iterable[Span] = (),
) -> Presence:
    """Return whether at least so many of some people were there throughout `work`.

    Where nothing says who was there (`blind`), nobody is taken to be missing, and nobody to be there.
    """
    dark = within(blind, work)
    end = max((span.end for span in work), default=0)
    known = set(people)
    spans = [
        (stay.person, Span(stay.from_at, end if stay.to_at is None else stay.to_at))
        for stay in stays
        if stay.person in known
    ]
    short: list[Shortage] = []
    for light in without(work, dark):
        edges = {light.start, light.end}
        edges |= {at for _, span in spans for at in (span.start, span.end) if light.covers(at)}
        for start, stop in pairwise(sorted(edges)):
            there = tuple(sorted({person for person, span in spans if span.covers(start)}))
            if len(there) < least:
                _add(short, Shortage(Span(start, stop), there))
    verdict = Verdict.NOT_MET if short else Verdict.UNDETERMINED if dark else Verdict.MET
    return Presence(least, tuple(short), dark, verdict)


def _add(short: list[Shortage], more: Shortage) -> None:
    last = short[-1] if short else None
    if last is not None and last.people == more.people and last.span.end == more.span.start:
        short[-1] = Shortage(Span(last.span.start, more.span.end), more.people)
    else:
        short.append(more)


def _stood(series: Series, whole: Span) -> list[tuple[Span, Decimal]]:
    """Return each value with the part of `whole` in which it stood, in order."""
    # Of several at one instant the last one stands: as for alarms the greatest value, if there is one.
    ordered = sorted(series.samples, key=lambda one: (one.at, one.value is not None, one.value or Decimal(0)))
    ends = [*(sample.at for sample in ordered), whole.end][1:]
    found = []
    for sample, end in zip(ordered, ends, strict=False):
        until = end if series.hold_ticks is None else min(end, sample.at + series.hold_ticks)
        span = Span(max(sample.at, whole.start), min(until, whole.end))
        if sample.value is not None and span.start < span.end:
            found.append((span, sample.value))
    return found


def _excursions(stood: Iterable[tuple[Span, Decimal]], limit: Limit) -> tuple[Excursion, ...]:
    found: list[Excursion] = []
    for span, value in stood:
        if limit.admits(value):
            continue
        last = found[-1] if found else None
        if last is not None and last.span.end == span.start:
            worst = max(last.worst, value, key=lambda one: _distance(one, limit))
            found[-1] = Excursion(joined([last.span, span])[0], worst)
        else:
            found.append(Excursion(span, value))
    return tuple(found)


def _distance(value: Decimal, limit: Limit) -> Decimal:
    """Return how far outside its limits a value is."""
    below = Decimal(0) if limit.low is None else limit.low - value
    above = Decimal(0) if limit.high is None else value - limit.high
    return max(below, above)


def _summary(values: Sequence[Decimal], exponent: int) -> Summary:
    if not values:
        return Summary(0, None, None, None)
    with localcontext() as context:
        context.prec = 60
        step = Decimal(1).scaleb(exponent - MEAN_PLACES)
        mean = (sum(values, Decimal(0)) / len(values)).quantize(step, ROUND_HALF_EVEN)
    return Summary(len(values), min(values), mean, max(values))


def _limit(limits: LimitSet, quantity: str) -> Limit | None:
    return next((limit for limit in limits.limits if limit.quantity == quantity), None)


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    if Verdict.NOT_MET in verdicts:
        return Verdict.NOT_MET
    return Verdict.UNDETERMINED if Verdict.UNDETERMINED in verdicts else Verdict.MET
