"""Tells systemd that the gateway is ready, stops, and still turns; does nothing where nobody asked for it.

The protocol is one datagram a message (sd_notify(3), systemd 252). systemd kills a gateway whose event loop
stands still longer than `WatchdogSec` and starts it again.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress


class ServiceManager:
    """The service manager that started this process, if one did."""

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        """`environ` as systemd gave it: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID."""
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        meant = environ.get("WATCHDOG_PID", "")
        asked = not meant or meant == str(os.getpid() if pid is None else pid)
        usec = environ.get("WATCHDOG_USEC", "")
        self.alive_every_s = int(usec) / 2e6 if self._address and asked and usec.isdecimal() else None
        """How often it wants a sign of life, with a half to spare; None when it wants none."""

    def ready(self) -> None:
        """The journal is open and every driver was started."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The end has begun: no sign of life is due any more."""
        self._send("STOPPING=1")

    async def keep_alive(self, alive: Callable[[], bool] = lambda: True) -> None:
        """Give signs of life until cancelled; returns at once when none are wanted.

        None is given while `alive` says no: what protects by being alive must not seem to be.
        """
        while self.alive_every_s:
            if alive():
                self._send("WATCHDOG=1")
            await asyncio.sleep(self.alive_every_s)

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A manager that is gone or busy is no reason to stop measuring.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(0)
            line.connect(self._address)
            line.send(message.encode())
