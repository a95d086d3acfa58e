"""A rule set is judged when it is saved: every fault at once, each with the sentence a person needs."""

import math
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from rules.interlock.faults import Fault, find_faults
from rules.interlock.model import (
    Alive,
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
    decode_rules,
    encode_rules,
)
from rules.interlock.plan import make_plan
from tests.rules.interlock.test_fitness import STEADY
from tests.rules.interlock.world import (
    CERTIFICATE,
    DAY,
    HOLD,
    INHIBIT,
    LOCK,
    PLANT,
    UTC,
    WARM,
    cause,
    rule,
)

DRIFTING = replace(CERTIFICATE, drift_per_day=Decimal("0.01"))
SENSORS = {
    **PLANT.sensors,
    "drifting": Sensor(point="drifting", period_s=1.0, calibration=DRIFTING),
    "undated": Sensor(point="undated", period_s=1.0, calibration=replace(DRIFTING, due_utc=None)),
    "half": Sensor(point="half", period_s=1.0, low=Decimal(0)),
    "slow": Sensor(point="slow", period_s=600.0),
    "quick": Sensor(point="quick", period_s=0.1),
    "free": Sensor(point="free"),
}
SITE = replace(PLANT, sensors=SENSORS, outputs={**PLANT.outputs, "lamp": Output(name="lamp")})


def faults(*rules: Interlock, plant: Plant = SITE) -> list[Fault]:
    return list(find_faults(RuleSet(interlocks=rules), plant))


def only(one: Interlock) -> tuple[str, str]:
    [fault] = faults(one)
    return fault.code, fault.sentence


def limit(point: str = "t", low: str | None = "19", high: str | None = "25", **rest: Any) -> Limit:
    numbers = {name: None if text is None else Decimal(text) for name, text in (("low", low), ("high", high))}
    return Limit(point=point, **numbers, **({"guarded": False} | rest))


@pytest.mark.requirement("H-7.3.1a")
def test_sound_rules_have_no_fault() -> None:
    sound = (
        rule(
            cause(limit("u", guarded=True)),
            cause(limit("half", "0", None), "half"),
            effects=[HOLD, LOCK, INHIBIT],
        ),
        replace(rule(cause(Rate(point="t", change_max=Decimal(1), within_s=60)), fit=[STEADY]), name="rate"),
        replace(rule(cause(Alive(point="t")), cause(Alive(point="door"), "b", stale=60)), name="alive"),
        replace(rule(cause(CheckDue(device="m", after=("out",), commands=("zero",)))), name="check"),
        replace(rule(cause(Happened(kind="gas", lasts_s=5), on=4)), name="gas", proof=Proof(every_days=1)),
        replace(
            rule(cause(InState(point="ups", normal=(0,))), cause(CalibrationDue(point="u"), "d")), name="ups"
        ),
        replace(rule(cause(limit("drifting", guarded=True))), name="drifting"),
    )
    assert faults(*sound) == []
    unknown_here = replace(SITE, zones=None, portals=None)
    assert (
        faults(rule(effects=[replace(HOLD, target="x"), replace(LOCK, target="y")]), plant=unknown_here) == []
    )


@pytest.mark.parametrize(
    "made",
    [
        cause(on=0, off=86_400, stale=86_400),
        cause(name="n" * 64),
        cause(limit("t", "-40", "80")),
        cause(limit("t", "22", "22")),
        cause(limit("t", "20", "24", deadband=Decimal(2))),
        cause(limit("u", "23.6", "24", guarded=True)),
        cause(Rate(point="slow", change_max=Decimal(1), within_s=86_400)),
        cause(Rate(point="slow", change_max=Decimal(1), within_s=1200)),
        cause(Rate(point="quick", change_max=Decimal(1), within_s=360)),
        cause(Happened(kind="gas", lasts_s=86_400), on=86_399),
    ],
    ids=lambda made: str(made.condition)[:40],
)
def test_bounds_themselves_are_allowed(made: Cause) -> None:
    assert faults(rule(made)) == []


