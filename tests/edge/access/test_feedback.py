from typing import Any

from edge.access.feedback import SHORT, feedback
from edge.control.offers import TEXT_MAX
from rules.access import Decision, Reason
from rules.access.reasons import STEP_OF
from rules.access.words import FactorKind


def decision(reason: Reason, **more: Any) -> Decision:
    granted = reason in (Reason.EXIT, Reason.GRANTED, Reason.GRANTED_RESPONDER)
    return Decision(granted=granted, reason=reason, step=STEP_OF[reason], side="door-1/in", at_ms=0, **more)


def test_every_reason_fits_a_reader() -> None:
    assert set(SHORT) == set(Reason)
    for reason in Reason:
        shown = feedback(decision(reason))
        assert 0 < len(shown.text) <= TEXT_MAX
        assert (shown.colour == "green") == decision(reason).granted


def test_interlock_says_why_where_that_fits() -> None:
    assert feedback(decision(Reason.INTERLOCK, detail="too warm")).text == "too warm"
    for detail in ("", "温度过高", "x" * 33):
        assert feedback(decision(Reason.INTERLOCK, detail=detail)).text == "Locked: interlock tripped"


def test_duress_shows_nothing() -> None:
    assert feedback(decision(Reason.GRANTED, duress=True)) == feedback(decision(Reason.GRANTED))


def test_what_is_awaited_is_amber() -> None:
    shown = feedback(decision(Reason.FACTOR_AWAITED, awaits=FactorKind.PIN))
    assert (shown.colour, shown.text) == ("amber", "Please enter the PIN, then #")
    assert feedback(decision(Reason.SECOND_PERSON_AWAITED)).colour == "amber"
