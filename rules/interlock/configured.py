"""From the settings of a gateway to interlocks, and from what its drivers declare to the plant they name.

The same at the gateway, which runs them, and at the hub, which shows and rehearses them. Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rules.interlock.faults import find_faults
from rules.interlock.model import (
    Alive,
    Calibration,
    CalibrationDue,
    Cause,
    CheckDue,
    Condition,
    Effect,
    EffectKind,
    Fit,
    Group,
    Happened,
    InState,
    Interlock,
    Limit,
    Output,
    Plant,
    Proof,
    Rate,
    RuleSet,
    Sensor,
)
from wire.messages import PointDeclaration
from wire.quantities import QUANTITIES
from wire.settings.base import Fault
from wire.settings.interlock import (
    AliveCause,
    AnyCause,
    CalibrationCause,
    CheckCause,
    EventCause,
    InterlockEffect,
    InterlockFit,
    InterlockSettings,
    LimitCause,
    RateCause,
    StateCause,
)
from wire.status import PointKind

NO_CALIBRATION = "no_calibration"
"""The one fault that the hub mends later: certificates come with its `down/work`, not with the settings."""
_NO_STATE = -1
"""A count that no state has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a gateway declares, as far as its interlocks may name it."""

    points: Mapping[str, PointDeclaration]
    outputs: Mapping[str, Output] = field(default_factory=dict)
    portals: frozenset[str] | None = None
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    def plant(self) -> Plant:
        """Return it as the rules need it."""
        sensors = {
            name: make_sensor(point, self.calibrations.get(name)) for name, point in self.points.items()
        }
        return Plant(sensors=sensors, outputs=self.outputs, portals=self.portals)


def make_sensor(point: PointDeclaration, calibration: Calibration | None) -> Sensor:
    """Return a point as the rules know it; what its quantity can be is what it can tell."""
    row = QUANTITIES.get(point.quantity)
    measured = point.kind is not PointKind.STATE and row is not None
    return Sensor(
        point=point.name,
        quantity=point.quantity,
        kind=point.kind,
        exponent=point.exponent,
        period_s=None if point.period_ms is None else point.period_ms / 1000,
        low=row.low if measured and row is not None else None,
        high=row.high if measured and row is not None else None,
        calibration=calibration,
    )


def make_rule(settings: InterlockSettings, points: Mapping[str, PointDeclaration]) -> Interlock:
    """Return an interlock as the rules run it; a word that no state of a point has matches none."""
    return Interlock(
        name=settings.name,
        title=settings.title,
        groups=tuple(
            Group(
                name=group.name,
                needed=group.needed,
                causes=tuple(_cause(cause, points) for cause in group.cause),
            )
            for group in settings.group
        ),
        effects=tuple(_effect(effect) for effect in settings.effect),
        fit=tuple(_fit(fit) for fit in settings.fit),
        proof=None
        if settings.proof is None
        else Proof(every_days=settings.proof.every_days, remind_days=settings.proof.remind_days),
    )


def rule_faults(interlocks: Sequence[InterlockSettings], around: Surroundings) -> Iterator[Fault]:
    """Yield what is wrong with interlocks where they are to run, with the place in the settings.

    That a point has no calibration is none: until one comes its verdict is undetermined, and it counts as
    its rule says of that.
    """
    rules = RuleSet(interlocks=tuple(make_rule(one, around.points) for one in interlocks))
    for fault in find_faults(rules, around.plant()):
        if fault.code != NO_CALIBRATION:
            place, value, about = _placed(interlocks, fault.where)
            if about is not None and fault.key:
                place, value = f"{place}.{fault.key}", getattr(about, fault.key)
            yield Fault(place, value, f"a rule that can be run: {fault.sentence}")
    for place, word, point in _unknown_words(interlocks, around.points):
        words = ", ".join(point.states.values()) or "its numbers"
        yield Fault(place, word, f"a state of {point.name}: {words}")


def _cause(settings: AnyCause, points: Mapping[str, PointDeclaration]) -> Cause:
    return Cause(
        name=settings.name,
        condition=_condition(settings, points),
        on_delay_s=settings.on_delay_s,
        off_delay_s=settings.off_delay_s,
        stale_after_s=settings.stale_after_s,
        bypassable=settings.bypassable,
    )


def _condition(settings: AnyCause, points: Mapping[str, PointDeclaration]) -> Condition:
    match settings:
        case LimitCause():
            return Limit(
                point=settings.point,
                low=settings.low,
                high=settings.high,
                deadband=settings.deadband,
                guarded=settings.guarded,
                undetermined=settings.undetermined,
            )
        case RateCause():
            return Rate(
                point=settings.point,
                change_max=settings.change_max,
                within_s=settings.within_s,
                deadband=settings.deadband,
            )
        case StateCause():
            point = points.get(settings.point)
            counts = (_count(word, point) for word in settings.normal)
            return InState(
                point=settings.point, normal=tuple(_NO_STATE if one is None else one for one in counts)
            )
        case AliveCause():
            return Alive(point=settings.point)
        case EventCause():
            return Happened(
                kind=settings.event, lasts_s=settings.lasts_s, subject=settings.subject, ends=settings.ends
            )
        case CheckCause():
            return CheckDue(
                device=settings.device, after=tuple(settings.after), commands=tuple(settings.commands)
            )
        case CalibrationCause():
            return CalibrationDue(point=settings.point)


def _effect(settings: InterlockEffect) -> Effect:
    return Effect(kind=EffectKind(settings.kind), target=settings.target, read_back=settings.read_back)


def _fit(settings: InterlockFit) -> Fit:
    return Fit(
        point=settings.point,
        low=settings.low,
        high=settings.high,
        spread_max=settings.spread_max,
        rate_max_per_h=settings.rate_max_per_h,
        window_s=settings.window_s,
        time_s=settings.time_s,
        guarded=settings.guarded,
    )


def _count(word: str, point: PointDeclaration | None) -> int | None:
    """Return the count of a state's word, or of a number where the point has no word for it."""
    states = {} if point is None else point.states
    found = next((count for count, text in states.items() if text == word), word)
    return int(found) if re.fullmatch(r"-?[0-9]{1,18}", found) else None