def test_bounds_of_fitness_themselves_are_allowed() -> None:
    for fit in (
        replace(STEADY, low=Decimal(22), high=Decimal(22)),
        replace(STEADY, time_s=STEADY.window_s),
        replace(STEADY, time_s=86_400),
        replace(STEADY, low=Decimal(-40), high=Decimal(80)),
    ):
        assert faults(rule(fit=[fit])) == []


def test_uncertainty_without_a_due_date_is_that_of_the_certificate() -> None:
    narrow = limit("undated", "23.6", "24", guarded=True)
    assert [fault.code for fault in faults(rule(cause(narrow)))] == ["no_due_date"]


@pytest.mark.parametrize(
    ("condition", "code", "sentence"),
    [
        (limit("t/2"), "unknown_point", "no point is called t/2"),
        (
            limit("t", "19", "81"),
            "limit_outside_range",
            "high limit 81 of t is outside of what its sensor can tell (-40 … 80)",
        ),
        (
            limit("t", "-41", None),
            "limit_outside_range",
            "low limit -41 of t is outside of what its sensor can tell (-40 … 80)",
        ),
        (
            limit("half", "-1", "9"),
            "limit_outside_range",
            "low limit -1 of half is outside of what its sensor can tell (0 … )",
        ),
        (limit("t", None, None), "no_limit", "t has neither a low nor a high limit"),
        (limit("t", "25", "19"), "nothing_inside", "between 25 and 19 nothing is left of t"),
        (
            limit("t", deadband=Decimal(4)),
            "nothing_inside",
            "deadband 4, on both sides: it could never be reset",
        ),
        (limit("t", deadband=Decimal(-1)), "bad_deadband", "a deadband of -1; 0 or more"),
        (limit("t", "NaN"), "bad_limit", "limits and deadband of t have to be numbers"),
        (limit("u", "23.7", "24", guarded=True), "nothing_inside", "uncertainty 0.2, deadband 0"),
        (limit("drifting", "22", "24.3", guarded=True), "nothing_inside", "uncertainty 1.20, deadband 0"),
        (limit("t", guarded=True), "no_calibration", "t has no calibration: its uncertainty is not known"),
        (
            limit("undated", guarded=True),
            "no_due_date",
            "the calibration of undated drifts and has no due date",
        ),
        (limit("door"), "wrong_kind", "door is a state: it has no limit"),
        (Rate(point="door", change_max=Decimal(1), within_s=9), "wrong_kind", "door is a state"),
        (Rate(point="t", change_max=Decimal(0), within_s=9), "bad_rate", "a change of 0, deadband 0"),
        (Rate(point="t", change_max=Decimal("NaN"), within_s=9), "bad_rate", "a change of NaN"),
        (
            Rate(point="t", change_max=Decimal(1), within_s=9, deadband=Decimal(1)),
            "bad_rate",
            "a smaller deadband",
        ),
        (Rate(point="t", change_max=Decimal(1), within_s=0), "bad_window", "a window of 0 s"),
        (Rate(point="t", change_max=Decimal(1), within_s=math.nan), "bad_window", "a window of nan s"),
        (
            Rate(point="slow", change_max=Decimal(1), within_s=1199),
            "bad_window",
            "holds 1 readings of slow; from 2 to 3600",
        ),
        (
            Rate(point="quick", change_max=Decimal(1), within_s=361),
            "bad_window",
            "holds 3610 readings of quick",
        ),
        (
            Rate(point="free", change_max=Decimal(1), within_s=9),
            "no_period",
            "free comes by itself and has no period",
        ),
        (
            InState(point="t", normal=(0,)),
            "wrong_kind",
            "t is a measured value: it has no states; give it limits",
        ),
        (
            InState(point="door", normal=()),
            "no_normal_state",
            "no state of door is normal: it could never be reset",
        ),
        (Alive(point="door"), "never_stale", "say after how long without a reading it is stale"),
        (CalibrationDue(point="t"), "no_calibration", "t has no calibration"),
        (CalibrationDue(point="x"), "unknown_point", "no point is called x"),
        (Happened(kind="gas", lasts_s=0), "bad_delay", "counts for 0 s; above 0, at most 86400 s"),
        (
            CheckDue(device="m", after=("out",), commands=()),
            "no_commands",
            "a blocked device could never be freed",
        ),
        (
            CheckDue(device="m", after=(), commands=("zero",)),
            "no_events",
            "the check of m is asked for by no event",
        ),
    ],
)
def test_every_fault_of_a_condition_has_its_sentence(condition: Condition, code: str, sentence: str) -> None:
    found = only(rule(cause(condition)))
    assert found[0] == code
    assert sentence in found[1]


