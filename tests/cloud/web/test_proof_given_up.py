"""A proof test that was given up is listed as given up, one that failed as not passed."""

from cloud.web.interlocks_proof import given_up
from rules.interlock.proof import ProofRun, ProofStep, StepKind, abandon_proof, record_step
from tests.rules.interlock.world import healthy

AT = healthy().at(1)
STEPS = (ProofStep(StepKind.EFFECT, "doors"), ProofStep(StepKind.EFFECT, "source"))
BEGUN = ProofRun("climate", "f", "anne", AT, STEPS)


def test_run_that_ended_before_its_last_step_was_given_up() -> None:
    assert given_up(abandon_proof(BEGUN, AT))
    assert given_up(abandon_proof(record_step(BEGUN, at=AT, passed=True), AT))


def test_run_with_a_step_that_failed_or_that_passed_was_not_given_up() -> None:
    failed = record_step(BEGUN, at=AT, passed=False)
    assert not given_up(abandon_proof(failed, AT))
    passed = record_step(record_step(BEGUN, at=AT, passed=True), at=AT, passed=True)
    assert passed.passed
    assert not given_up(passed)
