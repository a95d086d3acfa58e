"""The driver on a serial line: simulated units behind a pseudo-terminal, and all that a line does wrong."""

import asyncio
import random
import re
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.modbus.bus import BusError, ConnectionLostError, NoAnswerError, RefusedError
from edge.drivers.modbus.driver import ModbusDriver
from edge.drivers.modbus.frames import Question, framed
from edge.drivers.modbus.rtu import RtuBus
from simulators.devices.modbus import Fault, Unit
from simulators.devices.modbus_rtu import RtuLine, rtu_line
from simulators.world import World
from wire.settings.check import check
from wire.settings.modbus import ModbusRtuDevice, ModbusUnit, Profile, ProfileValue
from wire.status import GapCause, PointKind, Status

WORLD = World(7)
NOON = 1_789_000_000.0
TWO = Question(4, 1, 2)
"""What an XY-MD02 is asked for."""


def truth(name: str) -> float:
    return WORLD.air("room", NOON).value(name)


def now() -> tuple[int, int]:
    return time.monotonic_ns(), int(NOON * 1000)


def settings_of(path: Path, *units: ModbusUnit, **more: Any) -> ModbusRtuDevice:
    fields: dict[str, Any] = {"interval_ms": 20, "timeout_ms": 100, "turnaround_ms": 2, "late_ms": 200}
    return ModbusRtuDevice(name="bus", path=str(path), baud=115200, unit=list(units), **{**fields, **more})


A = ModbusUnit(address=1, profile="xy-md02", prefix="a")
B = ModbusUnit(address=240, profile="vaisala-hmp", prefix="b")


@asynccontextmanager
async def two_units(tmp_path: Path, **more: Any) -> AsyncIterator[tuple[RtuLine, ModbusDriver]]:
    """An XY-MD02 at address 1 and a Vaisala probe at address 240 on one line, and a driver for both."""
    units = [Unit(1, "xy-md02", truth, slow_s=0.15), Unit(240, "vaisala-hmp", truth, slow_s=0.15)]
    async with rtu_line(units, now=now, path=tmp_path / "tty") as line:
        yield line, ModbusDriver(settings_of(line.path, A, B, **more), Given(time.monotonic_ns))


@asynccontextmanager
async def one_bus(tmp_path: Path, **more: Any) -> AsyncIterator[tuple[RtuLine, RtuBus]]:
    units = [Unit(1, "xy-md02", truth), Unit(2, "xy-md02", lambda name: truth(name) + 10)]
    path = tmp_path / "tty"
    async with rtu_line(units, now=now, path=path) as line, RtuBus(settings_of(path, A, **more)) as bus:
        yield line, bus


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def refusal(bus: RtuBus, unit: int = 1, question: Question = TWO) -> BusError:
    with pytest.raises(BusError) as caught:
        await bus.ask(unit, question, timeout_s=0.1)
    return caught.value


