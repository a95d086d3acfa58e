"""Words and shapes of laboratory work. Times are ticks of event time (`wire.messages.TICK_MS`)."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from rules.access.words import JobState
from rules.jobs.spans import Span, within


class Limit(Struct, frozen=True, omit_defaults=True):
    """Between what a quantity must stay; both bounds belong to the range. None: no bound on that side."""

    quantity: str
    low: Decimal | None = None
    high: Decimal | None = None

    def admits(self, value: Decimal) -> bool:
        """Whether a value lies in the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class LimitSet(Struct, frozen=True, omit_defaults=True):
    """What a method asks of the environment and of people; a change is a new version."""

    method: str
    version: int
    limits: tuple[Limit, ...]
    people_min: int = 2


class Cause(Struct, frozen=True, omit_defaults=True):
    """Why work was held: a breach, from when to when. `to_at` None: it stands."""

    name: str
    from_at: int
    to_at: int | None = None


class Hold(Struct, frozen=True, omit_defaults=True):
    """A stretch in which work stood still; readings from `from_at` on are marked."""

    from_at: int
    """When the first of its causes began, in event time; the hold itself may have come later."""
    held_at: int
    causes: tuple[Cause, ...]
    released_at: int | None = None
    by: str = ""
    reason: str = ""

    @property
    def stands(self) -> tuple[str, ...]:
        """The causes that have not ended."""
        return tuple(cause.name for cause in self.causes if cause.to_at is None)


class Job(Struct, frozen=True, omit_defaults=True):
    """A piece of laboratory work."""

    id: str
    method: str
    limits_version: int
    people: tuple[str, ...]
    instruments: tuple[str, ...]
    zone: str
    planned: Span
    state: JobState = JobState.PLANNED
    started_at: int | None = None
    finished_at: int | None = None
    holds: tuple[Hold, ...] = ()
    found_later: tuple[Cause, ...] = ()
    """Breaches that were over when they became known: they mark readings and hold nothing."""
    acted_at: int | None = None
    """The last act; no later one is before it."""


class What(StrEnum):
    """What was done to a job."""

    AMENDED = "amended"
    STARTED = "started"
    HELD = "held"
    RETURNED = "returned"
    """One cause of a hold has ended."""
    RELEASED = "released"
    FINISHED = "finished"
    MARKED = "marked"


class Entry(Struct, frozen=True, omit_defaults=True):
    """One line of a job's log."""

    what: What
    job: str
    at: int
    by: str = ""
    text: str = ""


class Reason(StrEnum):
    """Why something was not done."""

    NO_PERSON = "no_person"
    NO_REASON = "no_reason"
    NOT_STARTED = "not_started"
    ALREADY_STARTED = "already_started"
    NOT_HELD = "not_held"
    ALREADY_FINISHED = "already_finished"
    FAULTY = "faulty"
    NOT_PERMITTED = "not_permitted"
    CAUSE_STANDS = "cause_stands"
    UNKNOWN_CAUSE = "unknown_cause"
    TOO_FEW_PRESENT = "too_few_present"
    NOT_AUTHORISED = "not_authorised"
    INSTRUMENT_BLOCKED = "instrument_blocked"
    ZONE_NOT_FIT = "zone_not_fit"
    STANDS = "stands"
    OVER = "over"
    OUTSIDE = "outside"


class Refused(Struct, frozen=True, omit_defaults=True):
    """Nothing was done, and this is why; `about` names what it fails at."""

    reason: Reason
    about: tuple[str, ...] = ()


class Facts(Struct, frozen=True, omit_defaults=True):
    """What is so at the instant at which work begins or goes on."""

    present: tuple[str, ...] = ()
    """Who is in the zone."""
    authorised: tuple[str, ...] = ()
    """Who of the job's people may do this work now."""
    blocked: tuple[str, ...] = ()
    """Instruments that must not be used, out of date or awaiting their check."""
    unmet: tuple[str, ...] = ()
    """Interlocks of the zone that are not healthy."""


def hold_of(job: Job) -> Hold | None:
    """Return the hold that stands, None while none does."""
    return job.holds[-1] if job.holds and job.holds[-1].released_at is None else None


def frame(job: Job, until: int) -> Span | None:
    """Return the stretch from start to finish, to `until` while there is none; None before the start."""
    if job.started_at is None:
        return None
    return Span(job.started_at, until if job.finished_at is None else job.finished_at)


def marks(job: Job, until: int) -> tuple[Span, ...]:
    """Return the stretches whose readings are marked, up to `until` where they have no end."""
    whole = frame(job, until)
    if whole is None:
        return ()
    ends = [(hold.from_at, hold.released_at) for hold in job.holds]
    ends += [(cause.from_at, cause.to_at) for cause in job.found_later]
    spans = (Span(start, whole.end if end is None else end) for start, end in ends)
    return within(spans, [whole])
