"""Revisions of rights: numbered once, kept so that each can be made again, forgotten in time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud.rights.issue import DELTAS_MAX, RENEWED_AT, Held, Step, issue, load, revoke_now
from cloud.rights_documents import document_at, snapshot_at
from cloud.store import rights_issued as store
from cloud.store.connection import Connection, open_connection
from cloud.store.rights_issued import Served
from cloud.store.rights_rows import EndedNow
from rules.access.snapshot import digest_of
from tests.cloud.rights.laboratory import furnish, item, token
from wire.shadow import Revision

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
GATEWAY = Served(1, 1, "gateway-1", 1)


@pytest.fixture(autouse=True)
def _site(lab: Any) -> None:
    furnish(lab, people=30)
    item(lab, "right", "r-1", {"everyone": True, "zones": ["lobby"]})


def issued(lab: Any, held: Held | None = None, **given: Any) -> Step:
    now = given.pop("now", NOW)

    async def go(connection: Connection) -> Step:
        return await issue(connection, GATEWAY, held, now=now, **given)

    found = lab.run(go)
    assert isinstance(found, Step)
    return found


def ask(lab: Any, question: Any) -> Any:
    return lab.run(question)


def test_same_rights_are_issued_again_only_when_they_grow_old(lab: Any) -> None:
    first = issued(lab)
    assert first.held is not None
    assert first.issued
    assert not issued(lab, first.held, now=NOW + timedelta(days=1)).issued
    old = NOW + timedelta(seconds=RENEWED_AT * first.held.document.max_age_s + 1)
    again = issued(lab, first.held, now=old)
    assert again.held is not None
    assert (again.held.revision, again.revocation) == (Revision(0, 2), None)


def test_every_revision_can_be_made_again_from_what_is_kept(lab: Any) -> None:
    known: dict[Revision, bytes] = {}

    async def change(connection: Connection) -> Held | None:
        held: Held | None = None
        for n in range(DELTAS_MAX + 5):
            await connection.execute("UPDATE people SET name = %s WHERE number = 'p3'", (f"Name {n}",))
            held = (await issue(connection, GATEWAY, held, now=NOW + timedelta(seconds=n))).held
            assert held is not None
            known[held.revision] = held.digest
        return held

    held = ask(lab, change)
    kinds = lab.execute("SELECT kind, count(*)::int FROM rights_issued GROUP BY kind ORDER BY kind")
    assert kinds == [("delta", DELTAS_MAX + 3), ("snapshot", 2)]
    for number in (1, 2, DELTAS_MAX + 1, DELTAS_MAX + 2, DELTAS_MAX + 5):
        asked = Revision(0, number)
        found = ask(lab, lambda connection, asked=asked: document_at(connection, 1, asked))
        assert found is not None
        assert (found[0].revision, digest_of(found[0])) == (asked, known[asked])
    again = ask(lab, lambda connection: load(connection, GATEWAY))
    assert again == held
    before = NOW + timedelta(seconds=DELTAS_MAX + 3)
    gone = ask(lab, lambda connection: store.forget(connection, 1, before=before))
    assert gone == DELTAS_MAX + 1
    assert ask(lab, lambda connection: document_at(connection, 1, Revision(0, 5))) is None
    assert ask(lab, lambda connection: load(connection, GATEWAY)) == held


def test_revocation_is_numbered_before_the_rights_that_say_the_same(lab: Any) -> None:
    held = issued(lab).held
    assert held is not None
    lab.execute("UPDATE credentials SET state = 'lost' WHERE token = %s", token(3))
    ended = EndedNow(frozenset({token(3)}))

    async def revoke(connection: Connection) -> Step:
        return await revoke_now(connection, GATEWAY, held, ended=ended, now=NOW)

    step = ask(lab, revoke)
    assert step.revocation.credentials == (token(3),)
    assert step.revocation.revision == Revision(0, 2)
    assert ask(lab, lambda connection: load(connection, GATEWAY)) == step.held
    at = NOW + timedelta(seconds=1)
    snapshot = ask(lab, lambda connection: snapshot_at(connection, 1, Revision(0, 1), at=at))
    assert snapshot.credential(token(3)).state == "revoked"
    after = issued(lab, step.held)
    assert after.revocation is None
    assert after.held is not None
    assert after.held.revision == Revision(0, 3)
    again = ask(lab, lambda connection: revoke_now(connection, GATEWAY, after.held, ended=ended, now=NOW))
    assert again.revocation is None


def test_what_ended_otherwise_is_found_when_it_is_compiled(lab: Any) -> None:
    item(lab, "right", "r-2", {"people": ["p2"], "zones": ["room-2"]})
    held = issued(lab).held
    lab.execute("DELETE FROM access_items WHERE name = 'r-2'")
    step = issued(lab, held)
    assert step.revocation is not None
    assert step.revocation.rights == ("r-2",)
    assert step.held is not None
    assert (step.revocation.revision, step.held.revision) == (Revision(0, 2), Revision(0, 3))


def test_worker_that_fell_behind_another_reads_again(lab: Any) -> None:
    held = issued(lab).held
    assert held is not None
    lab.execute("UPDATE people SET name = 'Other' WHERE number = 'p3'")
    other = issued(lab, held).held
    assert issued(lab, held).held == other

    async def late(connection: Connection) -> Step:
        ended = EndedNow(frozenset({token(3)}))
        return await revoke_now(connection, GATEWAY, held, ended=ended, now=NOW)

    assert ask(lab, late) == Step(None)


def test_two_that_issue_at_the_same_time_number_one_after_the_other(lab: Any) -> None:
    held = issued(lab).held
    lab.execute("UPDATE people SET name = 'Other' WHERE number = 'p3'")

    async def go() -> list[Step]:
        async with open_connection(lab.dsn, "one") as one, open_connection(lab.dsn, "two") as two:
            return await asyncio.gather(
                *(issue(connection, GATEWAY, held, now=NOW) for connection in (one, two))
            )

    first, second = asyncio.run(go())
    assert first.held is not None
    assert first.held == second.held
    assert {first.issued, second.issued} == {True, False}


def test_restored_hub_begins_a_new_incarnation(lab: Any) -> None:
    held = issued(lab).held
    step = issued(lab, held, beyond=Revision(3, 9))
    assert step.held is not None
    assert step.held.revision == Revision(4, 1)
    assert lab.execute("SELECT incarnation, number FROM rights_state") == [(4, 1)]
