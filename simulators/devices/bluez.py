"""BlueZ as programs see it: org.bluez with adapters and devices, on a private D-Bus.

A real dbus-daemon carries it; dbus-fast serves the objects. Faults are the ones that users of BlueZ report:
refused and unanswered calls, adapters that vanish, scans that give nothing or empty advertisements. Each
fault of an adapter lasts until it is taken away, or until what cures it is done to the adapter.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import msgspec
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from simulators.devices.adverts import Advert
from simulators.processes import DaemonError, daemon, find_program

Fault = Literal[
    "",
    "in_progress",
    "not_ready",
    "failed",
    "hang",
    "stuck_stop",
    "empty",
    "garbage",
    "deaf",
    "gone",
    "no_power",
]
Cure = Literal["nothing", "scan", "power", "usb"]
CURES: tuple[Cure, ...] = get_args(Cure)
ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
MANAGER, PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"
FOLLOW_S = 0.02
SIGNALS = {
    "InterfacesAdded": (MANAGER, "oa{sa{sv}}"),
    "InterfacesRemoved": (MANAGER, "oas"),
    "PropertiesChanged": (PROPERTIES, "sa{sv}as"),
}
Values = dict[str, Variant]

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow eavesdrop="false"/><allow own="*"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/></policy></busconfig>
"""


@dataclass(slots=True)
class Transmitter:
    """A BLE device: what it sends how often, and how strongly it is heard; None sends nothing this time."""

    address: str
    advert: Callable[[], Advert | None]
    interval_s: float = 1.0
    rssi: int = -60
    random: bool = False
    due_s: float = 0.0


@dataclass(slots=True)
class Adapter:
    """One radio. `cure` is what ends its fault; the stronger ones end it too."""

    address: str
    fault: Fault = ""
    cure: Cure = "nothing"
    powered: bool = True
    present: bool = True
    scanning: bool = False
    devices: set[str] = field(default_factory=set)

    def done(self, what: Cure) -> None:
        """`what` was done to the adapter."""
        if self.cure != "nothing" and CURES.index(what) >= CURES.index(self.cure):
            self.fault, self.cure = "", "nothing"


@dataclass(slots=True)
class Air:
    """Everything that may be switched while it runs."""

    adapters: dict[str, Adapter]
    transmitters: list[Transmitter]
    loss: float = 0.0
    """Part of the advertisements that nobody hears."""
    service: bool = True
    """Whether bluetoothd runs."""
    seed: int = 1
    calls: list[str] = field(default_factory=list)
    """What programs asked of the adapters."""

    def switch(self, fault: str) -> None:
        """Switch a fault of every adapter on, or off with the empty word; `ValueError` for another word."""
        for adapter in self.adapters.values():
            adapter.fault = msgspec.convert(fault, Fault)


