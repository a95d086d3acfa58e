"""A sensor that is not heard trips within the stated bound, with real processes; hub and broker gone do not.

Where a sensor is silent, its device gone, or the wall clock steps by a day meanwhile, the output is safe in
time. `make stale` also fills the disk of the journal, and cuts the way to the hub for longer.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.faults.disk import Disk
from cli.faults.link import Link, open_link
from cli.faults.wall_clock import WallClock, find_library
from provisioning.identity import GatewayIdentity, HubIdentity
from simulators.devices.gpio import Board, Relay
from simulators.devices.modbus import ModbusLine, Unit, modbus_server
from tests.edge.board_site import acked, write_settings
from tests.edge.control.test_interlock_gateway import Story
from tests.edge.gateway_site import HEAD, until

LONG = bool(os.environ.get("HENG_STALE"))
DAY_S = 86_400
RELAY, CONTACT = 4, 5
PERIOD_S = 0.3
STALE_S = 3 * PERIOD_S
BOUND_S = STALE_S + 0.05 + 0.5
"""Staleness, decision and read-back: the figure that the interlock states for a sensor that is lost."""
SLACK_S = 1.0
"""How late this process may look, on a machine that does other things."""
JOURNAL_BOUND_S = 10 + 3 + 1 + 0.5
GONE_S = 30.0 if LONG else 3.0
SETTINGS = (
    HEAD
    + """[[interlock]]
name = "source"
effect = [{{ kind = "inhibit_output", target = "gpio/source" }}]
[[interlock.group]]
name = "warm"
[[interlock.group.cause]]
name = "warm"
kind = "limit"
point = "room/temperature"
high = 40
guarded = false
[[device]]
driver = "gpio"
name = "board"
output = [{{ name = "source", kind = "relay", pin = 4, contact_pin = 5 }}]
[[device]]
driver = "modbus"
name = "line"
host = "127.0.0.1"
port = {device}
interval_ms = 300
timeout_ms = 200
[[device.unit]]
address = 1
profile = "xy-md02"
prefix = "room"
"""
)


@dataclass
class Scene:
    """A gateway with one sensor and one output."""

    story: Story
    line: ModbusLine
    link: Link
    clock: WallClock | None
    trips: int = 0

    @property
    def board(self) -> Board:
        return self.story.board

    async def release(self) -> None:
        """Have the interlock healthy and its output on; one trip more than before was told by now."""
        self.trips += 1
        breach = int(str((await self.story.said("interlock_tripped", self.trips)).data["breach"]))
        await self.story.said("interlock_ready", self.trips)
        await self.story.enable(breach, self.trips)
        await until(lambda: self.board.pins.level(RELAY) == 1, 10)

    async def trips_within(self, bound_s: float) -> float:
        """Wait until the output is safe; return after how long."""
        began = time.monotonic()
        await until(lambda: self.board.pins.level(RELAY) == 0, bound_s + 20)
        took = time.monotonic() - began
        assert took <= bound_s + SLACK_S, f"safe after {took:.2f} s: expected {bound_s:.2f} s"
        return took


@asynccontextmanager
async def scene(
    folder: Path, broker: EmbeddedMosquitto, hub: HubIdentity, gateway: GatewayIdentity
) -> AsyncIterator[Scene]:
    library = find_library()
    clock = None if library is None else WallClock(library, folder / "clock")
    if clock is not None:
        clock.step(0)
    unit = Unit(1, "xy-md02", lambda _: 20.0)
    relays = [Relay(RELAY, CONTACT)]
    async with (
        modbus_server([unit], now=lambda: (time.monotonic_ns(), 0)) as (line, port),
        open_link(broker.gateway_port) as link,
        acked(Story, folder, gateway, hub=hub, broker=broker, relays=relays) as story,
    ):
        story.more = {} if clock is None else clock.environment
        write_settings(folder, SETTINGS, gateway, broker=link.port, device=port)
        yield Scene(story, line, link, clock)


async def _stories(now: Scene) -> None:
    process = await now.story.heng()
    await now.release()
    now.line.switch("silence", 1)
    await now.trips_within(BOUND_S)
    now.line.switch("", 1)
    await now.release()
    if now.clock is not None:
        for days in (1, -1) if LONG else (-1,):
            now.clock.step(days * DAY_S)
            await asyncio.sleep(1.5)
            assert now.board.pins.level(RELAY) == 1, "a step of the wall clock is no breach"
            now.line.switch("reset", 1)
            await now.trips_within(BOUND_S)
            now.line.switch("", 1)
            now.clock.step(0)
            await now.release()
    before = len(now.story.events("interlock_tripped"))
    now.link.go_silent()
    await asyncio.sleep(GONE_S)
    now.link.reset()
    await asyncio.sleep(GONE_S)
    assert now.board.pins.level(RELAY) == 1
    now.link.come_back()
    if LONG:
        disk = Disk(now.story.folder, mounted=False)
        disk.fill(process.pid)
        await now.trips_within(JOURNAL_BOUND_S)
        disk.make_room(process.pid)
    else:
        assert len(now.story.events("interlock_tripped")) == before


@pytest.mark.slow
@pytest.mark.timeout(480)
@pytest.mark.requirement("H-7.3.1b", "G-6.9c1", "G-6.4e")
def test_stale_is_a_trip_in_time_and_hub_and_broker_gone_are_none(
    tmp_path: Path,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    async def run() -> None:
        async with scene(tmp_path, broker, hub_identity, gateway_identity("interlock-stale")) as now:
            await _stories(now)

    asyncio.run(run())
