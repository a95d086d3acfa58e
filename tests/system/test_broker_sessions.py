"""Who a client is follows from its certificate, whatever it says: client id, user name and will."""

import asyncio

import pytest

from tests.system import mqtt_raw
from tests.system.mqtt_raw import Connect, RefusedError
from wire.topics import PREFIX, Channel, build

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2", "G-7.2a")]


def test_stolen_client_id_disconnects_nobody(parties, heard_until):
    async def scene():
        async with parties.hub() as hub, parties.gateway("victim") as victim:
            await victim.subscribe(f"{PREFIX}/victim/down/#", qos=1)
            async with parties.gateway("mallory", client_id="victim") as mallory:
                await mallory.subscribe(f"{PREFIX}/victim/down/#", qos=1)
                await mallory.subscribe(f"{PREFIX}/mallory/down/#", qos=1)
                await hub.publish(build("victim", Channel.DOWN_COMMAND), b"yours", qos=1)
                await hub.publish(build("mallory", Channel.DOWN_ACK), b"last", qos=1)
                assert await heard_until(mallory, build("mallory", Channel.DOWN_ACK), b"last") == []
            assert await heard_until(victim, build("victim", Channel.DOWN_COMMAND), b"yours") == []

    asyncio.run(scene())


def test_stolen_client_id_of_the_hub_disconnects_nobody(parties, heard_until):
    async def scene():
        async with parties.hub(f"{PREFIX}/+/up/#") as hub:
            stolen = parties.hub_identity.client_id("test")
            async with parties.gateway("mallory", client_id=stolen) as mallory:
                await mallory.publish(build("mallory", Channel.UP_STATUS), b"last", qos=1)
                assert await heard_until(hub, build("mallory", Channel.UP_STATUS), b"last") == []

    asyncio.run(scene())


def test_own_second_connection_takes_over_from_the_first(broker, gateway_identity):
    """A gateway that comes back before the broker noticed must not be kept out by its own ghost."""

    async def scene():
        context = gateway_identity("honest").tls_context()
        ghost = await mqtt_raw.connect(broker.gateway_port, context, Connect("one"))
        again = await mqtt_raw.connect(broker.gateway_port, context, Connect("other"))
        states = (await ghost.is_open(), await again.is_open())
        again.hang_up()
        ghost.hang_up()
        assert states == (False, True)

    asyncio.run(scene())


def test_claimed_user_name_is_not_believed(parties, broker, gateway_identity, heard_until):
    async def scene():
        claim = Connect("x", user="victim", password="x", will_topic=build("victim", Channel.UP_STATUS))
        async with parties.hub(f"{PREFIX}/+/up/#") as hub, parties.gateway("victim") as victim:
            await connect_and_vanish(broker.gateway_port, gateway_identity("mallory").tls_context(), claim)
            await victim.publish(build("victim", Channel.UP_STATUS), b"last", qos=1)
            assert await heard_until(hub, build("victim", Channel.UP_STATUS), b"last") == []

    asyncio.run(scene())


@pytest.mark.parametrize("channel", list(Channel))
def test_will_outside_own_topics_is_not_delivered(parties, broker, gateway_identity, heard_until, channel):
    async def scene():
        said = Connect("mallory", will_topic=build("victim", channel))
        async with parties.hub(f"{PREFIX}/+/up/#") as hub, parties.gateway("victim") as victim:
            await victim.subscribe(f"{PREFIX}/victim/down/#", qos=1)
            await connect_and_vanish(broker.gateway_port, gateway_identity("mallory").tls_context(), said)
            # The will of an honest gateway, lost later, shows that the earlier one had its chance.
            honest = Connect("honest", will_topic=build("honest", Channel.UP_STATUS), will_payload=b"last")
            await connect_and_vanish(broker.gateway_port, gateway_identity("honest").tls_context(), honest)
            at_hub = await heard_until(hub, build("honest", Channel.UP_STATUS), b"last")
            await hub.publish(build("victim", Channel.DOWN_ACK), b"last", qos=1)
            at_victim = await heard_until(victim, build("victim", Channel.DOWN_ACK), b"last")
            assert (at_hub, at_victim) == ([], [])

    asyncio.run(scene())


async def connect_and_vanish(port, context, said: Connect) -> None:
    """Connect, or be refused, and hang up without a word."""
    try:
        connection = await mqtt_raw.connect(port, context, said)
    except RefusedError:
        return
    connection.hang_up()
