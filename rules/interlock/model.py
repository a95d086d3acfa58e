"""What an interlock is, as data that can be stored, printed, signed and judged: causes, votes, effects.

Times are seconds here (`…_s`); the machine counts ticks of 10 ms (`wire.messages`). Values are exact decimals
in the unit of the point's quantity.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec
from msgspec import Struct, field

from wire.messages import TICKS_PER_S
from wire.status import PointKind

BYPASS_MAX_S = 8 * 3600
"""No bypass lasts longer."""
RESUME_WITHIN_S = 60
"""What only holds work or locks entry may go on by itself when it was healthy less than this before."""
STALE_PERIODS = 3
"""A point is stale after this many of its periods, or later where the cause says so."""
READ_BACK_S = 0.5
"""So long may the read-back of an output contradict it."""
READ_BACK_STALE_S = 10.0
"""The read-back of an output is to be heard at least so often."""


def ticks(seconds: float) -> int:
    """Return seconds as ticks of 10 ms, to the nearest."""
    return round(seconds * TICKS_PER_S)


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of what a rule consists of; fields that nobody knows are refused."""


# --- what there is: sensors and outputs ---------------------------------------------------------------


class Calibration(Part, frozen=True, kw_only=True):
    """One certificate: corrected = indicated + correction, linear between nodes, constant outside of them."""

    indicated: tuple[Decimal, ...]
    correction: tuple[Decimal, ...]
    exponent: int
    """Corrected values are rounded half-even, once, to 10 to the power of this."""
    expanded_uncertainty: Decimal
    """U of the certificate, k as it says (95 %), in the point's unit."""
    calibrated_utc: int
    """UTC tick of the calibration: from here the drift counts."""
    due_utc: int | None = None
    """First UTC tick at which it is overdue."""
    drift_per_day: Decimal = Decimal(0)
    """By how much the sensor may move away in a day; added to U for every day begun."""


class Sensor(Part, frozen=True, kw_only=True):
    """What the machine must know of a point: how counts are read, how often they come, what they can be."""

    point: str
    quantity: str = ""
    kind: PointKind = PointKind.ANALOG
    exponent: int = 0
    period_s: float | None = None
    """How often a reading is due; None when it comes by itself, as that of a door contact does."""
    low: Decimal | None = None
    high: Decimal | None = None
    """What the sensor can tell at all."""
    calibration: Calibration | None = None


class Output(Part, frozen=True, kw_only=True):
    """What the machine must know of an output."""

    name: str
    safe: int | None = None
    """The value towards safety; an output without one cannot be an effect."""
    read_back_s: float = READ_BACK_S


class Plant(Part, frozen=True, kw_only=True):
    """Everything that a rule may name. `zones` and `portals` None: not known here and not checked."""

    sensors: Mapping[str, Sensor]
    outputs: Mapping[str, Output] = {}
    zones: frozenset[str] | None = None
    portals: frozenset[str] | None = None


# --- conditions: when a cause is out ------------------------------------------------------------------


class Limit(Part, frozen=True, kw_only=True, tag="limit"):
    """The corrected value leaves `low … high`; with `guarded`, by more than its uncertainty is certain."""

    point: str
    low: Decimal | None = None
    high: Decimal | None = None
    deadband: Decimal = Decimal(0)
    """Once out, it is in again only this far inside of the limit."""
    guarded: bool = True
    undetermined: Literal["out", "in"] = "out"
    """How a value counts whose uncertainty reaches over a limit."""


class Rate(Part, frozen=True, kw_only=True, tag="rate"):
    """The corrected value is further than `change_max` from any that it had within the last `within_s`."""

    point: str
    change_max: Decimal
    within_s: float
    deadband: Decimal = Decimal(0)


class InState(Part, frozen=True, kw_only=True, tag="state"):
    """A state point is in none of the states that are normal: door open, on battery, moving, camera lost."""

    point: str
    normal: tuple[int, ...]


class Alive(Part, frozen=True, kw_only=True, tag="alive"):
    """Nothing is asked of the value, only that it comes."""

    point: str


class Happened(Part, frozen=True, kw_only=True, tag="event"):
    """An event happened; it counts for `lasts_s`, or until the event `ends` of the same subject."""

    kind: str
    lasts_s: float
    subject: str = ""
    """Empty: of any subject."""
    ends: str = ""


