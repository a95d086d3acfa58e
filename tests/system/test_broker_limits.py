"""How much the broker takes, and why the workers' share name has to be a secret."""

import asyncio

import pytest

from tests.system import mqtt_raw
from tests.system.mqtt_raw import Connect
from wire.frame import FRAME_BYTES_MAX, LARGE_FRAME_BYTES_MAX
from wire.topics import PREFIX, Channel, build

pytestmark = pytest.mark.slow


def test_largest_frame_passes(parties, heard_until):
    async def scene():
        topic = build("honest", Channel.UP_BATCH)
        async with parties.hub(f"{PREFIX}/+/up/batch") as hub, parties.gateway("honest") as honest:
            await honest.publish(topic, b"x" * FRAME_BYTES_MAX, qos=1)
            await honest.publish(topic, b"last", qos=1)
            assert await heard_until(hub, topic, b"last") == [(topic, b"x" * FRAME_BYTES_MAX)]

    asyncio.run(scene())


def test_oversized_packet_ends_the_connection_and_reaches_nobody(parties, gateway_identity, heard_until):
    async def scene():
        context = gateway_identity("mallory").tls_context()
        async with parties.hub(f"{PREFIX}/+/up/batch") as hub, parties.gateway("honest") as honest:
            mallory = await mqtt_raw.connect(parties.broker.gateway_port, context, Connect("mallory"))
            await mallory.publish(build("mallory", Channel.UP_BATCH), b"first")
            assert await mallory.is_open()
            await mallory.publish(build("mallory", Channel.UP_BATCH), bytes(LARGE_FRAME_BYTES_MAX + 2**20))
            assert not await mallory.is_open()
            mallory.hang_up()
            topic = build("honest", Channel.UP_BATCH)
            await honest.publish(topic, b"last", qos=1)
            heard = await heard_until(hub, topic, b"last")
            assert heard == [(build("mallory", Channel.UP_BATCH), b"first")]

    asyncio.run(scene())


def test_share_name_in_wrong_hands_would_starve_the_workers(parties, heard_until):
    """Mosquitto 2.0 gives every member of a share its turn, and only then asks whether it may read."""

    async def scene():
        wanted = f"$share/leaked/{PREFIX}/+/up/batch"
        topic = build("victim", Channel.UP_BATCH)
        async with (
            parties.hub(wanted) as hub,
            parties.gateway("victim") as victim,
            parties.gateway("mallory") as mallory,
        ):
            await mallory.subscribe(wanted, qos=1)
            for number in range(10):
                await victim.publish(topic, b"%d" % number, qos=1)
            await hub.subscribe(f"{PREFIX}/nobody/up/batch", qos=1)
            assert len(hub.messages) == 5

    asyncio.run(scene())
