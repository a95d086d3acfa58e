"""Units are found on a line by one harmless question, and read by every profile that fits."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.modbus.bus import Bus, ConnectionLostError
from edge.drivers.modbus.find import Found, find
from edge.drivers.modbus.plausible import Read, odd, rank
from edge.drivers.modbus.rtu import RtuBus
from edge.drivers.modbus.tcp import TcpBus
from simulators.devices.modbus import Unit, modbus_server
from simulators.devices.modbus_rtu import RtuLine, rtu_line
from simulators.world import World
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice

NOON = 1_789_000_000.0


def truth(name: str) -> float:
    return World(7).air("room", NOON).value(name)


def now() -> tuple[int, int]:
    return time.monotonic_ns(), int(NOON * 1000)


def units() -> list[Unit]:
    return [Unit(2, "xy-md02", truth), Unit(5, "rs-ws-n01-8", truth), Unit(9, "sim-environment", truth)]


async def found_on(bus: Bus, last: int = 10) -> tuple[list[Found], list[int]]:
    asked: list[int] = []
    async with bus:
        searching = find(
            bus, range(1, last + 1), timeout_s=0.1, progress=lambda _, address: asked.append(address)
        )
        return [found async for found in searching], asked


async def found_serially(tmp_path: Path, spoil: Callable[[RtuLine], Any]) -> tuple[list[Found], list[int]]:
    async with rtu_line(units(), now=now, path=tmp_path / "tty") as line:
        spoil(line)
        settings = ModbusRtuDevice(
            name="find", path=str(line.path), baud=115200, unit=[], timeout_ms=100, late_ms=100
        )
        return await found_on(RtuBus(settings))


def values_of(found: Found, profile: str) -> dict[str, str]:
    (values,) = (fit.values for fit in found.fits if fit.profile == profile)
    return dict(value.split(" = ") for value in values)


def test_units_of_a_serial_line_are_found_and_read(tmp_path: Path) -> None:
    found, asked = asyncio.run(found_serially(tmp_path, lambda line: None))
    assert asked == list(range(1, 11))
    assert [one.address for one in found] == [2, 5, 9]
    assert all(one.where.endswith("tty at 115200 8N1") for one in found)
    expected = f"{round(truth('temperature') * 10) / 10:.2f} °C"
    assert values_of(found[0], "xy-md02")["temperature"] == expected
    assert values_of(found[1], "rs-ws-n01-8")["temperature"] == expected
    assert found[2].trouble == ""


def test_likeliest_profile_stands_first_and_what_can_hardly_be_is_marked(tmp_path: Path) -> None:
    found, _ = asyncio.run(found_serially(tmp_path, lambda line: None))
    for one, profile in ((found[0], "xy-md02"), (found[1], "rs-ws-n01-8")):
        assert [len(fit.odd) for fit in one.fits] == sorted(len(fit.odd) for fit in one.fits)
        assert [fit.odd for fit in one.fits if fit.profile == profile] == [[]]


def reads(**values: tuple[str, str]) -> dict[str, Read]:
    return {name: Read(quantity, Decimal(value)) for name, (quantity, value) in values.items()}


ROOM = reads(t=("temperature", "21.4"), rh=("relative_humidity", "46.2"))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (ROOM, []),
        (reads(t=("temperature", "135.2"), rh=("relative_humidity", "46.2")), ["t"]),
        (reads(t=("temperature", "0.0"), rh=("relative_humidity", "0.0")), ["rh"]),
        (reads(t=("temperature", "21.4"), d=("dew_point", "21.5")), ["d"]),
        (reads(u=("voltage", "229.8"), i=("current", "0"), f=("frequency", "50.01")), []),
        (reads(f=("frequency", "0.02"), n=("count", "-1")), ["f"]),
    ],
)
def test_value_that_no_laboratory_shows_is_odd(values: dict[str, Read], names: list[str]) -> None:
    assert odd(values) == names


def test_profiles_are_ranked_by_what_they_read() -> None:
    candidates = {
        "zero": reads(t=("temperature", "0"), rh=("relative_humidity", "50")),
        "hot": reads(t=("temperature", "135"), rh=("relative_humidity", "46")),
        "generic-th": ROOM,
        "maker": ROOM,
        "more": {**ROOM, **reads(p=("pressure", "1003"))},
    }
    ranked = sorted(candidates, key=lambda name: rank(name, candidates[name]))
    assert ranked == ["more", "maker", "generic-th", "zero", "hot"]


def test_units_behind_a_connection_are_found_and_read() -> None:
    async def scenario() -> list[Found]:
        async with modbus_server(units(), now=now) as (_, port):
            settings = ModbusDevice(name="find", host="127.0.0.1", port=port, unit=[], timeout_ms=50)
            return (await found_on(TcpBus(settings), last=6))[0]

    found = asyncio.run(scenario())
    assert [one.address for one in found] == [2, 5]
    assert "xy-md02" in [fit.profile for fit in found[0].fits]


def test_unit_that_is_heard_garbled_is_told(tmp_path: Path) -> None:
    def spoil(line: RtuLine) -> None:
        line.units[2].fault = "bad_crc"

    found, _ = asyncio.run(found_serially(tmp_path, spoil))
    assert (found[0].address, found[0].fits) == (2, ())
    assert "garbled" in found[0].trouble


def test_unit_that_refuses_everything_is_found(tmp_path: Path) -> None:
    def spoil(line: RtuLine) -> None:
        line.units[2].fault = "exception"

    found, _ = asyncio.run(found_serially(tmp_path, spoil))
    assert (found[0].address, found[0].fits, found[0].trouble) == (2, [], "")


def test_silent_line_has_no_units(tmp_path: Path) -> None:
    def spoil(line: RtuLine) -> None:
        for unit in line.units.values():
            unit.fault = "silence"

    assert asyncio.run(found_serially(tmp_path, spoil))[0] == []


def test_line_that_goes_away_ends_the_search(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLostError):
        asyncio.run(found_serially(tmp_path, lambda line: line.unplug()))