@pytest.mark.parametrize(
    ("made", "code", "sentence"),
    [
        (cause(on=-1), "bad_delay", "on-delay of -1 s; from 0 to 86400 s"),
        (cause(off=90_000), "bad_delay", "off-delay of 90000 s"),
        (cause(stale=math.inf), "bad_delay", "staleness of inf s"),
        (cause(name="a/b"), "bad_name", "a name has 1 to 64 printable characters, none of them / or @"),
        (cause(name=""), "bad_name", "a name has 1 to 64"),
        (cause(name="n" * 65), "bad_name", "a name has 1 to 64"),
        (cause(name="two\nlines"), "bad_name", "a name has 1 to 64"),
        (
            cause(Happened(kind="gas", lasts_s=5), on=5),
            "never_votes",
            "on-delay of 5 s, but the event counts for 5 s",
        ),
    ],
)
def test_every_fault_of_a_cause_has_its_sentence(made: Cause, code: str, sentence: str) -> None:
    found = only(rule(made))
    assert found[0] == code
    assert sentence in found[1]


@pytest.mark.parametrize(
    ("effect", "code", "sentence"),
    [
        (replace(INHIBIT, target="x"), "unknown_output", "no output is called x"),
        (
            replace(INHIBIT, target="lamp"),
            "no_safe_state",
            "output lamp does not say which value is towards safety",
        ),
        (replace(HOLD, target="attic"), "unknown_zone", "no zone is called attic"),
        (replace(LOCK, target="hatch"), "unknown_portal", "no portal is called hatch"),
    ],
)
def test_every_fault_of_an_effect_has_its_sentence(effect: Effect, code: str, sentence: str) -> None:
    found = only(rule(effects=[effect]))
    assert found[0] == code
    assert sentence in found[1]


@pytest.mark.parametrize(
    ("fit", "code", "sentence"),
    [
        (replace(STEADY, point="x"), "unknown_point", "no point is called x"),
        (replace(STEADY, point="door"), "wrong_kind", "door is a state: it has no mean"),
        (replace(STEADY, low=Decimal("inf")), "bad_limit", "limits of t have to be numbers"),
        (replace(STEADY, spread_max=Decimal(0)), "bad_limit", "spread 0 and rate 60 per hour; both above 0"),
        (replace(STEADY, rate_max_per_h=Decimal(-1)), "bad_limit", "rate -1 per hour"),
        (replace(STEADY, high=Decimal(81)), "limit_outside_range", "the high limit 81 of t"),
        (replace(STEADY, guarded=True), "no_calibration", "t has no calibration"),
        (replace(STEADY, low=Decimal(23), high=Decimal(22)), "nothing_inside", "between 23 and 22"),
        (
            replace(STEADY, point="u", low=Decimal("23.7"), high=Decimal(24), guarded=True),
            "nothing_inside",
            "with uncertainty and drift 0.2 on both sides",
        ),
        (
            replace(STEADY, time_s=9),
            "bad_window",
            "a stabilisation time of 9 s; from 10 s (window) to 86400 s",
        ),
        (replace(STEADY, window_s=1), "bad_window", "a window of 1 s holds 1 readings"),
    ],
)
def test_every_fault_of_fitness_has_its_sentence(fit: Fit, code: str, sentence: str) -> None:
    found = only(rule(fit=[fit]))
    assert found[0] == code
    assert sentence in found[1]


