"""A real gateway with pins: out of bounds it is safe at once; killed, it begins anew tripped."""

import asyncio
import itertools
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning.identity import GatewayIdentity, HubIdentity
from rules.interlock.inputs import Right
from simulators.devices.gpio import Relay
from tests.edge.board_site import AckedSite, acked, write_settings
from tests.edge.gateway_site import HEAD, until
from wire import frame
from wire.codec import encode_body
from wire.control import Command
from wire.shadow import Revision
from wire.topics import Channel, build

DOOR, RELAY, CONTACT, ENABLE = 17, 4, 5, 6
SETTINGS = (
    HEAD
    + """[control]
enable_output = "gpio/enable"
pulse_ms = 50
[[interlock]]
name = "source"
effect = [{{ kind = "inhibit_output", target = "gpio/source" }}]
[[interlock.group]]
name = "door"
cause = [{{ name = "open", kind = "state", point = "gpio/door", normal = ["closed"] }}]
[[device]]
driver = "gpio"
name = "board"
input = [{{ name = "door", kind = "door_contact", pin = 17 }}]
output = [
    {{ name = "source", kind = "relay", pin = 4, contact_pin = 5, read_back_ms = 5000 }},
    {{ name = "enable", kind = "relay", pin = 6 }},
]
"""
)


@dataclass(kw_only=True)
class Story(AckedSite):
    """One gateway and who commands it."""

    fences: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, what: str, breach: int) -> None:
        """Send a signed command; what becomes of it is told by events."""
        fence, now_ms = next(self.fences), time.time_ns() // 1_000_000
        command = Command(
            gateway=self.identity.gateway,
            id=fence.to_bytes(16, "big"),
            fence=Revision(1, fence),
            name=f"interlock.{what}",
            arguments={"interlock": "source", "breach": breach},
            by="7",
            rights=tuple(right.value for right in Right),
            issued_at_ms=now_ms,
            not_after_ms=now_ms + 20_000,
        )
        topic = build(self.identity.gateway, Channel.DOWN_COMMAND)
        self.acker.publish(topic, frame.encode(topic, encode_body(command), self.acker.identity.signer))

    async def enable(self, breach: int, times: int) -> None:
        """Acknowledge, reset and enable, each after the other was told."""
        for what, told in (("acknowledge", "acknowledged"), ("reset", "reset"), ("enable", "enabled")):
            for _ in range(20):  # what is asked right after the book of commands was begun is refused
                self.ask(what, breach)
                with suppress(AssertionError):
                    await self.said(f"interlock_{told}", times, within_s=1)
                    break


async def _story(story: Story) -> None:
    board = story.board
    board.drive(DOOR, 0)
    process = await story.heng()
    assert (await story.said("interlock_tripped", 1)).data["first_out"] == "@state_lost"
    await story.said("interlock_ready", 1)
    await story.enable(1, 1)
    await until(lambda: board.pins.level(RELAY) == 1)
    edges = len([level for pin, level in board.changes if pin == ENABLE])
    assert edges > 5

    began = time.monotonic()
    board.drive(DOOR, 1)
    await until(lambda: board.pins.level(RELAY) == 0, 5)
    assert time.monotonic() - began < 1.0
    assert (await story.said("interlock_tripped", 2)).data["first_out"] == "open"

    board.drive(DOOR, 0)
    await story.said("interlock_ready", 2)
    await story.enable(2, 2)
    await until(lambda: board.pins.level(RELAY) == 1)
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(0.2)
    board.changes.clear()
    await asyncio.sleep(0.3)
    assert not board.changes  # one that hangs does not pulse either
    process.send_signal(signal.SIGCONT)
    await until(lambda: len(board.changes) > 2)
    assert not story.events("output_failed")

    process.kill()
    await process.wait()
    board.changes.clear()
    await asyncio.sleep(0.3)
    assert board.pins.level(RELAY) == 1  # the pin of a dead process keeps its level …
    assert not board.changes  # … and only what pulses says that it is dead
    assert await (await story.heng("safe")).wait() == 0
    assert board.pins.level(RELAY) == 0

    process = await story.heng()
    tripped = await story.said("interlock_tripped", 3)
    assert (tripped.data["first_out"], tripped.data["breach"]) == ("@restart", 3)
    assert board.pins.level(RELAY) == 0
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0


@pytest.mark.slow
@pytest.mark.requirement("G-6.9a2", "G-6.9c1")
def test_gateway_trips_at_once_and_stays_tripped_after_it_was_killed(
    tmp_path: Path,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    """Only a process that is really killed shows what its pins do then."""
    identity = gateway_identity("interlock-pins")
    write_settings(tmp_path, SETTINGS, identity, broker=broker.gateway_port)

    async def run() -> None:
        relays = [Relay(RELAY, CONTACT)]
        async with acked(Story, tmp_path, identity, hub=hub_identity, broker=broker, relays=relays) as story:
            await _story(story)

    asyncio.run(run())
