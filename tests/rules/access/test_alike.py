"""Gateway and hub decide alike: rights that came over the wire against rights compiled where they were made.

The gateway takes over bytes, one change after the other, in another order than they were made where that is
allowed, and starts again from what it kept. The hub compiles the newest rights directly, and replays requests
from the journal. `make test` asks some thousand times; HENG_ALIKE says how often instead (`make alike`:
1,000,000).
"""

import os
from collections import Counter
from itertools import pairwise
from random import Random

import msgspec
import pytest

from rules.access import (
    Decision,
    Delta,
    Request,
    Revocation,
    Snapshot,
    State,
    Taken,
    decide,
    delta_between,
    explain,
    kept,
    receive,
    restored,
)
from rules.access.document import AccessRights
from rules.access.passages import after_decision, entered, not_entered
from rules.access.snapshot import snapshot_of, with_revocations
from tests.rules.access.random_sites import (
    random_request,
    random_revocation,
    random_rights,
    random_state,
    shuffled,
)
from wire.shadow import Revision

REQUESTS = int(os.environ.get("HENG_ALIKE", "3000"))
FOR_EACH_SITE = 50
SEED = 20261121


def encoded(change: AccessRights | Delta | Revocation) -> bytes:
    return msgspec.json.encode(change)


def numbered(rights: AccessRights, number: int) -> AccessRights:
    return msgspec.structs.replace(rights, revision=Revision(1, number))


def at_the_hub(rng: Random) -> tuple[list[AccessRights], Revocation | None]:
    """Return one to three documents of a gateway, each newer than the one before, and a revocation."""
    documents = [numbered(random_rights(rng), 10 * number) for number in range(1, rng.randint(2, 4))]
    return documents, random_revocation(rng, documents[-1]) if rng.random() < 0.5 else None


def at_the_gateway(rng: Random, documents: list[AccessRights], revocation: Revocation | None) -> Snapshot:
    """Take the bytes over: whole or as deltas, lists in any order, the revocation early, with restarts."""
    first = shuffled(rng, documents[0])
    changes: list[bytes] = [encoded(first)]
    for old, new in pairwise(documents):
        delta = delta_between(snapshot_of(old).document, snapshot_of(new).document)
        assert delta is not None
        changes.append(encoded(delta) if rng.random() < 0.7 else encoded(shuffled(rng, new)))
    if revocation is not None:
        changes.insert(rng.randint(1, len(changes)), encoded(revocation))
    snapshot: Snapshot | None = None
    for body in changes:
        taken = receive(snapshot, body, gateway="gw-1", signed=lambda _: True)
        assert isinstance(taken, Taken), taken
        snapshot = taken.snapshot
        if rng.random() < 0.3:
            again = restored(kept(snapshot), gateway="gw-1")
            assert isinstance(again, Taken)
            snapshot = again.snapshot
    assert snapshot is not None
    return snapshot


def moved(rng: Random, state: State, snapshot: Snapshot, *, asked: tuple[Request, Decision]) -> State:
    """Return the state after a decision and what somebody made of it; the same seed gives the same."""
    request, decision = asked
    state = after_decision(state, snapshot, request=request, decision=decision)
    if not decision.granted:
        return state
    if rng.random() < 0.3:
        return not_entered(state, request.side).state
    return entered(state, snapshot, side=request.side, at_ms=request.at_ms, steady_ms=request.steady_ms).state


@pytest.mark.timeout(240 + REQUESTS // 100)
@pytest.mark.requirement("G-6.4b", "G-6.4e")
def test_gateway_and_hub_decide_every_request_alike() -> None:
    rng, found, asked = Random(SEED), Counter[str](), 0
    while asked < REQUESTS:
        documents, revocation = at_the_hub(rng)
        edge = at_the_gateway(rng, documents, revocation)
        hub = with_revocations(snapshot_of(documents[-1]), [] if revocation is None else [revocation])
        here = there = random_state(rng)
        there = msgspec.json.decode(msgspec.json.encode(there), type=State)
        for _ in range(FOR_EACH_SITE):
            request = random_request(rng)
            decision = decide(request, edge, here)
            replayed = msgspec.json.decode(msgspec.json.encode(request), type=Request)
            explained = explain(replayed, hub, there)
            assert explained.decision == decision, asked
            fate = rng.random()
            here = moved(Random(fate), here, edge, asked=(request, decision))
            there = moved(Random(fate), there, hub, asked=(replayed, explained.decision))
            assert here == there, asked
            found[decision.reason] += 1
            asked += 1
    # What is refused at the first step proves little: most kinds of decisions have to be among them.
    assert len(found) > 25
    assert found["granted"] > REQUESTS // 50
