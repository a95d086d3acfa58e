"""A driver that is cancelled ends, whatever it was doing."""

import asyncio
from typing import Any

import pytest

from edge.driver import DeviceUnavailable
from tests.edge.drivers.modbus.test_driver import two_units


@pytest.mark.slow
def test_cancelling_always_ends_the_driver(collector: Any) -> None:
    """A cancellation that meets the answer in one turn of the loop must not be lost."""

    async def scenario() -> None:
        cancelled = 0
        async with two_units() as (_, driver):
            for attempt in range(150):
                running = asyncio.ensure_future(driver.run(collector))
                seen = len(collector.polls)
                polled = asyncio.ensure_future(collector.until(lambda seen=seen: len(collector.polls) > seen))
                await asyncio.wait({running, polled}, return_when=asyncio.FIRST_COMPLETED)
                polled.cancel()
                for _ in range(attempt % 25):
                    await asyncio.sleep(0)
                running.cancel()
                done, _ = await asyncio.wait({running}, timeout=2)
                assert done
                # On a machine that stood still for longer than both units may take, the line counts as lost.
                lost = not running.cancelled() and isinstance(running.exception(), DeviceUnavailable)
                assert running.cancelled() or lost
                cancelled += running.cancelled()
        assert cancelled > 100

    asyncio.run(scenario())
