"""What is asked, what is known meanwhile from elsewhere, what is answered; all can be kept and replayed."""

from typing import Annotated

from msgspec import Meta, field

from rules.access.document import Id, KeyName, Millis, PlaceId, SideId, Span, Token
from rules.access.reasons import Note, Reason, Step
from rules.access.words import Contact, FactorKind, JobState, Lock, Outcome, Scope
from wire.messages import Message, Record, Text
from wire.shadow import Revision


class Factor(Record, frozen=True, forbid_unknown_fields=True):
    """One thing that was shown at a reader, as its keyed hash."""

    kind: FactorKind
    token: Token
    key_id: KeyName


class EntryLock(Record, frozen=True, forbid_unknown_fields=True):
    """What an interlock that tripped locks: entries of a zone, one portal, or equipment."""

    scope: Scope
    subject: Text
    """Name of the zone, portal or equipment."""
    interlock: Text
    reason: Text
    """In plain words, for the reader or panel at the door."""


class Door(Record, frozen=True, forbid_unknown_fields=True):
    """What a door says of itself."""

    contact: Contact = Contact.UNKNOWN
    lock: Lock = Lock.UNKNOWN


class Job(Message, frozen=True, forbid_unknown_fields=True):
    """A piece of laboratory work, as far as doors and equipment ask for it."""

    id: Id
    zone: PlaceId
    state: JobState
    people: tuple[Id, ...] = ()
    activities: tuple[Text, ...] = ()
    """All of which its people must be authorised for."""
    equipment: tuple[Id, ...] = ()
    planned: Span = Span()
    min_people: Annotated[int, Meta(ge=1, le=100)] = 1
    """So many of its authorised people are in the zone all the time."""


class Situation(Message, frozen=True, forbid_unknown_fields=True):
    """What interlocks, doors and jobs are like at the instant of a request."""

    locks: tuple[EntryLock, ...] = ()
    doors: dict[PlaceId, Door] = field(default_factory=dict)
    jobs: tuple[Job, ...] = ()


CALM = Situation()


class Request(Message, frozen=True, forbid_unknown_fields=True):
    """Somebody at one side of a portal."""

    side: SideId
    factors: Annotated[tuple[Factor, ...], Meta(min_length=1, max_length=8)]
    """As they were shown; the first one identifies."""
    at_ms: Millis
    """UTC: for schedules and validities."""
    steady_ms: Millis
    """A clock that neither jumps nor goes back, over restarts too: for durations."""
    time_trusted: bool = True
    """Whether `at_ms` is known to be right."""
    timed_out: bool = False
    """Nothing more was shown in time."""
    situation: Situation = CALM


class Decision(Message, frozen=True, forbid_unknown_fields=True):
    """The answer."""

    granted: bool
    reason: Reason
    step: Step
    side: SideId
    at_ms: Millis
    revision: Revision | None = None
    """Of the rights it was decided by."""
    person: Id | None = None
    token: Token | None = None
    """Of the credential that identified."""
    rule: str = ""
    """What decided, `kind:id`: `right:r-1`, `interlock:il-2`, `zone:lab`, …"""
    detail: str = ""
    """What a person at the door should know besides, such as why an interlock tripped."""
    awaits: FactorKind | None = None
    """The next factor to show."""
    admits: tuple[Id, ...] = ()
    """Everybody whom this lets pass, once they have."""
    notes: tuple[Note, ...] = ()
    open_s: int = 0
    """So long the door may be opened."""
    duress: bool = False
    """Somebody is being forced. For the alarm alone: nothing at the door may show it."""


class Finding(Message, frozen=True, forbid_unknown_fields=True):
    """What became of one step."""

    step: Step
    outcome: Outcome
    reason: Reason | None = None
    """Why it failed."""
    rule: str = ""
    detail: str = ""


class Explanation(Message, frozen=True, forbid_unknown_fields=True):
    """A decision and every step of it, those after the first failure too."""

    decision: Decision
    findings: tuple[Finding, ...]
