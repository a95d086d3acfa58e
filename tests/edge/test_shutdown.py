"""The gateway's machine goes down in order: told, flushed, called off by mains, and only then the command."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.shutdown import Means, Shutdown, run_command
from wire.layouts import make_layout
from wire.messages import Event, Gap, Poll, Scalar
from wire.settings.check import check
from wire.settings.shutdown import ShutdownSection
from wire.status import GapCause

UPS = make_layout(["ups/power", "ups/flags", "ups/battery_charge", "ups/battery_runtime"], [0, 0, -3, -2])
BOARD = make_layout(["gpio/door", "gpio/ignition"], [0, 0])


class Site:
    """A shutdown with a clock that moves by hand, and what it did."""

    def __init__(self, **settings: Any) -> None:
        table = {"ups": "ups", "ignition": "gpio/ignition", "delay_s": 10, **settings}
        self.shutdown = Shutdown(ShutdownSection(**table), lambda: [UPS, BOARD])
        self.now_s = 100.0
        self.did: list[str] = []
        self.data: list[Mapping[str, Scalar]] = []
        self.stopped = asyncio.Event()
        self.while_flushing: list[Any] = []

    def tell(self, kind: str, data: Mapping[str, Scalar]) -> None:
        self.did.append(kind)
        self.data.append(data)

    async def flush(self, seconds: float) -> None:
        self.did.append(f"flush {seconds:g}")
        for item in self.while_flushing:
            self.look(item)

    def stop(self) -> None:
        self.did.append("stop")
        self.stopped.set()

    def look(self, item: Any) -> None:
        self.shutdown.look(item, self.now_s)

    def ups(self, power: int | None, charge: float | None = 80.0, flags: int = 0) -> None:
        counts = [power, flags, None if charge is None else round(charge * 1000), 90_000]
        self.look(Poll(layout=UPS.id, tick=1, counts=counts))

    async def pass_time(self, seconds: float) -> None:
        """Move the clock and let the shutdown see it; what it waits for is long in real time."""
        self.now_s += seconds
        self.shutdown._changed.set()
        for _ in range(10):
            await asyncio.sleep(0)

    async def __aenter__(self) -> "Site":
        means = Means(self.tell, self.flush, self.stop, lambda: self.now_s)
        self._task = asyncio.ensure_future(self.shutdown.run(means))
        await self.pass_time(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def power(kind: str) -> Event:
    return Event(kind, "ups/power", 1, {})


@pytest.mark.requirement("G-6.9c3")
def test_low_battery_is_told_flushed_and_stopped_after_its_delay() -> None:
    async def story() -> None:
        async with Site(drain_s=7) as site:
            site.look(power("power_lost"))
            site.ups(2, 30.0)
            await site.pass_time(60)
            assert site.did == []
            site.ups(2, 20.0)
            await site.pass_time(9)
            assert site.did == ["shutdown_planned"]
            assert site.data[0] == {"reason": "battery charge 20 percent", "in_s": 1}
            await site.pass_time(1)
            assert site.did == ["shutdown_planned", "shutdown_started", "flush 7", "stop"]
            assert site.shutdown.agreed

    asyncio.run(story())


def test_mains_that_return_call_it_off_even_while_it_flushes() -> None:
    async def story() -> None:
        async with Site() as site:
            site.ups(2, 10.0)
            await site.pass_time(5)
            site.look(power("power_restored"))
            await site.pass_time(60)
            assert site.did == ["shutdown_planned", "shutdown_cancelled"]
            site.while_flushing = [power("power_restored")]
            site.ups(2, 10.0)
            await site.pass_time(10)
            assert site.did[2:] == [
                "shutdown_planned", "shutdown_started", "flush 20", "shutdown_cancelled"
            ]  # fmt: skip
            assert not site.shutdown.agreed
            await site.pass_time(1000)
            assert not site.stopped.is_set()

    asyncio.run(story())


def test_contact_lost_while_the_battery_is_low_puts_nothing_off() -> None:
    async def story() -> None:
        async with Site() as site:
            site.ups(2, 10.0)
            await site.pass_time(5)
            site.look(power("power_unknown"))
            site.ups(None, None)
            await site.pass_time(5)
            assert site.stopped.is_set()

    asyncio.run(story())


@pytest.mark.parametrize(
    "lost",
    [
        Event("power_unknown", "ups/power", 1, {}),
        Gap("ups/power", GapCause.BUS, 1),
        Poll(layout=UPS.id, tick=1, counts=[None, None, None, None]),
        Poll(layout=UPS.id, tick=1, counts=[7, None, None, None]),
    ],
)
def test_power_that_is_unknown_after_an_outage_is_not_fine(lost: Event | Gap | Poll) -> None:
    async def story() -> None:
        async with Site(unknown_s=60) as site:
            site.ups(2, 90.0)
            site.look(lost)
            await site.pass_time(59)
            assert not site.stopped.is_set()
            await site.pass_time(1)
            assert site.stopped.is_set()
            assert site.data[0]["reason"] == "power unknown, last known: the battery carried"

    asyncio.run(story())


def test_low_flag_of_the_ups_counts_on_battery_and_not_on_mains() -> None:
    async def story() -> None:
        async with Site() as site:
            site.ups(1, 90.0, flags=0b101)
            await site.pass_time(60)
            assert site.did == []
            site.ups(2, 90.0, flags=0b110)
            await site.pass_time(10)
            assert site.stopped.is_set()

    asyncio.run(story())


@pytest.mark.parametrize(
    "off",
    [Event("ignition_off", "gpio/ignition", 1, {}), Poll(layout=BOARD.id, tick=1, counts=[1, 0])],
)
def test_ignition_off_for_long_shuts_down_and_on_again_does_not(off: Event | Poll) -> None:
    async def story() -> None:
        async with Site(ignition_off_s=600) as site:
            site.look(off)
            await site.pass_time(599)
            site.look(Event("ignition_on", "gpio/ignition", 1, {}))
            await site.pass_time(600)
            assert site.did == ["shutdown_planned", "shutdown_cancelled"]
            site.look(off)
            await site.pass_time(600)
            assert site.stopped.is_set()

    asyncio.run(story())


def test_other_subjects_closed_gaps_and_unknown_layouts_mean_nothing() -> None:
    async def story() -> None:
        async with Site() as site:
            site.look(Event("power_lost", "other/power", 1, {}))
            site.look(Event("ignition_off", "gpio/door", 1, {}))
            site.look(Event("door_opened", "gpio/ignition", 1, {}))
            site.look(Gap("ups/power", GapCause.BUS, 1, 2))
            site.look(Gap("gpio/door", GapCause.BUS, 1))
            site.look(Poll(layout="00000000", tick=1, counts=[2]))
            await site.pass_time(10_000)
            assert site.did == []

    asyncio.run(story())


def test_settings_that_name_what_nobody_feeds_are_faults() -> None:
    section = ShutdownSection(ups="usv", ignition="gpio/zuendung")
    assert [str(fault) for fault in Shutdown(section, lambda: [UPS, BOARD]).faults()] == [
        "shutdown.ups: 'usv': expected the prefix of a UPS that feeds usv/power",
        "shutdown.ignition: 'gpio/zuendung': expected a point that a device feeds",
    ]
    assert Shutdown(ShutdownSection(ups="ups"), lambda: [UPS]).faults() == []
    _, faults = check({}, ShutdownSection)
    assert [str(fault) for fault in faults] == ["ups: None: expected ups, ignition or both"]


def test_command_is_run_and_its_end_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "done"
        code = f"import pathlib; pathlib.Path({str(file)!r}).touch()"
        assert await run_command([sys.executable, "-c", code]) == 0
        assert file.exists()
        assert await run_command([sys.executable, "-c", "raise SystemExit(3)"]) == 3
        assert await run_command([str(tmp_path / "no-such-program")]) == 127

    asyncio.run(story())
