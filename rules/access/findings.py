"""What a step may answer."""

from collections.abc import Mapping
from types import MappingProxyType

from rules.access.reasons import STEP_OF, Reason, Step
from rules.access.request import Finding
from rules.access.words import Outcome

_PLAIN: Mapping[tuple[Step, Outcome], Finding] = MappingProxyType(
    {(step, outcome): Finding(step=step, outcome=outcome) for step in Step for outcome in Outcome}
)


def passed(step: Step, rule: str = "", detail: str = "") -> Finding:
    """The step holds nobody up."""
    if not rule and not detail:
        return _PLAIN[step, Outcome.PASSED]
    return Finding(step=step, outcome=Outcome.PASSED, rule=rule, detail=detail)


def failed(reason: Reason, rule: str = "", detail: str = "") -> Finding:
    """The step refuses."""
    return Finding(step=STEP_OF[reason], outcome=Outcome.FAILED, reason=reason, rule=rule, detail=detail)


def waived(step: Step, rule: str, detail: str = "") -> Finding:
    """The step does not count for a responder."""
    return Finding(step=step, outcome=Outcome.WAIVED, rule=rule, detail=detail)


def not_needed(step: Step) -> Finding:
    """Nothing here asks for the step."""
    return _PLAIN[step, Outcome.NOT_NEEDED]


def not_judged(step: Step) -> Finding:
    """An earlier step did not find what this one needs."""
    return _PLAIN[step, Outcome.NOT_JUDGED]
