"""Interlocks as settings say them: what becomes of each, and where a fault of the rules stands there."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from rules.interlock.configured import Surroundings, make_rule, make_sensor, rule_faults
from rules.interlock.model import InState, Output, Proof
from wire.messages import PointDeclaration
from wire.settings.interlock import InterlockSettings
from wire.status import PointKind

STATES = {"0": "closed", "1": "open"}
POINTS = {
    "t": PointDeclaration(name="t", quantity="temperature", exponent=-2, period_ms=1500),
    "door": PointDeclaration(name="door", quantity="state", kind=PointKind.STATE, states=STATES),
    "mode": PointDeclaration(name="mode", quantity="state", kind=PointKind.STATE),
}
AROUND = Surroundings(points=POINTS, outputs={"source": Output(name="source", safe=0)})
LIMIT: Mapping[str, Any] = {"kind": "limit", "name": "warm", "point": "t", "high": "25", "guarded": False}
DOOR: Mapping[str, Any] = {"kind": "state", "name": "open", "point": "door", "normal": ["closed"]}
FIT: Mapping[str, Any] = {
    "point": "t",
    "low": "19",
    "high": "25",
    "spread_max": "1",
    "rate_max_per_h": "2",
    "window_s": 60,
    "time_s": 60,
    "guarded": False,
}


def settings(*causes: Mapping[str, Any], **more: Any) -> InterlockSettings:
    groups = [{"name": "g", "cause": list(causes or (LIMIT,))}]
    effects = [{"kind": "inhibit_output", "target": "source"}]
    given = {"name": "room", "group": groups, "effect": effects, **more}
    return msgspec.convert(given, InterlockSettings, strict=False)


def said(*interlocks: InterlockSettings) -> list[tuple[str, object]]:
    return [(fault.path, fault.value) for fault in rule_faults(interlocks, AROUND)]


def test_point_is_a_sensor_with_its_period_and_what_its_quantity_can_be() -> None:
    sensor = make_sensor(POINTS["t"], None)
    assert (sensor.period_s, sensor.low, sensor.high, sensor.exponent) == (
        1.5,
        Decimal(-80),
        Decimal(200),
        -2,
    )
    door = make_sensor(POINTS["door"], None)
    assert (door.period_s, door.low, door.high, door.kind) == (None, None, None, PointKind.STATE)


def test_words_of_states_are_counts_and_numbers_stay_numbers() -> None:
    made = make_rule(settings(DOOR, {**DOOR, "name": "mode", "point": "mode", "normal": ["-3"]}), POINTS)
    conditions = [cause.condition for cause in made.groups[0].causes]
    assert conditions == [InState(point="door", normal=(0,)), InState(point="mode", normal=(-3,))]


def test_proof_is_taken_over_or_absent() -> None:
    assert make_rule(settings(), POINTS).proof is None
    made = make_rule(settings(proof={"every_days": 90, "remind_days": 7}), POINTS)
    assert made.proof == Proof(every_days=90, remind_days=7)


def test_interlock_that_fits_has_no_fault() -> None:
    assert said(settings(LIMIT, DOOR, fit=[FIT])) == []


CAUSE = "interlock[1].group[0].cause"
AJAR = {**DOOR, "normal": ["closed", "ajar"]}
LAMP = [{"kind": "inhibit_output", "target": "lamp"}]
HELD = [{"kind": "inhibit_output", "target": "source"}]


@pytest.mark.parametrize(
    ("one", "place", "value"),
    [
        (settings({**LIMIT, "point": "u"}), f"{CAUSE}[0].point", "u"),
        (settings({**LIMIT, "high": "4000"}), f"{CAUSE}[0].high", Decimal(4000)),
        (settings(LIMIT, {**DOOR, "point": "gate"}), f"{CAUSE}[1].point", "gate"),
        (settings(AJAR), f"{CAUSE}[0].normal[1]", "ajar"),
        (settings({**DOOR, "normal": ["7"]}), f"{CAUSE}[0].normal[0]", "7"),
        (settings(LIMIT, AJAR), f"{CAUSE}[1].normal[1]", "ajar"),
        (settings({**LIMIT, "low": "26"}), f"{CAUSE}[0]", "warm"),
        (settings(group=[{"name": "g", "needed": 5, "cause": [LIMIT]}]), "interlock[1].group[0]", "g"),
        (settings(fit=[FIT, {**FIT, "point": "u"}]), "interlock[1].fit[1].point", "u"),
        (settings(fit=[{**FIT, "point": "room-2/air"}]), "interlock[1].fit[0].point", "room-2/air"),
        (settings(fit=[{**FIT, "time_s": 30}]), "interlock[1].fit[0].time_s", 30.0),
        (settings(effect=LAMP), "interlock[1].effect[0].target", "lamp"),
        (settings(effect=[*HELD, *LAMP]), "interlock[1].effect[1].target", "lamp"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fault_stands_at_its_place_in_the_settings(one: InterlockSettings, place: str, value: object) -> None:
    other = msgspec.structs.replace(settings(DOOR), name="other", effect=settings().effect[:0])
    found = said(other, one)
    assert (place, value) in found, found
