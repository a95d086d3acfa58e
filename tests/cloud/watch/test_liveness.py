"""Births, wills and suspicion, on the tables themselves."""

from datetime import UTC, datetime, timedelta

import pytest

from cloud.store import gateways
from cloud.watch import liveness

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
    async def scene(connection):
        assert await born(connection, FIRST, 0)
        await liveness.look(connection, at(400), LONGEST)
        assert not await online(connection)
        assert not await born(connection, FIRST, 500)
        assert not await online(connection)
        assert await born(connection, SECOND, 600)
        assert await online(connection)

    lab.run(scene)


def test_batch_of_a_suspected_session_is_a_sign_of_life(lab):
    async def scene(connection):
        await born(connection, b"c" * 16, 1000)
        await liveness.look(connection, at(1400), LONGEST)
        assert not await online(connection)
        await gateways.note_batches(connection, [1], at(1500))
        await liveness.look(connection, at(1501), LONGEST)
        assert await online(connection)

    lab.run(scene)
