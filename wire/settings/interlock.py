"""Settings of interlocks and of what shows that control lives. It reads no file and knows no plant.

What an interlock does is specified in `docs/explanation/interlocks.md`; what these fields become is in
`rules.interlock.configured`.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from wire.settings.base import Fault, PointPart, Settings

RuleName = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f/@]{1,64}$(?!\n)",
        description="1 to 64 printable characters, none of them / or @",
    ),
]
DelayS = Annotated[float, Meta(ge=0, le=86_400)]
EventKind = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,64}$(?!\n)", description="the kind of an event")]
Subject = Annotated[str, Meta(max_length=200)]
State = Annotated[str, Meta(min_length=1, max_length=200)]


class Cause(Settings, frozen=True, kw_only=True, tag_field="kind"):
    """What every cause has."""

    name: RuleName
    """Unique within the interlock."""
    on_delay_s: DelayS = 0.0
    """Out for so long without a break, and it votes."""
    off_delay_s: DelayS = 0.0
    """In for so long without a break, and it votes no more."""
    stale_after_s: DelayS = 0.0
    """Stale when no good reading came for longer; never less than three periods of the point."""
    bypassable: bool = True
    """Whether it may be left out of the vote for a while."""


class LimitCause(Cause, frozen=True, kw_only=True, tag="limit"):
    """A measured value leaves its limits."""

    point: PointPart
    low: Decimal | None = None
    high: Decimal | None = None
    deadband: Decimal = Decimal(0)
    """Once out, it is in again only this far inside of the limit."""
    guarded: bool = True
    """Whether uncertainty and drift of the sensor count against it."""
    undetermined: Literal["out", "in"] = "out"
    """How a value counts whose uncertainty reaches over a limit, or is not known."""

    def faults(self) -> Iterator[Fault]:
        """No limit at all, or one on the wrong side of the other."""
        if self.low is None and self.high is None:
            yield Fault("low", None, "low, high or both")
        elif self.low is not None and self.high is not None and self.low > self.high:
            yield Fault("high", self.high, f"at least low ({self.low})")


class RateCause(Cause, frozen=True, kw_only=True, tag="rate"):
    """A measured value changes too fast."""

    point: PointPart
    change_max: Decimal
    """Further than this from any value of the last `within_s`, and it is out."""
    within_s: Annotated[float, Meta(gt=0, le=86_400)]
    deadband: Decimal = Decimal(0)


class StateCause(Cause, frozen=True, kw_only=True, tag="state"):
    """A point is in none of the states that are normal."""

    point: PointPart
    normal: Annotated[list[State], Meta(min_length=1, max_length=64)]
    """Words of the point's states, or their numbers as text."""


class AliveCause(Cause, frozen=True, kw_only=True, tag="alive"):
    """A point is not heard; nothing is asked of its value."""

    point: PointPart


class EventCause(Cause, frozen=True, kw_only=True, tag="event"):
    """Something happened."""

    event: EventKind
    subject: Subject = ""
    """Empty: of any subject."""
    lasts_s: Annotated[float, Meta(gt=0, le=86_400)]
    """It counts for so long, or until the event `ends`."""
    ends: Annotated[
        str, Meta(pattern=r"^[a-z0-9_]{0,64}$(?!\n)", description="the kind of an event, or nothing")
    ] = ""


class CheckCause(Cause, frozen=True, kw_only=True, tag="check"):
    """A device has to be checked before it is used again."""

    device: Annotated[str, Meta(min_length=1, max_length=64)]
    after: Annotated[list[EventKind], Meta(min_length=1, max_length=64)]
    """Events of the device after which a check is due."""
    commands: Annotated[list[str], Meta(min_length=1, max_length=64)]
    """The only commands that it accepts meanwhile: those of the check."""


class CalibrationCause(Cause, frozen=True, kw_only=True, tag="calibration"):
    """The calibration of a point is overdue, or there is none."""

    point: PointPart


AnyCause = LimitCause | RateCause | StateCause | AliveCause | EventCause | CheckCause | CalibrationCause