class _Refused(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class BlueZ:
    """bluetoothd: owns org.bluez while `air.service` is true."""

    def __init__(self, air: Air, bus: MessageBus) -> None:
        self._air = air
        self._bus = bus
        self._random = random.Random(air.seed)
        self._shown: set[str] = set()

    async def run(self) -> None:
        """Serve until cancelled."""
        self._bus.add_message_handler(self._answer)
        serving = False
        loop = asyncio.get_running_loop()
        while True:
            if self._air.service != serving:
                serving = self._air.service
                await self._turn(on=serving)
            if serving:
                self._show_adapters()
                self._transmit(loop.time())
            await asyncio.sleep(FOLLOW_S)

    async def _turn(self, *, on: bool) -> None:
        self._shown.clear()
        for adapter in self._air.adapters.values():
            adapter.scanning = False
            adapter.devices.clear()
            if not on:
                adapter.done("power")
        if on:
            await self._bus.request_name("org.bluez")
        else:
            await self._bus.release_name("org.bluez")

    def _there(self) -> dict[str, Adapter]:
        present = {name: one for name, one in self._air.adapters.items() if one.present}
        return {name: one for name, one in present.items() if one.fault != "gone"}

    def _show_adapters(self) -> None:
        there = self._there()
        for name in sorted(self._shown - there.keys()):
            self._shown.discard(name)
            adapter = self._air.adapters.get(name)
            if adapter is not None:
                adapter.scanning = False
                adapter.devices.clear()
            self._signal("/", "InterfacesRemoved", [f"/org/bluez/{name}", [ADAPTER]])
        for name in sorted(there.keys() - self._shown):
            self._shown.add(name)
            body = [f"/org/bluez/{name}", {ADAPTER: self._adapter_values(name)}]
            self._signal("/", "InterfacesAdded", body)

    def _adapter_values(self, name: str) -> Values:
        adapter = self._air.adapters[name]
        return {
            "Address": Variant("s", adapter.address),
            "AddressType": Variant("s", "public"),
            "Name": Variant("s", name),
            "Alias": Variant("s", name),
            "Powered": Variant("b", adapter.powered),
            "Discovering": Variant("b", adapter.scanning),
            "Roles": Variant("as", ["central", "peripheral"]),
        }

    # --- what is in the air ----------------------------------------------------------------------

    def _transmit(self, now_s: float) -> None:
        for one in self._air.transmitters:
            if one.due_s > now_s:
                continue
            one.due_s = max(one.due_s + one.interval_s, now_s)
            advert = one.advert()
            if advert is None:
                continue
            for name in sorted(self._shown):
                self._receive(name, one, advert)

    def _receive(self, name: str, one: Transmitter, advert: Advert) -> None:
        adapter = self._air.adapters[name]
        if not adapter.scanning or not adapter.powered or adapter.fault == "deaf":
            return
        if self._random.random() < self._air.loss:
            return
        path = f"/org/bluez/{name}/dev_{one.address.replace(':', '_')}"
        values = {"RSSI": Variant("n", one.rssi)}
        if adapter.fault == "garbage":
            advert = self._garbled(advert)
        if adapter.fault != "empty":
            values |= _data_values(advert)
        if one.address in adapter.devices:
            self._signal(path, "PropertiesChanged", [DEVICE, values, []])
            return
        adapter.devices.add(one.address)
        values |= {
            "Address": Variant("s", one.address),
            "AddressType": Variant("s", "random" if one.random else "public"),
            "Alias": Variant("s", one.address.replace(":", "-")),
            "Adapter": Variant("o", f"/org/bluez/{name}"),
        }
        self._signal("/", "InterfacesAdded", [path, {DEVICE: values}])

    def _garbled(self, advert: Advert) -> Advert:
        """Return as many bytes of anything, under the same keys."""
        return Advert(
            {key: self._random.randbytes(len(data)) for key, data in advert.manufacturer.items()},
            {key: self._random.randbytes(len(data)) for key, data in advert.service.items()},
        )

    # --- what programs ask ------------------------------------------------------------------------

    def _answer(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or not self._air.service:
            return None
        if message.member == "GetManagedObjects":
            objects = {f"/org/bluez/{name}": {ADAPTER: self._adapter_values(name)} for name in self._there()}
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [objects])
        name = str(message.path).rpartition("/")[2]
        adapter = self._there().get(name)
        if adapter is None:
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "no such adapter")
        self._air.calls.append(f"{name} {message.member}")
        if adapter.fault == "hang" and message.member == "StartDiscovery":
            return True  # handled, and never answered
        try:
            self._do(adapter, name, message)
        except _Refused as refusal:
            return Message.new_error(message, f"org.bluez.Error.{refusal.name}", refusal.name)
        return Message.new_method_return(message)

    def _do(self, adapter: Adapter, name: str, message: Message) -> None:
        match message.member:
            case "StartDiscovery":
                self._start(adapter)
            case "StopDiscovery":
                self._stop(adapter)
            case "Set":
                self._power(adapter, name, on=bool(message.body[2].value))
            case "SetDiscoveryFilter":
                if adapter.fault == "failed":
                    raise _Refused("Failed")
            case _:
                raise _Refused("NotSupported")

    def _start(self, adapter: Adapter) -> None:
        if not adapter.powered or adapter.fault == "not_ready":
            raise _Refused("NotReady")
        if adapter.fault == "in_progress":
            raise _Refused("InProgress")
        if adapter.fault == "stuck_stop":
            return  # bluetoothd believes that the kernel scans already
        adapter.scanning = True
        adapter.devices.clear()

    def _stop(self, adapter: Adapter) -> None:
        was, adapter.scanning = adapter.scanning, False
        if adapter.fault == "stuck_stop":
            raise _Refused("InProgress")
        adapter.done("scan")
        if not adapter.powered:
            raise _Refused("NotReady")
        if not was:
            raise _Refused("Failed")

    def _power(self, adapter: Adapter, name: str, *, on: bool) -> None:
        if on and adapter.fault == "no_power":
            raise _Refused("Failed")
        if on and not adapter.powered:
            adapter.done("power")
        adapter.powered = on
        if not on:
            adapter.scanning = False
        body = [ADAPTER, {"Powered": Variant("b", on)}, []]
        self._signal(f"/org/bluez/{name}", "PropertiesChanged", body)

    def power_lost(self, name: str) -> None:
        """Somebody else (rfkill) switches the adapter off."""
        self._power(self._air.adapters[name], name, on=False)

    def _signal(self, path: str, member: str, body: Sequence[object]) -> None:
        interface, signature = SIGNALS[member]
        with contextlib.suppress(EOFError, OSError):
            self._bus.send(Message.new_signal(path, interface, member, signature, list(body)))


