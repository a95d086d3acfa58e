"""What must hold for every site, state and request; `HENG_ACCESS_SITES` tries it on more sites than 20."""

import os
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from rules.access import (
    EVERYWHERE,
    AccessRights,
    Explanation,
    Reason,
    Request,
    State,
    Step,
    Taken,
    decide,
    delta_between,
    explain,
    kept,
    restored,
    take,
)
from rules.access.case import people_in
from rules.access.document import Right
from rules.access.faults import faults_of
from rules.access.reasons import GRANTS, STEP_OF
from rules.access.request import EntryLock, Finding
from rules.access.snapshot import snapshot_of, with_revocations
from rules.access.state import LockDown
from rules.access.words import Effect, Outcome, PersonKind, Scope
from tests.rules.access.random_sites import (
    PEOPLE,
    random_request,
    random_revocation,
    random_rights,
    random_situation,
    random_state,
    shuffled,
)
from tests.rules.access.world import NOW

SITES = int(os.environ.get("HENG_ACCESS_SITES", "20"))
SEEDS = st.integers(0, 2**32 - 1).map(Random)
REQUESTS = 12
"""Tried for each site."""


@limits(max_examples=SITES)
@given(SEEDS)
def test_sites_made_at_random_have_no_fault(rng: Random) -> None:
    assert faults_of(random_rights(rng)) == []


@pytest.mark.requirement("G-6.4b")
@limits(max_examples=SITES)
@given(SEEDS)
def test_explanation_comes_to_the_same_decision_and_names_every_step(rng: Random) -> None:
    snapshot, state = snapshot_of(random_rights(rng)), random_state(rng)
    for _ in range(REQUESTS):
        request = random_request(rng)
        decision, explained = decide(request, snapshot, state), explain(request, snapshot, state)
        assert explained.decision == decision == decide(request, snapshot, state)
        assert [one.step for one in explained.findings] == list(Step)
        failed = [one.reason for one in explained.findings if one.outcome is Outcome.FAILED]
        assert (failed == []) == decision.granted == (decision.reason in GRANTS)
        assert decision.granted or (failed[0], STEP_OF[decision.reason]) == (decision.reason, decision.step)


@limits(max_examples=SITES)
@given(SEEDS)
def test_what_was_kept_or_sent_decides_as_what_was_there(rng: Random) -> None:
    """Edge, hub and replay hold the same values after their bytes went any way."""
    rights, state = random_rights(rng), random_state(rng)
    snapshot = snapshot_of(rights)
    other = restored(kept(snapshot), gateway="gw-1")
    assert isinstance(other, Taken)
    assert other.snapshot == snapshot
    state_back = msgspec.json.decode(msgspec.json.encode(state), type=State)
    assert state_back == state
    for _ in range(REQUESTS):
        request = random_request(rng)
        back = msgspec.json.decode(msgspec.json.encode(request), type=Request)
        explained = explain(request, snapshot, state)
        assert explain(back, other.snapshot, state_back) == explained
        assert msgspec.json.decode(msgspec.json.encode(explained), type=Explanation) == explained


@limits(max_examples=SITES)
@given(SEEDS)
def test_order_of_rights_and_of_everything_else_never_matters(rng: Random) -> None:
    rights, state = random_rights(rng), random_state(rng)
    one, other = snapshot_of(rights), snapshot_of(shuffled(rng, rights))
    assert one.digest == other.digest
    for _ in range(REQUESTS):
        request = random_request(rng)
        assert explain(request, one, state) == explain(request, other, state)


@limits(max_examples=SITES)
@given(SEEDS)
def test_revocation_never_turns_a_refusal_into_a_grant(rng: Random) -> None:
    rights, state = random_rights(rng), random_state(rng)
    before = snapshot_of(rights)
    after = with_revocations(before, [random_revocation(rng, rights)])
    for _ in range(REQUESTS):
        request = random_request(rng)
        first, then = decide(request, before, state), decide(request, after, state)
        assert first.granted or not then.granted
        if then.granted and first.reason is not Reason.EXIT:
            assert then.person not in after.revoked.people
            assert then.token not in after.revoked.credentials
            assert set(then.admits) <= set(first.admits)


