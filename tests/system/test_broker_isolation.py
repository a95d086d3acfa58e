"""A gateway's certificate is good for its own topics alone. What counts is delivery, never a SUBACK."""

import asyncio
import secrets

import aiomqtt
import pytest

from wire.topics import PREFIX, Channel, build

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2", "G-7.2a")]

UP = [channel for channel in Channel if channel.value.startswith("up/")]
DOWN = [channel for channel in Channel if channel.value.startswith("down/")]


def test_gateway_writes_up_and_reads_down(parties, heard_until):
    async def scene():
        async with parties.hub(f"{PREFIX}/+/up/#") as hub, parties.gateway("honest") as honest:
            await honest.subscribe(f"{PREFIX}/honest/down/#", qos=1)
            for channel in UP:
                await honest.publish(build("honest", channel), b"mine", qos=1)
            for channel in DOWN:
                await hub.publish(build("honest", channel), b"yours", qos=1)
            await honest.publish(build("honest", Channel.UP_STATUS), b"last", qos=1)
            await hub.publish(build("honest", Channel.DOWN_ACK), b"last", qos=1)
            up = await heard_until(hub, build("honest", Channel.UP_STATUS), b"last")
            down = await heard_until(honest, build("honest", Channel.DOWN_ACK), b"last")
            assert up == [(build("honest", channel), b"mine") for channel in UP]
            assert down == [(build("honest", channel), b"yours") for channel in DOWN]

    asyncio.run(scene())


@pytest.mark.parametrize("channel", list(Channel))
def test_foreign_topic_cannot_be_written(parties, heard_until, channel):
    async def scene():
        target = build("victim", channel)
        async with (
            parties.hub(f"{PREFIX}/+/up/#") as hub,
            parties.gateway("victim") as victim,
            parties.gateway("mallory") as mallory,
        ):
            await victim.subscribe(f"{PREFIX}/victim/down/#", qos=1)
            for qos in (0, 1, 2):
                for retain in (False, True):
                    await mallory.publish(target, b"forged", qos=qos, retain=retain)
            await mallory.publish(build("mallory", Channel.UP_STATUS), b"last", qos=1)
            at_hub = await heard_until(hub, build("mallory", Channel.UP_STATUS), b"last")
            await hub.publish(build("victim", Channel.DOWN_ACK), b"last", qos=1)
            at_victim = await heard_until(victim, build("victim", Channel.DOWN_ACK), b"last")
            assert (at_hub, at_victim) == ([], [])
        await nothing_retained(parties, heard_until, target)

    asyncio.run(scene())


async def nothing_retained(parties, heard_until, target: str) -> None:
    async with parties.hub(f"{PREFIX}/victim/up/#") as late, parties.gateway("victim") as victim:
        await victim.subscribe(f"{PREFIX}/victim/down/#", qos=1)
        await victim.publish(build("victim", Channel.UP_STATUS), b"last", qos=1)
        await late.publish(build("victim", Channel.DOWN_ACK), b"last", qos=1)
        heard = await heard_until(late, build("victim", Channel.UP_STATUS), b"last")
        heard += await heard_until(victim, build("victim", Channel.DOWN_ACK), b"last")
        assert target not in [topic for topic, _ in heard]


@pytest.mark.parametrize("channel", DOWN)
def test_gateway_cannot_write_its_own_down_topics(parties, heard_until, channel):
    """An acknowledgement that a gateway gives itself would delete readings."""

    async def scene():
        async with parties.gateway("mallory") as mallory, parties.hub() as hub:
            await mallory.subscribe(f"{PREFIX}/mallory/#", qos=1)
            await mallory.publish(build("mallory", channel), b"forged", qos=1)
            await hub.publish(build("mallory", Channel.DOWN_ACK), b"last", qos=1)
            assert await heard_until(mallory, build("mallory", Channel.DOWN_ACK), b"last") == []

    asyncio.run(scene())


FILTERS = [
    "#",
    "+/+/+/+/+",
    f"{PREFIX}/#",
    f"{PREFIX}/+/down/#",
    f"{PREFIX}/+/up/batch",
    f"{PREFIX}/victim/#",
    *(build("victim", channel) for channel in Channel),
    *(f"$share/workers/{build('victim', channel)}" for channel in Channel),
    f"$share/workers/{PREFIX}/+/up/batch",
    "$SYS/#",
]


@pytest.mark.parametrize("wanted", FILTERS)
def test_foreign_topic_cannot_be_read(parties, heard_until, wanted):
    async def scene():
        async with (
            parties.hub() as hub,
            parties.gateway("victim") as victim,
            parties.gateway("mallory") as mallory,
        ):
            await mallory.subscribe(f"{PREFIX}/mallory/down/ack", qos=1)
            await mallory.subscribe(wanted, qos=1)
            await everything_is_said(victim, hub)
            await hub.publish(build("mallory", Channel.DOWN_ACK), b"last", qos=1)
            assert await heard_until(mallory, build("mallory", Channel.DOWN_ACK), b"last") == []

    asyncio.run(scene())


@pytest.mark.parametrize("wanted", ["#", f"{PREFIX}/victim/#", f"{PREFIX}/+/+/+"])
def test_foreign_retained_message_cannot_be_read(parties, heard_until, wanted):
    async def scene():
        async with parties.hub() as hub, parties.gateway("victim") as victim:
            await everything_is_said(victim, hub, retain=True)
            async with parties.gateway("mallory") as mallory:
                await mallory.subscribe(wanted, qos=1)
                await mallory.subscribe(f"{PREFIX}/mallory/down/ack", qos=1)
                await hub.publish(build("mallory", Channel.DOWN_ACK), b"last", qos=1)
                heard = await heard_until(mallory, build("mallory", Channel.DOWN_ACK), b"last")
            await everything_is_said(victim, hub, retain=True, payload=b"")
            assert heard == []

    asyncio.run(scene())


async def everything_is_said(
    victim: aiomqtt.Client, hub: aiomqtt.Client, *, retain: bool = False, payload: bytes = b"secret"
) -> None:
    for channel in UP:
        await victim.publish(build("victim", channel), payload, qos=1, retain=retain)
    for channel in DOWN:
        await hub.publish(build("victim", channel), payload, qos=1, retain=retain)


def test_gateway_cannot_take_batches_from_the_workers(parties, heard_until):
    """The broker accepts any SUBSCRIBE, and a member of the share would starve it: its name is a secret."""

    async def scene():
        shared = f"{PREFIX}/+/up/batch"
        secret = parties.hub_identity.share_name
        guesses = ["", "heng", "workers", "hub", "main", secret[:-1], secret.upper(), secrets.token_hex(16)]
        batch = build("victim", Channel.UP_BATCH)
        async with (
            parties.hub(f"$share/{secret}/{shared}") as hub,
            parties.gateway("victim") as victim,
            parties.gateway("mallory") as mallory,
        ):
            for guess in filter(None, guesses):
                await mallory.subscribe(f"$share/{guess}/{shared}", qos=1)
            for number in range(100):
                await victim.publish(batch, b"%d" % number, qos=1)
            heard = await heard_until(hub, batch, b"99")
            assert heard == [(batch, b"%d" % number) for number in range(99)]

    asyncio.run(scene())


def test_gateway_cannot_learn_the_share_name(parties, gateway_identity):
    secret = parties.hub_identity.share_name.encode()
    given = [path.read_bytes() for path in gateway_identity("mallory").folder.iterdir()]
    assert len(secret) == 32
    assert not any(secret in data for data in given)
