"""Asks BlueZ which adapters there are, switches their power, and hears when they change.

Scanning itself is bleak's (`radio`); this is what bleak does not offer. It decides nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from edge.drivers.system_bus import BUS_FAULTS, system_bus

_ADAPTER, _DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
_DATA = frozenset({"ManufacturerData", "ServiceData"})
_RULES = (
    "type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.bluez'",
    "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.ObjectManager'",
    "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.Properties',arg0='org.bluez.Adapter1'",
    "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.Properties',arg0='org.bluez.Device1'",
)
_NO_SERVICE = "org.freedesktop.DBus.Error.ServiceUnknown"


class RadioError(Exception):
    """BlueZ or an adapter is not there or refuses; the text is one short sentence for a person."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter as BlueZ shows it now."""

    name: str
    address: str
    powered: bool

    @property
    def path(self) -> str:
        """Its D-Bus object."""
        return f"/org/bluez/{self.name}"


class Bluez:
    """A connection to the system's D-Bus; made by `bluez`."""

    def __init__(
        self, bus: MessageBus, changed: Callable[[], None], data: Callable[[], None], *, timeout_s: float
    ) -> None:
        self._bus = bus
        self._changed = changed
        self._data = data
        self._timeout_s = timeout_s
        self.lost = ""
        """Why a scan that runs now hears nothing any more; empty while nothing speaks against it."""
        self._used: Adapter | None = None

    @property
    def trouble(self) -> str:
        """Like `lost`, and also when the connection itself ended."""
        return self.lost if self._bus.connected else "the connection to D-Bus was lost"

    def watch(self, adapter: Adapter) -> None:
        """From now on look after this adapter."""
        self.lost, self._used = "", adapter

    def hear(self, message: Message) -> None:
        """Take one signal of the bus."""
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.body[0] == "org.bluez":
            self._note(
                "the Bluetooth service ended" if not message.body[2] else "the Bluetooth service is new"
            )
        elif message.member == "InterfacesRemoved" and _ADAPTER in message.body[1]:
            if self._used and message.body[0] == self._used.path:
                self._note(f"adapter {self._used.name} is gone")
        elif message.member == "InterfacesAdded":
            self._added(message.body[1])
        elif message.member == "PropertiesChanged" and message.body[0] == _DEVICE:
            if _DATA & message.body[1].keys():
                self._data()
        elif message.member == "PropertiesChanged" and message.body[0] == _ADAPTER:
            powered = message.body[1].get("Powered")
            if powered and not powered.value and self._used and message.path == self._used.path:
                self._note(f"adapter {self._used.name} was switched off")

    def _added(self, interfaces: Mapping[str, Mapping[str, Variant]]) -> None:
        if _ADAPTER in interfaces:
            self._changed()
        if _DATA & interfaces.get(_DEVICE, {}).keys():
            self._data()

    def _note(self, why: str) -> None:
        self.lost = why
        self._changed()

    async def call(self, message: Message) -> Message:
        """Return the answer to a call; `RadioError`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._bus.call(message)
        except TimeoutError:
            raise RadioError(f"BlueZ does not answer {message.member}") from None
        except BUS_FAULTS as error:
            raise RadioError(f"D-Bus: {error}") from None
        if answer.message_type is MessageType.ERROR:
            if answer.error_name == _NO_SERVICE:
                raise RadioError("the Bluetooth service is not there")
            raise RadioError(f"BlueZ says {short(str(answer.error_name))} to {message.member}")
        return answer

    async def adapters(self) -> list[Adapter]:
        """Return every adapter that is there, by name; `RadioError`."""
        question = Message(
            destination="org.bluez",
            path="/",
            interface="org.freedesktop.DBus.ObjectManager",
            member="GetManagedObjects",
        )
        answer = await self.call(question)
        found = [
            Adapter(
                path.rpartition("/")[2], values[_ADAPTER]["Address"].value, values[_ADAPTER]["Powered"].value
            )
            for path, values in answer.body[0].items()
            if _ADAPTER in values
        ]
        return sorted(found, key=lambda adapter: adapter.name)

    async def power(self, adapter: Adapter, *, on: bool) -> None:
        """Switch an adapter on or off; `RadioError`."""
        if not on:
            self._used = None  # what follows is our own doing
        await self.call(
            Message(
                destination="org.bluez",
                path=adapter.path,
                interface="org.freedesktop.DBus.Properties",
                member="Set",
                signature="ssv",
                body=[_ADAPTER, "Powered", Variant("b", on)],
            )
        )


def short(name: str) -> str:
    """Return the last part of a D-Bus error's name."""
    return name.rpartition(".")[2]


@asynccontextmanager
async def bluez(
    changed: Callable[[], None], data: Callable[[], None] = lambda: None, *, timeout_s: float
) -> AsyncIterator[Bluez]:
    """Connect to the system's D-Bus while the context is open; `RadioError`.

    `changed` is called when adapters or the service change; `data` when an advertisement brought data: bleak
    gives a device's old data again when only its signal level was new.
    """
    async with AsyncExitStack() as stack:
        try:
            bus = await stack.enter_async_context(system_bus(timeout_s))
        except BUS_FAULTS as error:
            raise RadioError(f"cannot connect to D-Bus: {error}") from None
        one = Bluez(bus, changed, data, timeout_s=timeout_s)
        bus.add_message_handler(one.hear)
        for rule in _RULES:
            await one.call(
                Message(
                    destination="org.freedesktop.DBus",
                    path="/org/freedesktop/DBus",
                    interface="org.freedesktop.DBus",
                    member="AddMatch",
                    signature="s",
                    body=[rule],
                )
            )
        yield one


# --- USB ------------------------------------------------------------------------------------------------


def authorized_file(name: str, sysfs: Path) -> Path | None:
    """Return the file that takes an adapter off its USB and puts it back; None when it is on no USB."""
    device = (sysfs / "class" / "bluetooth" / name / "device").resolve()
    for folder in (device, *device.parents[:2]):
        file = folder / "authorized"
        if file.is_file():
            return file
    return None


def authorize(file: Path, *, on: bool) -> None:
    """Take the USB device of `file` away, or put it back; `RadioError` without the right to."""
    try:
        file.write_text("1" if on else "0", encoding="ascii")
    except OSError as error:
        raise RadioError(f"USB: {error.strerror}") from None
