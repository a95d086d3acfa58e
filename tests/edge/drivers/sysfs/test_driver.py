"""The driver on a folder that looks like /sys: faults of one sensor stay its own, and it comes back."""

import asyncio
import threading
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.driver import Given
from edge.drivers.sysfs.driver import SysfsDriver
from edge.drivers.sysfs.owner import Owner, StuckError
from simulators.devices.sysfs import Fault, Sensor, Tree, sysfs_tree
from wire.settings.check import check
from wire.settings.sysfs import SysfsDevice
from wire.status import GapCause, Status

AIR = {
    "kind": "iio",
    "chip": "bme280",
    "at": "i2c-1/1-0076",
    "model": "bme280",
    "prefix": "room/air",
    "value": [
        {"channel": "in_temp", "point": "temperature"},
        {"channel": "in_humidityrelative", "point": "relative_humidity"},
    ],
}
WIRE = {
    "kind": "w1",
    "at": "28-0000055f3a1b",
    "model": "ds18b20",
    "prefix": "fridge",
    "value": [{"channel": "w1_slave", "point": "temperature"}],
}
BOARD = {
    "kind": "hwmon",
    "chip": "cpu_thermal",
    "prefix": "board",
    "value": [{"channel": "temp1", "point": "temperature"}],
}


def air(at: str = "platform/soc/i2c-1/1-0076") -> Sensor:
    truths = {"in_temp_input": lambda: 21.5, "in_humidityrelative_input": lambda: 45.25}
    return Sensor("iio", "bme280", at, truths)


def three() -> list[Sensor]:
    return [
        air(),
        Sensor("w1", "28-0000055f3a1b", "w1_bus_master1/28-0000055f3a1b", {"w1_slave": lambda: 4.0625}),
        Sensor("hwmon", "cpu_thermal", "virtual/thermal/thermal_zone0", {"temp1_input": lambda: 51.5}),
    ]


def driver_of(root: Path, *sensors: dict[str, Any], **more: Any) -> SysfsDriver:
    table = {"name": "board", "root": str(root), "interval_ms": 1000, "timeout_ms": 300, **more}
    settings = msgspec.convert({"driver": "sysfs", "sensor": list(sensors), **table}, SysfsDevice)
    fast = msgspec.structs.replace(settings, interval_ms=100)
    return SysfsDriver(fast, Given(time.monotonic_ns))


@asynccontextmanager
async def running_tree(root: Path, sensors: list[Sensor]) -> AsyncIterator[Tree]:
    async with sysfs_tree(root, sensors) as tree:
        yield tree


def last(collector: Any, driver: SysfsDriver, index: int) -> Any:
    return collector.of(driver.layouts[index].id)[-1]


