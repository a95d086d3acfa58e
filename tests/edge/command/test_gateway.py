"""A real gateway, a real broker: a command is executed once, whatever is repeated, late, forged or killed."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.embedded.mosquitto import EmbeddedMosquitto
from edge.world import real_world
from provisioning.identity import GatewayIdentity, HubIdentity
from tests.edge.board_site import AckedSite, acked, write_settings
from tests.edge.gateway_site import HEAD, until
from wire import frame
from wire.codec import encode_body
from wire.control import Command
from wire.shadow import Revision
from wire.topics import Channel, build

LAMP = 4
SETTINGS = (
    HEAD
    + """[[device]]
driver = "gpio"
name = "board"
output = [{{ name = "lamp", kind = "relay", pin = 4 }}]
"""
)


def command(gateway: str, number: int, value: str, *, life_ms: int = 20_000) -> Command:
    now_ms, world = time.time_ns() // 1_000_000, real_world()
    return Command(
        gateway=gateway,
        id=number.to_bytes(16, "big"),
        fence=Revision(1, number),
        name="output.set",
        arguments={"output": "gpio/lamp", "value": value},
        by="17",
        rights=("operate",),
        issued_at_ms=now_ms,
        not_after_ms=now_ms + life_ms,
        boot=world.boot,
        not_after_tick=world.now_tick() + life_ms // 10,
    )


class Hub:
    """Who commands."""

    def __init__(self, story: AckedSite) -> None:
        self._story = story
        self._topic = build(story.identity.gateway, Channel.DOWN_COMMAND)

    def sent(self, one: Command, *, forged: bool = False) -> bytes:
        """Send a command and return its frame; a forged one is signed by the gateway."""
        signer = (self._story.identity if forged else self._story.acker.identity).signer
        data = frame.encode(self._topic, encode_body(one), signer)
        self.again(data)
        return data

    def again(self, data: bytes) -> None:
        self._story.acker.publish(self._topic, data)

    def became(self, number: int) -> list[str]:
        """What the journal says of a command."""
        name = number.to_bytes(16, "big").hex()
        told = [event.data for event in self._story.events("command_receipt")]
        return [str(data["state"]) for data in told if data["command"] == name]


async def _told(story: AckedSite) -> None:
    board, gateway = story.board, story.identity.gateway
    hub, process = Hub(story), await story.heng()
    await until(lambda: story.events("gateway_started"))
    await asyncio.sleep(1.2)  # a journal that is new executes nothing that may be from before it
    data = hub.sent(command(gateway, 5, "1"))
    await until(lambda: hub.became(5) == ["accepted", "executed"])
    assert board.pins.level(LAMP) == 1
    hub.sent(command(gateway, 6, "0"), forged=True)
    hub.sent(command(gateway, 4, "0"))
    hub.sent(command(gateway, 7, "0", life_ms=-1000))
    hub.again(data)
    await until(lambda: hub.became(7) == ["expired"])
    await until(lambda: hub.became(4) == ["refused"])
    assert hub.became(6) == []
    board.changes.clear()
    process.kill()
    await process.wait()
    process = await story.heng()
    await until(lambda: len(story.events("gateway_started")) == 2)
    hub.again(data)
    hub.sent(command(gateway, 8, "2"))
    await until(lambda: hub.became(8) == ["accepted", "refused"])
    assert (LAMP, 1) not in board.changes
    assert hub.became(5) == ["accepted", "executed"]
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0


@pytest.mark.slow
@pytest.mark.requirement("G-6.9d")
def test_command_is_executed_once_by_a_gateway_that_is_killed_and_told_again(
    tmp_path: Path,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    identity = gateway_identity("commanded")
    write_settings(tmp_path, SETTINGS, identity, broker=broker.gateway_port)

    async def run() -> None:
        async with acked(AckedSite, tmp_path, identity, hub=hub_identity, broker=broker) as story:
            await _told(story)

    asyncio.run(run())
