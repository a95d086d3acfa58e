"""Two journals go on in one epoch: nothing is stored twice, nothing is lost, and both are acknowledged."""

import itertools

import psycopg
import pytest

from cloud.ingest.commit import commit
from cloud.ingest.group import regroup
from wire.codec import body_hash, encode_body
from wire.messages import Clock, ClockFound, Event, Poll
from wire.status import ClockState

pytestmark = pytest.mark.slow

POINTS = ("room/air/temperature", "room/air/humidity")
OPEN = Clock(ClockState.UNSYNCHRONISED)
TWICE = "SELECT point_id, observed_at, raw FROM readings GROUP BY 1, 2, 3, status HAVING count(*) > 1"


def polls(layout, numbers):
    return [Poll(layout, 100 * n, [n, n]) for n in numbers]


def fork_of(laboratory, chain):
    """Return a copy of the journal as it was at this moment."""
    copy = laboratory.chain(chain.epoch)
    copy.boot, copy.seq, copy.previous = chain.boot, chain.seq, chain.previous
    return copy


@pytest.mark.parametrize("size", [1, 2, 9])
def test_backlog_of_a_restored_card_is_stored_once(in_laboratory, size):
    """The copy has new numbers for readings that are stored: first clashes, then a hole, then a chain."""

    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        copy = fork_of(laboratory, chain)
        await laboratory.store(
            chain.seal(polls=polls(layout, [500])),
            chain.seal(polls=polls(layout, [1, 2])),
            chain.seal(polls=polls(layout, [3, 4])),
        )
        sealed = [copy.seal(polls=polls(layout, [600 + n])) for n in range(3)]
        sealed += [copy.seal(polls=polls(layout, [1, 2])), copy.seal(polls=polls(layout, [3, 4]))]
        sealed += [copy.seal(polls=polls(layout, [700]))]
        for start in range(0, len(sealed), size):
            await laboratory.store(*sealed[start : start + size])
        assert await laboratory.rows(TWICE) == []
        stored = await laboratory.rows("SELECT DISTINCT raw FROM readings ORDER BY 1")
        assert [raw for (raw,) in stored] == [1, 2, 3, 4, 500, 600, 601, 602, 700]

    in_laboratory(scene)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_copy_that_goes_on_above_a_hole_is_stored_once(in_laboratory, order):
    """The clash itself is late: what comes before it looks like a chain of its own."""

    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        first = chain.seal(polls=polls(layout, [1]))
        copy = fork_of(laboratory, chain)
        await laboratory.store(first, chain.seal(polls=polls(layout, [2, 3, 4])))
        sealed = [copy.seal(polls=polls(layout, [9]))]
        sealed += [copy.seal(polls=polls(layout, [2])), copy.seal(polls=polls(layout, [3, 4]))]
        for place in order:
            await laboratory.store(sealed[place])
        assert await laboratory.rows(TWICE) == []
        assert await laboratory.rows("SELECT count(*) FROM readings") == [(2 * 5,)]

    in_laboratory(scene)


def test_hole_that_a_copy_fills_is_no_proof_of_one_chain(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        first = chain.seal(polls=polls(layout, [1]))
        copy = fork_of(laboratory, chain)
        lost = chain.seal(polls=polls(layout, [2]))
        await laboratory.store(first, chain.seal(polls=polls(layout, [3])))
        await laboratory.store(copy.seal(polls=polls(layout, [8])))
        copy.seq, copy.previous = chain.seq, chain.previous
        await laboratory.store(copy.seal(polls=polls(layout, [3])), copy.seal(polls=polls(layout, [8])))
        assert await laboratory.rows(TWICE) == []
        assert await laboratory.rows("SELECT closed_at IS NOT NULL FROM ledger") == [(True,)]
        assert lost.seq == 2

    in_laboratory(scene)


def test_clash_is_acknowledged_with_its_own_hash_and_a_new_epoch(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        copy = fork_of(laboratory, chain)
        held, clash = chain.seal(polls=polls(layout, [1])), copy.seal(polls=polls(layout, [2]))
        await laboratory.store(held)
        for _ in range(2):
            done = await laboratory.store(clash)
            assert done.acks == {clash.gateway: [(clash.epoch, 1, body_hash(encode_body(clash)))]}
            assert done.new_epochs == {clash.gateway: {clash.epoch}}
        bodies = await laboratory.rows(
            "SELECT b.state, d.body FROM batches b JOIN batch_bodies d ON d.batch_id = b.id ORDER BY b.id"
        )
        assert bodies == [("placed", encode_body(held)), ("conflict", encode_body(clash))]
        again = await laboratory.store(held)
        assert again.acks == {held.gateway: [(held.epoch, 1, body_hash(encode_body(held)))]}
        assert not again.new_epochs

    in_laboratory(scene)


def test_clash_that_waited_for_time_is_a_clash_still(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        copy = fork_of(laboratory, chain)
        await laboratory.store(chain.seal(polls=polls(layout, [1])))
        await laboratory.store(copy.seal(clock=OPEN, polls=polls(layout, [2]), events=[Event("k", "s", 5)]))
        await laboratory.store(copy.seal(clocks=[ClockFound(copy.boot, 178_000_000_000, 5, "gnss")]))
        rows = await laboratory.rows("SELECT seq, state FROM batches ORDER BY id")
        assert rows == [(1, "placed"), (1, "conflict"), (2, "placed")]

    in_laboratory(scene)


def test_clock_of_a_commit_that_failed_is_not_kept(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        waiting = chain.seal(clock=OPEN, polls=polls(layout, [1]))
        found = chain.seal(clocks=[ClockFound(chain.boot, 178_000_000_000, 5, "gnss")])
        group = await laboratory.group([waiting, found])
        async with laboratory.connection.transaction():
            await commit(laboratory.connection, group)
            raise psycopg.Rollback
        await commit(laboratory.connection, regroup(group.batches[:1], group.directory))
        assert await laboratory.rows("SELECT state, offset_ticks FROM batches") == [("waiting", None)]

    in_laboratory(scene)
