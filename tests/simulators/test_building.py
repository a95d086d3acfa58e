"""Doors, an ignition, terminals and SenML sensors of a scenario are such that the drivers can use them."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from edge.assembly import build_driver
from edge.driver import Driver, Given
from simulators.devices.building import IGNITION, doors_of, gpio_table, relays_of
from simulators.rpi_gpio import BOARD, MODULES
from simulators.running import Clocks, Running, running
from simulators.scenario import GatewayPart, GpioPart, Scenario, SenmlPart, TerminalPart
from wire.settings.check import check
from wire.settings.gateway import GatewaySettings


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


def scenario() -> Scenario:
    gateway = GatewayPart(
        id="lab-1",
        kind="laboratory",
        title="Laboratory",
        latitude=28.2,
        longitude=112.9,
        gpio=[GpioPart(name="pins", doors=["entrance", "archive"], ignition="gnss")],
        terminal=[TerminalPart(name="terminals", terminals=["entrance", "archive"])],
        senml=[
            SenmlPart(name="posted", rooms=["room-1", "room-2"]),
            SenmlPart(name="published", rooms=["room-3"], mqtt=True),
        ],
    )
    return Scenario(title="building", gateway=[gateway])


def drivers_of(state: Running, folder: Path) -> dict[str, Driver]:
    """Check the tables as a gateway would, put the keys where it wants them, and make its drivers."""
    tables: Any = state.gateways["lab-1"]["device"]
    whole = {"gateway": {"id": "lab-1"}, "uplink": {"host": "localhost"}, "device": tables}
    settings, faults = check(whole, GatewaySettings)
    assert faults == []
    assert settings is not None
    for table in tables:
        for key in (folder / f"lab-1-{table['name']}").glob("*.key"):
            (folder / "data" / table["name"]).mkdir(parents=True, exist_ok=True)
            shutil.copy(key, folder / "data" / table["name"])
    given = Given(time.monotonic_ns, folder / "data")
    return {device.name: build_driver(device, given) for device in settings.device}


class Heard:
    """An emitter that keeps the layouts of what comes, and says when all came."""

    def __init__(self, wanted: set[str]) -> None:
        self.missing = wanted
        self.all = asyncio.Event()

    async def poll(self, poll: Any) -> None:
        self.missing.discard(poll.layout)
        if not self.missing:
            self.all.set()

    async def event(self, event: Any) -> None:
        assert event.kind != "record_unfit"

    async def silent(self, points: Any, **why: Any) -> None:
        pass

    def remember(self, key: str, value: bytes) -> None:
        pass

    def recall(self, key: str) -> bytes | None:
        return None


@pytest.mark.slow
@pytest.mark.requirement("G-3.6")
def test_every_point_of_the_building_is_fed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        clocks = Clocks(time.monotonic_ns, time.time)
        async with running(scenario(), seed=5, folder=folder, clocks=clocks) as state:
            given: Any = state.gateways["lab-1"]["environment"]
            assert given["PYTHONPATH"].startswith(str(MODULES))
            monkeypatch.syspath_prepend(str(MODULES))
            monkeypatch.setenv(BOARD, given[BOARD])
            drivers = drivers_of(state, folder)
            heard = Heard({layout.id for driver in drivers.values() for layout in driver.layouts})
            assert len(heard.missing) == 2 * 3 + 2 + 2 + 4 + 2
            emitter: Any = heard
            tasks: list[asyncio.Future[None]] = [
                asyncio.ensure_future(driver.run(emitter)) for driver in drivers.values()
            ]
            waiting = asyncio.ensure_future(heard.all.wait())
            done, _ = await asyncio.wait([waiting, *tasks], timeout=60, return_when="FIRST_COMPLETED")
            assert waiting in done, [task.exception() for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())


def test_faults_are_switched_by_name_and_ignition_follows_the_drive(folder: Path) -> None:
    async def run() -> None:
        now = [1_789_000_000.0]
        clocks = Clocks(time.monotonic_ns, lambda: now[0])
        one = msgspec.structs.replace(scenario().gateway[0], senml=[])
        async with running(Scenario(title="x", gateway=[one]), seed=5, folder=folder, clocks=clocks) as state:
            board: Any = state.devices["lab-1/pins"]
            state.switch("lab-1/pins", "gone")
            assert board.fault == "gone"
            state.switch("lab-1/terminals/entrance", "garbage")
            with pytest.raises(ValueError, match="Invalid"):
                state.switch("lab-1/pins", "nonsense")
            await asyncio.sleep(0)
            assert board.pins.level(IGNITION) == 1, "no receiver: it always runs"

    asyncio.run(run())


def test_pins_of_doors_do_not_meet() -> None:
    doors = doors_of(GpioPart(name="x", doors=["a", "b", "c", "d", "e"]))
    pins = [pin for door in doors for pin in (door.contact, door.button, door.lock, door.lock_contact)]
    assert len(set(pins)) == 20
    assert max(pins) < 26


def test_relays_lie_on_pins_behind_those_of_the_doors_and_can_be_set_by_a_gateway() -> None:
    part = GpioPart(name="x", doors=["a", "b", "c"], relays=["source", "power"], prefix="doors")
    assert relays_of(part) == [("source", 14, 15), ("power", 16, 17)]
    whole = {"gateway": {"id": "lab-1"}, "uplink": {"host": "localhost"}, "device": [gpio_table(part)]}
    assert check(whole, GatewaySettings)[1] == []
    with pytest.raises(ValueError, match="expected 12 relays at most"):
        GpioPart(name="x", doors=["a", "b", "c", "d"], relays=["e", "f", "g", "h", "i"])


def test_somebody_who_comes_in_opens_the_door_from_outside(folder: Path) -> None:
    async def run() -> None:
        one = msgspec.structs.replace(scenario().gateway[0], senml=[], terminal=[])
        clocks = Clocks(time.monotonic_ns, time.time)
        async with running(Scenario(title="x", gateway=[one]), seed=5, folder=folder, clocks=clocks) as state:
            board: Any = state.devices["lab-1/pins"]
            contact = doors_of(one.gpio[0])[1].contact
            state.act("lab-1/pins/archive", "enter")
            for _ in range(100):
                if opened := board.pins.level(contact) == 1:
                    break
                await asyncio.sleep(0.005)
            assert opened

    asyncio.run(run())
