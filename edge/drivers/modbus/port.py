"""A serial port that belongs to one process: bytes out, bytes in with a time-out, and nothing kept back.

The only importer of pyserial in this driver. It knows no protocol.
"""

import asyncio
import os
import select
import termios
from contextlib import suppress

import serial

READ_BYTES = 4096
KEPT_BYTES_MAX = 4096
"""More than this unread means a babbling line; the oldest is dropped."""
_STOP_BITS = {"1": serial.STOPBITS_ONE, "2": serial.STOPBITS_TWO}


class PortLostError(Exception):
    """The port cannot be opened or is gone; the text is one short sentence for a person."""


class SerialPort:
    """An open port; make it within a running event loop."""

    def __init__(self, path: str, *, baud: int, form: str) -> None:
        """`form` is data bits, parity and stop bits: `8N1`. Raises `PortLostError`."""
        try:
            self._serial = serial.Serial(
                path,
                baudrate=baud,
                bytesize=int(form[0]),
                parity=form[1],
                stopbits=_STOP_BITS[form[2]],
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:
            raise PortLostError(f"cannot open {path}: {_reason(error)}") from None
        self._path = path
        self._handle: int = self._serial.fileno()
        self._received = bytearray()
        self._lost = ""
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._handle, self._readable)

    def close(self) -> None:
        """Let another have the port; who still waits for bytes gets `PortLostError`."""
        self._lose("closed")
        with suppress(OSError, termios.error):
            self._serial.close()

    def send(self, data: bytes) -> None:
        """Write all of it; `PortLostError` when the port does not take it at once."""
        try:
            sent = -1 if self._lost else os.write(self._handle, data)
        except OSError as error:
            self._lose(_reason(error))
            sent = -1
        if self._lost:
            raise PortLostError(f"{self._path}: {self._lost}")
        if sent != len(data):
            self._lose("the port takes no more bytes")
            raise PortLostError(f"{self._path}: {self._lost}")

    async def receive(self, timeout_s: float) -> bytes:
        """Return what came, as soon as something does; empty after the time-out."""
        if not self._received and not self._lost:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, timeout_s)):
                    await self._news.wait()
        received = bytes(self._received)
        self._received.clear()
        if not received and self._lost:
            raise PortLostError(f"{self._path}: {self._lost}")
        return received

    def discard(self) -> int:
        """Throw away what came and was not read; return how many bytes that were."""
        self._take()
        thrown = len(self._received)
        self._received.clear()
        return thrown

    def _readable(self) -> None:
        """Called by the loop: ready with nothing to read is a port that is gone, unless it was just read."""
        if not self._take() and not self._lost and _hung_up(self._handle):
            self._lose("the adapter is gone")

    def _take(self) -> bool:
        """Read what is there; whether anything was."""
        if self._lost:
            return False
        try:
            data = os.read(self._handle, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(_reason(error))
            return False
        if data:
            self._received += data
            del self._received[:-KEPT_BYTES_MAX]
            self._news.set()
        return bool(data)

    def _lose(self, why: str) -> None:
        if not self._lost:
            self._lost = why
            self._loop.remove_reader(self._handle)
        self._news.set()


def _hung_up(handle: int) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(0))


def _reason(error: Exception) -> str:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    if number is not None:
        return os.strerror(number)
    return str(error)[:160]
