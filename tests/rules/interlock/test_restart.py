"""After a restart: what was latched stays, what is not certain is over, what sensors said counts no more."""

from decimal import Decimal

import msgspec
import pytest
from msgspec import structs

from rules.interlock.inputs import Acknowledge, BeginBypass, Moment, PassCheck, Reset
from rules.interlock.model import CheckDue, Fit, InState, Interlock, Rate
from rules.interlock.plan import make_plan
from rules.interlock.reasons import Reason
from rules.interlock.restart import begin, replanned, restart, restore
from rules.interlock.state import (
    Bypass,
    ChangeKind,
    Kept,
    KeptError,
    Phase,
    Why,
    decode_kept,
    encode_kept,
    needs_keeping,
)
from rules.interlock.step import step
from tests.rules.interlock.latch import RESTART
from tests.rules.interlock.tables import Row, table
from tests.rules.interlock.world import (
    ANNE,
    BORIS,
    CERTIFICATE,
    HOLD,
    INHIBIT,
    LOCK,
    PLANT,
    UTC,
    Run,
    cause,
    healthy,
    rule,
)

DOOR = InState(point="door", normal=(0,))


def in_phase(phase: Phase) -> Run:
    if phase is Phase.HEALTHY:
        return healthy()
    if phase is Phase.STARTING:
        run = healthy()
        run.restart(10.5)
        return run
    run = healthy()
    run.see(11, t=3000)
    run.ask(Acknowledge(by=ANNE, breach=run.breach))
    if phase is Phase.TRIPPED:
        return run
    run.see(12, t=2200)
    if phase is Phase.RESET:
        run.ask(Reset(by=ANNE, breach=run.breach))
    assert run.phase is phase
    return run


@pytest.mark.parametrize("row", RESTART, ids=lambda row: f"{row['in']}-{row['when']}")
def test_restart_is_as_signed(row: Row) -> None:
    if row["in"] in ("lost", "new"):
        plan = make_plan(rule(), PLANT)
        stepped = restore(None, plan, Moment("c", 0)) if row["in"] == "lost" else begin(plan, Moment("c", 0))
        state, before = stepped.state, 0
        assert stepped.changes[0].causes == (row["first-out"],)
    else:
        run = in_phase(Phase(row["in"]))
        before, acknowledged = run.breach, run.state.kept.acknowledged
        plan = make_plan(rule(cause(on=9)), PLANT) if row["when"] == "rule changed" else run.plan
        run.restart(15 if row["when"] == "restart, may go on" else 200, plan=plan)
        state = run.state
        if row["acknowledged"] == "kept":
            assert state.kept.acknowledged == acknowledged
    assert state.phase == row["then"]
    assert state.kept.breach == before + (0 if row["breach"] == "same" else 1)
    names = [vote.cause for vote in state.kept.first_out]
    assert names == {"none": [], "kept": ["warm"]}.get(row["first-out"], [row["first-out"]])
    assert state.safe


def test_every_phase_has_its_row_for_a_restart_and_for_a_changed_rule() -> None:
    signed = {(row["in"], row["when"]) for row in RESTART}
    assert {(phase.value, when) for phase in Phase for when in ("restart", "rule changed")} <= signed


@pytest.mark.requirement("H-7.3.1b")
@pytest.mark.parametrize("boot", [None, "c"])
def test_what_only_holds_work_goes_on_when_it_was_healthy_a_short_time_ago(boot: str | None) -> None:
    run = healthy(rule(cause(off=9), cause(DOOR, "door"), effects=[HOLD, LOCK]), t=2200, door=0)
    if boot:
        run.utc = UTC + 2000
    run.restart(0 if boot else 30, boot=boot)
    start = 0 if boot else 30
    run.see(start + 1, t=2200)
    assert run.phase is Phase.STARTING
    run.see(start + 2, door=0)
    assert run.phase is Phase.HEALTHY
    assert run.kinds[-1] is ChangeKind.RESUMED


def test_time_to_go_on_ends_sixty_seconds_after_it_was_last_healthy() -> None:
    """Healthy until 10 s: from 70 s on it does not go on by itself."""
    run = healthy(rule(cause(DOOR, "door")), door=0)
    run.restart(40)
    assert run.state.resume_until == 7000
    run.see(69.99)
    assert run.phase is Phase.STARTING
    run.see(80, door=0)
    assert run.state.kept.tripped_at == run.at(70)
    assert [vote.cause for vote in run.state.kept.first_out] == [Why.RESTART]


def test_time_to_go_on_counts_from_when_it_was_last_seen_healthy() -> None:
    run = healthy(rule(cause(DOOR, "door")), door=0)
    run.see(500)
    run.restart(559)
    assert run.state.resume_until == 56_000


