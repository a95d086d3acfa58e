"""Outputs of Modbus units, over TCP and on a serial line: written, read back, acting on a simulated room."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.control.outputs import OutputError, Outputs
from edge.driver import Given
from edge.drivers.modbus.catalogue import device_faults
from edge.drivers.modbus.driver import ModbusDriver
from simulators.climate import Room
from simulators.devices.modbus import ModbusLine, Unit, modbus_server
from simulators.devices.modbus_rtu import rtu_line
from simulators.scenario import profile_of
from simulators.world import World
from wire.settings.check import check
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice, ModbusUnit, Profile
from wire.settings.modbus_outputs import ProfileOutput, UnitOutput

NOON = 1_789_000_000.0
MODELS = ("sim-air-conditioner", "sim-humidifier")
LINES = pytest.mark.parametrize("line", ["tcp", "rtu"])


def now() -> tuple[int, int]:
    return time.monotonic_ns(), int(NOON * 1000)


class Stand:
    """A room with an air conditioner and a humidifier on one line, the driver, and the gateway's outputs."""

    def __init__(self, line: ModbusLine, driver: ModbusDriver, room: Room, clock: list[float]) -> None:
        self.line, self.driver, self.room, self.clock = line, driver, room, clock
        self.told: list[tuple[str, str]] = []
        self.outputs = Outputs(
            [driver], tell=lambda kind, _, subject: self.told.append((kind, subject)), now=time.monotonic
        )


@asynccontextmanager
async def stand(kind: str, collector: Any, folder: Path, *, timeout_ms: int = 200) -> AsyncIterator[Stand]:
    """The driver runs while the context is open; it has read every unit once."""
    clock = [NOON]
    room = Room(World(3), "room")

    def unit(address: int, model: str) -> Unit:
        return Unit(address, model, lambda name: room.value(name, clock[0]), told=room.tell)

    units = [unit(number, model) for number, model in enumerate(MODELS, 1)]
    common: dict[str, Any] = {
        "name": "bus",
        "interval_ms": 50,
        "timeout_ms": timeout_ms,
        "profile": [msgspec.convert(profile_of(model), Profile) for model in MODELS],
        "unit": [
            ModbusUnit(
                address=1,
                profile=MODELS[0],
                prefix="ac",
                output=[UnitOutput(output="ac_on"), UnitOutput(output="ac_setpoint")],
            ),
            ModbusUnit(
                address=2,
                profile=MODELS[1],
                prefix="hum",
                output=[UnitOutput(output="humidifier_on"), UnitOutput(output="humidifier_setpoint")],
            ),
        ],
    }
    settings: ModbusDevice | ModbusRtuDevice
    if kind == "tcp":
        async with modbus_server(units, now=now) as (line, port):
            settings = ModbusDevice(host="127.0.0.1", port=port, **common)
            async with running(settings, collector) as driver:
                yield Stand(line, driver, room, clock)
    else:
        async with rtu_line(units, now=now, path=folder / "tty") as serial:
            settings = ModbusRtuDevice(path=str(serial.path), baud=115200, late_ms=200, **common)
            async with running(settings, collector) as driver:
                yield Stand(serial, driver, room, clock)


