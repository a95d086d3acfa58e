"""Words and shapes of alarms. Times are ticks of event time (`wire.messages.TICK_MS`), values exact decimals.

A *rule* is one condition with its limit; a *template* is a set of rules under one revision, applied to many
points. What a rule finds in the samples of a point is an *occurrence*: one stretch in alarm. Its identity is
(point, condition, rule revision, onset), so that it is the same wherever and in whatever order it is found.
"""

from decimal import Decimal
from enum import IntEnum, StrEnum

from msgspec import Struct

from wire.status import Status

ZERO = Decimal(0)


class Kind(StrEnum):
    """What an alarm speaks of: process alarms of the environment, the others of the watching itself."""

    PROCESS = "process"
    COMMS = "comms"
    DEVICE = "device"
    CALIBRATION = "calibration"
    TAMPER = "tamper"


class Condition(StrEnum):
    """What is the matter; the first five are the levels of a process alarm."""

    LOLO = "lolo"
    LO = "lo"
    HI = "hi"
    HIHI = "hihi"
    RATE = "rate"
    COMMS = "comms"
    """Nothing was heard for longer than a sample stands."""
    DEVICE = "device"
    """Samples come, but without a value that can be judged."""
    CALIBRATION = "calibration"
    TAMPER = "tamper"
    EVENT = "event"
    """Something that was told: an interlock tripped, a door was forced, gas was found."""

    @property
    def kind(self) -> Kind:
        """The kind that this condition belongs to."""
        return _KINDS.get(self, Kind.PROCESS)


LOWS = (Condition.LOLO, Condition.LO)
HIGHS = (Condition.HI, Condition.HIHI)
LEVELS = (Condition.LOLO, Condition.LO, Condition.HI, Condition.HIHI, Condition.RATE)
FLAGS = (Condition.CALIBRATION, Condition.TAMPER, Condition.EVENT)
"""Judged on a series of their own: above 0 is in alarm."""
_KINDS = {
    Condition.COMMS: Kind.COMMS,
    Condition.DEVICE: Kind.DEVICE,
    Condition.CALIBRATION: Kind.CALIBRATION,
    Condition.TAMPER: Kind.TAMPER,
}


class Priority(IntEnum):
    """How soon a person must act; the smaller, the sooner."""

    URGENT = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class State(StrEnum):
    """ISA-18.2 state of an alarm, and `not_monitored` for what nothing watches, which is never green."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"
    NOT_MONITORED = "not_monitored"


class Rule(Struct, frozen=True, omit_defaults=True):
    """One condition. Limit and deadband are in the point's unit; only levels have them."""

    condition: Condition
    priority: Priority
    limit: Decimal | None = None
    """A value on the limit is not beyond it. For `rate`: the largest change allowed within the window."""
    deadband: Decimal = ZERO
    on_delay_ticks: int = 0
    off_delay_ticks: int = 0
    window_ticks: int = 0
    """`rate` alone."""
    ack_required: bool = True
    """Without it, an alarm that has returned leaves the list by itself."""


class Template(Struct, frozen=True, omit_defaults=True):
    """Rules that are applied to many points; whoever changes one makes a new revision."""

    name: str
    revision: int
    rules: tuple[Rule, ...]


class Applied(Struct, frozen=True, omit_defaults=True):
    """A template applied to one point."""

    point: str
    revision: int
    rules: tuple[Rule, ...]
    hold_ticks: int | None = None
    """How long a sample stands as evidence; None for a point that speaks only when something changes."""


class Sample(Struct, frozen=True, array_like=True):
    """What was measured at an instant; None when there is no value that can be judged."""

    at: int
    value: Decimal | None


class Ended(StrEnum):
    """How an occurrence came to its end."""

    RETURNED = "returned"
    RULE_CHANGED = "rule_changed"


class Occurrence(Struct, frozen=True, omit_defaults=True):
    """One stretch in alarm, as the evidence of now shows it."""

    point: str
    condition: Condition
    revision: int
    onset: int
    """When the condition began; the alarm was raised an on-delay later."""
    raised_at: int
    priority: Priority
    ack_required: bool = True
    limit: Decimal | None = None
    value: Decimal | None = None
    """At the onset; for `rate` the change within the window."""
    worst: Decimal | None = None
    worst_at: int | None = None
    returned_at: int | None = None
    """When the return began that ended it, or that may end it."""
    cleared_at: int | None = None
    ended: Ended | None = None

    @property
    def key(self) -> str:
        """Names the alarm, whichever stretch: what is shelved."""
        return key_of(self.point, self.condition)

    @property
    def id(self) -> str:
        """Names this stretch, everywhere and for ever."""
        return f"{self.key}:{self.revision}:{self.onset}"

    @property
    def stands(self) -> bool:
        """Whether it is in alarm as far as is known."""
        return self.cleared_at is None

    def duration_ticks(self, now: int) -> int:
        """Return how long the condition lasted, up to `now` if it still does."""
        end = now if self.returned_at is None else self.returned_at
        return max(end - self.onset, 0)

    def overlaps(self, start: int, end: int) -> bool:
        """Whether some instant of this stretch lies from `start` to `end`, both included."""
        return self.onset <= end and (self.cleared_at is None or self.cleared_at >= start)


def key_of(point: str, condition: Condition) -> str:
    """Return the name of an alarm."""
    return f"{point}:{condition}"


def sample_of(at: int, value: Decimal | None, status: Status) -> Sample:
    """Return a reading as alarms judge it: a value that is implausible or absent is none."""
    return Sample(at, value if status in (Status.GOOD, Status.TIME_BRACKETED) else None)
