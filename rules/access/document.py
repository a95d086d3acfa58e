"""The rights of one gateway as data: the snapshot, deltas to it, and revocations.

Credentials stand here as keyed hashes alone. Times are UTC in ms since 1970; a span includes its start and
not its end. The time zone is carried as a table of offsets: gateway and hub decide alike whatever tables of
time zones their machines have. Ids are unique within their list; the order of lists has no meaning.
"""

from typing import Annotated

from msgspec import Meta, field

from rules.access.words import (
    CredentialState,
    DayKind,
    DayName,
    Effect,
    Escort,
    FactorKind,
    OldRights,
    Passback,
    PersonKind,
    PersonState,
    SideKind,
    Subject,
)
from wire.messages import GatewayId, Hash, Message, Record, Text
from wire.shadow import Revision

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]
PlaceId = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}$(?!\n)")]
"""Name of a zone or portal of the site."""
SideId = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}/(in|out)$(?!\n)")]
"""One side of a portal: `door-1/in` leads from its `from_zone` to its `to_zone`, `door-1/out` back."""
Token = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]
"""Keyed hash of a credential, as `edge.credential` makes it."""
KeyName = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$(?!\n)")]
"""By what the key of such hashes is known."""
Millis = Annotated[int, Meta(ge=0, le=2**42)]
Seconds = Annotated[int, Meta(ge=1, le=366 * 86_400)]
People = Annotated[int, Meta(ge=1, le=10_000)]
Date = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)")]
StartMinute = Annotated[int, Meta(ge=0, le=1439)]
EndMinute = Annotated[int, Meta(ge=1, le=2879)]

IDENTIFIES = tuple(kind for kind in FactorKind if kind is not FactorKind.PIN)
"""What tells who somebody is."""


class Span(Record, frozen=True, forbid_unknown_fields=True):
    """From and until when something holds; None is open."""

    from_ms: Millis | None = None
    to_ms: Millis | None = None
    """Not included."""

    def before(self, at_ms: int) -> bool:
        """Whether it has not begun."""
        return self.from_ms is not None and at_ms < self.from_ms

    def after(self, at_ms: int) -> bool:
        """Whether it is over."""
        return self.to_ms is not None and at_ms >= self.to_ms

    def covers(self, at_ms: int) -> bool:
        """Whether it holds."""
        return not self.before(at_ms) and not self.after(at_ms)


OPEN = Span()


class Offset(Record, frozen=True, forbid_unknown_fields=True):
    """From an instant on, local time is UTC and so many seconds."""

    from_ms: Millis
    seconds: Annotated[int, Meta(ge=-86_400, le=86_400)]


class Day(Message, frozen=True, forbid_unknown_fields=True):
    """A date that is not what its weekday says."""

    date: Date
    kind: DayKind
    like: DayName = DayName.MON
    """For a make-up workday: the day of the week that it stands for."""


class Window(Record, frozen=True, forbid_unknown_fields=True):
    """A stretch of local wall-clock time on some days; one beyond 1440 goes on into the next day."""

    days: Annotated[tuple[DayName, ...], Meta(min_length=1)]
    """The days on which it begins."""
    start_min: StartMinute
    end_min: EndMinute
    """Not included; later than the start, by a day at most."""


class Schedule(Message, frozen=True, forbid_unknown_fields=True):
    """When something holds within the week; on a holiday only windows that name holidays count."""

    id: Id
    windows: tuple[Window, ...]


class Person(Record, frozen=True, forbid_unknown_fields=True):
    """Who may be known at a door."""

    id: Id
    name: Text = ""
    kind: PersonKind = PersonKind.STAFF
    state: PersonState = PersonState.ACTIVE
    valid: Span = OPEN
    pin: Token | None = None
    duress_pin: Token | None = None
    """Opens as `pin` does, and silently tells that somebody is being forced."""
    escorts: bool = False
    """May come along with visitors."""
    slow: bool = False
    """Needs the door for longer."""


class Credential(Record, frozen=True, forbid_unknown_fields=True):
    """What identifies a person; it carries no right."""

    token: Token
    person: Id | None = None
    kind: FactorKind = FactorKind.CARD
    state: CredentialState = CredentialState.ACTIVE
    valid: Span = OPEN


class Group(Message, frozen=True, forbid_unknown_fields=True):
    """Staff who have rights together."""

    id: Id
    people: tuple[Id, ...] = ()


class Approval(Record, frozen=True, forbid_unknown_fields=True):
    """That the head of a laboratory authorised something, and when; judged at that instant."""

    by: Id
    at_ms: Millis


class Head(Record, frozen=True, forbid_unknown_fields=True):
    """Who is head of a laboratory, and from when to when."""

    person: Id
    valid: Span = OPEN


class Right(Message, frozen=True, forbid_unknown_fields=True):
    """Who × where × when."""

    id: Id
    effect: Effect = Effect.ALLOW
    people: tuple[Id, ...] = ()
    groups: tuple[Id, ...] = ()
    everyone: bool = False
    """All staff; of a deny, visitors too."""
    sides: tuple[SideId, ...] = ()
    zones: tuple[PlaceId, ...] = ()
    """Every entry that leads straight into one of them."""
    schedule: Id | None = None
    """None: always, holidays included."""
    valid: Span = OPEN
    approval: Approval | None = None