class InterlockGroup(Settings, frozen=True, kw_only=True):
    """Causes that vote together."""

    name: RuleName
    needed: Annotated[int, Meta(ge=1, le=64)] = 1
    """So many of them trip."""
    cause: Annotated[list[AnyCause], Meta(min_length=1, max_length=64)]
    """What is judged, each by its kind."""

    names_once: ClassVar = {"cause": ("name", "a name that no other cause has")}

    def faults(self) -> Iterator[Fault]:
        """More votes needed than there are causes."""
        if self.needed > len(self.cause):
            yield Fault("needed", self.needed, f"at most {len(self.cause)}, as there are causes")


class InterlockEffect(Settings, frozen=True, kw_only=True):
    """What a trip does; released when the interlock is healthy."""

    kind: Literal["hold_work", "lock_entry", "inhibit_output", "isolate_power"]
    """`hold_work` holds jobs, `lock_entry` doors, `inhibit_output` outputs; `isolate_power`: for hazards."""
    target: Annotated[str, Meta(min_length=1, max_length=128)]
    """The zone whose work is held, the portal whose entry is locked, or the output."""
    read_back: bool = True
    """Of an output: whether it can be read back."""
    release: Literal["set", "leave"] | None = None
    """Of an output when released: set again, or left. Absent: set if it is a switch no equipment has."""


class InterlockFit(Settings, frozen=True, kw_only=True):
    """What has to be steady after a breach, before a reset."""

    point: PointPart
    low: Decimal
    high: Decimal
    """For the mean over the window."""
    spread_max: Decimal
    """Greatest minus smallest value in the window."""
    rate_max_per_h: Decimal
    window_s: Annotated[float, Meta(gt=0, le=86_400)]
    time_s: Annotated[float, Meta(gt=0, le=86_400)]
    """All three have to stay inside for so long; not shorter than the window."""
    guarded: bool = True


class InterlockProof(Settings, frozen=True, kw_only=True):
    """How often the interlock is to be proved, from cause to effect."""

    every_days: Annotated[int, Meta(ge=1, le=36_500)]
    remind_days: Annotated[int, Meta(ge=0, le=3650)] = 30


class InterlockSettings(Settings, frozen=True, kw_only=True):
    """One interlock: causes that vote, and what they force into the safe state."""

    name: RuleName
    title: Annotated[str, Meta(max_length=200)] = ""
    """What pages call it; its name when empty."""
    group: Annotated[list[InterlockGroup], Meta(min_length=1, max_length=32)]
    effect: Annotated[list[InterlockEffect], Meta(min_length=1, max_length=32)]
    fit: Annotated[list[InterlockFit], Meta(max_length=32)] = field(default_factory=list)
    proof: InterlockProof | None = None

    names_once: ClassVar = {"group": ("name", "a name that no other group has")}

    def faults(self) -> Iterator[Fault]:
        """An effect that is named twice."""
        seen: set[tuple[str, str]] = set()
        for index, effect in enumerate(self.effect):
            if (effect.kind, effect.target) in seen:
                yield Fault(f"effect[{index}].target", effect.target, "each effect once")
            seen.add((effect.kind, effect.target))

    def outputs(self) -> Iterator[tuple[int, InterlockEffect]]:
        """Yield the effects that own an output, and their places."""
        for index, effect in enumerate(self.effect):
            if effect.kind in ("inhibit_output", "isolate_power"):
                yield index, effect


class ControlSection(Settings, frozen=True, kw_only=True):
    """What shows the hardware that control lives."""

    enable_output: PointPart | None = None
    """A switch that is pulsed while control lives: into a pulse relay or an external watchdog."""
    pulse_ms: Annotated[int, Meta(ge=20, le=10_000)] = 200
    """From one edge to the next."""


Interlocks = Annotated[list[InterlockSettings], Meta(max_length=64)]


def interlock_faults(interlocks: Sequence[InterlockSettings], control: ControlSection) -> Iterator[Fault]:
    """Yield outputs that two interlocks own, or that pulse as well."""
    owners: dict[str, str] = {}
    if control.enable_output is not None:
        owners[control.enable_output] = "control.enable_output"
    for index, rule in enumerate(interlocks):
        for place, effect in rule.outputs():
            owner = f"interlock {rule.name}"
            if owners.setdefault(effect.target, owner) != owner:
                expected = f"an output that {owners[effect.target]} does not own"
                yield Fault(f"interlock[{index}].effect[{place}].target", effect.target, expected)
