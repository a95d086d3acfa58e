"""Restarts where one thing could hide another."""

from msgspec.structs import replace

from rules.interlock.inputs import BeginBypass
from rules.interlock.model import Group
from rules.interlock.plan import make_plan
from rules.interlock.state import Phase, Why
from tests.rules.interlock.world import ANNE, BORIS, PLANT, cause, healthy, rule


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
    run.restart(10.01, plan=make_plan(rule(cause(on=1)), PLANT))
    assert run.phase is Phase.TRIPPED
    assert [vote.cause for vote in run.state.kept.first_out] == [Why.RULE_CHANGED]
    assert run.state.kept.checks == ()
