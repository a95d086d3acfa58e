"""Starts every simulated device of a scenario and says how a gateway reaches them.

A scenario is a TOML file: gateways, and per gateway the devices around it. It starts no gateway and
writes no settings; what it returns are `[[device]]` tables ready to go into a gateway's settings file.
"""

import re
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from simulators.devices import gnss, modbus, ups
from simulators.devices.nmea import epoch, sky
from simulators.drives import make_drive
from simulators.world import World

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Device = modbus.ModbusLine | gnss.Receiver | ups.Ups
Table = dict[str, object]


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a scenario file holds."""


class UnitPart(_Part, frozen=True, kw_only=True):
    """One Modbus unit: its model, the room it stands in and the prefix of its points."""

    address: int
    model: str
    room: str
    prefix: str


class ModbusPart(_Part, frozen=True, kw_only=True):
    """One Modbus connection. `mains` names the UPS whose mains feed the room, if one does."""

    name: Name
    units: list[UnitPart]
    mains: str = ""


class UpsPart(_Part, frozen=True, kw_only=True):
    """One UPS."""

    name: Name


class GnssPart(_Part, frozen=True, kw_only=True):
    """One receiver on a vehicle, with the drive that it repeats."""

    name: Name
    latitude: float
    longitude: float
    altitude_m: float = 50.0
    legs: Annotated[int, Meta(ge=1, le=200)] = 8
    parked_s: float = 600.0


class GatewayPart(_Part, frozen=True, kw_only=True):
    """One gateway, the kind of its site and the devices around it."""

    id: Name
    kind: Literal["laboratory", "mobile_lab", "vehicle"]
    title: str
    latitude: float
    longitude: float
    modbus: list[ModbusPart] = field(default_factory=list)
    ups: list[UpsPart] = field(default_factory=list)
    gnss: list[GnssPart] = field(default_factory=list)


class Scenario(_Part, frozen=True, kw_only=True):
    """The whole file."""

    title: str
    gateway: list[GatewayPart]


class ScenarioError(Exception):
    """The scenario is not there or cannot be read; the text says what was expected."""


def load_scenario(name: str) -> Scenario:
    """Return a scenario by the name of a shipped file or by the path of another; `ScenarioError`."""
    if re.fullmatch(r"[a-z0-9-]+", name):
        file = resources.files("simulators.scenarios") / f"{name}.toml"
    else:
        file = Path(name)
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Scenario)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ScenarioError(f"scenario {name}: {error}") from None


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where simulated devices take their time from."""

    monotonic_ns: Callable[[], int]
    utc_s: Callable[[], float]

    def now(self) -> tuple[int, int]:
        """Return (monotonic ns, UTC ms)."""
        return self.monotonic_ns(), int(self.utc_s() * 1000)


@dataclass(slots=True)
class Running:
    """A running scenario: its devices by `<gateway>/<name>`, and the settings tables of each gateway."""

    title: str
    devices: dict[str, Device]
    gateways: dict[str, Table]

    def ports(self) -> Table:
        """Return what a ports file holds."""
        return {"title": self.title, "gateways": self.gateways}

    def switch(self, device: str, fault: str, *, unit: int | None = None) -> None:
        """Switch a fault on, or off with the empty word; `KeyError` or `ValueError` name what is unknown."""
        found = self.devices[device]
        if isinstance(found, modbus.ModbusLine):
            for one in found.units.values() if unit is None else [found.units[unit]]:
                one.fault = msgspec.convert(fault, modbus.Fault)
        elif isinstance(found, gnss.Receiver):
            found.fault = msgspec.convert(fault, gnss.Fault)
        else:
            found.fault = msgspec.convert(fault, ups.Fault)


@asynccontextmanager
async def running(
    scenario: Scenario, *, seed: int, folder: Path, clocks: Clocks, log_readings: bool = False
) -> AsyncIterator[Running]:
    """Run every device of the scenario while the context is open; logs and daemons' files go to `folder`."""
    state = Running(scenario.title, {}, {})
    async with AsyncExitStack() as stack:
        starter = _Starter(World(seed), folder, clocks, log_readings, stack, state.devices)
        for gateway in scenario.gateway:
            devices = [await starter.start_ups(gateway, part) for part in gateway.ups]
            devices += [await starter.start_modbus(gateway, part) for part in gateway.modbus]
            devices += [await starter.start_gnss(gateway, part) for part in gateway.gnss]
            state.gateways[gateway.id] = {
                "kind": gateway.kind,
                "title": gateway.title,
                "latitude": gateway.latitude,
                "longitude": gateway.longitude,
                "device": devices,
            }
        yield state


