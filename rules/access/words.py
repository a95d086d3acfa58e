"""The words of access: kinds, states and modes, as they stand in documents, requests and decisions."""

from enum import StrEnum


class FactorKind(StrEnum):
    """How somebody proves who they are."""

    CARD = "card"
    PHONE = "phone"
    QR = "qr"
    FACE = "face"
    IRIS = "iris"
    FINGERPRINT = "fingerprint"
    TERMINAL = "terminal"
    """A terminal that identified the person and does not say by what."""
    PIN = "pin"
    """Proves, but does not identify: two people may have the same."""


class PersonKind(StrEnum):
    """Staff come in by rights, visitors by visits."""

    STAFF = "staff"
    VISITOR = "visitor"


class PersonState(StrEnum):
    """What a person is to the organisation."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"
    REVOKED = "revoked"


class CredentialState(StrEnum):
    """What became of a credential."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"
    RETURNED = "returned"
    REVOKED = "revoked"


class Effect(StrEnum):
    """What a right does."""

    ALLOW = "allow"
    DENY = "deny"
    """Beats every other right."""
    RESPOND = "respond"
    """Admits where entry is locked: in a lock-down and where an interlock has tripped. Nothing else."""


class Passback(StrEnum):
    """What happens when somebody who is inside wants to come in."""

    OFF = "off"
    SOFT = "soft"
    """Admitted, and noted."""
    HARD = "hard"
    TIMED = "timed"
    """As hard, until a time has passed since they came in; then they count as gone."""


class OldRights(StrEnum):
    """What a portal does with rights past their age limit, or while nobody knows what time it is."""

    DENY = "deny"
    RESPONDERS = "responders"
    HONOUR = "honour"
    """Goes on as if they were of now, and notes it."""


class SideKind(StrEnum):
    """Whether passing a portal on this side is judged."""

    ENTRY = "entry"
    EXIT = "exit"
    """The way out: who leaves is recorded, and nobody is ever refused."""


class Escort(StrEnum):
    """Who has to come along with a visitor."""

    NONE = "none"
    HOST = "host"
    ANY = "any"
    """Anybody who may escort."""


class DayKind(StrEnum):
    """How a date differs from what its weekday says."""

    HOLIDAY = "holiday"
    WORKDAY = "workday"
    """A make-up workday: counts as another day of the week."""


class DayName(StrEnum):
    """The days that windows of schedules name."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"
    HOLIDAY = "holiday"


class Subject(StrEnum):
    """What an authorisation is for."""

    ACTIVITY = "activity"
    EQUIPMENT = "equipment"


class Contact(StrEnum):
    """What the contact of a door says."""

    CLOSED = "closed"
    OPEN = "open"
    UNKNOWN = "unknown"


class Lock(StrEnum):
    """What the lock of a door says."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    UNKNOWN = "unknown"


class JobState(StrEnum):
    """How far a job is."""

    PLANNED = "planned"
    RUNNING = "running"
    HELD = "held"
    FINISHED = "finished"


class Scope(StrEnum):
    """What an interlock locks."""

    ZONE = "zone"
    PORTAL = "portal"
    EQUIPMENT = "equipment"


class Outcome(StrEnum):
    """What became of one step of a decision."""

    PASSED = "passed"
    FAILED = "failed"
    WAIVED = "waived"
    """It does not count for a responder at a locked entry."""
    NOT_NEEDED = "not_needed"
    """Nothing here asks for it."""
    NOT_JUDGED = "not_judged"
    """It needs something that an earlier step did not find."""
