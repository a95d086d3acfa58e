"""A connection to the system's D-Bus that is let go whenever it is left. It knows no service on the bus."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dbus_fast import BusType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusError

BUS_FAULTS = (DBusError, AuthError, OSError, EOFError, TimeoutError)
"""What a lost or refusing D-Bus raises, in dbus-fast and through bleak."""


@asynccontextmanager
async def system_bus(timeout_s: float) -> AsyncIterator[MessageBus]:
    """Be connected while the context is open; one of `BUS_FAULTS` when there is no connection in time."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    connected = False
    try:
        async with asyncio.timeout(timeout_s):
            await bus.connect()
            connected = True
        yield bus
    finally:
        # What `connect` gave up it has closed itself. It may still call that connected, and never says that
        # it ended: a cancellation may come together with the bus's greeting.
        connected = connected and bus.connected
        ended: Callable[[], Awaitable[None]] = bus.wait_for_disconnect
        bus.disconnect()
        if connected:
            with contextlib.suppress(*BUS_FAULTS):
                async with asyncio.timeout(timeout_s):
                    await ended()