def _unknown_words(
    interlocks: Sequence[InterlockSettings], points: Mapping[str, PointDeclaration]
) -> Iterator[tuple[str, str, PointDeclaration]]:
    for place, cause in _causes(interlocks):
        point = points.get(cause.point) if isinstance(cause, StateCause) else None
        if point is None or point.kind is PointKind.ANALOG or not isinstance(cause, StateCause):
            continue
        for index, word in enumerate(cause.normal):
            count = _count(word, point)
            if count is None or (point.states and str(count) not in point.states):
                yield f"{place}.normal[{index}]", word, point


def _causes(interlocks: Sequence[InterlockSettings]) -> Iterator[tuple[str, AnyCause]]:
    for one, rule in enumerate(interlocks):
        for two, group in enumerate(rule.group):
            for three, cause in enumerate(group.cause):
                yield f"interlock[{one}].group[{two}].cause[{three}]", cause


def _placed(
    interlocks: Sequence[InterlockSettings], where: str
) -> tuple[str, object, AnyCause | InterlockFit | None]:
    """Return the place in the settings of what `rules.interlock.faults` names, and what stands there.

    For a cause or a fit its settings come with it.
    """
    name, *rest = where.split("/", 2)
    index = _index([rule.name for rule in interlocks], name)
    if index is None:
        return "interlock", where, None
    rule, place = interlocks[index], f"interlock[{index}]"
    if len(rest) == 2:
        if (found := _index([f"{one.kind}/{one.target}" for one in rule.effect], "/".join(rest))) is not None:
            return f"{place}.effect[{found}].target", rest[1], None
        if rest[0] == "fit" and (found := _index([one.point for one in rule.fit], rest[1])) is not None:
            return f"{place}.fit[{found}]", rest[1], rule.fit[found]
    group = _index([one.name for one in rule.group], rest[0]) if rest else None
    if group is None:
        return place, rest[0] if rest else name, None
    place, causes = f"{place}.group[{group}]", rule.group[group].cause
    found = _index([one.name for one in causes], rest[1]) if len(rest) == 2 else None
    return (place, rest[0], None) if found is None else (f"{place}.cause[{found}]", rest[1], causes[found])


def _index(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None
