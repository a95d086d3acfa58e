"""Nothing is left of a driver that was started and ended, however often, in whatever state its far end was.

`make test` restarts each driver some times; HENG_RESTARTS says how often instead (`make restarts`: 1,000).
"""

import asyncio
import os
import time

import pytest

from edge.driver import DeviceUnavailable, Driver, Given
from tests.edge.drivers.conftest import Collector
from tests.sweep.adapters import ADAPTERS
from tests.sweep.fitting import Fitted, do, site
from tests.sweep.left import held, settled, whole_pool

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-3.6")]

RESTARTS = int(os.environ.get("HENG_RESTARTS", "8"))
A_TENTH = frozenset({"camera"})
"""Each run of these starts and ends a program, which takes seconds; they are restarted a tenth as often."""
PATIENCE_S = 30.0
SETTLE_S = 5.0
"""So long may a far end take to notice that nobody listens any more; it runs in this process, too."""
ENDINGS = ("read", "at once", "silence", "reset")
"""In which state a run is ended: while it reads, before it could do anything, or in a fault."""


async def one_run(driver: Driver, fitted: Fitted, ending: str) -> None:
    """Start the driver, have it in a state, and end it."""
    collector = Collector()
    running = asyncio.create_task(driver.run(collector))
    try:
        if ending == "at once":
            await asyncio.sleep(0)
            return
        async with asyncio.timeout(PATIENCE_S):
            await _until(collector, running, fitted)
        if ending != "read":
            await do(fitted.faults[ending].begin)
            await asyncio.wait([running], timeout=0.05)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled() or isinstance(running.exception(), DeviceUnavailable)
        if ending not in ("at once", "read"):
            await do(fitted.faults[ending].end)


async def _until(collector: Collector, running: asyncio.Task[None], fitted: Fitted) -> None:
    """Wait until something is read; a far end that is not back yet may end the run before that."""
    waiting = asyncio.create_task(collector.until(lambda: fitted.alive(collector)))
    await asyncio.wait([waiting, running], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.timeout(240 + 2 * RESTARTS)
@pytest.mark.parametrize("name", ADAPTERS)
def test_nothing_is_left_after_restarts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with site(monkeypatch) as here:
            await whole_pool()
            fitted = await ADAPTERS[name][1](here)
            driver = fitted.make(fitted.device, Given(time.monotonic_ns, here.folder))
            for ending in ENDINGS:
                await one_run(
                    driver, fitted, ending
                )  # libraries keep a log or a cache from their first use on
            await asyncio.sleep(SETTLE_S / 10)
            before = held()
            for count in range(max(len(ENDINGS), RESTARTS // 10) if name in A_TENTH else RESTARTS):
                await one_run(driver, fitted, ENDINGS[count % len(ENDINGS)])
            assert await settled(before, SETTLE_S) == {}

    asyncio.run(scenario())
