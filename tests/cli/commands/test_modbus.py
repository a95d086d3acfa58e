"""`heng modbus find` and `heng edge set`, as a person puts devices into service with them."""

import asyncio
import re
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from edge.journal.lock import FolderLock
from simulators.climate import Room
from simulators.devices.modbus import Unit, modbus_server
from simulators.devices.modbus_rtu import rtu_line
from simulators.world import World
from tests.air_conditioner import PROFILE

NOON = 1_789_000_000.0
ROOM = Room(World(7), "room")


def now() -> tuple[int, int]:
    return time.monotonic_ns(), int(NOON * 1000)


def truth(name: str) -> float:
    return ROOM.value(name, NOON)


async def heng(*words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.slow
def test_units_of_a_line_are_found_with_their_values(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, str, str]:
        units = [Unit(3, "xy-md02", truth)]
        async with rtu_line(units, now=now, path=tmp_path / "tty") as line:
            words = ["--serial", str(line.path), "--addresses", "1,3-4", "--timeout-ms", "300"]
            return await heng("modbus", "find", *words)

    code, out, err = asyncio.run(scenario())
    assert code == 0
    assert re.search(r"unit 3 at \S+tty at 9600 8N1\n", out), out
    assert re.search(r"  as xy-md02: temperature = \d+\.\d+ °C, relative_humidity = \d+\.\d+ %RH", out), out
    assert "asking 3 address(es) with 12 setting(s): at most 11 s" in err
    assert "1 unit(s) found" in err


@pytest.mark.slow
def test_connection_without_units_ends_with_1() -> None:
    async def scenario() -> tuple[int, str, str]:
        async with modbus_server([], now=now) as (_, port):
            words = ["--tcp", f"127.0.0.1:{port}", "--addresses", "1-3", "--timeout-ms", "50"]
            return await heng("modbus", "find", *words)

    code, out, err = asyncio.run(scenario())
    assert (code, out) == (1, "")
    assert "0 unit(s) found" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tcp", "host:x"], "--tcp host:x: expected HOST or HOST:PORT"),
        (["--tcp", "host:0"], "--tcp port: 0"),
        (["--serial", "ttyUSB0"], "--serial path: 'ttyUSB0': expected the path of a serial port"),
        (["--serial", "/dev/null", "--baud", "9601"], "--baud 9601: expected some of 1200"),
        (["--serial", "/dev/null", "--format", "9X9"], "--format 9X9: expected some of 8N1"),
        (["--tcp", "host", "--addresses", "0-5"], "--addresses 0-5: expected numbers and ranges"),
        (["--tcp", "host", "--timeout-ms", "1"], "--timeout-ms 1: expected 10 to 60000"),
    ],
)
def test_wrong_arguments_are_named(words: list[str], said: str, capsys: Any) -> None:
    assert main(["modbus", "find", *words]) == 2
    assert said in capsys.readouterr().err


def test_port_that_cannot_be_opened_ends_with_1(capsys: Any) -> None:
    assert main(["modbus", "find", "--serial", "/dev/null", "--addresses", "1"]) == 1
    assert "cannot open /dev/null" in capsys.readouterr().err


def settings_file(folder: Path, port: int) -> Path:
    file = folder / "gateway.toml"
    file.write_text(
        f"""
[gateway]
id = "gw-1"

[uplink]
host = "localhost"

[[device]]
driver = "modbus"
name = "bus"
host = "127.0.0.1"
port = {port}

[[device.unit]]
address = 1
profile = "ac"
prefix = "room-1/ac"

[[device.unit.output]]
output = "on"

[[device.unit.output]]
output = "setpoint"
high = "26"
"""
        + PROFILE,
        encoding="utf-8",
    )
    assert tomllib.loads(file.read_text(encoding="utf-8"))
    return file


async def set_words(folder: Path, *words: str, deaf: bool = False) -> tuple[int, str, str, Room]:
    room = Room(World(7), "room")
    unit = Unit(1, "sim-air-conditioner", lambda name: room.value(name, NOON), told=room.tell)
    unit.fault = "deaf" if deaf else ""
    async with modbus_server([unit], now=now) as (_, port):
        file = settings_file(folder, port)
        code, out, err = await heng("edge", "set", "--settings", str(file), *words)
    return code, out, err, room


@pytest.mark.slow
@pytest.mark.requirement("G-6.9d")
def test_setpoint_is_set_once_and_confirmed(tmp_path: Path) -> None:
    words = ["--output", "room-1/ac/setpoint", "--value", "21.5"]
    code, out, err, room = asyncio.run(set_words(tmp_path, *words))
    assert (code, out) == (0, "room-1/ac/setpoint: 21.5, confirmed by the device\n"), err
    assert room.settings.ac_setpoint == 21.5
    assert "output_set room-1/ac/setpoint" in err


@pytest.mark.slow
def test_outputs_are_listed_with_their_range(tmp_path: Path) -> None:
    code, out, _, _ = asyncio.run(set_words(tmp_path))
    assert code == 0
    assert out == "room-1/ac/on: 0 to 1\nroom-1/ac/setpoint: 16.00 to 26.00 °C\n"


@pytest.mark.slow
def test_device_that_does_not_follow_ends_with_1(tmp_path: Path) -> None:
    words = ["--output", "room-1/ac/on", "--value", "1"]
    code, out, err, _ = asyncio.run(set_words(tmp_path, *words, deaf=True))
    assert (code, out) == (1, "")
    assert "1 was written, the device says 0" in err


@pytest.mark.slow
def test_nothing_is_set_beside_a_gateway_that_does_not_answer(tmp_path: Path) -> None:
    lock = FolderLock.take(tmp_path / "data")
    words = ["--output", "room-1/ac/on", "--value", "1"]
    code, _, err, room = asyncio.run(set_words(tmp_path, *words))
    lock.release()
    assert code == 1
    assert "a gateway owns its outputs and does not answer" in err
    assert room.settings.ac_on == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "lamp", "--value", "1"], "output lamp: expected one of room-1/ac/on"),
        (["--output", "room-1/ac/on", "--value", "yes"], "value yes: expected a number"),
        (["--output", "room-1/ac/on", "--value", "0.5"], "value 0.5: expected at most 0 places"),
        (["--output", "room-1/ac/on", "--value", "1e9999999"], "value 1e9999999: expected a number"),
    ],
)
def test_wrong_wishes_are_named(words: list[str], said: str, tmp_path: Path, capsys: Any) -> None:
    file = settings_file(tmp_path, 1)
    assert main(["edge", "set", "--settings", str(file), *words]) == 2
    assert said in capsys.readouterr().err


def test_output_that_rests_is_left_to_a_running_gateway(tmp_path: Path, capsys: Any) -> None:
    file = settings_file(tmp_path, 1)
    text = file.read_text("utf-8")
    file.write_text(text.replace('output = "setpoint"\n', 'output = "setpoint"\napart_s = 600\n', 1), "utf-8")
    for _ in range(2):
        words = ["--output", "room-1/ac/setpoint", "--value", "21"]
        assert main(["edge", "set", "--settings", str(file), *words]) == 1
        assert "only a running gateway knows since when" in capsys.readouterr().err


def test_device_that_is_not_there_ends_with_1(tmp_path: Path, capsys: Any) -> None:
    file = settings_file(tmp_path, 1)
    assert main(["edge", "set", "--settings", str(file), "--output", "room-1/ac/on", "--value", "1"]) == 1
    assert "room-1/ac/on: cannot connect to 127.0.0.1 port 1" in capsys.readouterr().err
