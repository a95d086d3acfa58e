"""What is wrong with a rule set: everything at once, each fault with the sentence a person needs."""

import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from rules.interlock.guard import TICKS_PER_DAY
from rules.interlock.model import (
    HARD,
    Alive,
    Calibration,
    CalibrationDue,
    Cause,
    CheckDue,
    Effect,
    EffectKind,
    Fit,
    Group,
    Happened,
    InState,
    Interlock,
    Limit,
    Plant,
    Rate,
    RuleSet,
    Sensor,
)
from rules.interlock.plan import point_of
from wire.status import PointKind

DELAY_MAX_S = 24 * 3600
WINDOW_READINGS_MAX = 3600
NAME_MAX = 64


class Fault(Struct, frozen=True):
    """One fault: where it is (`interlock/group/cause`, `interlock/kind/target`), its code, the sentence."""

    where: str
    code: str
    sentence: str
    key: str = ""
    """Which setting of the cause or fit it is about; empty where that is more than one."""


def find_faults(rules: RuleSet, plant: Plant) -> tuple[Fault, ...]:
    """Return every fault of a rule set; none means that it can be run."""
    return (
        *_names(rules),
        *_owners(rules),
        *(one for rule in rules.interlocks for one in _rule(rule, plant)),
    )


# --- the set ------------------------------------------------------------------------------------------


def _names(rules: RuleSet) -> Iterator[Fault]:
    for name, times in Counter(rule.name for rule in rules.interlocks).items():
        if times > 1:
            yield Fault(
                name, "same_name", f"{times} interlocks are called {name}; each needs a name of its own"
            )


def _owners(rules: RuleSet) -> Iterator[Fault]:
    owners: dict[str, list[str]] = {}
    for rule in rules.interlocks:
        for effect in rule.effects:
            if effect.kind in HARD:
                owners.setdefault(effect.target, []).append(rule.name)
    for output, names in owners.items():
        if len(names) > 1:
            words = f"output {output} is owned by {' and by '.join(names)}; one interlock owns an output"
            yield Fault(names[1], "output_owned_twice", f"{words}: put their causes into one")


def _rule(rule: Interlock, plant: Plant) -> Iterator[Fault]:
    if not _is_name(rule.name):
        yield Fault(
            rule.name, "bad_name", f"a name has 1 to {NAME_MAX} printable characters, none of them / or @"
        )
    if not rule.groups:
        yield Fault(rule.name, "no_causes", f"{rule.name} has no cause: it would never trip")
    if not rule.effects:
        yield Fault(rule.name, "no_effects", f"{rule.name} has no effect: it would do nothing")
    if rule.proof is not None and rule.proof.every_days < 1:
        yield Fault(
            rule.name, "bad_proof", f"a proof test every {rule.proof.every_days} days; at least 1 day"
        )
    for name, times in Counter(cause.name for _, cause in rule.causes()).items():
        if times > 1:
            yield Fault(
                f"{rule.name}/{name}", "same_name", f"{times} causes of {rule.name} are called {name}"
            )
    for name, times in Counter(group.name for group in rule.groups).items():
        if times > 1:
            yield Fault(
                f"{rule.name}/{name}", "same_name", f"{times} groups of {rule.name} are called {name}"
            )
    for group in rule.groups:
        yield from _group(rule, group, plant)
    for effect in rule.effects:
        yield from _effect(rule, effect, plant)
    for fit in rule.fit:
        yield from _fit(rule, fit, plant)


def _group(rule: Interlock, group: Group, plant: Plant) -> Iterator[Fault]:
    where = f"{rule.name}/{group.name}"
    if not _is_name(group.name):
        yield Fault(
            where, "bad_name", f"a name has 1 to {NAME_MAX} printable characters, none of them / or @"
        )
    if not 1 <= group.needed <= len(group.causes):
        words = f"{group.needed} of {len(group.causes)} causes are to vote; at least 1, at most all of them"
        yield Fault(where, "bad_vote", words)
    for cause in group.causes:
        yield from _cause(f"{where}/{cause.name}", cause, plant)


def _effect(rule: Interlock, effect: Effect, plant: Plant) -> Iterator[Fault]:
    target = effect.target
    where = f"{rule.name}/{effect.kind}/{target}"
    if effect.kind in HARD:
        output = plant.outputs.get(target)
        if output is None:
            yield Fault(where, "unknown_output", f"no output is called {target}")
        elif output.safe is None:
            words = f"output {target} does not say which value is towards safety; set `safe` in its settings"
            yield Fault(where, "no_safe_state", words)
        return
    known, what = (plant.zones, "zone") if effect.kind is EffectKind.HOLD_WORK else (plant.portals, "portal")
    if known is not None and target not in known:
        yield Fault(where, f"unknown_{what}", f"no {what} is called {target}")