class CheckDue(Part, frozen=True, kw_only=True, tag="check"):
    """A device has to be checked before use: after one of these events, and whenever that is not known."""

    device: str
    after: tuple[str, ...]
    """Kinds of events with the device as subject: it left control, was transported, was overloaded."""
    commands: tuple[str, ...]
    """The only commands that the blocked device accepts: those of the check that frees it."""


class CalibrationDue(Part, frozen=True, kw_only=True, tag="calibration"):
    """The calibration of a point is overdue, or there is none."""

    point: str


class Confirmed(Part, frozen=True, kw_only=True, tag="read_back"):
    """An output is contradicted by its read-back. Every effect on an output has one; nobody enters it."""

    output: str


Condition = Limit | Rate | InState | Alive | Happened | CheckDue | CalibrationDue
Watchable = Condition | Confirmed


class Cause(Part, frozen=True, kw_only=True):
    """One row of the matrix."""

    name: str
    """Unique within the interlock."""
    condition: Condition
    on_delay_s: float = 0.0
    """Out for so long without a break, and it votes. Staleness has its own time and no delay besides."""
    off_delay_s: float = 0.0
    """In for so long without a break, and it votes no more."""
    stale_after_s: float = 0.0
    """Stale when no good reading came for longer; never less than three periods of the point."""
    bypassable: bool = True


class Group(Part, frozen=True, kw_only=True):
    """Causes that vote together: `needed` of them trip."""

    name: str
    causes: tuple[Cause, ...]
    needed: int = 1


# --- effects ------------------------------------------------------------------------------------------


class EffectKind(StrEnum):
    """What a trip does."""

    HOLD_WORK = "hold_work"
    """The job in a zone is held, its readings are marked."""
    LOCK_ENTRY = "lock_entry"
    """The way in through a portal is locked; the way out never is."""
    INHIBIT_OUTPUT = "inhibit_output"
    """An instrument's output or start is blocked; its power and warm-up stay."""
    ISOLATE_POWER = "isolate_power"
    """Power is cut: for hazards only, it destroys what a reference standard is."""


HARD = frozenset({EffectKind.INHIBIT_OUTPUT, EffectKind.ISOLATE_POWER})
"""What starts tripped and owns an output."""


class Effect(Part, frozen=True, kw_only=True):
    """One column of the matrix; `target` is a zone, a portal or an output."""

    kind: EffectKind
    target: str
    read_back: bool = True
    """Of an output: whether it can be read back."""


# --- fit for work, proof test -------------------------------------------------------------------------


class Fit(Part, frozen=True, kw_only=True):
    """After a breach: mean, spread and rate of change over a moving window stay inside for `time_s`."""

    point: str
    low: Decimal
    high: Decimal
    """For the mean over the window; narrowed by the expanded uncertainty where `guarded`."""
    spread_max: Decimal
    """Greatest minus smallest value in the window."""
    rate_max_per_h: Decimal
    """Mean of the newer half of the window against that of the older half, for an hour."""
    window_s: float
    time_s: float
    """Not shorter than the window."""
    guarded: bool = True


class Proof(Part, frozen=True, kw_only=True):
    """How often the interlock is to be proved, from cause to effect."""

    every_days: int
    remind_days: int = 30


class Interlock(Part, frozen=True, kw_only=True):
    """Causes, votes and effects with one latch."""

    name: str
    title: str = ""
    groups: tuple[Group, ...]
    effects: tuple[Effect, ...]
    fit: tuple[Fit, ...] = ()
    proof: Proof | None = None

    def causes(self) -> Iterator[tuple[Group, Cause]]:
        """Yield every cause with its group, in the order of the rule."""
        for group in self.groups:
            for cause in group.causes:
                yield group, cause

    @property
    def hard(self) -> bool:
        """Whether it may never go on by itself after a restart."""
        return any(effect.kind in HARD for effect in self.effects)


class RuleSet(Part, frozen=True, kw_only=True):
    """All interlocks of a gateway or of a hub."""

    interlocks: tuple[Interlock, ...] = field(default=())


def encode_rules(rules: RuleSet) -> bytes:
    """Return the JSON of a rule set: the same rules give the same bytes."""
    return msgspec.json.encode(rules)


def decode_rules(data: bytes) -> RuleSet:
    """Return the rule set; `ValueError` names the field that is not as expected."""
    try:
        return msgspec.json.decode(data, type=RuleSet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"rules: {error}") from None
