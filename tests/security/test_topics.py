"""Every topic × who has no right to it, at a real broker. What counts is what arrives, not what is answered.

Gateways at topics of other gateways are in tests/system/test_broker_isolation.py, who is not let in at all in
tests/system/test_broker_doors.py. Here are the workers' side, the wrong door, and what wildcards bring.
"""

import asyncio
from datetime import UTC, datetime

import aiomqtt
import pytest

from provisioning.ca import CertificateAuthority
from tests.system import mqtt_raw
from tests.system.conftest import HEARD_S, Parties
from tests.system.mqtt_raw import Connect, RefusedError
from wire.topics import PREFIX, Channel, build, subscription

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2", "G-7.2a")]

UP = [channel for channel in Channel if channel.value.startswith("up/")]
DOWN = [channel for channel in Channel if channel.value.startswith("down/")]
ODD = [
    f"{PREFIX}/victim/up",
    f"{PREFIX}/victim/down/ack/more",
    f"{PREFIX}/+/up/batch",
    "heng/2/victim/up/batch",
]
SYSTEM = ["$SYS/broker/version", "$CONTROL/dynamic-security/v1", "$share/x/heng/1/victim/up/batch"]


@pytest.fixture
def parties(broker, hub_identity, gateway_identity) -> Parties:
    return Parties(broker, hub_identity, gateway_identity, aiomqtt.ProtocolVersion.V5)


async def heard(client: aiomqtt.Client, last: str) -> list[str]:
    """Return the topics of what is delivered before `last`, which must come."""
    found: list[str] = []
    async with asyncio.timeout(HEARD_S):
        async for message in client.messages:
            if str(message.topic) == last:
                return found
            found.append(str(message.topic))
    raise AssertionError("the connection ended")


def test_worker_hears_nothing_that_goes_down_and_nothing_by_wildcards(parties):
    """Who has a worker's key may read what gateways sent, and not what other workers order."""

    async def scene():
        async with parties.hub() as worker, parties.gateway("victim") as victim:
            for wanted in ("#", f"{PREFIX}/#", f"{PREFIX}/+/down/#", *(subscription(one) for one in DOWN)):
                await worker.subscribe(wanted, qos=1)
            await victim.subscribe(f"{PREFIX}/victim/down/#", qos=1)
            for channel in DOWN:
                await worker.publish(build("victim", channel), b"order", qos=1)
            assert set(await heard(victim, build("victim", DOWN[-1]))) <= {build("victim", c) for c in DOWN}
            await victim.publish(build("victim", Channel.UP_STATUS), b"last", qos=1)
            assert await heard(worker, build("victim", Channel.UP_STATUS)) == []

    asyncio.run(scene())


@pytest.mark.parametrize("retain", [False, True])
def test_worker_cannot_speak_as_a_gateway(parties, retain):
    """What claims to come from a gateway is signed besides; the broker does not even pass it on."""

    async def scene():
        async with parties.hub(f"{PREFIX}/#") as worker, parties.gateway("victim") as victim:
            await victim.subscribe(f"{PREFIX}/#", qos=1)
            for topic in (*(build("victim", channel) for channel in UP), ODD[0], ODD[3]):
                await worker.publish(topic, b"forged", qos=1, retain=retain)
            await victim.publish(build("victim", Channel.UP_STATUS), b"last", qos=1)
            await worker.publish(build("victim", Channel.DOWN_RIGHTS), b"last", qos=1)
            assert await heard(victim, build("victim", Channel.DOWN_RIGHTS)) == []
            assert await heard(worker, build("victim", Channel.UP_STATUS)) == []
        async with parties.hub(f"{PREFIX}/#") as late, parties.gateway("victim") as victim:
            await victim.publish(build("victim", Channel.UP_RESULT), b"last", qos=1)
            assert await heard(late, build("victim", Channel.UP_RESULT)) == []

    asyncio.run(scene())


