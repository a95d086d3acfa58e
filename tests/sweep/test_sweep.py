"""Every driver of the gateway against its far end, through all that far ends do, under the real supervisor.

Judged from outside: what came to where the recorder would stand.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import cast

import pytest

from edge.assembly import KINDS
from edge.driver import Given
from edge.recorder import Recorder
from edge.supervisor import Backoff, Supervisor
from tests.edge.drivers.conftest import Collector
from tests.sweep.adapters import ADAPTERS, MEANINGLESS
from tests.sweep.fitting import FAULTS, Fitted, do, site

pytestmark = pytest.mark.requirement("G-3.6")

PATIENCE_S = 30.0
FIRST_S, LONGEST_S = 0.05, 0.2
READ = 3
"""So many readings show that a device is read."""


class Swept:
    """One driver that runs, and what came from it."""

    def __init__(self, fitted: Fitted, collector: Collector) -> None:
        self.fitted = fitted
        self.collector = collector

    async def until(self, state: str, condition: Callable[[], object]) -> None:
        """Wait for a state, and see that nothing untrue came in meanwhile."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.collector.until(condition)
        except TimeoutError:
            raise AssertionError(f"{state}: not seen; {self._came()}") from None
        untrue = [poll for poll in self.collector.polls if not self.fitted.true(poll)]
        assert untrue == [], f"{state}: {untrue}"
        assert self.fitted.also(self.collector), f"{state}: {self._came()}"

    def _came(self) -> str:
        came = self.collector
        return f"{came.silences} {came.events[-5:]} {came.polls[-3:]} {came.positions[-1:]}"

    def forget(self) -> None:
        """Look only at what comes from here on."""
        for kept in ("polls", "positions", "events", "silences", "times"):
            getattr(self.collector, kept).clear()

    async def through(self, fault: str) -> None:
        """Have the far end do it, see that, have it well again and see that too."""
        done = self.fitted.faults[fault]
        self.forget()
        await do(done.begin)
        await self.until(fault, lambda: done.seen(self.collector))
        await do(done.end)
        self.forget()
        await self.until(f"return after {fault}", lambda: self.fitted.alive(self.collector) >= READ)


def test_no_driver_is_missing_in_the_sweep() -> None:
    assert {kind for kind, _ in ADAPTERS.values()} == set(KINDS)


def test_what_far_ends_cannot_do_is_a_short_list() -> None:
    assert {key for key, reason in MEANINGLESS.items() if reason} == {("network", "slow")}


@pytest.mark.slow
@pytest.mark.parametrize("name", ADAPTERS)
def test_driver_bears_what_its_far_end_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with site(monkeypatch) as here:
            kind, adapter = ADAPTERS[name]
            fitted = await adapter(here)
            assert isinstance(fitted.device, KINDS[kind])
            assert set(fitted.faults) == {one for one in FAULTS if (name, one) not in MEANINGLESS}
            collector = Collector()
            supervisor = Supervisor(
                fitted.make(fitted.device, Given(time.monotonic_ns, here.folder)),
                cast("Recorder", collector),
                backoff=Backoff(FIRST_S, LONGEST_S, random=random.Random(1).random),
                now=time.monotonic,
                now_tick=lambda: time.monotonic_ns() // 10**7,
            )
            swept = Swept(fitted, collector)
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(supervisor.run())
                await swept.until("connect", lambda: fitted.alive(collector))
                await swept.until("read", lambda: fitted.alive(collector) >= READ)
                for fault in fitted.faults:
                    await swept.through(fault)
                running.cancel()
            assert supervisor.crashes == 0

    asyncio.run(scenario())
