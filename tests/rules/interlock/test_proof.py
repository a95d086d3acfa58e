"""The proof test: guided, recorded, believed only where the interlock saw it too, due again."""

import pytest
from msgspec.structs import replace

from rules.interlock.inputs import ReadBack
from rules.interlock.model import Proof
from rules.interlock.plan import make_plan
from rules.interlock.proof import (
    ProofRun,
    ProofState,
    abandon_proof,
    begin_proof,
    proof_due,
    proof_steps,
    record_step,
    step_words,
    watch_proof,
)
from rules.interlock.state import Change
from tests.rules.interlock.world import DAY, HOLD, INHIBIT, PLANT, UTC, Run, cause, healthy, rule

RULE = replace(rule(cause(), cause(name="again", off=2), effects=[HOLD, INHIBIT]), proof=Proof(every_days=90))


def heard(run: Run) -> list[Change]:
    found = list(run.changes)
    run.changes.clear()
    return found


def proved(run: Run, *, good: bool = True) -> ProofRun:
    """Go through every step; the person always says that it passed, but for the device where not `good`."""
    test = begin_proof(RULE, run.plan.fingerprint, by="anne", at=run.at(10))
    for second in (11, 12):
        run.see(second, ReadBack("source", agrees=True), t=3000 if second == 11 else 2200)
        test = watch_proof(test, heard(run), rule=RULE)
        test = record_step(test, at=run.at(second), passed=True)
    for _ in range(2):
        test = record_step(test, at=run.at(13), passed=good, note="seen at the device")
    for second in (13, 14, 15):
        run.see(second, ReadBack("source", agrees=True), t=2200)
    run.release()
    return record_step(watch_proof(test, heard(run), rule=RULE), at=run.at(15), passed=True)


@pytest.mark.requirement("H-7.3.3.5c")
def test_proof_test_goes_through_every_cause_every_effect_and_the_way_back() -> None:
    assert [(step.kind, step.name) for step in proof_steps(RULE)] == [
        ("cause", "warm"),
        ("cause", "again"),
        ("effect", "room-2"),
        ("effect", "source"),
        ("reset", ""),
    ]


def test_every_step_says_what_is_to_be_done() -> None:
    assert [step_words(step, RULE, PLANT) for step in proof_steps(RULE)][1:] == [
        "Make it happen, and wait until it votes: t below 19 °C or above 25 °C.",
        "Go to room-2 and see for yourself that it is safe (hold_work).",
        "Go to source and see for yourself that it is safe (inhibit_output).",
        "Undo the causes; acknowledge, reset, enable. See that nothing is released before that.",
    ]


def test_cause_that_the_interlock_did_not_see_since_the_step_began_is_not_proved() -> None:
    """Both causes vote at 11 s; the second step begins after that, and nothing votes within it."""
    test = proved(healthy(RULE))
    assert [(one.passed, one.seen) for one in test.results] == [
        (True, True),
        (False, False),
        (True, True),
        (True, True),
        (True, True),
    ]
    assert (test.passed, test.step, test.ended is not None) == (False, None, True)


ALONE = replace(RULE, groups=rule().groups)


def passed_run(day: int = 0) -> ProofRun:
    run = healthy(ALONE)
    test = begin_proof(ALONE, run.plan.fingerprint, by="anne", at=run.at(10))
    run.see(11, ReadBack("source", agrees=True), t=3000)
    test = record_step(watch_proof(test, heard(run), rule=ALONE), at=run.at(11), passed=True)
    for _ in range(2):
        test = record_step(test, at=run.at(12), passed=True)
    run.see(12, ReadBack("source", agrees=True), t=2200)
    run.release()
    at = replace(run.at(12), utc=UTC + day * DAY)
    return record_step(watch_proof(test, heard(run), rule=ALONE), at=at, passed=True)


def test_device_that_did_not_go_safe_is_not_proved_and_one_that_did_is() -> None:
    assert not proved(healthy(RULE), good=False).results[3].passed
    assert passed_run().passed


def test_proof_test_that_is_over_or_given_up_takes_no_step() -> None:
    over = passed_run()
    with pytest.raises(ValueError, match="the proof test is over"):
        record_step(over, at=healthy().at(20), passed=True)
    assert abandon_proof(over, healthy().at(20)) == over
    begun = begin_proof(ALONE, "f", by="anne", at=healthy().at(1))
    given_up = abandon_proof(begun, healthy().at(20))
    assert (given_up.step, given_up.passed) == (None, False)


FINGERPRINT = make_plan(ALONE, PLANT).fingerprint


@pytest.mark.parametrize(
    ("utc", "state"),
    [
        (UTC + 59 * DAY, ProofState.IN_DATE),
        (UTC + 60 * DAY, ProofState.DUE),
        (UTC + 90 * DAY - 1, ProofState.DUE),
        (UTC + 90 * DAY, ProofState.OVERDUE),
        (None, ProofState.UNKNOWN),
    ],
)
def test_proof_test_is_due_again(utc: int | None, state: ProofState) -> None:
    found = proof_due(ALONE, FINGERPRINT, runs=[passed_run(-50), passed_run()], utc=utc)
    assert (found.state, found.due_utc) == (state, UTC + 90 * DAY)


def test_only_a_run_that_passed_of_this_very_rule_counts() -> None:
    failed = proved(healthy(RULE))
    assert proof_due(RULE, make_plan(RULE, PLANT).fingerprint, runs=[failed], utc=UTC).state == "never"
    assert proof_due(ALONE, "another", runs=[passed_run()], utc=UTC).state == "never"
    assert proof_due(replace(ALONE, proof=None), FINGERPRINT, runs=[], utc=UTC).state == "not_asked"
