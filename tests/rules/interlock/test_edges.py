"""Restarts where one thing could hide another."""

from msgspec.structs import replace

from rules.interlock.inputs import BeginBypass, Happening, PassCheck
from rules.interlock.model import CheckDue, Group
from rules.interlock.plan import make_plan
from rules.interlock.state import ChangeKind, Phase, Why
from rules.interlock.step import next_due
from tests.rules.interlock.world import ANNE, BORIS, PLANT, Run, cause, healthy, rule


def test_every_bypass_outlives_a_restart_beside_another_one() -> None:
    other = Group(name="other", causes=(cause(name="c"),))
    run = healthy(replace(rule(), groups=(*rule().groups, other)))
    for name in ("warm", "c"):
        run.ask(BeginBypass(by=ANNE, cause=name, second=BORIS, reason="repair", seconds=100))
        assert run.refused is None
    run.restart(11)
    assert [one.cause for one in run.state.kept.bypasses] == ["warm", "c"]


def test_changed_rule_trips_what_was_healthy_at_once_and_asks_for_no_check_that_it_has_not() -> None:
    run = healthy()
    assert run.state.kept.checks == ()
    run.restart(10.01, plan=make_plan(rule(cause(on=1)), PLANT))
    assert run.phase is Phase.TRIPPED
    assert [vote.cause for vote in run.state.kept.first_out] == [Why.RULE_CHANGED]
    assert run.state.kept.checks == ()


def test_bypass_ends_at_its_tick_however_late_somebody_looks() -> None:
    run = healthy()
    run.ask(BeginBypass(by=ANNE, cause="warm", second=BORIS, reason="repair", seconds=1))
    assert next_due(run.state, run.plan, run.state.kept.at) == 1100
    run.see(11.5, t=2200)
    assert [change.at for change in run.changes if change.kind is ChangeKind.BYPASS_ENDED] == [run.at(11)]


def test_check_falls_due_whatever_else_happens_in_its_instant() -> None:
    check = CheckDue(device="m", after=("left",), commands=("zero",))
    run = Run(rule(cause(check, "check")))
    run.ask(PassCheck(by=ANNE, cause="check", record="r1"), 1)
    assert run.state.kept.checks == ()
    run.see(2, Happening("left", "m"), Happening("left", "other"), Happening("returned", "m"))
    assert run.state.kept.checks == ("check",)