@asynccontextmanager
async def running(settings: ModbusDevice | ModbusRtuDevice, collector: Any) -> AsyncIterator[ModbusDriver]:
    driver = ModbusDriver(settings, Given(time.monotonic_ns))
    task = asyncio.ensure_future(driver.run(collector))
    await collector.until(lambda: len(collector.polls) >= 2)
    try:
        yield driver
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@LINES
@pytest.mark.requirement("G-6.9a2", "G-6.9d", "G-6.11e")
def test_room_follows_its_air_conditioner_and_humidifier(line: str, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stand(line, collector, tmp_path) as here:
            before = here.room.air(NOON)
            await here.outputs.set("ac/ac_setpoint", 1800, by="test")
            await here.outputs.set("ac/ac_on", 1, by="test")
            await here.outputs.set("hum/humidifier_setpoint", 6000, by="test")
            await here.outputs.set("hum/humidifier_on", 1, by="test")
            assert here.room.settings.ac_setpoint == 18.0
            assert here.room.settings.humidifier_setpoint == 60.0
            here.clock[0] += 1800
            after = here.room.air(here.clock[0])
            assert before.temperature > 19
            assert abs(after.temperature - 18) < 0.6
            assert before.relative_humidity < 56
            assert abs(after.relative_humidity - 60) < 3
            (layout,) = (one for one in here.driver.layouts if "ac/ac_on" in one.points)
            place = layout.points.index("ac/ac_on")
            await collector.until(lambda: collector.of(layout.id)[-1].counts[place] == 1)
        assert [kind for kind, _ in here.told] == ["output_asked", "output_set"] * 4

    asyncio.run(scenario())


@LINES
def test_device_that_acknowledges_and_does_nothing_is_contradicted(
    line: str, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with stand(line, collector, tmp_path) as here:
            here.line.units[1].fault = "deaf"
            with pytest.raises(OutputError, match="1 was written, the device says 0 after"):
                await here.outputs.set("ac/ac_on", 1, by="test")
            assert here.told == [("output_asked", "ac/ac_on"), ("output_failed", "ac/ac_on")]

    asyncio.run(scenario())


@LINES
def test_silent_device_is_not_believed_to_be_set(line: str, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stand(line, collector, tmp_path) as here:
            here.line.units[1].fault = "silence"
            with pytest.raises(OutputError, match=r"ac/ac_on: (no answer within 0\.2 s|did not answer)"):
                await here.outputs.set("ac/ac_on", 1, by="test")
            with pytest.raises(OutputError, match="does not say where it stands"):
                await here.outputs.set("ac/ac_setpoint", 2000, by="test")

    asyncio.run(scenario())


@LINES
def test_device_that_refuses_a_write_is_told(line: str, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stand(line, collector, tmp_path) as here:
            here.line.units[2].told = None
            with pytest.raises(OutputError, match="Modbus exception 2"):
                await here.outputs.set("hum/humidifier_on", 1, by="test")

    asyncio.run(scenario())


def test_polls_go_on_while_outputs_are_set(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stand("rtu", collector, tmp_path) as here:
            setting = [
                here.outputs.set("ac/ac_on", 1, by="test"),
                here.outputs.set("hum/humidifier_on", 1, by="test"),
                here.outputs.set("hum/humidifier_setpoint", 5500, by="test"),
            ]
            await asyncio.gather(*setting)
            seen = len(collector.polls)
            await collector.until(lambda: len(collector.polls) >= seen + 6)
            assert not collector.silences

    asyncio.run(scenario())


@pytest.mark.slow
def test_write_to_a_silent_unit_makes_no_other_unit_silent(collector: Any, tmp_path: Path) -> None:
    """A poll that waits for its turn was not asked yet: the wait is no lateness of its answer."""

    async def scenario() -> None:
        async with stand("tcp", collector, tmp_path, timeout_ms=120) as here:
            here.line.units[1].fault = "silence"
            quiet, good = here.driver.layouts
            for _ in range(4):
                with pytest.raises(OutputError):
                    await here.outputs.set("ac/ac_on", 1, by="test")
                await asyncio.sleep(1)
            assert len(collector.of(good.id)) > 10
            assert {points for points, _, _ in collector.silences} <= {tuple(quiet.points)}

    asyncio.run(scenario())


def test_value_between_the_devices_steps_is_refused_before_it_is_written(
    collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with stand("tcp", collector, tmp_path) as here:
            with pytest.raises(OutputError, match="cannot say it exactly"):
                await here.outputs.set("ac/ac_setpoint", 2005, by="test")
            with pytest.raises(OutputError, match=r"expected 16\.00 to 30\.00 °C"):
                await here.outputs.set("ac/ac_setpoint", 3001, by="test")
            assert here.room.settings.ac_setpoint == 22.0

    asyncio.run(scenario())


def test_switch_in_a_register_that_shows_another_number_is_unknown(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stand("tcp", collector, tmp_path) as here:
            here.room.settings.humidifier_on = 7
            assert await here.driver.read_back("hum/humidifier_on") is None
            with pytest.raises(OutputError, match="expected 0 or 1"):
                await here.driver.write("hum/humidifier_on", 2)

    asyncio.run(scenario())


def test_line_that_is_not_open_sets_nothing() -> None:
    async def scenario() -> None:
        unit = ModbusUnit(address=1, profile=MODELS[0], prefix="ac", output=[UnitOutput(output="ac_on")])
        profile = msgspec.convert(profile_of(MODELS[0]), Profile)
        settings = ModbusDevice(name="bus", host="127.0.0.1", port=1, unit=[unit], profile=[profile])
        driver = ModbusDriver(settings, Given(time.monotonic_ns))
        with pytest.raises(OutputError, match="connection closed"):
            await driver.write("ac/ac_on", 1)
        assert await driver.read_back("ac/ac_on") is None

    asyncio.run(scenario())


def profile(**output: Any) -> dict[str, Any]:
    given = {"output": "setpoint", "quantity": "temperature", "register": 0, "low": "16", "high": "30"}
    value = {"point": "temperature", "quantity": "temperature", "register": 1, "scale": "0.1"}
    return {"name": "ac", "value": [value], "output": [{**given, **output}]}


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ({"type": "uint32"}, "output[0].type"),
        ({"type": "float32", "function": 16}, "output[0].step"),
        ({"function": 5}, "output[0].function"),
        ({"function": 3}, "output[0].function"),
        ({"quantity": "mood"}, "output[0].quantity"),
        ({"scale": 0}, "output[0].scale"),
        ({"low": "30"}, "output[0].low"),
        ({"step_max": "0"}, "output[0].step_max"),
        ({"kind": "switch"}, "output[0].low"),
        ({"kind": "switch", "on": 0, "low": "1"}, "output[0].on"),
    ],
)
def test_wrong_output_of_a_profile_is_named(output: dict[str, Any], path: str) -> None:
    assert check(profile(), Profile)[1] == []
    assert check(profile(**output), Profile)[1][0].path == path


@pytest.mark.parametrize(
    ("own", "path"),
    [
        ({"output": "fan"}, "unit[0].output[0].output"),
        ({"output": "setpoint", "low": Decimal(10)}, "unit[0].output[0].low"),
        ({"output": "setpoint", "high": Decimal(40)}, "unit[0].output[0].low"),
        ({"output": "setpoint", "step_max": Decimal(3)}, "unit[0].output[0].step_max"),
        ({"output": "setpoint", "apart_s": 1.0}, "unit[0].output[0].apart_s"),
        ({"output": "power", "high": Decimal(1)}, "unit[0].output[0].high"),
    ],
)
def test_limits_of_a_unit_are_never_wider_than_the_profiles(own: dict[str, Any], path: str) -> None:
    made = msgspec.convert(profile(step_max="2", apart_s=10), Profile)
    switch = ProfileOutput(output="power", kind="switch", function=5, register=0)
    made = msgspec.structs.replace(made, output=[*made.output, switch])
    unit = ModbusUnit(address=1, profile="ac", prefix="ac", output=[UnitOutput(**own)])
    settings = ModbusDevice(name="bus", host="localhost", unit=[unit], profile=[made])
    assert [fault.path for fault in device_faults(settings)] == [path]


def test_two_units_cannot_have_one_output() -> None:
    values = [
        {"point": point, "quantity": "temperature", "register": place} for place, point in enumerate("ab")
    ]
    made = msgspec.convert({**profile(), "value": values}, Profile)
    own = [UnitOutput(output="setpoint")]
    units = [
        ModbusUnit(address=number, profile="ac", prefix="ac", points=[point], output=own)
        for number, point in enumerate("ab", 1)
    ]
    settings = ModbusDevice(name="bus", host="localhost", unit=units, profile=[made])
    assert [fault.path for fault in device_faults(settings)] == ["unit[1].prefix"]


def test_limits_of_a_unit_narrow_those_of_the_profile() -> None:
    made = msgspec.convert(profile(step_max="2", apart_s=10, scale="0.1"), Profile)
    own = UnitOutput(output="setpoint", low=Decimal(18), high=Decimal(26), step_max=Decimal(1), apart_s=60.0)
    unit = ModbusUnit(address=1, profile="ac", prefix="ac", output=[own])
    settings = ModbusDevice(name="bus", host="localhost", unit=[unit], profile=[made])
    (output,) = ModbusDriver(settings, Given(time.monotonic_ns)).outputs
    assert (output.low, output.high, output.exponent) == (1800, 2600, -2)
    assert (output.step_max, output.apart_s, output.quantity) == (100, 60.0, "temperature")
