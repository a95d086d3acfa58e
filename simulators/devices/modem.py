"""ModemManager as programs see it: org.freedesktop.ModemManager1 with its modems, on a private D-Bus.

A real dbus-daemon carries it (`simulators.devices.bluez.message_bus`); dbus-fast serves the objects. Sources:
ModemManager's D-Bus reference.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from simulators.world import wander

NAME, PATH = "org.freedesktop.ModemManager1", "/org/freedesktop/ModemManager1"
MODEM = NAME + ".Modem"
FOLLOW_S = 0.02
Fault = Literal["", "silence", "garbage", "refused", "slow", "gone", "no_service"]
"""`gone` unplugs the modem, `no_service` ends the daemon."""
SLOW_S = 1.0


@dataclass(slots=True)
class Modem:
    """A modem in 4G; everything may be switched while it runs."""

    interface: str = "wwan0"
    state: int = 11
    technologies: int = 1 << 14
    quality: int = 74
    recent: bool = True
    registration: int = 1
    operator_code: str = "46000"
    operator_name: str = "CHINA MOBILE"
    lte: dict[str, float] = field(default_factory=lambda: {"rsrp": -97.0, "rsrq": -10.5, "snr": 12.4})
    tells_levels: bool = True
    """Whether it offers the interface for extended levels."""
    rate_s: int = 0
    """How often levels are measured; 0: not at all, as after ModemManager's start."""


@dataclass(slots=True)
class Radio:
    """What may be switched: the modems by number, the fault of all of them."""

    modems: dict[int, Modem] = field(default_factory=lambda: {0: Modem()})
    fault: Fault = ""
    may_setup: bool = True
    """Whether whoever asks may have levels measured."""
    key: str = ""
    """Of what the levels are made; without one they stay as they are."""
    utc_s: Callable[[], float] = time.time

    def drive(self) -> None:
        """Let the levels be those of now."""
        if not self.key:
            return
        near = wander(self.key, self.utc_s(), 300)
        for modem in self.modems.values():
            modem.quality = round(60 + 35 * near)
            modem.lte = {
                "rsrp": float(round(-95 + 20 * near)),
                "rsrq": round(-11 + 5 * near, 1),
                "snr": round(9 + 9 * near, 1),
            }

    def switch(self, fault: str) -> None:
        """Switch a fault on, or off with the empty word; `ValueError` for another word."""
        self.fault = msgspec.convert(fault, Fault)


class ModemManager:
    """Owns its name on the bus while the fault is not `no_service`."""

    def __init__(self, radio: Radio, bus: MessageBus) -> None:
        self._radio = radio
        self._bus = bus

    async def run(self) -> None:
        """Serve until cancelled."""
        self._bus.add_message_handler(self._answer)
        serving = False
        while True:
            wanted = self._radio.fault != "no_service"
            if wanted != serving:
                serving = wanted
                await (self._bus.request_name(NAME) if wanted else self._bus.release_name(NAME))
            await asyncio.sleep(FOLLOW_S)

    def _answer(self, message: Message) -> Message | bool | None:
        if (
            message.message_type is not MessageType.METHOD_CALL
            or message.destination == self._bus.unique_name
        ):
            return None
        fault = self._radio.fault
        if fault == "silence":
            return True  # handled, and never answered
        if fault == "refused":
            return Message.new_error(message, "org.freedesktop.DBus.Error.AccessDenied", "not you")
        answer = self._said(message)
        if fault == "slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._bus.send, answer)
            return True
        return answer

    def _said(self, message: Message) -> Message:
        if message.member == "GetManagedObjects":
            if self._radio.fault == "garbage":
                return Message.new_method_return(message, "s", ["\ufffd"])
            self._radio.drive()
            there = {} if self._radio.fault == "gone" else self._radio.modems
            objects = {f"{PATH}/Modem/{number}": _values(modem) for number, modem in there.items()}
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [objects])
        if message.member == "Setup":
            return self._setup(message)
        return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", str(message.member))

    def _setup(self, message: Message) -> Message:
        modem = self._radio.modems.get(int(str(message.path).rpartition("/")[2]))
        if modem is None or not self._radio.may_setup:
            return Message.new_error(message, f"{NAME}.Error.Core.Unauthorized", "not allowed")
        modem.rate_s = int(message.body[0])
        return Message.new_method_return(message)


def _values(modem: Modem) -> dict[str, dict[str, Variant]]:
    found = {
        MODEM: {
            "State": Variant("i", modem.state),
            "AccessTechnologies": Variant("u", modem.technologies),
            "SignalQuality": Variant("(ub)", [modem.quality, modem.recent]),
            "Ports": Variant("a(su)", [["cdc-wdm0", 6], [modem.interface, 2]]),
        },
        f"{MODEM}.Modem3gpp": {
            "Imei": Variant("s", "490154203237518"),
            "RegistrationState": Variant("u", modem.registration),
            "OperatorCode": Variant("s", modem.operator_code),
            "OperatorName": Variant("s", modem.operator_name),
        },
    }
    if modem.tells_levels:
        lte = modem.lte if modem.rate_s else {}
        found[f"{MODEM}.Signal"] = {
            "Rate": Variant("u", modem.rate_s),
            "Gsm": Variant("a{sv}", {}),
            "Umts": Variant("a{sv}", {}),
            "Lte": Variant("a{sv}", {key: Variant("d", value) for key, value in lte.items()}),
            "Nr5g": Variant("a{sv}", {}),
        }
    return found


@asynccontextmanager
async def modem_service(radio: Radio, address: str) -> AsyncIterator[None]:
    """Serve ModemManager on the bus at `address` while the context is open."""
    bus = await MessageBus(bus_address=address).connect()
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(ModemManager(radio, bus).run())
            try:
                yield
            finally:
                running.cancel()
    finally:
        ended: Callable[[], Awaitable[None]] = bus.wait_for_disconnect
        bus.disconnect()
        with contextlib.suppress(EOFError, OSError):
            await ended()
