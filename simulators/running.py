"""Starts every simulated device of a scenario and says how a gateway reaches them.

It starts no gateway and writes no settings; what it returns are `[[device]]` tables ready to go into a
gateway's settings file.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import get_args

from simulators.climate import Instrument, Room, Use
from simulators.devices import gnss, modbus, network, osdp, ups
from simulators.devices.bench import network_camera, scpi_instrument
from simulators.devices.bluetooth import BUS, Tag, Whereabouts, bluetooth
from simulators.devices.bluez import message_bus
from simulators.devices.building import doors_and_ignition, gpio_table, senml_sensors, terminals
from simulators.devices.modbus_rtu import rtu_line
from simulators.devices.modem import Radio, modem_service
from simulators.devices.sysfs import board, sysfs_tree
from simulators.devices.ups_dump import RecordedUps
from simulators.drives import Driver, Fix
from simulators.ports import Ports
from simulators.rpi_gpio import environment
from simulators.scenario import (
    BlePart,
    CameraPart,
    GatewayPart,
    GnssPart,
    GpioPart,
    InstrumentPart,
    ModbusPart,
    NetworkPart,
    OsdpPart,
    Scenario,
    SenmlPart,
    SysfsPart,
    Table,
    TerminalPart,
    UnitPart,
    UpsPart,
    modbus_table,
)
from simulators.sources import POLL_S, Recorded, drive_of, driven, played
from simulators.state import Clocks as Clocks
from simulators.state import Running as Running
from simulators.world import World
from wire.settings.gnss import GNSS_POINTS_FIRST, GnssPoint


@asynccontextmanager
async def running(
    scenario: Scenario,
    *,
    seed: int,
    folder: Path,
    clocks: Clocks,
    log_readings: bool = False,
    ports: Ports | None = None,
) -> AsyncIterator[Running]:
    """Run every device of the scenario while the context is open; logs and daemons' files go to `folder`.

    `ports` says on which ones they listen; any that are free without. `ScenarioError` for a recorded file
    that cannot be played, before anything is started; `DaemonError`.
    """
    recorded = Recorded.of(scenario)
    state = Running(scenario.title, {}, {})
    async with AsyncExitStack() as stack:
        starter = _Starter(World(seed), recorded, folder, clocks, log_readings, stack, state)
        starter.ports = ports or Ports()
        for gateway in scenario.gateway:
            devices = [await starter.start_ups(gateway, part) for part in gateway.ups]
            devices += [await starter.start_modbus(gateway, part) for part in gateway.modbus]
            devices += [await starter.start_gnss(gateway, part) for part in gateway.gnss]
            devices += [await starter.start_sysfs(gateway, part) for part in gateway.sysfs]
            devices += [await starter.start_osdp(gateway, part) for part in gateway.osdp]
            devices += [await starter.start_ble(gateway, part) for part in gateway.ble]
            devices += [await starter.start_gpio(gateway, part) for part in gateway.gpio]
            devices += [await starter.start_terminals(gateway, part) for part in gateway.terminal]
            devices += [await starter.start_senml(gateway, part) for part in gateway.senml]
            devices += [await starter.start_instrument(gateway, part) for part in gateway.instrument]
            devices += [await starter.start_camera(gateway, part) for part in gateway.camera]
            devices += [await starter.start_network(gateway, part) for part in gateway.network]
            state.gateways[gateway.id] = {
                "kind": gateway.kind,
                "title": gateway.title,
                "latitude": gateway.latitude,
                "longitude": gateway.longitude,
                "device": devices,
                "environment": starter.environments.get(gateway.id, {}),
                "keys": starter.keys.get(gateway.id, {}),
            }
        yield state


@dataclass(slots=True)
class _Starter:
    """Starts devices one by one and keeps them on the stack."""

    world: World
    recorded: Recorded
    folder: Path
    clocks: Clocks
    log_readings: bool
    stack: AsyncExitStack
    state: Running
    rooms: dict[str, Room] = field(default_factory=dict)
    ports: Ports = field(default_factory=Ports)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    """What the process of a gateway needs in its environment."""
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    """By gateway and device: the folder whose files `*.key` the gateway needs at its own place."""

    async def start_modbus(self, gateway: GatewayPart, part: ModbusPart) -> Table:
        """Start a Modbus line and return its settings table."""
        key = f"{gateway.id}/{part.name}"
        units = [self._unit(gateway, part, unit) for unit in part.units]
        log = self.folder / f"{gateway.id}-{part.name}.jsonl" if self.log_readings else None
        if part.rtu:
            path = self.folder / f"{gateway.id}-{part.name}.tty"
            serial = await self.stack.enter_async_context(
                rtu_line(units, now=self.clocks.now, path=path, log=log)
            )
            self.state.devices[key] = serial
            return modbus_table(part, path)
        line, port = await self.stack.enter_async_context(
            modbus.modbus_server(units, now=self.clocks.now, log=log, port=self.ports.of(key))
        )
        self.state.devices[key] = line
        return modbus_table(part, port)

    def _unit(self, gateway: GatewayPart, part: ModbusPart, unit: UnitPart) -> modbus.Unit:
        name = f"{gateway.id}/{part.name}/{unit.address}"
        if any(value.truth == "energy" for value in modbus.models()[unit.model]):
            use = Use(Instrument(f"{self.world.seed}/{name}"))
            self.state.acts[name] = {
                "use": lambda: use.tell("used", self.clocks.utc_s()),
                "rest": lambda: use.tell("idle", self.clocks.utc_s()),
                "leave": lambda: use.tell("by itself", self.clocks.utc_s()),
            }
            return modbus.Unit(
                unit.address, unit.model, lambda what: use.value(what, self.clocks.utc_s()), name=name
            )
        room = self._room(unit.room, lambda: self._mains(gateway, part))
        return modbus.Unit(
            unit.address,
            unit.model,
            lambda what: room.value(what, self.clocks.utc_s()),
            name=name,
            told=room.tell,
        )

    def _mains(self, gateway: GatewayPart, part: ModbusPart) -> bool:
        supply = self.state.devices.get(f"{gateway.id}/{part.mains}")
        return not (isinstance(supply, ups.Ups | RecordedUps) and supply.on_battery)

    async def start_sysfs(self, gateway: GatewayPart, part: SysfsPart) -> Table:
        """Start the sensors of a board and return their settings table."""
        truth = self._truth(gateway, part.room)
        sensors, tables = board(lambda: truth("temperature"), lambda: truth("relative_humidity"))
        root = self.folder / f"{gateway.id}-{part.name}"
        tree = await self.stack.enter_async_context(sysfs_tree(root, sensors))
        self.state.devices[f"{gateway.id}/{part.name}"] = tree
        return {
            "driver": "sysfs",
            "name": part.name,
            "root": str(root),
            "interval_ms": 1000,
            "sensor": [{**table, "prefix": part.prefix or part.name} for table in tables],
        }

    async def start_ups(self, gateway: GatewayPart, part: UpsPart) -> Table:
        """Start a UPS and return its settings table."""
        folder = self.folder / f"{gateway.id}-{part.name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        dump = self.recorded.dumps.get(f"{gateway.id}/{part.name}")
        one = self._made_up(gateway) if dump is None else RecordedUps(dump)
        port = self.ports.of(f"{gateway.id}/{part.name}")
        port = await self.stack.enter_async_context(ups.nut_server(one, folder=folder, port=port))
        self.state.devices[f"{gateway.id}/{part.name}"] = one
        return {"driver": "ups", "name": part.name, "prefix": part.name, "host": "127.0.0.1", "port": port}

    def _made_up(self, gateway: GatewayPart) -> ups.Ups:
        return ups.Ups(
            now_s=self.clocks.utc_s,
            voltage=lambda: self.world.air(gateway.id, self.clocks.utc_s()).supply_voltage,
        )

    async def start_gnss(self, gateway: GatewayPart, part: GnssPart) -> Table:
        """Start a receiver with its gpsd and return its settings table."""
        key, name = f"{gateway.id}/{part.name}", f"{gateway.id}-{part.name}"
        recording = self.recorded.logs.get(key)
        if recording is None:
            where = self._where(key, part)
            receiver = gnss.Receiver(driven(self.world.seed, key, where, utc_s=self.clocks.utc_s))
        else:
            receiver = gnss.Receiver(played(recording, utc_s=self.clocks.utc_s), period_s=POLL_S)
        port = self.ports.of(key)
        port = await self.stack.enter_async_context(
            gnss.gpsd_fed_by(receiver, folder=self.folder, port=port, name=name)
        )
        self.state.devices[key] = receiver
        table: Table = {
            "driver": "gnss",
            "name": part.name,
            "prefix": part.name,
            "host": "127.0.0.1",
            "port": port,
        }
        if part.waits:
            table["points"] = [*get_args(GnssPoint)[:GNSS_POINTS_FIRST], "hold"]
        if recording is not None:
            table["period_ms"] = max(50, recording.period_us // 1000)
        return table

    def _where(self, key: str, part: GnssPart) -> Callable[[float], Fix]:
        drive = drive_of(self.world.seed, key, part)
        if not part.waits:
            return drive.at
        driver, now_s = Driver(drive), self.clocks.utc_s
        self.state.acts[f"{key}/vehicle"] = {
            "drive": lambda: driver.tell(now_s(), driving=True),
            "park": lambda: driver.tell(now_s(), driving=False),
        }
        return driver.at

    async def start_osdp(self, gateway: GatewayPart, part: OsdpPart) -> Table:
        """Start a line of card readers and return its settings table; their keys go to files beside it.

        The gateway finds the keys once they are copied to `<data>/<name>/`, with mode 0600.
        """
        key, folder = self._folder(gateway, part.name, keys=True)
        readers = [
            osdp.Reader(place, osdp.write_key(folder / f"{name}.key", f"{self.world.seed}/{key}/{name}"))
            for place, name in enumerate(part.readers, start=1)
        ]
        line = await self.stack.enter_async_context(
            osdp.reader_line(folder / "line", readers, seed=self.world.seed, visits=part.visits)
        )
        self.state.devices[key] = line
        chance = random.Random(f"{self.world.seed}/{key}/cards")
        for name, reader in zip(part.readers, readers, strict=True):
            self.state.acts[f"{key}/{name}"] = {
                "card": partial(_show_card, reader, chance),
                "pin": partial(_press, reader),
            }
        return {
            "driver": "osdp",
            "name": part.name,
            "prefix": part.prefix or part.name,
            "path": str(folder / "line"),
            "reader": [
                {"name": name, "address": reader.address}
                for name, reader in zip(part.readers, readers, strict=True)
            ],
        }

    async def start_ble(self, gateway: GatewayPart, part: BlePart) -> Table:
        """Start a Bluetooth radio on a D-Bus of its own and return its settings table."""
        key, folder = self._folder(gateway, part.name)
        address, air, tags, table = await self.stack.enter_async_context(
            bluetooth(
                part,
                folder,
                seed=f"{self.world.seed}/{key}",
                truth=partial(self._truth, gateway),
                utc_s=self.clocks.utc_s,
            )
        )
        self.environments.setdefault(gateway.id, {})[BUS] = address
        self.state.devices[key] = air
        for name, tag in tags.items():
            self.state.acts[f"{key}/{name}"] = {
                "here": partial(_move, tag, "here"),
                "away": partial(_move, tag, "away"),
                "leave": partial(_move, tag, "by itself"),
            }
        return table

    async def start_gpio(self, gateway: GatewayPart, part: GpioPart) -> Table:
        """Start a board and return its settings table; the gateway's process needs its environment."""
        key, folder = self._folder(gateway, part.name)
        drive = next(
            (
                drive_of(self.world.seed, f"{gateway.id}/{one.name}", one)
                for one in gateway.gnss
                if one.name == part.ignition and not one.log
            ),
            None,
        )
        board = await self.stack.enter_async_context(
            doors_and_ignition(
                part,
                folder,
                seed=f"{self.world.seed}/{key}",
                driving=lambda: drive is None or not drive.at(self.clocks.utc_s()).parked,
            )
        )
        self.environments.setdefault(gateway.id, {}).update(environment(folder))
        self.state.devices[key] = board
        for name, asked in board.asked.items():
            self.state.acts[f"{key}/{name}"] = {
                "open": asked.set,
                "enter": partial(board.doing.put_nowait, name),
            }
        return gpio_table(part)

    async def start_terminals(self, gateway: GatewayPart, part: TerminalPart) -> Table:
        """Start access terminals and return their settings table; their keys go to files beside them.

        The gateway finds the keys once they are copied to `<data>/<name>/`, with mode 0600.
        """
        key, folder = self._folder(gateway, part.name, keys=True)
        found, table = await self.stack.enter_async_context(
            terminals(
                part,
                folder,
                seed=f"{self.world.seed}/{key}",
                utc_s=self.clocks.utc_s,
                port=self.ports.to(key),
            )
        )
        self.state.devices |= {f"{key}/{one.name}": one for one in found}
        return table

    async def start_senml(self, gateway: GatewayPart, part: SenmlPart) -> Table:
        """Start SenML sensors and return their settings table; keys as of terminals."""
        key, folder = self._folder(gateway, part.name, keys=not part.mqtt)
        truth = partial(self._truth, gateway)
        port = self.ports.of(key) if part.mqtt else self.ports.to(key)
        seed = f"{self.world.seed}/{key}"
        found, table = await self.stack.enter_async_context(
            senml_sensors(part, folder, seed=seed, truth=truth, utc_s=self.clocks.utc_s, port=port)
        )
        self.state.devices |= {f"{key}/{room}": one for room, one in zip(part.rooms, found, strict=True)}
        return table

    async def start_instrument(self, gateway: GatewayPart, part: InstrumentPart) -> Table:
        """Start an instrument and return its settings table."""
        key = f"{gateway.id}/{part.name}"

        def room(time_s: float) -> float:
            return self.world.air(f"{gateway.id}/{part.room}", time_s).temperature

        self.state.devices[key], table = await self.stack.enter_async_context(
            scpi_instrument(part, room=room, utc_s=self.clocks.utc_s, port=self.ports.of(key))
        )
        return table

    async def start_camera(self, gateway: GatewayPart, part: CameraPart) -> Table:
        """Start a camera and return its settings table."""
        key, folder = self._folder(gateway, part.name)
        self.state.devices[key], table = await self.stack.enter_async_context(
            network_camera(part, folder, utc_s=self.clocks.utc_s, port=self.ports.of(key))
        )
        return table

    async def start_network(self, gateway: GatewayPart, part: NetworkPart) -> Table:
        """Start the interfaces of a gateway and return their settings table."""
        key, folder = self._folder(gateway, part.name)
        uplink = network.Uplink(folder, part.bearers, f"{self.world.seed}/{key}", self.clocks.utc_s)
        await self.stack.enter_async_context(network.interfaces(uplink))
        self.state.devices[key] = uplink
        table: Table = {"driver": "network", "name": part.name, "prefix": part.name, "root": str(folder)}
        if part.day_bytes is not None:
            table["budget"] = {"day_bytes": part.day_bytes}
        if part.modem:
            table["modem"] = True
            await self._start_modem(gateway, key, folder)
        return table

    async def _start_modem(self, gateway: GatewayPart, key: str, folder: Path) -> None:
        """Start a ModemManager on the gateway's D-Bus, which it may share with a Bluetooth radio."""
        environment = self.environments.setdefault(gateway.id, {})
        if BUS not in environment:
            environment[BUS] = await self.stack.enter_async_context(message_bus(folder))
        radio = Radio(key=f"{self.world.seed}/{key}", utc_s=self.clocks.utc_s)
        await self.stack.enter_async_context(modem_service(radio, environment[BUS]))
        self.state.devices[f"{key}/modem"] = radio

    def _truth(self, gateway: GatewayPart, room: str) -> Callable[[str], float]:
        """Return what the values of a room are, with what the devices in it did to it."""
        name = f"{gateway.id}/{room}"
        found = self._room(name)
        return lambda what: found.value(what, self.clocks.utc_s())

    def _room(self, name: str, mains: Callable[[], bool] = lambda: True) -> Room:
        """Return a room with what can happen to its air."""
        found = self.rooms.setdefault(name, Room(self.world, name, mains=mains))
        self.state.acts[f"{name}/air"] = {
            "warm": lambda: found.happen(heated=True),
            "mend": lambda: found.happen(heated=False),
            "leak": lambda: found.happen(leaking=True),
            "clear": lambda: found.happen(leaking=False),
        }
        return found

    def _folder(self, gateway: GatewayPart, name: str, *, keys: bool = False) -> tuple[str, Path]:
        folder = self.folder / f"{gateway.id}-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if keys:
            self.keys.setdefault(gateway.id, {})[name] = str(folder)
        return f"{gateway.id}/{name}", folder


def _show_card(reader: osdp.Reader, chance: random.Random, *card: str) -> Table:
    """Hold a card to the reader: that of a facility and number, or any."""
    facility, number = chance.randrange(256), chance.randrange(10_000, 65_536)
    if card:
        if len(card) != 2 or not all(part.isdecimal() and len(part) < 6 for part in card):
            raise ValueError(f"card {' '.join(card)!r}: expected facility and number")
        facility, number = int(card[0]) % 256, int(card[1]) % 65_536
    if not reader.present(osdp.wiegand_26(facility, number), 26):
        raise ValueError(f"the reader at address {reader.address} takes no more cards: expected a gateway")
    return {"facility": facility, "number": number}


def _press(reader: osdp.Reader, *keys: str) -> None:
    if len(keys) != 1 or not keys[0].isdecimal():
        raise ValueError(f"pin {' '.join(keys)!r}: expected digits")
    if not reader.press(f"{keys[0]}#"):
        raise ValueError(f"the reader at address {reader.address} takes no keys: expected a gateway")


def _move(tag: Tag, where: Whereabouts) -> None:
    tag.where = where