# --- causes -------------------------------------------------------------------------------------------


def _cause(where: str, cause: Cause, plant: Plant) -> Iterator[Fault]:
    if not _is_name(cause.name):
        yield Fault(
            where, "bad_name", f"a name has 1 to {NAME_MAX} printable characters, none of them / or @"
        )
    for field, value in (
        ("on-delay", cause.on_delay_s),
        ("off-delay", cause.off_delay_s),
        ("staleness", cause.stale_after_s),
    ):
        if not 0 <= value <= DELAY_MAX_S:
            yield Fault(where, "bad_delay", f"{field} of {value:g} s; from 0 to {DELAY_MAX_S} s")
    match cause.condition:
        case Happened() as condition:
            yield from _happened(where, condition, cause.on_delay_s)
        case CheckDue() as check:
            yield from _check(where, check)
        case _:
            yield from _about_point(where, cause, plant)


def _happened(where: str, condition: Happened, on_delay_s: float) -> Iterator[Fault]:
    if not 0 < condition.lasts_s <= DELAY_MAX_S:
        yield Fault(
            where, "bad_delay", f"counts for {condition.lasts_s:g} s; above 0, at most {DELAY_MAX_S} s"
        )
    elif on_delay_s >= condition.lasts_s:
        lasts = f"the event counts for {condition.lasts_s:g} s"
        words = f"on-delay of {on_delay_s:g} s, but {lasts}: it would never vote"
        yield Fault(where, "never_votes", words, "on_delay_s")


def _check(where: str, check: CheckDue) -> Iterator[Fault]:
    if not check.commands:
        words = f"the check of {check.device} has no command: a blocked device could never be freed"
        yield Fault(where, "no_commands", words)
    if not check.after:
        yield Fault(where, "no_events", f"the check of {check.device} is asked for by no event")


def _about_point(where: str, cause: Cause, plant: Plant) -> Iterator[Fault]:
    condition = cause.condition
    point = point_of(condition)
    sensor = plant.sensors.get(point or "")
    if sensor is None:
        yield Fault(where, "unknown_point", f"no point is called {point}", "point")
        return
    analog = sensor.kind is PointKind.ANALOG
    if isinstance(condition, Limit | Rate) and sensor.kind is PointKind.STATE:
        words = f"{point} is a state: it has no limit; name the states that are normal"
        yield Fault(where, "wrong_kind", words, "point")
    elif isinstance(condition, InState) and analog:
        words = f"{point} is a measured value: it has no states; give it limits"
        yield Fault(where, "wrong_kind", words, "point")
    elif isinstance(condition, Limit):
        yield from _limit(where, condition, sensor)
    elif isinstance(condition, Rate):
        yield from _rate(where, condition, sensor)
    elif isinstance(condition, InState) and not condition.normal:
        yield Fault(where, "no_normal_state", f"no state of {point} is normal: it could never be reset")
    elif isinstance(condition, CalibrationDue) and sensor.calibration is None:
        yield Fault(where, "no_calibration", f"{point} has no calibration")
    elif isinstance(condition, Alive) and sensor.period_s is None and not cause.stale_after_s:
        words = f"{point} comes by itself and has no period; say after how long without a reading it is stale"
        yield Fault(where, "never_stale", words, "stale_after_s")


def _limit(where: str, limit: Limit, sensor: Sensor) -> Iterator[Fault]:
    point = limit.point
    numbers = [one for one in (limit.low, limit.high, limit.deadband) if one is not None]
    if not all(one.is_finite() for one in numbers):
        yield Fault(where, "bad_limit", f"limits and deadband of {point} have to be numbers")
        return
    if limit.low is None and limit.high is None:
        yield Fault(where, "no_limit", f"{point} has neither a low nor a high limit")
    if limit.deadband < 0:
        yield Fault(where, "bad_deadband", f"a deadband of {limit.deadband}; 0 or more", "deadband")
    for name, value in (("low", limit.low), ("high", limit.high)):
        if value is not None and (words := _outside(name, value, sensor)):
            yield Fault(where, "limit_outside_range", words, name)
    if limit.guarded:
        yield from _guard(where, sensor)
    u = _most(sensor.calibration) if limit.guarded else Decimal(0)
    if limit.low is not None and limit.high is not None and u is not None:
        inner = u + limit.deadband
        if limit.low + inner > limit.high - inner:
            words = (
                f"between {limit.low} and {limit.high} nothing is left of {point}: "
                f"uncertainty {u}, deadband {limit.deadband}, on both sides: it could never be reset"
            )
            yield Fault(where, "nothing_inside", words)