def test_worker_that_is_not_listed_hears_and_says_nothing(parties, ca):
    """A certificate of the right authority alone is no right: the configuration names the workers."""

    async def scene():
        stranger = ca.issue_hub("not-listed", now=datetime.now(UTC))
        async with (
            aiomqtt.Client(
                "127.0.0.1",
                parties.broker.hub_port,
                tls_context=stranger.tls_context(),
                identifier=stranger.client_id("test"),
            ) as unlisted,
            parties.hub(f"{PREFIX}/+/up/#") as worker,
            parties.gateway("victim") as victim,
        ):
            await victim.subscribe(f"{PREFIX}/victim/down/#", qos=1)
            for wanted in ("#", "$SYS/#", *(subscription(one) for one in Channel), *map(shared, Channel)):
                await unlisted.subscribe(wanted, qos=1)
            for channel in Channel:
                await unlisted.publish(build("victim", channel), b"forged", qos=1, retain=True)
            await unlisted.subscribe(f"{PREFIX}/victim/up/status", qos=1)  # what was said before is done with
            for channel in UP:
                await victim.publish(build("victim", channel), b"mine", qos=1)
            await worker.publish(build("victim", Channel.DOWN_RIGHTS), b"last", qos=1)
            assert await heard(victim, build("victim", Channel.DOWN_RIGHTS)) == []
            said = await heard(worker, build("victim", UP[-1]))
            assert said == [build("victim", channel) for channel in UP[:-1]]
            await unlisted.subscribe(f"{PREFIX}/nobody/up/batch", qos=1)
            assert len(unlisted.messages) == 0

    asyncio.run(scene())


def shared(channel: Channel) -> str:
    return subscription(channel, "guessed")


@pytest.mark.parametrize("topic", [*ODD[:2], ODD[3], *SYSTEM[:2]])
def test_gateway_reaches_nothing_beside_the_channels(parties, topic):
    async def scene():
        async with parties.hub("#", "$SYS/#") as worker, parties.gateway("mallory") as mallory:
            for retain in (False, True):
                await mallory.publish(topic, b"forged", qos=1, retain=retain)
            await mallory.publish(build("mallory", Channel.UP_STATUS), b"last", qos=1)
            found = await heard(worker, build("mallory", Channel.UP_STATUS))
            assert [one for one in found if not one.startswith("$SYS/broker")] == []

    asyncio.run(scene())


@pytest.mark.parametrize("wrong", ["gateway at the workers' door", "worker at the gateways' door", "nobody"])
@pytest.mark.parametrize("channel", list(Channel))
def test_nothing_comes_through_the_wrong_door(parties, ca: CertificateAuthority, wrong, channel):
    """Tried whole: connect, publish, and what the rightful ones then hear."""
    contexts = {
        "gateway at the workers' door": (
            parties.gateway_identity("mallory").tls_context,
            parties.broker.hub_port,
        ),
        "worker at the gateways' door": (parties.hub_identity.tls_context, parties.broker.gateway_port),
        "nobody": (lambda: None, parties.broker.gateway_port),
    }
    context, port = contexts[wrong]

    async def scene():
        async with parties.hub(f"{PREFIX}/+/up/#") as worker, parties.gateway("victim") as victim:
            await victim.subscribe(f"{PREFIX}/victim/down/#", qos=1)
            said = Connect("victim", user="victim", will_topic=build("victim", channel))
            try:
                line = await mqtt_raw.connect(port, context(), said)
                await line.publish(build("victim", channel), b"forged")
                assert not await line.is_open()
                line.hang_up()
            except RefusedError:
                pass
            await victim.publish(build("victim", Channel.UP_STATUS), b"last", qos=1)
            await worker.publish(build("victim", Channel.DOWN_RIGHTS), b"last", qos=1)
            assert await heard(worker, build("victim", Channel.UP_STATUS)) == []
            assert await heard(victim, build("victim", Channel.DOWN_RIGHTS)) == []

    asyncio.run(scene())
