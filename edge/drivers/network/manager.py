"""Asks ModemManager over the system's D-Bus what modems there are; it decides nothing.

Each look has a connection of its own, so that a bus or a daemon that was restarted needs no care.
"""

import asyncio
import contextlib
from collections.abc import Collection

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from edge.drivers.network.modem import SIGNAL, Modem, ModemError, Objects, choose
from edge.drivers.system_bus import BUS_FAULTS, system_bus

_NAME, _PATH = "org.freedesktop.ModemManager1", "/org/freedesktop/ModemManager1"
_NO_SERVICE = ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner")
TIMEOUT_S = 5.0


class ModemRefusedError(ModemError):
    """ModemManager answered with an error."""


async def look_at_modem(interfaces: Collection[str], *, signal_s: int, timeout_s: float = TIMEOUT_S) -> Modem:
    """Return what ModemManager says about the modem of these interfaces; `ModemError`.

    A modem that can tell levels is asked to, every `signal_s`; what it measured comes with a later look.
    """
    try:
        async with asyncio.timeout(timeout_s), system_bus(timeout_s) as bus:
            modem = choose(await _objects(bus), interfaces=interfaces)
            if modem.levels_off:
                with contextlib.suppress(ModemRefusedError):  # who may not ask is told the quality alone
                    await _call(bus, _setup(modem.path, signal_s))
            return modem
    except TimeoutError:
        raise ModemError(f"ModemManager does not answer within {timeout_s:g} s") from None
    except BUS_FAULTS as error:
        raise ModemError(f"cannot connect to D-Bus: {error}") from None


async def _objects(bus: MessageBus) -> Objects:
    question = Message(
        destination=_NAME,
        path=_PATH,
        interface="org.freedesktop.DBus.ObjectManager",
        member="GetManagedObjects",
    )
    answer = await _call(bus, question)
    if answer.signature != "a{oa{sa{sv}}}":
        raise ModemError("ModemManager: expected a list of modems")
    return {
        path: {name: {key: _plain(value) for key, value in values.items()} for name, values in found.items()}
        for path, found in answer.body[0].items()
    }


def _setup(path: str, rate_s: int) -> Message:
    return Message(
        destination=_NAME, path=path, interface=SIGNAL, member="Setup", signature="u", body=[rate_s]
    )


def _plain(value: object) -> object:
    """Return a value without the variants around and inside it."""
    if isinstance(value, Variant):
        return _plain(value.value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


async def _call(bus: MessageBus, question: Message) -> Message:
    answer = await bus.call(question)
    if answer.message_type is MessageType.ERROR:
        if answer.error_name in _NO_SERVICE:
            raise ModemError("ModemManager is not there")
        told = str(answer.error_name).rpartition(".")[2]
        raise ModemRefusedError(f"ModemManager says {told} to {question.member}")
    return answer
