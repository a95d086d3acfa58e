"""One cause: its table, and every kind of condition from reading to vote."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from rules.interlock import causes
from rules.interlock.inputs import Happening, Lost, Moment, ReadBack, Reading
from rules.interlock.model import (
    Alive,
    CalibrationDue,
    Cause,
    Effect,
    EffectKind,
    Happened,
    InState,
    Interlock,
    Limit,
    Plant,
    Rate,
    Sensor,
)
from rules.interlock.plan import make_plan
from rules.interlock.state import CauseState, Phase, Verdict, Watch
from tests.rules.interlock.tables import Row, table
from tests.rules.interlock.world import DAY, HOLD, INHIBIT, PLANT, UTC, WARM, Run, cause, healthy, rule
from wire.status import Status

C = CauseState
MAINS = Effect(kind=EffectKind.INHIBIT_OUTPUT, target="mains")


@pytest.mark.parametrize("row", table("in", "when", "then"), ids=lambda row: f"{row['in']}-{row['when']}")
def test_cause_moves_as_signed(row: Row) -> None:
    """Delays of 10 s and 20 s; the state began at 100 s, the newest good reading was at 100 s."""
    watched = make_plan(rule(cause(on=10, off=20, stale=60)), PLANT).watched[0]
    watch = Watch("warm", C(row["in"]), since=10_000, fresh=10_000)
    match row["when"]:
        case "out" | "in" as said:
            after = causes.turn(watch, 10_100, out=said == "out")
        case "stale":
            watch = Watch("warm", C(row["in"]), since=15_600, fresh=10_000)
            assert causes.settle(watched, watch, 16_000) == watch
            after = causes.settle(watched, watch, 16_001)
            assert after.stale
        case "on-delay over":
            assert causes.settle(watched, watch, 10_999) == watch
            after = causes.settle(watched, watch, 11_000)
        case _:
            assert row["when"] == "off-delay over"
            assert causes.settle(watched, watch, 11_999) == watch
            after = causes.settle(watched, watch, 12_000)
    assert after.state == row["then"]
    assert after.votes is (row["then"] in ("voting", "clearing"))


def test_every_state_of_a_cause_is_signed() -> None:
    signed = {(row["in"], row["when"]) for row in table("in", "when", "then")}
    assert signed >= {(state.value, when) for state in C for when in ("in", "out", "stale")}


@pytest.mark.requirement("G-6.11e")
@pytest.mark.parametrize(
    "row", table("period", "cause says", "last good reading taken at", "looked at", "stale")
)
def test_stale_is_as_signed(row: Row) -> None:
    period = None if row["period"] == "none" else float(row["period"])
    plant = Plant(sensors={"t": Sensor(point="t", exponent=-2, period_s=period)})
    run = Run(rule(cause(stale=float(row["cause says"]))), plant)
    run.see(1000)
    run.see(1000, t=2200)
    run.see(1000 + float(row["looked at"]))
    assert run.watch().stale is (row["stale"] == "yes")
    assert run.watch().votes is (row["stale"] == "yes")


@pytest.mark.requirement("H-7.3.1b", "G-6.11e")
def test_limit_trips_after_its_on_delay_and_a_short_excursion_does_not() -> None:
    run = healthy(rule(cause(on=3)))
    run.see(11, t=2600)
    run.see(12, t=2600)
    run.see(13, t=2200)
    run.see(14, t=2501)
    run.see(15, t=2501)
    run.see(16, t=2501)
    assert run.phase is Phase.HEALTHY
    run.see(17.5)
    assert run.phase is Phase.TRIPPED
    assert run.state.kept.tripped_at == run.at(17)
    assert [vote.cause for vote in run.state.kept.first_out] == ["warm"]
    assert run.watch().verdict is Verdict.OUT


def test_reading_that_is_not_newer_than_the_last_is_not_looked_at() -> None:
    run = healthy()
    run.see(11, t=2200)
    run.see(11.5, Reading("t", 1050, 9000), Reading("t", 1100, 9000))
    assert run.phase is Phase.HEALTHY


def test_reading_from_the_future_counts_as_of_now() -> None:
    run = healthy()
    run.see(11, Reading("t", 999_999, 2200))
    run.see(14.01)
    assert run.watch().stale


def test_reading_that_comes_too_late_keeps_nothing_fresh() -> None:
    run = healthy()
    run.see(13.5, Reading("t", 1001, 9000))
    assert run.watch().stale
    assert run.watch().value == Decimal("22.00")
    run.see(14, Reading("t", 1002, 2200))
    assert run.watch().stale
    run.see(15, t=2200)
    assert not run.watch().stale


@pytest.mark.parametrize("status", [Status.INVALID, Status.DEVICE_ERROR, Status.UNKNOWN, Status.NOT_MEASURED])
def test_reading_without_a_value_is_no_reading(status: Status) -> None:
    run = healthy()
    for second in (11, 12, 13):
        run.see(second, Reading("t", second * 100, None, status))
    assert run.phase is Phase.HEALTHY
    run.see(13.01)
    assert run.watch().stale
    assert run.phase is Phase.TRIPPED


def test_implausible_value_keeps_nothing_fresh_and_ends_no_breach() -> None:
    run = healthy()
    run.see(11, t=2600)
    run.see(12, Reading("t", 1200, 2200, Status.IMPLAUSIBLE))
    assert run.watch().state is C.VOTING
    run.see(14.01)
    assert run.watch().stale


@pytest.mark.parametrize("status", [Status.OVER_RANGE, Status.UNDER_RANGE])
def test_sensor_at_its_end_is_out_of_every_limit(status: Status) -> None:
    run = healthy()
    run.see(11, Reading("t", 1100, None, status))
    assert run.phase is Phase.TRIPPED
    assert not run.watch().stale


def test_gap_of_a_point_with_a_period_hurries_nothing() -> None:
    run = healthy()
    run.see(11, Lost("t", "sensor"))
    assert run.phase is Phase.HEALTHY


@pytest.mark.parametrize("lost", [Lost("door", "gateway"), Reading("door", 1100, None, Status.UNKNOWN)])
def test_point_that_comes_by_itself_is_stale_with_its_gap(lost: Lost | Reading) -> None:
    run = healthy(rule(cause(InState(point="door", normal=(0,)))), door=0)
    run.see(500)
    assert run.phase is Phase.HEALTHY
    run.see(500, Lost("t", "other"), Happening("door"))
    assert run.phase is Phase.HEALTHY
    run.see(501, lost)
    assert run.phase is Phase.TRIPPED
    assert run.watch().stale
    run.see(502, door=0)
    assert run.phase is Phase.READY_TO_RESET


def test_gap_is_noticed_among_what_else_comes_in_its_instant() -> None:
    run = healthy(rule(cause(InState(point="door", normal=(0,)))), door=0)
    run.see(11, Happening("door"), Lost("door", "gateway"), Lost("t", "other"), t=2200)
    assert run.phase is Phase.TRIPPED
    assert run.watch().stale


def test_reading_that_is_exactly_as_old_as_it_may_be_is_judged() -> None:
    run = healthy()
    run.see(13.01, Reading("t", 1001, 9000))
    assert (run.watch().stale, run.watch().value) == (False, Decimal("90.00"))


@pytest.mark.parametrize("count", [1, 2])
def test_state_that_is_not_normal_trips(count: int) -> None:
    run = healthy(rule(cause(InState(point="ups", normal=(0, 3)))), ups=0)
    run.see(11, ups=3)
    assert run.phase is Phase.HEALTHY
    run.see(12, ups=count)
    assert run.phase is Phase.TRIPPED
    run.see(13, Reading("ups", 1300, None, Status.OVER_RANGE))
    assert run.watch().state is C.VOTING


def test_alive_asks_only_that_readings_come() -> None:
    run = healthy(rule(cause(Alive(point="t"), "alive")))
    run.see(11, t=99_999)
    run.see(14)
    assert run.phase is Phase.HEALTHY
    run.see(14.01)
    assert run.phase is Phase.TRIPPED


def test_guard_counts_correction_uncertainty_and_drift_in() -> None:
    """22.90 is corrected by -0.129, and U is 0.2."""
    limit = Limit(point="u", low=Decimal(20), high=Decimal("22.97"))
    run = Run(rule(cause(limit)))
    run.see(1, u=2289)
    watch = run.watch()
    assert (watch.value, watch.uncertainty, watch.verdict) == (Decimal("22.761"), Decimal("0.2"), Verdict.IN)
    run.see(2, u=2290)
    assert (run.watch().value, run.watch().verdict) == (Decimal("22.771"), Verdict.UNDETERMINED)
    assert run.watch().votes
    run.see(3, u=2331)
    assert run.watch().verdict is Verdict.OUT


def fast() -> Cause:
    return cause(Rate(point="t", change_max=Decimal("0.5"), within_s=4, deadband=Decimal("0.2")), "fast")


@pytest.mark.requirement("G-6.11d")
def test_rate_of_change_looks_back_over_its_window() -> None:
    run = Run(rule(fast()))
    for second in range(1, 5):
        run.see(second, t=2200)
        assert run.watch("fast").state is C.UNKNOWN
    run.see(5, t=2200)
    assert run.watch("fast").state is C.NORMAL
    run.release()
    for second, count in ((6, 2220), (7, 2240), (8, 2250)):
        run.see(second, t=count)
    assert run.phase is Phase.HEALTHY
    run.see(9, t=2251)
    assert run.watch("fast").votes
    run.see(10, t=2251)
    assert run.watch("fast").votes  # further than 0.3 from 22.20 at 6 s
    run.see(11, t=2251)
    assert not run.watch("fast").votes


def test_rate_that_is_out_is_so_before_its_window_is_full() -> None:
    run = Run(rule(fast()))
    run.see(1, t=2200)
    run.see(2, t=2300)
    assert run.watch("fast").votes


def test_rate_begins_anew_after_a_stale_stretch() -> None:
    run = healthy(rule(fast()))
    run.see(20, t=3000)
    assert run.watch("fast").votes
    for second in range(21, 24):
        run.see(second, t=3000)
    assert run.watch("fast").votes
    run.see(24, t=3000)
    assert not run.watch("fast").votes


def bell(ends: str = "silence", subject: str = "hall") -> Interlock:
    return rule(cause(Happened(kind="gas_alarm", subject=subject, lasts_s=30, ends=ends), "gas", off=5))


@pytest.mark.parametrize("end", [None, 20.0])
def test_event_counts_for_its_time_or_until_it_ends(end: float | None) -> None:
    run = healthy(bell(), t=0)
    run.see(11, Happening("gas_alarm", "cellar"), Happening("silence", "hall"))
    assert run.phase is Phase.HEALTHY
    run.see(12, Happening("silence", "hall"), Happening("gas_alarm", "hall"))
    assert run.phase is Phase.TRIPPED
    if end is not None:
        run.see(end, Happening("silence", "hall"))
    last = 42 if end is None else end
    run.see(last + 4.99)
    assert run.phase is Phase.TRIPPED
    run.see(last + 5)
    assert run.phase is Phase.READY_TO_RESET


def test_event_of_any_subject_that_nothing_ends_counts_for_its_time() -> None:
    run = healthy(bell(ends="", subject=""), t=0)
    run.see(11, Happening("gas_alarm", "cellar"))
    run.see(12, Happening("", "cellar"))
    assert run.watch("gas").state is C.VOTING
    run.see(41)
    assert run.watch("gas").state is C.CLEARING


def test_calibration_is_overdue_at_its_tick_and_stays_so_without_time() -> None:
    run = Run(rule(cause(CalibrationDue(point="u"), "due")))
    run.release()
    run.utc = UTC + 89 * DAY
    run.see(3600)
    assert run.phase is Phase.HEALTHY
    run.see(25 * 3600)
    assert run.phase is Phase.TRIPPED
    assert run.state.kept.tripped_at == Moment("b", 24 * 360_000, UTC + 90 * DAY)
    run.utc = None
    run.see(25 * 3600 + 1)
    assert run.watch("due").state is C.VOTING


@pytest.mark.parametrize(("point", "normal"), [("t", False), ("u", True)])
def test_point_without_a_calibration_is_overdue(point: str, normal: bool) -> None:
    run = Run(rule(cause(CalibrationDue(point=point), "due")))
    run.utc = None
    run.see(1)
    assert (run.watch("due").state is C.NORMAL) is normal


def test_contradicted_read_back_trips_after_its_time() -> None:
    run = healthy(rule(effects=[INHIBIT]))
    run.see(11, ReadBack("source", agrees=False), ReadBack("mains", agrees=False), t=2200)
    run.see(11.49)
    assert run.phase is Phase.HEALTHY
    run.see(11.5)
    assert run.phase is Phase.TRIPPED
    assert [vote.cause for vote in run.state.kept.first_out] == ["@output/source"]


def test_one_of_several_outputs_that_is_contradicted_trips() -> None:
    run = Run(rule(effects=[INHIBIT, MAINS]))
    run.see(1, ReadBack("source", agrees=True), ReadBack("mains", agrees=True), t=2200)
    run.release()
    run.see(2, ReadBack("source", agrees=True), ReadBack("mains", agrees=False), t=2200)
    run.see(4, ReadBack("source", agrees=True), t=2200)
    assert run.phase is Phase.TRIPPED
    assert [vote.cause for vote in run.state.kept.first_out] == ["@output/mains"]


def test_contradiction_counts_whatever_else_is_read_back_in_its_instant() -> None:
    run = healthy(rule(effects=[INHIBIT]))
    run.see(11, ReadBack("source", agrees=True), ReadBack("source", agrees=False), t=2200)
    run.see(11.5)
    assert run.phase is Phase.TRIPPED


def test_limit_that_is_not_guarded_is_judged_by_the_value_alone() -> None:
    for count, phase in ((2500, Phase.HEALTHY), (2501, Phase.TRIPPED)):
        run = healthy(rule(cause(replace(WARM, undetermined="out"))))
        run.see(11, t=count)
        assert run.phase is phase
    for count, phase in ((1900, Phase.HEALTHY), (1899, Phase.TRIPPED)):
        run = healthy(rule(cause(replace(WARM, undetermined="out"))))
        run.see(11, t=count)
        assert run.phase is phase


def test_read_back_that_is_not_heard_trips() -> None:
    run = healthy(rule(effects=[INHIBIT]))
    for second in range(11, 21):
        run.see(second, t=2200)
    assert run.phase is Phase.HEALTHY
    run.see(20.01)
    assert run.phase is Phase.TRIPPED


def test_two_readings_of_one_step_count_in_the_order_in_which_they_were_taken() -> None:
    run = healthy(rule(effects=[HOLD]))
    run.see(12, Reading("t", 1200, 2200), Reading("t", 1150, 2600))
    assert run.watch().value == Decimal("22.00")


def test_every_timer_is_played_out_at_its_tick_however_late_somebody_looks() -> None:
    """Out at 11 s with an on-delay of 2 s, in at 20 s with an off-delay of 5 s, looked at long after."""
    run = healthy(rule(cause(InState(point="door", normal=(0,)), on=2, off=5)), door=0)
    run.see(11, door=1)
    run.see(20, door=0)
    run.see(500)
    assert [(change.kind.value, change.at) for change in run.changes] == [
        ("voted", run.at(13)),
        ("tripped", run.at(13)),
        ("cleared", run.at(25)),
        ("ready", run.at(25)),
    ]


def test_timer_that_is_due_at_an_instant_comes_before_what_is_observed_at_it() -> None:
    run = healthy(rule(cause(InState(point="door", normal=(0,)), on=2)), door=0)
    run.see(11, door=1)
    run.see(13, door=0)
    assert run.state.kept.tripped_at == run.at(13)
    assert run.phase is Phase.READY_TO_RESET


def test_what_was_never_out_is_ready_after_its_off_delay_however_late_somebody_looks() -> None:
    run = Run(rule(cause(InState(point="door", normal=(0,)), off=5)))
    run.see(1, door=0)
    run.see(500)
    assert [(change.kind.value, change.at) for change in run.changes[1:]] == [("ready", run.at(6))]


def test_vote_began_when_the_cause_went_out_and_staleness_does_not_move_it() -> None:
    run = healthy()
    run.see(11, t=3000)
    run.see(20)
    assert (run.watch().since, run.watch().stale) == (1100, True)
    run = healthy()
    run.see(20)
    assert (run.watch().since, run.watch().stale) == (1301, True)
