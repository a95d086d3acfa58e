"""The matrix as data and as a table, and the time from breach to safe state."""

from decimal import Decimal

import pytest

from rules.interlock.matrix import Row, bounds, breach_s, cause_words, make_matrix, printed, worst_s
from rules.interlock.model import (
    Alive,
    CalibrationDue,
    Cause,
    CheckDue,
    Condition,
    Effect,
    EffectKind,
    Group,
    Happened,
    InState,
    Interlock,
    Limit,
    Rate,
)
from rules.interlock.state import Phase
from rules.interlock.step import next_due
from tests.rules.interlock.world import HOLD, INHIBIT, LOCK, PLANT, WARM, cause, healthy, rule

ISOLATE = Effect(kind=EffectKind.ISOLATE_POWER, target="mains")


@pytest.mark.requirement("H-7.3.1a")
def test_matrix_has_causes_as_rows_and_effects_as_columns() -> None:
    gas = Interlock(
        name="gas",
        groups=(
            Group(
                name="heads",
                causes=(cause(Happened(kind="gas", lasts_s=60), "a"), cause(Alive(point="h"), "b")),
                needed=2,
            ),
        ),
        effects=(ISOLATE, LOCK),
    )
    matrix = make_matrix([rule(cause(on=60), effects=[HOLD, LOCK]), gas], PLANT)
    assert matrix.columns == ("hold_work room-2", "lock_entry room-2/door", "isolate_power mains")
    warm = "t below 19 °C or above 25 °C for 60 s"
    assert matrix.rows[0] == Row("room", "g", "1 of 1", "warm", warm, (True, True, False))
    assert [row.vote for row in matrix.rows] == ["1 of 1", "2 of 2", "2 of 2"]
    assert [row.effects for row in matrix.rows[1:]] == [(False, True, True)] * 2


def test_printed_matrix_is_a_table() -> None:
    lines = printed(make_matrix([rule(effects=[HOLD])], PLANT)).splitlines()
    assert lines == [
        "| interlock | group | vote   | cause | when                         | hold_work room-2 |",
        "| --------- | ----- | ------ | ----- | ---------------------------- | ---------------- |",
        "| room      | g     | 1 of 1 | warm  | t below 19 °C or above 25 °C | X                |",
    ]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Limit(point="h", high=Decimal("60.0")), "h above 60 %RH, uncertainty counted in"),
        (Limit(point="u", low=Decimal("0.5"), guarded=False), "u below 0.5"),
        (Rate(point="t", change_max=Decimal("0.5"), within_s=600), "t changes by more than 0.5 °C in 600 s"),
        (InState(point="door", normal=(0, 2)), "door not 0 or 2"),
        (Alive(point="h"), "h not heard"),
        (Happened(kind="gas_alarm", lasts_s=1), "event gas_alarm"),
        (Happened(kind="gas_alarm", lasts_s=1, subject="hall"), "event gas_alarm of hall"),
        (CheckDue(device="meter-7", after=("x",), commands=("y",)), "meter-7 not checked"),
        (CalibrationDue(point="t"), "calibration of t overdue"),
    ],
)
def test_every_cause_has_words(condition: Condition, words: str) -> None:
    assert cause_words(cause(condition), PLANT) == words


@pytest.mark.requirement("H-7.3.1b")
def test_time_to_the_safe_state_is_the_sum_of_its_parts() -> None:
    """Period 1 s, on-delay 5 s, decision 50 ms, read-back of the slower output 2 s; stale after 10 s."""
    one = rule(cause(on=5, stale=10), effects=[INHIBIT, ISOLATE, HOLD])
    [bound] = bounds(one, PLANT)
    assert (bound.sensor_s, bound.on_delay_s, bound.decision_s, bound.read_back_s) == (1.0, 5.0, 0.05, 2.0)
    assert (bound.breach_s, bound.lost_s) == (8.05, 12.05)
    assert (breach_s(one, PLANT), worst_s(one, PLANT)) == (8.05, 12.05)


@pytest.mark.parametrize(
    ("made", "breach_s", "lost_s"),
    [
        (cause(WARM, on=5), 6.05, 3.05),
        (cause(InState(point="door", normal=(0,))), 0.05, None),
        (cause(InState(point="door", normal=(0,)), stale=30), 0.05, 30.05),
        (cause(Alive(point="t"), on=5), 0.05, 3.05),
        (cause(Happened(kind="gas", lasts_s=60), on=1), 1.05, None),
        (cause(CalibrationDue(point="u")), 0.05, None),
    ],
)
def test_every_kind_of_cause_has_its_time(made: Cause, breach_s: float, lost_s: float | None) -> None:
    [bound] = bounds(rule(made), PLANT)
    assert (bound.breach_s, bound.lost_s) == (pytest.approx(breach_s), lost_s)


@pytest.mark.parametrize(("on", "stale"), [(0.0, 0.0), (5.0, 0.0), (5.0, 20.0)])
def test_machine_trips_within_the_time_that_is_told(on: float, stale: float) -> None:
    """A breach right after a reading, and a sensor that is lost right after one."""
    one = rule(cause(on=on, stale=stale))
    [bound] = bounds(one, PLANT)
    assert bound.lost_s is not None
    run = healthy(one)
    for second in range(11, 30):
        run.see(second, t=3000)
    tripped = run.state.kept.tripped_at
    assert tripped is not None
    assert tripped.tick - 1000 <= (bound.breach_s - bound.decision_s) * 100
    run = healthy(one)
    due = next_due(run.state, run.plan, run.state.kept.at)
    while due is not None and run.phase is Phase.HEALTHY:
        run.see(due / 100)
        due = next_due(run.state, run.plan, run.state.kept.at)
    lost = run.state.kept.tripped_at
    assert lost is not None
    assert lost.tick - 1000 <= (bound.lost_s - bound.decision_s) * 100 + 1