@pytest.mark.requirement("G-6.11b")
def test_readings_come_over_a_serial_line(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with two_units(tmp_path) as (_, driver):
            await run_until(driver, collector, lambda: len(collector.polls) >= 6)
            first, second = driver.layouts
            assert {tuple(poll.counts) for poll in collector.of(first.id)} == {
                (round(truth("temperature") * 10) * 10, round(truth("relative_humidity") * 10) * 10)
            }
            assert all(poll.flags == [] for poll in collector.of(second.id))

    asyncio.run(scenario())


FAULTS: list[tuple[Fault, str]] = [
    ("silence", r"no answer within 0\.1 s$"),
    ("garbage", "garbled: 11 bytes"),
    ("bad_crc", "garbled: "),
    ("other_unit", "an answer of unit 241, function 3 came"),
    ("wrong_count", "an answer of another length came"),
    ("slow", r"no answer within 0\.1 s$"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_bad_unit_is_silent_while_the_others_go_on(
    fault: Fault, reason: str, collector: Any, insist: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with two_units(tmp_path) as (line, driver):
            good, bad = driver.layouts
            line.units[240].fault = fault
            await insist(driver, collector, lambda: len(collector.of(good.id)) >= 20 and collector.silences)
            assert not collector.of(bad.id)
            points, cause, said = collector.silences[0]
            assert points == tuple(bad.points)
            assert cause is GapCause.SENSOR
            assert re.search(reason, said), said
            line.units[240].fault = ""
            await insist(driver, collector, lambda: len(collector.of(bad.id)) >= 3)
            assert len({tuple(poll.counts) for poll in collector.of(good.id)}) == 1
            assert len({tuple(poll.counts) for poll in collector.of(bad.id)}) == 1

    asyncio.run(scenario())


def test_noise_before_an_answer_is_no_harm(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with two_units(tmp_path) as (line, driver):
            line.units[1].fault = "noise"
            good = driver.layouts[0]
            await run_until(driver, collector, lambda: len(collector.of(good.id)) >= 5)
            assert not collector.silences

    asyncio.run(scenario())


@pytest.mark.slow
def test_unit_that_is_not_configured_is_told_as_a_candidate(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        units = [Unit(1, "xy-md02", truth), Unit(3, "vaisala-hmp", truth)]
        async with rtu_line(units, now=now, path=tmp_path / "tty") as line:
            settings = settings_of(line.path, A, interval_ms=500, candidates_s=1)
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            await run_until(driver, collector, lambda: collector.events)
            assert not collector.silences

    asyncio.run(scenario())
    assert [(event.kind, event.subject) for event in collector.events] == [("candidate_seen", "bus/3")]


def test_unit_that_refuses_is_a_device_error(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with two_units(tmp_path) as (line, driver):
            line.units[1].fault = "exception"
            bad = driver.layouts[0]
            await run_until(driver, collector, lambda: len(collector.of(bad.id)) >= 2)
            assert collector.of(bad.id)[0].flags == [(index, Status.DEVICE_ERROR) for index in range(2)]

    asyncio.run(scenario())


def test_late_answer_is_never_taken_for_that_of_the_next_question(tmp_path: Path) -> None:
    """Both questions want two registers of function 4: nothing in an answer tells them apart but the time."""

    async def scenario() -> None:
        async with one_bus(tmp_path, late_ms=1000) as (line, bus):
            line.units[1].fault, line.units[1].slow_s = "slow", 0.15
            assert isinstance(await refusal(bus), NoAnswerError)
            line.units[1].fault = ""
            early = await refusal(bus, question=Question(4, 0, 2))
            assert "rests for" in str(early), "asked again before the late answer came, it would get that one"
            assert line.requests == 1
            other = await bus.ask(2, TWO, timeout_s=0.1)
            assert other[0] == round((truth("temperature") + 10) * 10)
            await asyncio.sleep(bus.rest_s(1))
            values = await bus.ask(1, Question(4, 0, 2), timeout_s=0.1)
            assert values == [0, round(truth("temperature") * 10)]

    asyncio.run(scenario())


@pytest.mark.slow
def test_no_value_is_ever_of_another_register_however_late_answers_come(
    collector: Any, insist: Any, tmp_path: Path
) -> None:
    """Two reads of one shape, answered after 0 to 180 ms by chance, given up after 60 ms, late for 200 ms."""
    chance = random.Random(11)
    values = [
        ProfileValue(point=name, quantity="count", kind=PointKind.COUNTER, register=register, type="uint16")
        for name, register in (("sound_level", 6), ("co2", 9))
    ]

    async def scenario() -> None:
        unit = Unit(1, "sim-environment", lambda name: {"sound_level": 10.0, "co2": 2000.0}.get(name, 1.0))
        async with rtu_line([unit], now=now, path=tmp_path / "tty") as line:
            own = ModbusUnit(address=1, profile="pair", prefix="a")
            pair = Profile(name="pair", value=values)
            settings = settings_of(line.path, own, timeout_ms=60, late_ms=200, profile=[pair])
            driver = ModbusDriver(settings, Given(time.monotonic_ns))

            async def vary() -> None:
                unit.fault = "slow"
                while True:
                    unit.slow_s = chance.choice((0.0, 0.0, 0.0, 0.01, 0.03, 0.09, 0.18))
                    await asyncio.sleep(0.015)

            varying = asyncio.ensure_future(vary())
            await insist(driver, collector, lambda: len(collector.polls) >= 40, timeout_s=60)
            varying.cancel()
            assert line.requests > 2 * len(collector.polls) + 5, "some were answered too late"

    asyncio.run(scenario())
    assert {tuple(poll.counts) for poll in collector.polls} == {(100, 2000)}


def test_unit_still_rests_after_the_port_was_opened_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with one_bus(tmp_path, late_ms=5000) as (line, bus):
            line.units[1].fault = "silence"
            await refusal(bus)
            await bus.reopen()
            assert 0 < bus.rest_s(1) <= 5
            assert bus.rest_s(2) == 0

    asyncio.run(scenario())


def test_answer_of_another_unit_that_comes_late_is_skipped(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with one_bus(tmp_path) as (line, bus):
            asking = asyncio.ensure_future(bus.ask(2, TWO, timeout_s=0.5))
            line.units[2].fault, line.units[2].slow_s = "slow", 0.1
            await asyncio.sleep(0.05)
            line.babble(framed(1, b"\x04\x04\x00\x01\x00\x02"))
            assert (await asking)[0] == round((truth("temperature") + 10) * 10)

    asyncio.run(scenario())


def test_what_came_before_a_question_is_thrown_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with one_bus(tmp_path) as (line, bus):
            line.babble(framed(1, b"\x04\x04\x00\x01\x00\x02"))
            await asyncio.sleep(0.02)
            assert (await bus.ask(1, TWO, timeout_s=0.2))[0] == round(truth("temperature") * 10)

    asyncio.run(scenario())


def test_line_with_another_master_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with one_bus(tmp_path, turnaround_ms=50) as (line, bus):

            async def babble() -> None:
                while True:
                    line.babble(b"\x01\x03")
                    await asyncio.sleep(0.01)

            babbling = asyncio.ensure_future(babble())
            assert "does not become quiet" in str(await refusal(bus))
            babbling.cancel()
            await asyncio.gather(babbling, return_exceptions=True)

    asyncio.run(scenario())


def test_noise_without_end_is_no_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with one_bus(tmp_path) as (line, bus):
            line.units[1].fault = "silence"
            asking = asyncio.ensure_future(refusal(bus))
            await asyncio.sleep(0.02)
            for _ in range(4):
                line.babble(b"\xaa" * 600)
                await asyncio.sleep(0.005)
            assert "garbled" in str(await asking)

    asyncio.run(scenario())


def test_exception_code_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with one_bus(tmp_path) as (_, bus):
            error = await refusal(bus, question=Question(3, 7, 1))
            assert isinstance(error, RefusedError)
            assert error.code == 2
            assert bus.rest_s(1) == 0

    asyncio.run(scenario())


def test_line_keeps_quiet_between_two_questions(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with one_bus(tmp_path, turnaround_ms=40) as (_, bus):
            began = time.monotonic()
            for _ in range(5):
                await bus.ask(1, TWO, timeout_s=0.2)
            assert time.monotonic() - began >= 5 * 0.04

    asyncio.run(scenario())


def test_unit_is_left_alone_for_its_gap(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        slow = ModbusUnit(address=240, profile="vaisala-hmp", prefix="b", gap_ms=80)
        units = [Unit(240, "vaisala-hmp", truth)]
        async with rtu_line(units, now=now, path=tmp_path / "tty") as line:
            driver = ModbusDriver(settings_of(line.path, slow), Given(time.monotonic_ns))
            began = time.monotonic()
            await run_until(driver, collector, lambda: len(collector.polls) >= 3)
            blocks = line.requests
            assert blocks >= 3
            assert time.monotonic() - began >= (blocks - 1) * 0.08 * 0.9
            assert all(poll.flags == [] for poll in collector.polls)

    asyncio.run(scenario())


def test_port_belongs_to_one_owner(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with one_bus(tmp_path) as (line, _):
            with pytest.raises(ConnectionLostError, match="cannot open"):
                async with RtuBus(settings_of(line.path, A)):
                    pass

    asyncio.run(scenario())


def test_port_that_is_not_there_is_unavailable(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        driver = ModbusDriver(settings_of(tmp_path / "nothing", A), Given(time.monotonic_ns))
        error = await run_until(driver, collector, lambda: False)
        assert error.cause is GapCause.BUS
        assert "nothing: No such file or directory" in error.reason
        (line,) = await driver.probe()
        assert not line.ok
        assert "at 115200 8N1" in line.what

    asyncio.run(scenario())


def test_bus_that_was_never_opened_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        assert "is not open" in str(await refusal(RtuBus(settings_of(tmp_path / "tty", A))))

    asyncio.run(scenario())


@pytest.mark.slow
def test_adapter_that_is_pulled_out_and_back_is_read_again(
    collector: Any, insist: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with two_units(tmp_path) as (line, driver):
            await insist(driver, collector, lambda: len(collector.polls) >= 4)
            for _ in range(3):
                line.unplug()
                error = await run_until(driver, collector, lambda: False)
                assert error.cause is GapCause.BUS
                line.plug()
                more = len(collector.polls) + 4
                await insist(driver, collector, lambda more=more: len(collector.polls) >= more)

    asyncio.run(scenario())


def test_adapter_that_is_pulled_out_is_noticed_at_once(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with two_units(tmp_path) as (line, driver):

            def pulled() -> bool:
                if len(collector.polls) >= 4:
                    line.unplug()
                return False

            error = await run_until(driver, collector, pulled)
            assert error.cause is GapCause.BUS
            assert str(line.path) in error.reason

    asyncio.run(scenario())


@pytest.mark.slow
def test_cancelling_always_ends_the_driver_and_frees_the_port(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with two_units(tmp_path, late_ms=100) as (_, driver):
            before = open_files()
            for attempt in range(40):
                running = asyncio.ensure_future(driver.run(collector))
                seen = len(collector.polls)
                await collector.until(lambda seen=seen: len(collector.polls) > seen)
                for _ in range(attempt % 25):
                    await asyncio.sleep(0)
                running.cancel()
                done, _ = await asyncio.wait({running}, timeout=2)
                assert done
                assert running.cancelled()
                await asyncio.sleep(0.12)  # the unit that was being asked rests
            assert open_files() == before

    asyncio.run(scenario())


def test_probe_says_what_every_unit_answers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with two_units(tmp_path) as (line, driver):
            line.units[1].fault = "silence"
            connected, silent, good = await driver.probe()
            assert connected.ok
            assert not silent.ok
            assert silent.answer == "no answer within 0.1 s"
            assert re.search(r"b/temperature = -?\d+\.\d+ °C", good.answer), good.answer

    asyncio.run(scenario())


def test_sample_of_a_serial_line_is_right() -> None:
    file = Path(__file__).parents[4] / "edge" / "drivers" / "modbus" / "sample-rtu.toml"
    (table,) = tomllib.loads(file.read_text(encoding="utf-8"))["device"]
    settings, faults = check(table, ModbusRtuDevice)
    assert settings is not None, faults
    driver = ModbusDriver(settings, Given(time.monotonic_ns))
    assert [output.name for output in driver.outputs] == ["room-1/ac/power", "room-1/ac/setpoint"]
    assert "room-1/balance-supply/energy" in [point.name for point in driver.points]


WRONG: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda table: table.update(path="ttyUSB0"), "path"),
    (lambda table: table.update(baud=9601), "baud"),
    (lambda table: table.update(format="7E1"), "format"),
    (lambda table: table.update(late_ms=50), "late_ms"),
    (lambda table: table["unit"][0].update(address=0), "unit[0].address"),
    (lambda table: table["unit"][0].update(address=248), "unit[0].address"),
    (lambda table: table["unit"][0].update(timeout_ms=9000), "late_ms"),
]


@pytest.mark.parametrize(("spoil", "path"), WRONG)
def test_wrong_settings_of_a_serial_line_are_named(spoil: Callable[[dict[str, Any]], Any], path: str) -> None:
    unit = {"address": 1, "profile": "xy-md02", "prefix": "a"}
    table: dict[str, Any] = {"driver": "modbus-rtu", "name": "bus", "path": "/dev/ttyUSB0", "unit": [unit]}
    assert check(table, ModbusRtuDevice)[1] == []
    spoil(table)
    assert [fault.path for fault in check(table, ModbusRtuDevice)[1]] == [path]