@pytest.mark.parametrize(
    ("one", "code", "sentence"),
    [
        (replace(rule(), groups=()), "no_causes", "room has no cause: it would never trip"),
        (rule(effects=[]), "no_effects", "room has no effect: it would do nothing"),
        (replace(rule(), name="@room"), "bad_name", "a name has 1 to 64"),
        (
            replace(rule(), proof=Proof(every_days=0)),
            "bad_proof",
            "a proof test every 0 days; at least 1 day",
        ),
        (rule(cause(), cause()), "same_name", "2 causes of room are called warm"),
        (rule(needed=2), "bad_vote", "2 of 1 causes are to vote; at least 1, at most all of them"),
        (rule(needed=0), "bad_vote", "0 of 1 causes are to vote"),
        (replace(rule(), groups=(Group(name="g@", causes=(cause(),)),)), "bad_name", "a name has 1 to 64"),
        (
            replace(
                rule(),
                groups=(Group(name="g", causes=(cause(),)), Group(name="g", causes=(cause(name="b"),))),
            ),
            "same_name",
            "2 groups of room are called g",
        ),
    ],
)
def test_every_fault_of_an_interlock_has_its_sentence(one: Interlock, code: str, sentence: str) -> None:
    found = only(one)
    assert found[0] == code
    assert sentence in found[1]


@pytest.mark.requirement("H-7.3.3.3")
def test_two_interlocks_that_own_one_output_are_named() -> None:
    isolate = Effect(kind=EffectKind.ISOLATE_POWER, target="source")
    [fault] = faults(rule(effects=[INHIBIT]), replace(rule(effects=[isolate]), name="gas"))
    assert fault.where == "gas"
    assert fault.sentence == (
        "output source is owned by room and by gas; one interlock owns an output: put their causes into one"
    )
    assert faults(rule(effects=[HOLD]), replace(rule(effects=[HOLD]), name="gas")) == []


def test_everything_that_is_wrong_is_told_at_once() -> None:
    bad = rule(
        cause(limit("nowhere")),
        cause(limit("t", "-99", "99")),
        effects=[replace(HOLD, target="attic"), replace(INHIBIT, target="x")],
        needed=5,
    )
    found = faults(bad, replace(bad, effects=(INHIBIT,)))
    assert [fault.code for fault in found] == [
        "same_name",
        *("same_name", "bad_vote", "unknown_point", "limit_outside_range", "limit_outside_range"),
        *("unknown_zone", "unknown_output"),
        *("same_name", "bad_vote", "unknown_point", "limit_outside_range", "limit_outside_range"),
    ]
    assert found[3].where == "room/g/warm"


def test_rules_go_through_json_and_back() -> None:
    rules = RuleSet(
        interlocks=(
            rule(
                cause(WARM),
                cause(Rate(point="t", change_max=Decimal("0.50"), within_s=60), "fast"),
                fit=[STEADY],
            ),
            replace(
                rule(cause(CheckDue(device="m", after=("a",), commands=("b",)))), proof=Proof(every_days=9)
            ),
        )
    )
    assert decode_rules(encode_rules(rules)) == rules
    assert decode_rules(b"{}") == RuleSet()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b'{"interlocks": [{"name": "i", "groups": [], "effects": [], "colour": 1}]}',
            "unknown field `colour`",
        ),
        (b'{"interlocks": [{"name": "i", "groups": []}]}', "missing required field `effects`"),
        (b'{"interlocks": 7}', "Expected `array`, got `int` - at `$.interlocks`"),
        (b"", "Input data was truncated"),
        (b"[" * 100_000, "rules: "),
    ],
)
def test_rules_that_are_no_rules_are_refused_with_place_and_expectation(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match="rules: ") as caught:
        decode_rules(data)
    assert words in str(caught.value)


def test_rule_that_names_what_is_not_there_cannot_be_run() -> None:
    with pytest.raises(KeyError):
        make_plan(rule(cause(limit("nowhere"))), PLANT)
    assert DRIFTING.due_utc == UTC + 90 * DAY