@limits(max_examples=SITES)
@given(SEEDS)
def test_right_that_denies_never_turns_a_refusal_into_a_grant(rng: Random) -> None:
    rights, state = random_rights(rng), random_state(rng)
    sides = tuple(side for side, plan in snapshot_of(rights).index.plans.items() if not plan.is_exit)
    denied = tuple(one for one in PEOPLE if rng.random() < 0.5) or ("s1",)
    deny = Right(id="never", effect=Effect.DENY, people=denied, sides=sides)
    before = snapshot_of(rights)
    after = snapshot_of(msgspec.structs.replace(rights, rights=(*rights.rights, deny)))
    for _ in range(REQUESTS):
        request = random_request(rng)
        first, then = decide(request, before, state), decide(request, after, state)
        assert first.granted or not then.granted
        assert then.reason is Reason.EXIT or not set(then.admits) & set(denied)


@limits(max_examples=SITES)
@given(SEEDS)
def test_right_that_allows_never_turns_a_grant_into_a_refusal(rng: Random) -> None:
    rights, state = random_rights(rng), random_state(rng)
    sides = tuple(f"d{place}/in" for place in range(4))
    allow = Right(id="more", people=("s1", "s2"), sides=sides)
    before = snapshot_of(rights)
    after = snapshot_of(msgspec.structs.replace(rights, rights=(*rights.rights, allow)))
    # Others who wait may become fit, and a party of two needs room for two.
    state = msgspec.structs.replace(state, waiting={})
    for _ in range(REQUESTS):
        request = random_request(rng)
        assert decide(request, after, state).granted or not decide(request, before, state).granted


@pytest.mark.requirement("H-7.3.1b")
@limits(max_examples=SITES)
@given(SEEDS)
def test_lock_down_admits_nobody_but_responders(rng: Random) -> None:
    snapshot, state = snapshot_of(random_rights(rng)), random_state(rng)
    state = msgspec.structs.replace(state, lock_downs={EVERYWHERE: LockDown(NOW, "s1", "drill")})
    for _ in range(REQUESTS):
        request = random_request(rng)
        decision = decide(request, snapshot, state)
        assert decision.reason not in (Reason.GRANTED,)
        if decision.reason is Reason.GRANTED_RESPONDER:
            assert decision.person is not None
            assert list(decision.admits) == [decision.person]
            person = snapshot.person(decision.person)
            assert person is not None
            held = snapshot.rights(person, request.side, Effect.RESPOND)
            assert decision.rule in {f"right:{one.id}" for one in held}


@limits(max_examples=SITES)
@given(SEEDS)
def test_tripped_interlock_admits_nobody_but_responders(rng: Random) -> None:
    snapshot, state = snapshot_of(random_rights(rng)), random_state(rng)
    locks = tuple(EntryLock(Scope.PORTAL, f"d{place}", "il", "too warm") for place in range(4))
    for _ in range(REQUESTS):
        situation = msgspec.structs.replace(random_situation(rng), locks=locks)
        request = msgspec.structs.replace(random_request(rng), situation=situation)
        assert decide(request, snapshot, state).reason is not Reason.GRANTED


@limits(max_examples=SITES)
@given(SEEDS)
def test_way_out_is_never_refused(rng: Random) -> None:
    rights = random_rights(rng)
    snapshot, state = snapshot_of(rights), random_state(rng)
    exits = [side for side, plan in snapshot.index.plans.items() if plan.is_exit]
    for _ in range(REQUESTS):
        request = msgspec.structs.replace(random_request(rng), side=rng.choice(exits))
        decision = decide(request, snapshot, state)
        assert (decision.granted, decision.reason) == (True, Reason.EXIT)