def _data_values(advert: Advert) -> Values:
    manufacturer: Mapping[int, Variant] = {
        company: Variant("ay", data) for company, data in advert.manufacturer.items()
    }
    service = {uuid: Variant("ay", data) for uuid, data in advert.service.items()}
    values: Values = {}
    if manufacturer:
        values["ManufacturerData"] = Variant("a{qv}", manufacturer)
    if service:
        values["ServiceData"] = Variant("a{sv}", service)
    return values


# --- USB ------------------------------------------------------------------------------------------------


def make_sysfs(folder: Path, names: list[str]) -> Path:
    """Make the part of /sys that re-enumerates USB adapters below `folder`; returns its top."""
    top = folder / "sys"
    for number, name in enumerate(names, 1):
        device = top / "devices" / f"1-{number}"
        (device / f"1-{number}:1.0").mkdir(parents=True)
        (device / "authorized").write_text("1\n", encoding="ascii")
        (top / "class" / "bluetooth" / name).mkdir(parents=True)
        (top / "class" / "bluetooth" / name / "device").symlink_to(device / f"1-{number}:1.0")
    return top


async def follow_usb(air: Air, top: Path) -> None:
    """Take adapters away and bring them back as their file `authorized` says, until cancelled."""
    links = {name: top / "class" / "bluetooth" / name / "device" for name in air.adapters}
    files = {name: link.resolve().parent / "authorized" for name, link in links.items() if link.exists()}
    while True:
        for name, file in files.items():
            wanted = file.read_text(encoding="ascii").strip() != "0"
            adapter = air.adapters.get(name)
            if adapter is None:
                continue
            if wanted and not adapter.present:
                adapter.done("usb")
            adapter.present = wanted
        await asyncio.sleep(FOLLOW_S)


# --- running it -----------------------------------------------------------------------------------------


@asynccontextmanager
async def message_bus(folder: Path) -> AsyncIterator[str]:
    """Run a private dbus-daemon while the context is open; gives its address. `DaemonError`."""
    socket, config = _configure(folder)
    command = [find_program("dbus-daemon"), f"--config-file={config}", "--nofork", "--nopidfile"]
    async with daemon(command, log=folder / "bus.log") as process:
        for _ in range(200):
            if await _listens(socket) or process.returncode is not None:
                break
            await asyncio.sleep(0.02)
        if not await _listens(socket):
            raise DaemonError(f"dbus-daemon does not listen on {socket}")
        yield f"unix:path={socket}"


async def _listens(socket: Path) -> bool:
    """Whether somebody takes connections: the file is there a moment before."""
    try:
        _, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    writer.close()
    return True


def _configure(folder: Path) -> tuple[Path, Path]:
    """Write the daemon's configuration; return its socket and the file."""
    socket, config = folder.absolute() / "bus", folder / "bus.conf"
    config.write_text(_CONFIG.format(socket=socket), encoding="utf-8")
    socket.unlink(missing_ok=True)
    return socket, config


@asynccontextmanager
async def bluetooth_service(air: Air, address: str, *, sysfs: Path | None = None) -> AsyncIterator[BlueZ]:
    """Serve org.bluez on the bus at `address` while the context is open."""
    bus = await MessageBus(bus_address=address).connect()
    bluez = BlueZ(air, bus)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(bluez.run())]
            if sysfs is not None:
                running.append(tasks.create_task(follow_usb(air, sysfs)))
            try:
                yield bluez
            finally:
                for task in running:
                    task.cancel()
    finally:
        ended: Callable[[], Awaitable[None]] = bus.wait_for_disconnect
        bus.disconnect()
        with contextlib.suppress(EOFError, OSError):
            await ended()
