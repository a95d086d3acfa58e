"""What is stored when numbers come back with other content: restored cards, new epochs, holes."""

import pytest

from wire.codec import body_hash, encode_body
from wire.messages import Event, Poll

pytestmark = pytest.mark.slow

POINTS = ("room/air/temperature", "room/air/humidity")


def polls(layout, numbers):
    return [Poll(layout, 100 * n, [n, n]) for n in numbers]


async def stored(laboratory):
    rows = await laboratory.everything()
    return [row[2] for row in rows["readings"]]


def test_known_number_with_same_bytes_is_acked_and_not_stored_again(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        batch = laboratory.chain().seal(polls=polls(layout, [1]))
        await laboratory.store(batch)
        again = await laboratory.store(batch)
        assert again.known == 1
        assert again.acks[batch.gateway] == [(batch.epoch, 1, body_hash(encode_body(batch)))]
        assert not again.new_epochs
        assert await stored(laboratory) == [1, 1]

    in_laboratory(scene)


def test_restored_card_loses_nothing_and_doubles_nothing(in_laboratory):
    """A backup is put back: it seals readings again that were sent, mixed with new ones."""

    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        first = chain.seal(polls=polls(layout, [1, 2]))
        backup = laboratory.chain(chain.epoch)
        backup.boot, backup.seq, backup.previous = chain.boot, chain.seq, chain.previous
        await laboratory.store(
            first, chain.seal(polls=polls(layout, [3, 4])), chain.seal(polls=polls(layout, [5]))
        )
        clash = backup.seal(polls=polls(layout, [3, 4, 5, 6]), events=[Event("door_opened", "p", 1)])
        beyond = [backup.seal(polls=polls(layout, [7])), backup.seal(polls=polls(layout, [5, 8]))]
        answer = await laboratory.store(clash, *beyond)
        assert answer.new_epochs == {clash.gateway: {clash.epoch}}
        heard = [(seq, digest) for _, seq, digest in answer.acks[clash.gateway]]
        assert heard == [(batch.seq, body_hash(encode_body(batch))) for batch in (clash, *beyond)]
        fresh = laboratory.chain()
        fresh.boot = chain.boot
        await laboratory.store(
            fresh.seal(polls=polls(layout, [3, 4, 5, 6]), events=[Event("door_opened", "p", 1)])
        )
        await laboratory.store(fresh.seal(polls=polls(layout, [7, 8, 9])))
        assert sorted(await stored(laboratory)) == sorted(2 * [1, 2, 3, 4, 5, 6, 7, 8, 9])
        assert len((await laboratory.everything())["events"]) == 1
        states = await laboratory.rows("SELECT seq FROM batches WHERE state = 'conflict' ORDER BY 1")
        assert states == [(2,), (3,)]

    in_laboratory(scene)


def test_repeated_clash_is_answered_again_and_kept_once(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain, other = laboratory.chain(), None
        held = chain.seal(polls=polls(layout, [1]))
        other = laboratory.chain(chain.epoch)
        clash = other.seal(polls=polls(layout, [2]))
        await laboratory.store(held)
        first, second = await laboratory.store(clash), await laboratory.store(clash)
        assert first.new_epochs == second.new_epochs == {clash.gateway: {clash.epoch}}
        assert first.acks == second.acks == {clash.gateway: [(clash.epoch, 1, body_hash(encode_body(clash)))]}
        assert await laboratory.rows("SELECT count(*) FROM batches") == [(2,)]
        assert await laboratory.rows("SELECT closed_at IS NOT NULL FROM ledger") == [(True,)]

    in_laboratory(scene)


def test_hole_is_filled_when_the_missing_number_comes(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        batches = [chain.seal(polls=polls(layout, [n])) for n in range(1, 6)]
        await laboratory.store(batches[0], batches[3])
        ranges = await laboratory.rows("SELECT received::text FROM ledger")
        assert ranges == [("{[1,2),[4,5)}",)]
        await laboratory.store(batches[2], batches[4])
        await laboratory.store(batches[1])
        assert await laboratory.rows("SELECT received::text FROM ledger") == [("{[1,6)}",)]
        assert sorted(await stored(laboratory)) == sorted(2 * [1, 2, 3, 4, 5])

    in_laboratory(scene)


def test_two_hashes_of_one_number_in_one_group_are_a_clash(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        twin = laboratory.chain(chain.epoch)
        done = await laboratory.store(
            chain.seal(polls=polls(layout, [1])), twin.seal(polls=polls(layout, [2]))
        )
        assert (done.batches, done.conflicts) == (2, 1)
        assert sorted(await stored(laboratory)) == [1, 1, 2, 2]

    in_laboratory(scene)
