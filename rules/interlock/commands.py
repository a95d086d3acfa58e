"""Which commands a device accepts while an interlock holds it: those of the check that frees it alone."""

from rules.interlock.model import HARD, CheckDue
from rules.interlock.plan import Plan
from rules.interlock.reasons import Reason
from rules.interlock.state import Phase, State
from rules.interlock.status import unsettled


def command_refusal(state: State, plan: Plan, *, device: str, command: str) -> Reason | None:
    """Return why a device may not do a command; None when this interlock has nothing against it.

    `device` is the name of an output that the interlock owns, or of a device that it asks a check of. What is
    asked towards the safe state need not be asked for here.
    """
    checks = {
        watched.name: watched.condition
        for watched in plan.watched
        if isinstance(watched.condition, CheckDue) and watched.condition.device == device
    }
    targets = {effect.target for effect in plan.rule.effects if effect.kind in HARD}
    if state.phase is Phase.HEALTHY or not (checks or device in targets):
        return None
    due = [name for name in checks if name in state.kept.checks]
    others = [one for one in unsettled(state, plan) if one.cause not in due]
    if not due or others:
        return Reason.TRIPPED
    allowed = {word for name in due for word in checks[name].commands}
    return None if command in allowed else Reason.CHECK_FIRST
