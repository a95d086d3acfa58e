"""Every reason code is reached, at its step, by the one thing that leads to it."""

import pytest

from rules.access import EMPTY, decide, explain
from rules.access.reasons import GRANTS, STEP_OF, Reason, Step
from rules.access.words import Outcome
from tests.rules.access.cases import CASES
from tests.rules.access.world import World


def test_every_reason_has_a_case() -> None:
    assert set(CASES) | {Reason.RIGHTS_MISSING} == set(Reason) == set(STEP_OF)


@pytest.mark.requirement("G-6.4b", "H-4.3.2b")
@pytest.mark.parametrize("reason", CASES)
def test_reason_is_reached_at_its_step(reason: Reason) -> None:
    world = World()
    CASES[reason](world)
    decision, explained = world.decide(), world.explain()
    assert (decision.reason, decision.step) == (reason, STEP_OF[reason])
    assert decision.granted == (reason in GRANTS)
    assert bool(decision.admits) == decision.granted
    assert explained.decision == decision
    assert [one.step for one in explained.findings] == list(Step)
    refused = [one for one in explained.findings if one.outcome is Outcome.FAILED]
    assert [one.reason for one in refused[:1]] == ([] if decision.granted else [reason])


def test_without_any_rights_nobody_comes_in() -> None:
    request = World().request()
    decision = decide(request, None, EMPTY)
    assert (decision.granted, decision.reason, decision.step) == (
        False,
        Reason.RIGHTS_MISSING,
        Step.PORTAL,
    )
    assert explain(request, None, EMPTY).decision == decision


IN_ORDER = (
    *(Reason.OUT_OF_SERVICE, Reason.LOCK_DOWN, Reason.INTERLOCK, Reason.RIGHTS_OLD),
    *(Reason.CREDENTIAL_LOST, Reason.FACTOR_WRONG, Reason.DENIED, Reason.NO_RIGHT, Reason.NOT_AUTHORISED),
    *(Reason.PASSBACK, Reason.OCCUPANCY, Reason.SECOND_PERSON_AWAITED, Reason.MANTRAP_OPEN),
)
"""One reason for each step that can refuse."""


def test_each_step_that_can_refuse_is_tried_for_its_place() -> None:
    assert [STEP_OF[reason] for reason in IN_ORDER] == [step for step in Step if step is not Step.GRANT]


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_first_step_that_fails_gives_the_reason_whatever_fails_after_it(first: int) -> None:
    world = World()
    for reason in IN_ORDER[first:]:
        CASES[reason](world)
    assert world.decide().reason == IN_ORDER[first]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [(one, other) for place, one in enumerate(IN_ORDER) for other in IN_ORDER[place + 1 :]],
)
def test_of_two_reasons_the_earlier_step_counts(earlier: Reason, later: Reason) -> None:
    world = World()
    CASES[later](world)
    CASES[earlier](world)
    assert world.decide().reason == earlier


def test_explanation_goes_on_after_the_first_failure() -> None:
    world = World()
    for reason in (Reason.INTERLOCK, Reason.DENIED, Reason.NO_RIGHT, Reason.MANTRAP_OPEN):
        CASES[reason](world)
    found = {one.step: one for one in world.explain().findings}
    failed = {step: one.reason for step, one in found.items() if one.outcome is Outcome.FAILED}
    assert failed == {
        Step.INTERLOCK: Reason.INTERLOCK,
        Step.DENY: Reason.DENIED,
        Step.RIGHT: Reason.NO_RIGHT,
        Step.MANTRAP: Reason.MANTRAP_OPEN,
    }
    assert found[Step.INTERLOCK].rule == "interlock:il-1"
    assert found[Step.DENY].rule == "right:r-deny"
    assert found[Step.GRANT].outcome is Outcome.NOT_JUDGED


def test_explanation_of_an_unknown_credential_says_what_could_not_be_judged() -> None:
    world = World()
    CASES[Reason.CREDENTIAL_UNKNOWN](world)
    outcomes = {one.step: one.outcome for one in world.explain().findings}
    assert outcomes[Step.INTERLOCK] is Outcome.PASSED
    assert outcomes[Step.RIGHT] is outcomes[Step.COMPANY] is Outcome.NOT_JUDGED
    assert outcomes[Step.MANTRAP] is Outcome.NOT_NEEDED


@pytest.mark.requirement("H-7.3.1b")
def test_refusal_by_an_interlock_carries_its_reason_to_the_door() -> None:
    world = World()
    CASES[Reason.INTERLOCK](world)
    assert world.decide().detail == "temperature 24.1 °C, limit 23.0 °C"
