"""Births, wills and suspicion, on the tables themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from cloud.mqtt import Arrived
from cloud.opening import Opened
from cloud.store import gateways
from cloud.store.backlog import newest_backlog
from cloud.watch import liveness
from cloud.watch.presence import Presence
from wire.messages import GatewayStatus

pytestmark = pytest.mark.slow

AT = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, SECOND = b"a" * 16, b"b" * 16
LONGEST = timedelta(seconds=120)


def at(seconds):
    return AT + timedelta(seconds=seconds)


async def born(connection, session, when):
    return await gateways.born(connection, gateway="gateway-1", session=session, software="test", at=at(when))


async def online(connection):
    return (await gateways.liveness(connection))[0].online


def test_birth_of_a_suspected_session_told_again_is_no_sign_of_life(lab):
    presence = Presence()

    async def scene(connection):
        assert await born(connection, FIRST, 0)
        with presence.listening(at(1)):
            await liveness.look(connection, at(400), LONGEST, presence=presence)
        assert not await online(connection)
        assert not await born(connection, FIRST, 500)
        assert not await online(connection)
        assert await born(connection, SECOND, 600)
        assert await online(connection)

    lab.run(scene)


def test_batch_of_a_suspected_session_is_a_sign_of_life(lab):
    presence = Presence()

    async def scene(connection):
        await born(connection, b"c" * 16, 1000)
        with presence.listening(at(1001)):
            await liveness.look(connection, at(1400), LONGEST, presence=presence)
        assert not await online(connection)
        await gateways.note_batches(connection, [1], at(1500))
        await liveness.look(connection, at(1501), LONGEST, presence=presence)
        assert await online(connection)

    lab.run(scene)


def status(online, when, *, retained=False):
    message = GatewayStatus(gateway="gateway-1", session=FIRST, online=online, boot=bytes(16), software="t")
    item = Opened(Arrived("heng/1/gateway-1/up/status", b"", at(when), retained))
    item.message = message
    return item


def test_session_that_lives_is_not_suspected_for_having_nothing_to_send(lab):
    presence = Presence()

    async def scene(connection):
        with presence.listening(at(5000)):
            await born(connection, b"d" * 16, 5001)
            presence.hear(status(True, 5001))
            await liveness.look(connection, at(9000), LONGEST, presence=presence)
            assert await online(connection)
            presence.hear(status(False, 9001))
            await liveness.look(connection, at(9002), LONGEST, presence=presence)
            assert not await online(connection)

    lab.run(scene)


def test_batch_since_the_hub_listens_proves_the_session_and_one_before_does_not(lab):
    presence = Presence()

    async def scene(connection):
        await born(connection, b"e" * 16, 0)
        await gateways.note_batches(connection, [1], at(100))
        with presence.listening(at(100)):
            await liveness.look(connection, at(4000), LONGEST, presence=presence)
            assert await online(connection)
        with presence.listening(at(4001)):
            await liveness.look(connection, at(4100), LONGEST, presence=presence)
            assert await online(connection)
            await liveness.look(connection, at(4122), LONGEST, presence=presence)
            assert not await online(connection)

    lab.run(scene)


def test_birth_that_the_broker_kept_proves_nothing(lab):
    presence = Presence()

    async def scene(connection):
        with presence.listening(at(20_000)):
            await born(connection, b"f" * 16, 20_001)
            presence.hear(status(True, 20_001, retained=True))
            await liveness.look(connection, at(20_200), LONGEST, presence=presence)
            assert not await online(connection)

    lab.run(scene)


def test_hub_that_does_not_hear_suspects_nobody(lab):
    presence = Presence()

    async def scene(connection):
        await born(connection, b"g" * 16, 0)
        await liveness.look(connection, at(4000), LONGEST, presence=presence)
        assert await online(connection)

    lab.run(scene)


def test_backlog_of_a_gateway_is_kept_when_it_is_not_what_was_told_before(lab):
    async def scene(connection):
        async def hear(seconds, **waiting):
            item = status(True, seconds)
            item.message = structs.replace(item.message, session=b"e" * 16, **waiting)
            await liveness.hear(connection, item, at(seconds))

        async def told():
            kept = await newest_backlog(connection, [1], since=at(0))
            return [one.data for one in kept.values()]

        await hear(20_000)
        await hear(20_001, readings_waiting=0, batches_waiting=0)
        assert await told() == []
        await hear(20_002, readings_waiting=5000, batches_waiting=3)
        await hear(20_003, readings_waiting=5000, batches_waiting=3)
        assert await told() == [{"readings": 5000, "batches": 3}]
        await hear(20_004, readings_waiting=0, batches_waiting=0)
        assert await told() == [{"readings": 0, "batches": 0}]
        cursor = await connection.execute("SELECT count(*) FROM events WHERE kind = 'gateway_backlog'")
        assert await cursor.fetchone() == (2,)

    lab.run(scene)
