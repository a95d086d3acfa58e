"""The load of a campaign: simulated devices that number their answers, and gateways' settings for them.

It starts no gateway.
"""

import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from simulators.devices.modbus import ModbusLine, Truth, Unit, modbus_server
from simulators.world import World

INTERVAL_MS = 200
TIMEOUT_MS = 5000
"""Longer than this machine ever makes an answer wait: no fault of a campaign is in the devices."""
UNITS = ("unit-1", "unit-2")
NUMBERING = "answers"


class _Value(NamedTuple):
    point: str
    quantity: str
    register: int
    type: str
    step: str


_VALUES = (
    _Value(NUMBERING, "count", 0, "uint32", "1"),
    _Value("pressure", "pressure", 2, "float32", "0.01"),
    _Value("illuminance", "illuminance", 4, "uint32", "0.1"),
    _Value("sound", "sound_level", 6, "uint16", "0.1"),
    _Value("vibration", "vibration", 7, "uint16", "0.001"),
    _Value("air-speed", "air_speed", 8, "uint16", "0.01"),
    _Value("co2", "co2", 9, "uint16", "1"),
    _Value("field", "electric_field", 10, "uint16", "0.01"),
    _Value("voltage", "voltage", 11, "uint16", "0.1"),
    _Value("frequency", "frequency", 12, "uint16", "0.01"),
)
"""The registers of the simulated model `sim-environment`."""
POINTS = len(_VALUES)


class DeviceLine:
    """The simulated devices of one gateway, behind one port, and what they wrote down themselves."""

    def __init__(self, line: ModbusLine, port: int, log: Path) -> None:
        """`log` grows while the devices answer; it is read on from where it was left."""
        self.port = port
        self._line = line
        self._log = log
        self._read = 0
        self._given: dict[str, dict[int, float]] = defaultdict(dict)
        self._values: dict[str, dict[int, Sequence[object]]] = defaultdict(dict)

    def silence(self, unit: str, *, silent: bool) -> None:
        """Let one device answer nothing, or answer again."""
        for one in self._line.units.values():
            if one.name == unit:
                one.fault = "silence" if silent else ""

    def given_out(self, unit: str) -> Mapping[int, float]:
        """Return number -> when it left (UTC, seconds) of one device."""
        self._read_on()
        return dict(self._given[unit])

    def values(self, unit: str) -> Mapping[int, Sequence[object]]:
        """Return number -> the registers of each point, as one device gave them out."""
        self._read_on()
        return self._values[unit]

    def _read_on(self) -> None:
        with self._log.open("rb") as file:
            file.seek(self._read)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if not line.endswith(b"\n"):
                break
            self._read += len(line)
            answer = json.loads(line)
            unit, number = answer["unit"], answer["reads"]
            self._given[unit].setdefault(number, answer["utc_ms"] / 1000)
            self._values[unit].setdefault(number, _by_point(answer["registers"]))


@asynccontextmanager
async def open_devices(gateway: str, seed: int, log: Path) -> AsyncIterator[DeviceLine]:
    """Serve the devices of one gateway for as long as the context lasts."""
    world = World(seed)
    units = [
        Unit(number, "sim-environment", _truth(world, f"{gateway}/{name}"), name)
        for number, name in enumerate(UNITS, 1)
    ]
    async with modbus_server(units, now=_now, log=log) as (line, port):
        yield DeviceLine(line, port, log)


def settings(gateway: str, *, data: Path, identity: Path, uplink_port: int, device_port: int) -> str:
    """Return a gateway's settings: short waits, so that a campaign sees many recoveries."""
    return "\n".join(
        [
            "[gateway]",
            f'id = "{gateway}"',
            f"data = {json.dumps(str(data))}",
            f"identity = {json.dumps(str(identity))}",
            "[uplink]",
            'host = "127.0.0.1"',
            f"port = {uplink_port}",
            "keepalive_s = 5",
            "timeout_s = 3",
            "resend_s = 2",
            "resend_max_s = 8",
            "reconnect_s = 0.2",
            "reconnect_max_s = 2",
            "[journal]",
            "bytes_max = 16000000",
            "[[device]]",
            'driver = "modbus"',
            'name = "line"',
            'host = "127.0.0.1"',
            f"port = {device_port}",
            f"interval_ms = {INTERVAL_MS}",
            f"timeout_ms = {TIMEOUT_MS}",
            *(line for number, name in enumerate(UNITS, 1) for line in _unit(number, name)),
            "[[device.profile]]",
            'name = "numbered"',
            *(line for value in _VALUES for line in _value(value)),
            "",
        ]
    )


def _unit(address: int, name: str) -> list[str]:
    return ["[[device.unit]]", f"address = {address}", 'profile = "numbered"', f'prefix = "{name}"']


def _value(value: _Value) -> list[str]:
    lines = ["[[device.profile.value]]", f'point = "{value.point}"', f'quantity = "{value.quantity}"']
    lines += [f"register = {value.register}", f'type = "{value.type}"']
    if value.point == NUMBERING:
        return [*lines, 'kind = "counter"']
    return [*lines, f'step = "{value.step}"' if value.type == "float32" else f'scale = "{value.step}"']


def _truth(world: World, room: str) -> Truth:
    return lambda name: world.air(room, time.time()).value(name)


def _now() -> tuple[int, int]:
    return time.monotonic_ns(), time.time_ns() // 1_000_000


def _by_point(registers: Sequence[int]) -> list[tuple[int, ...]]:
    return [
        tuple(registers[value.register : value.register + (1 if value.type == "uint16" else 2)])
        for value in _VALUES
    ]