@limits(max_examples=SITES)
@given(SEEDS)
def test_snapshot_and_its_deltas_equal_the_whole_snapshot(rng: Random) -> None:
    rights = random_rights(rng)
    snapshot, state = snapshot_of(rights), random_state(rng)
    for _ in range(2):
        rights = _next(rng, rights)
        delta = delta_between(snapshot.document, rights)
        assert delta is not None
        taken = take(snapshot, delta, gateway="gw-1")
        assert isinstance(taken, Taken)
        snapshot = taken.snapshot
        assert snapshot == snapshot_of(rights)
    for _ in range(REQUESTS):
        request = random_request(rng)
        assert explain(request, snapshot, state) == explain(request, snapshot_of(rights), state)


def _next(rng: Random, rights: AccessRights) -> AccessRights:
    """Return other rights for the same gateway, newer than some rights."""
    return msgspec.structs.replace(
        random_rights(rng),
        revision=msgspec.structs.replace(rights.revision, number=rights.revision.number + 1),
    )


@limits(max_examples=SITES)
@given(SEEDS)
def test_revocation_counts_the_same_whether_it_comes_before_or_after_a_delta(rng: Random) -> None:
    rights = random_rights(rng)
    newer = _next(rng, rights)
    late = msgspec.structs.replace(
        random_revocation(rng, newer),
        revision=msgspec.structs.replace(rights.revision, number=rights.revision.number + 2),
        rights=(),
    )
    first = snapshot_of(rights)
    delta = delta_between(first.document, newer)
    assert delta is not None
    found = []
    for changes in ((late, delta), (delta, late), (late, newer), (late, late, delta)):
        snapshot = first
        for change in changes:
            taken = take(snapshot, change, gateway="gw-1")
            assert isinstance(taken, Taken)
            snapshot = taken.snapshot
        found.append(snapshot)
    assert all(one == found[0] for one in found)


@limits(max_examples=SITES)
@given(SEEDS)
def test_nobody_unknown_suspended_or_revoked_is_ever_let_in(rng: Random) -> None:
    snapshot, state = snapshot_of(random_rights(rng)), random_state(rng)
    for _ in range(REQUESTS):
        decision = decide(random_request(rng), snapshot, state)
        if decision.granted and decision.reason is not Reason.EXIT:
            for one in decision.admits:
                person = snapshot.person(one)
                assert person is not None
                assert person.state.value == "active"
            assert decision.person in decision.admits
            assert len(set(decision.admits)) == len(decision.admits)


@limits(max_examples=SITES)
@given(SEEDS)
def test_grant_never_fills_a_zone_beyond_its_capacity(rng: Random) -> None:
    snapshot, state = snapshot_of(random_rights(rng)), random_state(rng)
    for _ in range(REQUESTS):
        request = random_request(rng)
        decision = decide(request, snapshot, state)
        if decision.reason is not Reason.GRANTED:
            continue
        for zone in snapshot.index.plans[request.side].around:
            before = set(people_in(snapshot, state, zone.id, steady_ms=request.steady_ms))
            after = before | set(decision.admits)
            assert zone.capacity is None or len(after) <= max(zone.capacity, len(before))


@limits(max_examples=SITES)
@given(SEEDS)
def test_visitor_never_comes_in_but_by_a_visit(rng: Random) -> None:
    snapshot, state = snapshot_of(random_rights(rng)), random_state(rng)
    for _ in range(REQUESTS):
        decision = decide(random_request(rng), snapshot, state)
        person = None if decision.person is None else snapshot.person(decision.person)
        if decision.reason is Reason.GRANTED and person is not None and person.kind is PersonKind.VISITOR:
            assert decision.rule.startswith("visit:")


def test_findings_are_values() -> None:
    assert Finding(step=Step.PORTAL, outcome=Outcome.PASSED) == Finding(
        step=Step.PORTAL, outcome=Outcome.PASSED
    )
