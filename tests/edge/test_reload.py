"""Settings are taken over whole or not at all, and no driver is left standing."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from edge.clock import Rules
from edge.control.outputs import Outputs
from edge.crew import Crew, difference
from edge.driver import Driver, Given
from edge.journal.errors import JournalDamagedError
from edge.journal.file import Surroundings
from edge.journal.journal import Journal
from edge.journal.room import Limits
from edge.journal.sealer import Sealer
from edge.recorder import GONE, Recorder
from edge.reload import Reload
from edge.timekeeper import Timekeeper
from provisioning.keys import Ed25519Signer
from wire.messages import Event, Gap, Poll, Position
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySection, GatewaySettings, UplinkSection
from wire.settings.modbus import ModbusDevice, ModbusUnit
from wire.settings.shutdown import ShutdownSection
from wire.status import GapCause

BOOT = b"B" * 16


def device(name: str, timeout_ms: int = 500) -> ModbusDevice:
    units = [ModbusUnit(address=1, profile="xy-md02", prefix=name)]
    return ModbusDevice(name=name, host="127.0.0.1", unit=units, timeout_ms=timeout_ms)


def settings(*devices: ModbusDevice, host: str = "hub") -> GatewaySettings:
    return GatewaySettings(
        gateway=GatewaySection(id="lab-1"), uplink=UplinkSection(host=host), device=list(devices)
    )


class Uplink:
    """The part of an uplink that is told."""

    def __init__(self) -> None:
        self.told = 0

    def points_changed(self) -> None:
        self.told += 1


class Stand:
    """A crew with a real journal and recorder; drivers are supervised by a task that only waits."""

    def __init__(self, folder: Path, *devices: ModbusDevice) -> None:
        self.tick = 1000
        self.running: list[str] = []
        self.seen: list[Poll | Position | Event | Gap] = []
        self.first = settings(*devices)
        self.crew = Crew(self.first, Given(lambda: self.tick * 10**7))
        timekeeper = Timekeeper(
            Rules(), sources=[], monotonic_ns=lambda: self.tick * 10**7, system=lambda: None
        )
        sealer = Sealer("lab-1", Ed25519Signer.generate())
        self.journal = Journal(
            folder,
            Surroundings(sealer, lambda: b"i" * 16, lambda: None, Limits(10**9, 1e9)),
            boot=BOOT,
            clock=timekeeper.reading,
            now=lambda: self.tick / 100,
            memory_bytes_max=10**6,
        )
        self.recorder = Recorder(
            self.journal,
            timekeeper,
            gateway="lab-1",
            boot=BOOT,
            now_tick=lambda: self.tick,
            points=self.crew.points,
            layouts=self.crew.layouts,
            look=self.seen.append,
        )
        self.uplink = Uplink()
        self.reload = Reload(
            settings=self.first,
            crew=self.crew,
            journal=self.journal,
            recorder=self.recorder,
            uplink=self.uplink,  # type: ignore[arg-type]
            outputs=Outputs([], tell=lambda *_: None, now=lambda: self.tick / 100),
            now_tick=lambda: self.tick,
            supervise=self.supervise,
        )

    async def supervise(self, driver: Driver) -> None:
        self.running.append(driver.name)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.running.remove(driver.name)

    async def begin(self, tasks: asyncio.TaskGroup) -> None:
        past = await self.journal.open(self.crew.layouts, points=self.crew.points)
        assert past
        self.recorder.resume(past)
        self.crew.start(tasks, self.supervise)
        await asyncio.sleep(0)

    async def apply(self, tasks: asyncio.TaskGroup, *devices: ModbusDevice, host: str = "hub") -> None:
        self.tick += 100
        await self.reload.apply(lambda: (settings(*devices, host=host), ()), tasks)
        await asyncio.sleep(0)

    def gaps(self) -> list[tuple[str, GapCause, str]]:
        return [(gap.point, gap.cause, gap.reason) for gap in self.seen if isinstance(gap, Gap)]

    def events(self) -> list[str]:
        return [event.kind for event in self.seen if isinstance(event, Event)]


def play(stand: Stand, *steps: Sequence[ModbusDevice]) -> list[list[str]]:
    """Take over one list of devices after the other; return who runs after each."""

    async def story() -> list[list[str]]:
        running = []
        async with stand.journal, asyncio.TaskGroup() as tasks:
            await stand.begin(tasks)
            for step in steps:
                await stand.apply(tasks, *step)
                running.append(sorted(stand.running))
            await stand.crew.stop()
        return running

    return asyncio.run(story())


def test_difference_names_what_is_new_other_and_gone() -> None:
    change = difference([device("a"), device("b"), device("c")], [device("b", 700), device("c"), device("d")])
    assert (change.added, change.changed, change.removed) == (["d"], ["b"], ["a"])
    assert not difference([device("a")], [device("a")])


def test_identical_settings_are_no_event_and_touch_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path, device("a"))
    before = stand.crew.drivers[0]
    play(stand, [device("a")])
    assert stand.crew.drivers[0] is before
    assert stand.events() == []


def test_devices_come_change_and_go_and_the_others_stay(tmp_path: Path) -> None:
    stand = Stand(tmp_path, device("a"), device("b"))
    kept = stand.crew.drivers[0]
    assert play(stand, [device("a"), device("c")], [device("a"), device("c", 700)]) == [["a", "c"]] * 2
    assert stand.crew.drivers[0] is kept
    assert stand.events() == ["settings_applied"] * 2
    assert stand.uplink.told == 2


def test_removed_point_is_silent_for_maintenance_until_it_is_read_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path, device("a"), device("b"))

    async def story() -> None:
        async with stand.journal, asyncio.TaskGroup() as tasks:
            await stand.begin(tasks)
            layout = stand.crew.layouts[1]
            poll = Poll(layout.id, stand.tick, [2000] * len(layout.points))
            await stand.recorder.poll(poll)
            await stand.apply(tasks, device("a"))
            await stand.apply(tasks, device("a"), device("b"))
            await stand.recorder.poll(Poll(layout.id, stand.tick + 50, [2000] * len(layout.points)))
            await stand.crew.stop()

    asyncio.run(story())
    points = {point for point, _, _ in stand.gaps()}
    assert {point.split("/")[0] for point in points} == {"b"}
    gaps = [gap for gap in stand.seen if isinstance(gap, Gap) and gap.point == min(points)]
    assert [(gap.cause, gap.reason, gap.from_tick, gap.to_tick) for gap in gaps] == [
        (GapCause.MAINTENANCE, GONE, 1000, None),
        (GapCause.MAINTENANCE, GONE, 1000, 1250),
    ]


def test_run_that_begins_without_a_device_tells_that_its_points_are_gone(tmp_path: Path) -> None:
    play(Stand(tmp_path, device("a"), device("b")))
    later = Stand(tmp_path, device("a"))
    play(later)
    assert {(point.split("/")[0], cause, reason) for point, cause, reason in later.gaps()} == {
        ("b", GapCause.MAINTENANCE, GONE)
    }
    again = Stand(tmp_path, device("a"))
    play(again)
    assert again.gaps() == []


@pytest.mark.parametrize(
    ("faults", "host"), [((Fault("device[0]", 1, "nothing like it"),), "hub"), ((), "elsewhere")]
)
def test_wrong_settings_and_other_sections_change_nothing(
    tmp_path: Path, faults: Sequence[Fault], host: str
) -> None:
    stand = Stand(tmp_path, device("a"))

    async def story() -> None:
        async with stand.journal, asyncio.TaskGroup() as tasks:
            await stand.begin(tasks)
            found = None if faults else settings(device("z"), host=host)
            await stand.reload.apply(lambda: (found, faults), tasks)
            assert stand.running == ["a"]
            await stand.crew.stop()

    asyncio.run(story())
    assert stand.events() == ["settings_refused"]


def test_settings_without_the_ups_that_the_shutdown_needs_are_refused(tmp_path: Path) -> None:
    stand = Stand(tmp_path, device("a"))
    first = structs.replace(stand.first, shutdown=ShutdownSection(ups="ups"))
    stand.reload = replace(stand.reload, settings=first)

    async def story() -> None:
        async with stand.journal, asyncio.TaskGroup() as tasks:
            await stand.begin(tasks)
            found = structs.replace(first, device=[device("a", 700)])
            await stand.reload.apply(lambda: (found, ()), tasks)
            await stand.crew.stop()

    asyncio.run(story())
    assert stand.events() == ["settings_refused"]
    assert stand.crew.settings == [device("a")]


def test_journal_that_fails_half_way_leaves_no_driver_standing(tmp_path: Path) -> None:
    stand = Stand(tmp_path, device("a"), device("b"))

    async def story() -> None:
        async with stand.journal, asyncio.TaskGroup() as tasks:
            await stand.begin(tasks)

            async def fails(*_: object) -> None:
                raise JournalDamagedError("twice in a row")

            stand.journal.declare = fails  # type: ignore[method-assign]
            with pytest.raises(JournalDamagedError):
                await stand.apply(tasks, device("a"), device("b", 700))
            await asyncio.sleep(0)
            assert sorted(stand.running) == ["a", "b"]
            await stand.crew.stop()

    asyncio.run(story())
