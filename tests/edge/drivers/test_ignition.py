"""The ignition on a pin is what the shutdown of the gateway goes by; neither knows the other."""

import asyncio
import time
from pathlib import Path
from typing import Any

from edge.driver import Given
from edge.drivers.gpio.driver import GpioDriver
from edge.shutdown import Means, Shutdown
from simulators.devices.gpio import running_board
from wire.messages import Event, Poll
from wire.settings.gpio import GpioDevice, GpioInput
from wire.settings.shutdown import ShutdownSection

KEY = 24


def test_ignition_switched_off_stops_the_gateway_and_a_short_stop_does_not(
    collector: Any, pins_folder: Path
) -> None:
    driver = GpioDriver(
        GpioDevice(name="board", prefix="van", input=[GpioInput(name="key", kind="ignition", pin=KEY)]),
        Given(time.monotonic_ns),
    )
    shutdown = Shutdown(ShutdownSection(ignition="van/key", ignition_off_s=0.6), lambda: driver.layouts)
    told: list[str] = []
    stopped = asyncio.Event()

    class Shown:
        """The collector, with the shutdown looking on as it does in the recorder."""

        silent, remember, recall = collector.silent, collector.remember, collector.recall

        async def poll(self, poll: Poll) -> None:
            shutdown.look(poll, time.monotonic())
            await collector.poll(poll)

        async def event(self, event: Event) -> None:
            shutdown.look(event, time.monotonic())
            await collector.event(event)

    async def flush(_: float) -> None:
        told.append("flush")

    async def story() -> None:
        means = Means(lambda kind, _: told.append(kind), flush, stopped.set, time.monotonic)
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            board.drive(KEY, 1)
            running = [tasks.create_task(driver.run(Shown())), tasks.create_task(shutdown.run(means))]
            await collector.until(lambda: [event.kind for event in collector.events] == ["ignition_on"])
            board.drive(KEY, 0)
            await collector.until(lambda: collector.events[-1].kind == "ignition_off")
            board.drive(KEY, 1)
            await collector.until(lambda: collector.events[-1].kind == "ignition_on")
            await asyncio.sleep(0.8)
            assert told == ["shutdown_planned", "shutdown_cancelled"]
            board.drive(KEY, 0)
            await asyncio.wait_for(stopped.wait(), 10)
            assert told[2:] == ["shutdown_planned", "shutdown_started", "flush"]
            assert shutdown.agreed
            for one in running:
                one.cancel()

    assert shutdown.faults() == []
    asyncio.run(story())