def _rate(where: str, rate: Rate, sensor: Sensor) -> Iterator[Fault]:
    numbers = rate.change_max.is_finite() and rate.deadband.is_finite()
    if not numbers or not 0 <= rate.deadband < rate.change_max:
        words = f"a change of {rate.change_max}, deadband {rate.deadband}; above 0, and a smaller deadband"
        yield Fault(where, "bad_rate", words)
    yield from _window(where, rate.within_s, sensor, key="within_s")


def _window(where: str, window_s: float, sensor: Sensor, *, key: str) -> Iterator[Fault]:
    if not 0 < window_s <= DELAY_MAX_S:
        words = f"a window of {window_s:g} s; above 0, at most {DELAY_MAX_S} s"
        yield Fault(where, "bad_window", words, key)
        return
    if sensor.period_s is None:
        words = f"{sensor.point} comes by itself and has no period: a change over time cannot be judged"
        yield Fault(where, "no_period", words, "point")
        return
    readings = window_s / sensor.period_s
    if readings < 2 or readings > WINDOW_READINGS_MAX:
        words = (
            f"a window of {window_s:g} s holds {math.floor(readings)} readings of {sensor.point}; "
            f"from 2 to {WINDOW_READINGS_MAX}"
        )
        yield Fault(where, "bad_window", words, key)


def _guard(where: str, sensor: Sensor) -> Iterator[Fault]:
    calibration = sensor.calibration
    if calibration is None:
        words = f"{sensor.point} has no calibration: its uncertainty is not known; enter one, or do not guard"
        yield Fault(where, "no_calibration", words)
    elif calibration.drift_per_day and calibration.due_utc is None:
        words = f"the calibration of {sensor.point} drifts and has no due date: its uncertainty has no bound"
        yield Fault(where, "no_due_date", words)


def _fit(rule: Interlock, fit: Fit, plant: Plant) -> Iterator[Fault]:
    where = f"{rule.name}/fit/{fit.point}"
    sensor = plant.sensors.get(fit.point)
    if sensor is None:
        yield Fault(where, "unknown_point", f"no point is called {fit.point}", "point")
        return
    if sensor.kind is PointKind.STATE:
        yield Fault(where, "wrong_kind", f"{fit.point} is a state: it has no mean", "point")
        return
    if not all(one.is_finite() for one in (fit.low, fit.high, fit.spread_max, fit.rate_max_per_h)):
        yield Fault(where, "bad_limit", f"limits of {fit.point} have to be numbers")
        return
    if fit.spread_max <= 0 or fit.rate_max_per_h <= 0:
        words = f"spread {fit.spread_max} and rate {fit.rate_max_per_h} per hour; both above 0"
        yield Fault(where, "bad_limit", words)
    for name, value in (("low", fit.low), ("high", fit.high)):
        if words := _outside(name, value, sensor):
            yield Fault(where, "limit_outside_range", words, name)
    if fit.guarded:
        yield from _guard(where, sensor)
    u = _most(sensor.calibration) if fit.guarded else Decimal(0)
    if u is not None and fit.low + u > fit.high - u:
        words = (
            f"between {fit.low} and {fit.high} nothing is left of {fit.point} with uncertainty and drift {u}"
        )
        yield Fault(where, "nothing_inside", f"{words} on both sides: it could never be reset")
    yield from _window(where, fit.window_s, sensor, key="window_s")
    if not fit.window_s <= fit.time_s <= DELAY_MAX_S:
        words = (
            f"a stabilisation time of {fit.time_s:g} s; from {fit.window_s:g} s (window) to {DELAY_MAX_S} s"
        )
        yield Fault(where, "bad_window", words, "time_s")


def _outside(name: str, value: Decimal, sensor: Sensor) -> str:
    """Return what is wrong with a limit that the sensor could never tell; empty when nothing is."""
    low, high = sensor.low, sensor.high
    if (low is None or value >= low) and (high is None or value <= high):
        return ""
    reach = f"{'' if low is None else low} … {'' if high is None else high}"
    return f"the {name} limit {value} of {sensor.point} is outside of what its sensor can tell ({reach})"


def _most(calibration: Calibration | None) -> Decimal | None:
    """Return the uncertainty on the last day before a calibration is due."""
    if calibration is None:
        return None
    days = 0
    if calibration.due_utc is not None:
        days = max(0, -((calibration.calibrated_utc - calibration.due_utc) // TICKS_PER_DAY))
    return calibration.expanded_uncertainty + calibration.drift_per_day * days


def _is_name(name: str) -> bool:
    return 1 <= len(name) <= NAME_MAX and name.isprintable() and not {"/", "@"} & set(name)
