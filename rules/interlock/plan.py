"""A rule made ready to run: delays in ticks, sensors and readers looked up, a fingerprint."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from rules.interlock.guard import Reader, reader
from rules.interlock.model import (
    READ_BACK_STALE_S,
    STALE_PERIODS,
    Alive,
    CalibrationDue,
    Cause,
    CheckDue,
    Confirmed,
    EffectKind,
    Fit,
    InState,
    Interlock,
    Limit,
    Output,
    Plant,
    Rate,
    Sensor,
    Watchable,
    ticks,
)

OUTPUT_GROUP = "@outputs"
"""The group of read-backs: one of them trips."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One cause, ready to be judged; times in ticks."""

    name: str
    group: str
    condition: Watchable
    on: int
    off: int
    stale: int | None
    """A reading older than this is none. None: staleness is told, not counted."""
    sensor: Sensor | None
    read: Reader | None
    window: int
    """How far a rate of change looks back."""
    bypassable: bool


@dataclass(frozen=True, slots=True)
class Voting:
    """One group: how many of these have to vote."""

    name: str
    needed: int
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fitting:
    """One condition of being fit for work; times in ticks."""

    fit: Fit
    sensor: Sensor
    read: Reader
    window: int
    time: int
    stale: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """An interlock and what it names."""

    rule: Interlock
    fingerprint: str
    watched: tuple[Watched, ...]
    groups: tuple[Voting, ...]
    fits: tuple[Fitting, ...]


def make_plan(rule: Interlock, plant: Plant) -> Plan:
    """Return the rule made ready; `KeyError` for a point or output that `faults` would have named."""
    watched = [_watched(group.name, cause, plant) for group, cause in rule.causes()]
    outputs = [_confirmed(plant.outputs[name]) for name in read_backs(rule)]
    groups = [
        Voting(group.name, group.needed, tuple(cause.name for cause in group.causes)) for group in rule.groups
    ]
    if outputs:
        groups.append(Voting(OUTPUT_GROUP, 1, tuple(one.name for one in outputs)))
    fits = tuple(_fitting(fit, plant) for fit in rule.fit)
    return Plan(rule, fingerprint(rule), (*watched, *outputs), tuple(groups), fits)


def fingerprint(rule: Interlock) -> str:
    """Return what names a rule by its content."""
    return hashlib.sha256(msgspec.json.encode(rule)).hexdigest()[:32]


def read_backs(rule: Interlock) -> Iterable[str]:
    """Return the outputs that the interlock reads back."""
    return dict.fromkeys(
        effect.target
        for effect in rule.effects
        if effect.read_back and effect.kind in (EffectKind.INHIBIT_OUTPUT, EffectKind.ISOLATE_POWER)
    )


def stale_ticks(sensor: Sensor, at_least_s: float = 0.0) -> int | None:
    """Return after how many ticks a point is stale; None when it is never due and nothing was said."""
    if sensor.period_s is None:
        return ticks(at_least_s) or None
    return max(ticks(STALE_PERIODS * sensor.period_s), ticks(at_least_s))


def point_of(condition: Watchable) -> str | None:
    """Return the point that a condition looks at, None when it looks at none."""
    if isinstance(condition, Limit | Rate | InState | Alive | CalibrationDue):
        return condition.point
    return None


def _watched(group: str, cause: Cause, plant: Plant) -> Watched:
    point = point_of(cause.condition)
    sensor = None if point is None else plant.sensors[point]
    listens = sensor is not None and not isinstance(cause.condition, CalibrationDue)
    return Watched(
        name=cause.name,
        group=group,
        condition=cause.condition,
        on=ticks(cause.on_delay_s),
        off=ticks(cause.off_delay_s),
        stale=stale_ticks(sensor, cause.stale_after_s) if listens and sensor is not None else None,
        sensor=sensor,
        read=reader(sensor) if listens and sensor is not None else None,
        window=ticks(cause.condition.within_s) if isinstance(cause.condition, Rate) else 0,
        bypassable=cause.bypassable and not isinstance(cause.condition, CheckDue),
    )


def _confirmed(output: Output) -> Watched:
    return Watched(
        name=f"@output/{output.name}",
        group=OUTPUT_GROUP,
        condition=Confirmed(output=output.name),
        on=ticks(output.read_back_s),
        off=0,
        stale=ticks(READ_BACK_STALE_S),
        sensor=None,
        read=None,
        window=0,
        bypassable=False,
    )


def _fitting(fit: Fit, plant: Plant) -> Fitting:
    sensor = plant.sensors[fit.point]
    return Fitting(fit, sensor, reader(sensor), ticks(fit.window_s), ticks(fit.time_s), stale_ticks(sensor))