def test_a_second_restart_gives_no_more_time() -> None:
    run = healthy(rule(cause(DOOR, "door")), door=0)
    run.restart(40)
    run.restart(60)
    assert run.state.resume_until == 7000
    run.restart(70)
    assert run.phase is Phase.TRIPPED


def test_breach_while_starting_trips_at_once() -> None:
    run = healthy()
    run.restart(11)
    run.see(12, t=3000)
    assert [vote.cause for vote in run.state.kept.first_out] == ["warm"]


@pytest.mark.parametrize("utc", [None, UTC - 1, UTC + 100_000])
def test_time_that_is_unknown_went_back_or_was_long_lets_nothing_go_on(utc: int | None) -> None:
    run = healthy()
    run.utc = utc
    run.restart(0, boot="c")
    assert run.phase is Phase.TRIPPED


@pytest.mark.requirement("H-7.3.3.3")
def test_what_owns_an_output_starts_tripped() -> None:
    run = healthy(rule(effects=[HOLD, INHIBIT]))
    run.restart(10.01)
    assert run.phase is Phase.TRIPPED


def test_what_was_never_healthy_does_not_go_on() -> None:
    plan = make_plan(rule(), PLANT)
    kept = Kept("room", plan.fingerprint, Phase.HEALTHY, Moment("b", 0))
    assert restart(kept, plan, Moment("b", 1)).state.phase is Phase.TRIPPED


def test_latch_first_out_and_acknowledgement_outlive_any_number_of_restarts() -> None:
    run = healthy()
    run.see(11, t=3000)
    run.ask(Acknowledge(by=ANNE, breach=run.breach, comment="door was open"))
    before = run.state.kept
    for number in range(5):
        run.restart(12, boot=f"c{number}")
    kept = run.state.kept
    assert (kept.phase, kept.breach, kept.first_out) == (before.phase, before.breach, before.first_out)
    assert kept.acknowledged == before.acknowledged
    assert kept.tripped_at == before.tripped_at
    run.see(13, t=3000)
    assert run.state.kept.acknowledged is None, "what is still out has to be acknowledged again"


def number(text: str) -> int | None:
    return None if text == "none" else 100 * int(text)


@pytest.mark.requirement("H-7.3.1b")
@pytest.mark.parametrize("row", table("boot", "UTC then", "UTC now", "ends at UTC", "left", "bypass"))
def test_bypass_outlives_a_restart_only_as_signed(row: Row) -> None:
    plan = make_plan(rule(), PLANT)
    then, now, left = number(row["UTC then"]), number(row["UTC now"]), number(row["left"])
    assert left is not None
    bypass = Bypass("warm", "anne", "boris", "repair", until=500 + left, until_utc=number(row["ends at UTC"]))
    at = Moment("b", 500, then)
    kept = Kept("room", plan.fingerprint, Phase.TRIPPED, at, bypasses=(bypass,), utc_seen=then)
    same = row["boot"] == "the same"
    stepped = restart(kept, plan, Moment("b" if same else "c", 700 if same else 30, now))
    says = row["bypass"]
    if says in ("expired", "time_unknown"):
        assert stepped.state.kept.bypasses == ()
        [ended] = [change for change in stepped.changes if change.kind is ChangeKind.BYPASS_ENDED]
        assert ended.reason == says
    elif same:
        assert stepped.state.kept.bypasses == (bypass,)
    else:
        seconds = int(says.removeprefix("for ").removesuffix(" s more"))
        assert [one.until for one in stepped.state.kept.bypasses] == [30 + 100 * seconds]


def test_bypass_of_the_same_boot_is_over_when_its_ticks_went_back() -> None:
    plan = make_plan(rule(), PLANT)
    bypass = Bypass("warm", "anne", "boris", "repair", until=900, until_utc=None)
    kept = Kept("room", plan.fingerprint, Phase.TRIPPED, Moment("b", 500), bypasses=(bypass,))
    assert restart(kept, plan, Moment("b", 499)).changes[0].reason is Reason.TIME_UNKNOWN
    assert restart(kept, plan, Moment("b", 900)).changes[0].reason is Reason.EXPIRED


def test_changed_rule_ends_bypasses_and_asks_for_its_new_checks() -> None:
    run = healthy()
    run.ask(BeginBypass(by=ANNE, cause="warm", second=BORIS, reason="repair", seconds=60))
    check = CheckDue(device="meter-7", after=("left_control",), commands=("zero",))
    with_check = make_plan(rule(cause(), cause(check, "check")), PLANT)
    run.changes.clear()
    run.restart(11, plan=with_check)
    assert run.changes[0].reason is Reason.RULE_CHANGED
    assert run.state.kept.checks == ("check",)
    run.ask(PassCheck(by=ANNE, cause="check", record="r1"))
    other = make_plan(rule(cause(off=1), cause(check, "check")), PLANT)
    run.restart(12, plan=other)
    assert run.state.kept.checks == ("check",), "with another rule nobody knows whether the check still holds"
    run.restart(13, plan=make_plan(rule(), PLANT))
    assert run.state.kept.checks == ()


