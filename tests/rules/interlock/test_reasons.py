"""Every reason that an interlock gives is reached: by a row of the signed tables, or by a test here."""

from rules.interlock.inputs import EndBypass, Reading
from rules.interlock.plan import make_plan
from rules.interlock.reasons import SENTENCES, Reason
from rules.interlock.state import ChangeKind
from tests.rules.interlock.tables import table
from tests.rules.interlock.test_acts import bypassed
from tests.rules.interlock.world import ANNE, PLANT, Run, cause, healthy, rule

OF_ACTS = {row["reason"] for row in table("act", "refused when", "reason")}
OF_COMMANDS = {
    row["answer"] for row in table("state", "check due", "everything else settled", "command", "answer")
}
OF_BYPASSES = {
    row["bypass"] for row in table("boot", "UTC then", "UTC now", "ends at UTC", "left", "bypass")
} & set(Reason)
HERE = {Reason.ENDED_BY_PERSON, Reason.RULE_CHANGED, Reason.EXPIRED}


def test_no_reason_is_left_out() -> None:
    """`test_acts` and `test_restart` hold the code to each row of these tables."""
    assert OF_ACTS | (OF_COMMANDS - {"accepted"}) | OF_BYPASSES | HERE == set(Reason) == set(SENTENCES)


def ended(run: Run) -> list[Reason | None]:
    return [change.reason for change in run.changes if change.kind is ChangeKind.BYPASS_ENDED]


def test_ends_of_a_bypass_say_why() -> None:
    run = healthy()
    bypassed(run)
    run.ask(EndBypass(by=ANNE, cause="warm"))
    assert ended(run) == [Reason.ENDED_BY_PERSON]
    run = healthy()
    bypassed(run, seconds=1.0)
    run.see(12, Reading("t", 1200, 2200))
    assert ended(run) == [Reason.EXPIRED]
    run = healthy()
    bypassed(run)
    run.restart(12, plan=make_plan(rule(cause(on=9)), PLANT))
    assert ended(run) == [Reason.RULE_CHANGED]