@pytest.mark.requirement("G-3.6", "G-6.11a")
def test_three_kinds_of_sensors_are_read_exactly(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_tree(tmp_path, three()):
            driver = driver_of(tmp_path, AIR, WIRE, BOARD)
            await run_until(driver, collector, lambda: len({p.layout for p in collector.polls}) == 3)
            assert last(collector, driver, 0).counts == [21_500_000, 45_250_000]
            assert last(collector, driver, 1).counts == [406_250]
            assert last(collector, driver, 2).counts == [515_000]
            assert not [poll for poll in collector.polls if poll.flags]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fault", "status"),
    [("error", Status.DEVICE_ERROR), ("garbage", Status.INVALID), ("power_on", Status.NOT_MEASURED),
     ("crc", Status.DEVICE_ERROR)],
)  # fmt: skip
def test_faulty_thermometer_is_absent_alone_and_comes_back(
    fault: Fault, status: Status, collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        sensors = three()
        sensors[1].fault = fault
        async with running_tree(tmp_path, sensors) as tree:
            driver = driver_of(tmp_path, AIR, WIRE, BOARD)
            await run_until(driver, collector, lambda: len({p.layout for p in collector.polls}) == 3)
            poll = last(collector, driver, 1)
            assert (poll.counts, poll.flags) == ([None], [(0, int(status))])
            assert last(collector, driver, 0).flags == []
            sensors[1].fault = ""
            tree.update()
            await run_until(driver, collector, lambda: last(collector, driver, 1).counts == [406_250])

    asyncio.run(scenario())


@pytest.mark.parametrize("which", [0, 1, 2])
def test_sensor_that_goes_is_silent_alone_and_found_again_by_another_number(
    which: int, collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        sensors = three()
        async with running_tree(tmp_path, sensors) as tree:
            driver = driver_of(tmp_path, AIR, WIRE, BOARD)
            story = asyncio.ensure_future(driver.run(collector))
            await collector.until(lambda: len({p.layout for p in collector.polls}) == 3)
            before = tree.folder(sensors[which])
            sensors[which].fault = "gone"
            await collector.until(lambda: collector.silences)
            points, cause, reason = collector.silences[0]
            assert points == tuple(driver.layouts[which].points)
            assert cause is GapCause.SENSOR
            assert sensors[which].chip in reason
            sensors[which].fault = ""
            seen = len(collector.of(driver.layouts[which].id))
            await collector.until(lambda: len(collector.of(driver.layouts[which].id)) > seen)
            assert which == 1 or tree.folder(sensors[which]) != before
            assert {points for points, _, _ in collector.silences} == {tuple(driver.layouts[which].points)}
            story.cancel()
            await asyncio.gather(story, return_exceptions=True)

    asyncio.run(scenario())


def test_stuck_read_silences_its_sensor_in_time_and_holds_one_thread(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        sensors = three()
        sensors[0].fault = "silence"
        before = threading.active_count()
        async with running_tree(tmp_path, sensors) as tree:
            driver = driver_of(tmp_path, AIR, WIRE, BOARD, candidates=False)
            await run_until(driver, collector, lambda: len(collector.silences) >= 4)
            _, cause, reason = collector.silences[0]
            assert (cause, reason) == (GapCause.BUS, "a read took longer than 0.3 s")
            assert collector.silences[1][2] == "the read before this one has not returned yet"
            assert len(collector.of(driver.layouts[2].id)) > 3
            assert await threads_at_most(before + 1)
            await run_until(driver, collector, lambda: len(collector.silences) >= 6)
            assert await threads_at_most(before + 1)
            sensors[0].fault = ""
            tree.update()
            await run_until(driver, collector, lambda: collector.of(driver.layouts[0].id))
        assert await threads_at_most(before)

    asyncio.run(scenario())


async def threads_at_most(count: int) -> bool:
    """Whether so few threads are left within two seconds."""
    for _ in range(200):
        if threading.active_count() <= count:
            return True
        await asyncio.sleep(0.01)
    return False


def test_slow_sensor_is_read_if_it_answers_before_the_deadline(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        sensors = [Sensor("hwmon", "cpu_thermal", "virtual/thermal/z", {"temp1_input": lambda: 51.5}, "slow")]
        async with running_tree(tmp_path, sensors):
            driver = driver_of(tmp_path, BOARD, timeout_ms=5000, candidates=False)
            await run_until(driver, collector, lambda: collector.polls)
            assert collector.polls[0].counts == [515_000]
            assert not collector.silences

    asyncio.run(scenario())


def test_sensor_with_a_wrong_scale_is_marked_and_told_once(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        sensors = [air()]
        sensors[0].fault = "wrong_scale"
        async with running_tree(tmp_path, sensors):
            driver = driver_of(tmp_path, AIR)
            await run_until(driver, collector, lambda: len(collector.polls) > 3)
            assert collector.polls[0].flags == [(1, int(Status.IMPLAUSIBLE))]
            assert collector.polls[0].counts[1] == 45_000
            (event,) = collector.events
            assert (event.kind, event.subject) == ("sensor_implausible", "room/air/relative_humidity")

    asyncio.run(scenario())


def test_two_sensors_that_fit_are_not_guessed_between(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_tree(tmp_path, [air(), air("platform/soc/i2c-3/3-0076")]):
            driver = driver_of(tmp_path, {**AIR, "at": None})
            await run_until(driver, collector, lambda: collector.silences)
            assert collector.silences[0][2] == (
                "2 iio sensors bme280 (i2c-1/1-0076, i2c-3/3-0076): expected one"
            )

    asyncio.run(scenario())


def test_another_chip_in_the_same_place_is_not_taken_for_the_first(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        sensors = [Sensor("hwmon", "nct6775", "isa/nct.656", {"temp1_input": lambda: 30.0})]
        async with running_tree(tmp_path, sensors) as tree:
            driver = driver_of(tmp_path, {**BOARD, "chip": "nct6775"})
            story = asyncio.ensure_future(driver.run(collector))
            await collector.until(lambda: collector.polls)
            sensors[0].chip = "other"
            tree.update()
            await collector.until(lambda: len(collector.silences) >= 2)
            assert "nct6775 is not at" in collector.silences[0][2]
            assert collector.silences[1][2] == "no hwmon sensor nct6775"
            story.cancel()
            await asyncio.gather(story, return_exceptions=True)

    asyncio.run(scenario())


def test_sensors_that_nobody_configured_are_told(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_tree(tmp_path, three()):
            driver = driver_of(tmp_path, AIR)
            await run_until(driver, collector, lambda: len(collector.events) == 2)
            assert {event.kind for event in collector.events} == {"candidate_seen"}
            assert {event.subject for event in collector.events} == {
                "hwmon/devices/virtual/thermal/thermal_zone0",
                "w1/devices/w1_bus_master1/28-0000055f3a1b",
            }
            assert collector.events[0].data == {"device": "board", "kind": "hwmon", "chip": "cpu_thermal"}

    asyncio.run(scenario())


def test_no_sysfs_at_all_is_unavailable(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        error = await run_until(driver_of(tmp_path / "no", BOARD), collector, lambda: False)
        assert (error.cause, error.reason) == (GapCause.GATEWAY, f"no folder {tmp_path / 'no'}")

    asyncio.run(scenario())


def test_probe_reads_every_sensor_and_says_what_is_missing(tmp_path: Path) -> None:
    async def scenario() -> None:
        sensors = three()
        sensors[1].fault = "crc"
        sensors[2].fault = "gone"
        async with running_tree(tmp_path, sensors):
            one, two, three_ = await driver_of(tmp_path, AIR, WIRE, BOARD).probe()
        assert (one.ok, one.answer) == (
            True, "room/air/temperature 21.5, room/air/relative_humidity 45.25"
        )  # fmt: skip
        assert (two.ok, two.answer) == (False, "fridge/temperature absent (w1_slave: wrong checksum)")
        assert (three_.ok, three_.answer) == (False, "no hwmon sensor cpu_thermal")

    asyncio.run(scenario())


def test_owner_starts_nothing_while_its_thread_is_stuck() -> None:
    async def scenario() -> None:
        owner, go = Owner("test"), threading.Event()
        with pytest.raises(StuckError, match=r"longer than 0\.05 s"):
            await owner.call(go.wait, 0.05)
        assert owner.stuck
        with pytest.raises(StuckError, match="not returned yet"):
            await owner.call(go.wait, 1)
        go.set()
        await asyncio.to_thread(go.wait)
        await asyncio.sleep(0.05)
        assert await owner.call(lambda: 7, 1) == 7
        owner.close()
        assert await owner.call(lambda: 8, 1) == 8
        owner.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("sensor", "fault"),
    [
        ({**BOARD, "at": "class/hwmon/hwmon3"}, "sensor[0].at: 'class/hwmon/hwmon3': expected no number"),
        ({**BOARD, "chip": None}, "sensor[0].at: None: expected at, chip or both"),
        ({**WIRE, "at": "28-55"}, "sensor[0].at: '28-55': expected a 1-wire id"),
        ({**AIR, "value": [{"channel": "temp1", "point": "t"}]}, "expected a channel of iio"),
        ({**BOARD, "value": [*BOARD["value"], *BOARD["value"]]}, "expected each point once"),
    ],
)
def test_settings_that_find_no_sensor_surely_are_refused(sensor: dict[str, Any], fault: str) -> None:
    _, faults = check({"driver": "sysfs", "name": "board", "sensor": [sensor]}, SysfsDevice)
    assert [one for one in map(str, faults) if fault in one], faults


def test_more_thermometers_than_an_interval_holds_are_refused() -> None:
    wires = [{**WIRE, "at": f"28-00000000000{n}", "prefix": f"f{n}"} for n in range(3)]
    table = {"driver": "sysfs", "name": "board", "interval_ms": 2000, "sensor": [*wires, wires[0]]}
    _, faults = check(table, SysfsDevice)
    assert [str(one) for one in faults] == [
        "interval_ms: 2000: expected at least 3200 for 4 1-wire thermometers, 800 each",
        "sensor[3].at: '28-000000000000': expected each sensor once",
    ]


def test_sample_runs_as_it_stands() -> None:
    file = Path(__file__).parents[4] / "edge" / "drivers" / "sysfs" / "sample.toml"
    (table,) = tomllib.loads(file.read_text(encoding="utf-8"))["device"]
    settings, faults = check(table, SysfsDevice)
    assert faults == []
    assert settings is not None
    assert len(SysfsDriver(settings, Given(time.monotonic_ns)).points) == 5