def changed(kept: Kept, **fields: object) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(kept, **fields))


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: b"",
        lambda kept: b"\xff\xfe",
        lambda kept: encode_kept(kept)[:-1],
        lambda kept: b"[" * 100_000,
        lambda kept: encode_kept(kept).replace(b'"phase"', b'"face"'),
        lambda kept: encode_kept(kept).replace(b'"tripped"', b'"fine"'),
        lambda kept: changed(kept, version=2),
        lambda kept: changed(kept, interlock="kitchen"),
        lambda kept: None,
    ],
    ids=["empty", "binary", "cut", "deep", "unknown field", "unknown phase", "version", "another", "missing"],
)
def test_state_that_cannot_be_read_is_tripped(damage: object) -> None:
    assert callable(damage)
    run = healthy()
    run.see(11, t=3000)
    stepped = restore(damage(run.state.kept), run.plan, Moment("c", 0))
    assert [vote.cause for vote in stepped.state.kept.first_out] == [Why.STATE_LOST]
    assert stepped.state.phase is Phase.TRIPPED


def test_state_that_can_be_read_is_restored() -> None:
    run = healthy()
    run.see(11, t=3000)
    data = encode_kept(run.state.kept)
    assert decode_kept(data) == run.state.kept
    assert restore(data, run.plan, run.at(12)).state.kept.first_out == run.state.kept.first_out
    with pytest.raises(KeptError, match="version 7, expected 1"):
        decode_kept(changed(run.state.kept, version=7))


def test_only_what_has_changed_beside_the_time_has_to_be_kept() -> None:
    run = healthy()
    before = run.state.kept
    run.see(11, t=2200)
    assert run.state.kept != before
    assert not needs_keeping(before, run.state.kept)
    run.see(12, t=3000)
    assert needs_keeping(before, run.state.kept)


def test_step_of_another_boot_is_an_error_and_one_of_the_past_counts_as_now() -> None:
    run = healthy()
    with pytest.raises(ValueError, match="moment of boot c: the state is of boot b"):
        step(run.state, run.plan, Moment("c", 2000))
    state = step(run.state, run.plan, run.at(3)).state
    assert state.kept.at == run.at(10)


def test_value_of_before_the_restart_is_not_there_any_more() -> None:
    run = healthy()
    assert run.watch().value == Decimal("22.00")
    run.restart(11)
    assert (run.watch().value, run.watch().fresh) == (None, 1100)


def test_interlock_with_its_causes_knows_whether_it_is_hard() -> None:
    soft: Interlock = rule(effects=[HOLD, LOCK])
    assert (soft.hard, rule(effects=[LOCK, INHIBIT]).hard) == (False, True)


def test_other_calibration_trips_nothing_and_compares_no_values_across_it() -> None:
    fast = Rate(point="u", change_max=Decimal(1), within_s=3)
    fit = Fit(
        point="u",
        low=Decimal(19),
        high=Decimal(25),
        spread_max=Decimal(1),
        rate_max_per_h=Decimal(10),
        window_s=3,
        time_s=5,
        guarded=False,
    )
    run = healthy(rule(cause(fast, "fast"), fit=[fit]), u=2200)
    moved = structs.replace(CERTIFICATE, correction=(Decimal(3), Decimal(3)))
    sensors = {**PLANT.sensors, "u": structs.replace(PLANT.sensors["u"], calibration=moved)}
    after = make_plan(run.plan.rule, structs.replace(PLANT, sensors=sensors))
    run.state, run.plan = replanned(run.state, run.plan, after), after
    assert (run.phase, run.watch("fast").window) == (Phase.HEALTHY, ())
    for second in range(11, 20):
        run.see(second, u=2200)
    assert run.phase is Phase.HEALTHY
    assert not run.kinds
    run.see(20, u=2400)
    assert run.phase is Phase.TRIPPED


def test_same_sensors_change_nothing_and_another_rule_is_no_replanning() -> None:
    run = healthy()
    assert replanned(run.state, run.plan, make_plan(run.plan.rule, PLANT)) == run.state
    with pytest.raises(ValueError, match="the state belongs to"):
        replanned(run.state, run.plan, make_plan(rule(cause(name="other")), PLANT))
