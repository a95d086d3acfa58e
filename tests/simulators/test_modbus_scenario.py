"""A scenario with a serial line, an air conditioner and a meter: its settings are those of a gateway."""

import asyncio
import time
from pathlib import Path

import pytest

from edge.assembly import build_driver
from edge.control.outputs import Outputs
from edge.driver import Given
from simulators.climate import Room
from simulators.devices.modbus_rtu import RtuLine
from simulators.running import Clocks, running
from simulators.scenario import load_scenario
from wire.settings.check import check
from wire.settings.modbus import ModbusRtuDevice

SCENARIO = """
title = "A serial line"

[[gateway]]
id = "lab-1"
kind = "laboratory"
title = "Laboratory"
latitude = 28.2
longitude = 112.9

[[gateway.modbus]]
name = "line"
rtu = true
units = [
    { address = 1, model = "xy-md02", room = "lab-1/room-1", prefix = "air" },
    { address = 2, model = "sim-air-conditioner", room = "lab-1/room-1", prefix = "ac" },
    { address = 3, model = "pzem-004t", room = "lab-1/room-1", prefix = "meter" },
]
"""


@pytest.mark.slow
def test_serial_line_of_a_scenario_is_ready_for_a_gateway(tmp_path: Path) -> None:
    file = tmp_path / "serial.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    scenario = load_scenario(str(file))
    clocks = Clocks(time.monotonic_ns, time.time)

    async def run() -> None:
        async with running(scenario, seed=1, folder=tmp_path, clocks=clocks, log_readings=True) as state:
            (table,) = state.gateways["lab-1"]["device"]  # type: ignore[index]
            settings, faults = check(table, ModbusRtuDevice)
            assert settings is not None, faults
            driver = build_driver(settings, Given(time.monotonic_ns))
            lines = await driver.probe()
            assert [line.ok for line in lines] == [True] * 4, lines
            told: list[str] = []
            outputs = Outputs([driver], tell=lambda kind, _, __: told.append(kind), now=time.monotonic)
            assert set(outputs.names) == {"ac/ac_on", "ac/ac_setpoint"}
            state.switch("lab-1/line", "silence", unit=1)
            line = state.devices["lab-1/line"]
            assert isinstance(line, RtuLine)
            assert line.units[1].fault == "silence"
            assert (await driver.probe())[1].ok is False
            state.switch("lab-1/line", "gone")
            assert [line.ok for line in await driver.probe()] == [False]
            state.switch("lab-1/line", "")
            assert (await driver.probe())[0].ok
            with pytest.raises(ValueError, match="gone"):
                state.switch("lab-1/line", "gone", unit=1)
            room = line.units[2].told.__self__  # type: ignore[union-attr]
            assert isinstance(room, Room)
            assert room.name == "lab-1/room-1"

    asyncio.run(run())
    assert (tmp_path / "lab-1-line.jsonl").read_text(encoding="utf-8").count("\n") >= 4