@dataclass(slots=True)
class _Starter:
    """Starts devices one by one and keeps them on the stack."""

    world: World
    folder: Path
    clocks: Clocks
    log_readings: bool
    stack: AsyncExitStack
    devices: dict[str, Device]

    async def start_modbus(self, gateway: GatewayPart, part: ModbusPart) -> Table:
        """Start a Modbus line and return its settings table."""
        key = f"{gateway.id}/{part.name}"
        units = [
            modbus.Unit(
                unit.address, unit.model, self._truth(gateway, part, unit.room), name=f"{key}/{unit.address}"
            )
            for unit in part.units
        ]
        log = self.folder / f"{gateway.id}-{part.name}.jsonl" if self.log_readings else None
        line, port = await self.stack.enter_async_context(
            modbus.modbus_server(units, now=self.clocks.now, log=log)
        )
        self.devices[key] = line
        return modbus_table(part, port)

    def _truth(self, gateway: GatewayPart, part: ModbusPart, room: str) -> modbus.Truth:
        supply = self.devices.get(f"{gateway.id}/{part.mains}")

        def truth(name: str) -> float:
            mains = not (isinstance(supply, ups.Ups) and supply.on_battery)
            return self.world.air(room, self.clocks.utc_s(), mains=mains).value(name)

        return truth

    async def start_ups(self, gateway: GatewayPart, part: UpsPart) -> Table:
        """Start a UPS and return its settings table."""
        folder = self.folder / f"{gateway.id}-{part.name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        one = ups.Ups(
            now_s=self.clocks.utc_s,
            voltage=lambda: self.world.air(gateway.id, self.clocks.utc_s()).supply_voltage,
        )
        port = await self.stack.enter_async_context(ups.nut_server(one, folder=folder))
        self.devices[f"{gateway.id}/{part.name}"] = one
        return {"driver": "ups", "name": part.name, "prefix": part.name, "host": "127.0.0.1", "port": port}

    async def start_gnss(self, gateway: GatewayPart, part: GnssPart) -> Table:
        """Start a receiver with its gpsd and return its settings table."""
        name = f"{gateway.id}-{part.name}"
        receiver = gnss.Receiver(
            epochs(self.world.seed, f"{gateway.id}/{part.name}", part, utc_s=self.clocks.utc_s)
        )
        port = await self.stack.enter_async_context(gnss.gpsd_fed_by(receiver, folder=self.folder, name=name))
        self.devices[f"{gateway.id}/{part.name}"] = receiver
        return {"driver": "gnss", "name": part.name, "prefix": part.name, "host": "127.0.0.1", "port": port}


def epochs(seed: int, name: str, part: GnssPart, *, utc_s: Callable[[], float]) -> gnss.Epoch:
    """Return what a receiver on this drive writes; the same seed and time give the same bytes."""
    key = f"{seed}/{name}"
    drive = make_drive(
        key,
        latitude=part.latitude,
        longitude=part.longitude,
        altitude_m=part.altitude_m,
        legs=part.legs,
        parked_s=part.parked_s,
    )

    def write(fault: gnss.Fault) -> bytes:
        now_s = utc_s()
        fix = None if fault == "no_fix" else drive.at(now_s)
        return epoch(fix, datetime.fromtimestamp(now_s, UTC), sky(key, now_s))

    return write


def modbus_table(part: ModbusPart, port: int) -> Table:
    """Return the settings table of a Modbus line, with the profiles of the simulators' own models."""
    own = sorted({unit.model for unit in part.units if unit.model.startswith("sim-")})
    return {
        "driver": "modbus",
        "name": part.name,
        "host": "127.0.0.1",
        "port": port,
        "unit": [
            {"address": unit.address, "profile": unit.model, "prefix": unit.prefix} for unit in part.units
        ],
        "profile": [profile_of(model) for model in own],
    }


def profile_of(model: str) -> Table:
    """Return the device profile of a model of the simulators, in the format of the gateway's settings."""
    return {
        "name": model,
        "title": "Multi-sensor of the simulators",
        "value": [
            {
                "point": value.truth,
                "quantity": value.quantity or value.truth,
                "kind": "counter" if value.truth == modbus.COUNTER_TRUTH else "analog",
                "function": value.function,
                "register": value.register,
                "type": value.encoding,
                "word_order": value.words,
                "scale": "1" if value.encoding == "float32" else str(value.scale),
                **({"step": str(value.scale)} if value.encoding == "float32" else {}),
            }
            for value in modbus.models()[model]
        ],
    }