class Visit(Message, frozen=True, forbid_unknown_fields=True):
    """A visitor who was registered before coming: with whom, where, until when."""

    id: Id
    person: Id
    host: Id
    zones: Annotated[tuple[PlaceId, ...], Meta(min_length=1)]
    valid: Span
    escort: Escort = Escort.HOST
    schedule: Id | None = None
    approval: Approval | None = None


class Zone(Message, frozen=True, forbid_unknown_fields=True):
    """A room, compartment or cabinet. Who is in a zone is in the zones around it too."""

    id: PlaceId
    parent: PlaceId | None = None
    capacity: People | None = None
    min_people: People = 1
    """Entitled staff never fewer than this, once somebody is inside."""
    passback: Passback = Passback.OFF
    forget_s: Seconds | None = None
    """For timed anti-passback."""
    heads: tuple[Head, ...] = ()
    """Where there are any, nobody comes in by a right or visit that none of them approved."""
    activities: tuple[Text, ...] = ()
    """Where there are any, one needs an authorisation for one of them."""
    job_only: bool = False
    """Only people of a job that is on there come in."""
    muster: bool = False
    """Who is here is safe."""


class Side(Message, frozen=True, forbid_unknown_fields=True):
    """What is asked on one side of a portal."""

    kind: SideKind = SideKind.ENTRY
    identify: tuple[FactorKind, ...] = IDENTIFIES
    """What is taken to tell who somebody is."""
    verify: tuple[FactorKind, ...] = ()
    """What has to be shown besides."""


ENTRY, EXIT = Side(), Side(kind=SideKind.EXIT)


class Attempts(Record, frozen=True, forbid_unknown_fields=True):
    """So many wrong factors of one person within the window lock that person out for a while."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 5
    window_s: Seconds = 300
    lockout_s: Seconds = 300


class Portal(Message, frozen=True, forbid_unknown_fields=True):
    """A door between two zones; None is outside."""

    id: PlaceId
    from_zone: PlaceId | None = None
    to_zone: PlaceId | None = None
    inward: Side = ENTRY
    """From `from_zone` to `to_zone`."""
    outward: Side = EXIT
    in_service: bool = True
    when_old: OldRights = OldRights.DENY
    open_s: Annotated[int, Meta(ge=1, le=600)] = 5
    slow_open_s: Annotated[int, Meta(ge=1, le=600)] = 15
    pair_s: Annotated[int, Meta(ge=1, le=600)] = 30
    """So long somebody waits for a second person or an escort."""
    attempts: Attempts = Attempts()


class Mantrap(Message, frozen=True, forbid_unknown_fields=True):
    """Doors of which at most one may be open."""

    id: Id
    portals: Annotated[tuple[PlaceId, ...], Meta(min_length=2)]


class Authorisation(Record, frozen=True, forbid_unknown_fields=True):
    """Person × activity or kind of equipment × validity."""

    id: Id
    person: Id
    kind: Subject
    subject: Text
    valid: Span = OPEN


class Equipment(Message, frozen=True, forbid_unknown_fields=True):
    """Something that works only for authorised people of a running job."""

    id: Id
    zone: PlaceId
    subject: Text
    """The kind of equipment that one must be authorised for."""


class Parts(Message, frozen=True, forbid_unknown_fields=True):
    """What deltas change, item by item."""

    calendar: tuple[Day, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    people: tuple[Person, ...] = ()
    credentials: tuple[Credential, ...] = ()
    groups: tuple[Group, ...] = ()
    zones: tuple[Zone, ...] = ()
    portals: tuple[Portal, ...] = ()
    mantraps: tuple[Mantrap, ...] = ()
    rights: tuple[Right, ...] = ()
    visits: tuple[Visit, ...] = ()
    authorisations: tuple[Authorisation, ...] = ()
    equipment: tuple[Equipment, ...] = ()


class AccessRights(
    Parts, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="snapshot"
):
    """All rights that one gateway decides by."""

    gateway: GatewayId
    revision: Revision
    issued_at_ms: Millis
    max_age_s: Seconds
    """Past this age each portal does what its `when_old` says."""
    key_id: KeyName
    """Of the key with which all tokens here were made."""
    time_zone: Text
    """Name of the site's time zone, to be shown; what counts is `offsets`."""
    offsets: Annotated[tuple[Offset, ...], Meta(min_length=1)]


class Delta(Message, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="delta"):
    """What makes the snapshot `revision` of the snapshot `base`: items put (by id) and ids dropped."""

    gateway: GatewayId
    base: Revision
    revision: Revision
    issued_at_ms: Millis
    digest: Hash
    """Of the snapshot that comes out."""
    put: Parts = Parts()
    drop: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a list of `Parts` -> ids (tokens of credentials, dates of the calendar)."""


class Revocation(Message, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="revocation"):
    """What ends at once. It needs no base: revocations may come in any order, and early.

    A snapshot of `revision` or newer says the same by itself.
    """

    gateway: GatewayId
    revision: Revision
    issued_at_ms: Millis
    credentials: tuple[Token, ...] = ()
    people: tuple[Id, ...] = ()
    rights: tuple[Id, ...] = ()
    """Never one that denies: taking it away would let somebody in."""
    visits: tuple[Id, ...] = ()


Change = AccessRights | Delta | Revocation


Item = (
    Day
    | Schedule
    | Person
    | Credential
    | Group
    | Zone
    | Portal
    | Mantrap
    | Right
    | Visit
    | Authorisation
    | Equipment
)


def key_of(item: Item) -> str:
    """Return by what an item of `Parts` is known within its list."""
    if isinstance(item, Credential):
        return item.token
    return item.date if isinstance(item, Day) else item.id
