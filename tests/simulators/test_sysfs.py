"""The simulated sensors of a board: read as a kernel's, one fault at a time, from a scenario file."""

import asyncio
import errno
import os
import time
from pathlib import Path

import pytest

from edge.drivers.sysfs.finding import read_text
from simulators.devices.sysfs import Sensor, Tree, w1_slave
from simulators.running import Clocks, running
from simulators.scenario import load_scenario
from wire.settings.check import check
from wire.settings.sysfs import SysfsDevice

SCENARIO = """
title = "A board"
[[gateway]]
id = "lab-1"
kind = "laboratory"
title = "Laboratory"
latitude = 0.0
longitude = 0.0
[[gateway.sysfs]]
name = "board"
room = "room-1"
"""


def test_power_on_scratchpad_is_the_published_one() -> None:
    assert w1_slave(0.0, power_on=True).splitlines()[0] == "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES"
    assert w1_slave(25.0625).splitlines()[1] == "91 01 4b 46 7f ff 0f 10 25 t=25062"
    assert " NO\n" in w1_slave(20, bad_crc=True)


def test_sensor_that_is_back_has_another_number_and_the_same_hardware(tmp_path: Path) -> None:
    sensor = Sensor("hwmon", "nct6775", "isa/nct", {"temp1_input": lambda: 30.5})
    tree = Tree(tmp_path, [sensor])
    tree.update()
    first = tree.folder(sensor)
    assert (tmp_path / "class/hwmon/hwmon0/temp1_input").read_text() == "30500\n"
    sensor.fault = "gone"
    tree.update()
    assert not first.exists()
    sensor.fault = ""
    tree.update()
    assert tree.folder(sensor).parent == first.parent
    assert tree.folder(sensor) != first


def test_read_that_fails_fails_with_an_input_output_error(tmp_path: Path) -> None:
    sensor = Sensor("iio", "bme280", "i2c-1/1-0076", {"in_temp_input": lambda: 20.0}, "error")
    tree = Tree(tmp_path, [sensor])
    tree.update()
    handle = os.open(tree.folder(sensor) / "in_temp_input", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Input/output error"):
            os.read(handle, 10)
    finally:
        os.close(handle)


def test_scenario_starts_a_board_and_switches_its_faults(tmp_path: Path) -> None:
    text = tmp_path / "board.toml"
    text.write_text(SCENARIO, encoding="utf-8")

    async def story() -> None:
        clocks = Clocks(time.monotonic_ns, time.time)
        async with running(load_scenario(str(text)), seed=3, folder=tmp_path, clocks=clocks) as state:
            (table,) = state.ports()["gateways"]["lab-1"]["device"]  # type: ignore[index]
            settings, faults = check(table, SysfsDevice)
            assert faults == []
            assert settings is not None
            file = Path(settings.root, "bus/w1/devices/28-0000055f3a1b/w1_slave")
            assert "YES" in str(read_text(file))
            state.switch("lab-1/board", "crc", unit=2)
            assert " NO" in str(read_text(file))
            state.switch("lab-1/board", "gone")
            assert read_text(file) == errno.ENOENT
            for fault, unit in (("nonsense", None), ("gone", 9)):
                with pytest.raises(ValueError, match=r"nonsense|sensor 9"):
                    state.switch("lab-1/board", fault, unit=unit)

    asyncio.run(story())
