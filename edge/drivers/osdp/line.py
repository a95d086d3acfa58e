"""One serial line, open and locked: bytes out, bytes in, and a way to be woken. It knows no protocol."""

import fcntl
import os
import select
import termios
from contextlib import suppress
from typing import Self

_READ_MAX = 4096
_SPEEDS = {
    9600: termios.B9600,
    19200: termios.B19200,
    38400: termios.B38400,
    57600: termios.B57600,
    115200: termios.B115200,
    230400: termios.B230400,
}


class LineError(Exception):
    """The line cannot be opened or is gone; the text is one short sentence for a person."""


class Wake:
    """Lets another thread end a wait."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def __call__(self) -> None:
        """End the wait of now or the next one."""
        with suppress(BlockingIOError):  # a full pipe: it is awake for many waits already
            os.write(self._write, b"!")

    def wait(self, timeout_s: float, *more: int) -> list[int]:
        """Wait for a wake-up or for one of these files, and return those of them that can be read."""
        ready, _, _ = select.select([self._read, *more], [], [], timeout_s)
        if self._read in ready:
            os.read(self._read, _READ_MAX)
        return [file for file in more if file in ready]

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._read)
        os.close(self._write)


class Line:
    """Use as a context manager. Only the thread that opened it may use it."""

    def __init__(self, path: str, baud: int, wake: Wake) -> None:
        self._path = path
        self._speed = _SPEEDS[baud]
        self._wake = wake
        self._file = -1

    def __enter__(self) -> Self:
        """Open, lock and set the line (8 bits, no parity, one stop bit); `LineError`."""
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise LineError(f"{self._path}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _set_raw(self._file, self._speed)
        except BlockingIOError:
            self._close()
            raise LineError(f"{self._path}: another process has the line") from None
        except termios.error:
            self._close()
            raise LineError(f"{self._path}: expected a serial line") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def write(self, data: bytes) -> None:
        """Send everything; `LineError` when the line is gone or takes nothing."""
        try:
            sent = os.write(self._file, data)
        except OSError as error:
            raise LineError(f"{self._path}: {error.strerror}") from None
        if sent != len(data):
            raise LineError(f"{self._path}: took {sent} of {len(data)} bytes")

    def read(self, timeout_s: float) -> bytes:
        """Return what came within this time, nothing when nothing did; `LineError` when the line is gone."""
        try:
            if not self._wake.wait(timeout_s, self._file):
                return b""
            data = os.read(self._file, _READ_MAX)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise LineError(f"{self._path}: {error.strerror}") from None
        if not data:
            raise LineError(f"{self._path}: the line was hung up")
        return data

    def _close(self) -> None:
        os.close(self._file)
        self._file = -1


def _set_raw(file: int, speed: int) -> None:
    mode = termios.tcgetattr(file)
    mode[0] = 0
    mode[1] = 0
    mode[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    mode[3] = 0
    mode[4] = mode[5] = speed
    mode[6][termios.VMIN] = 1
    mode[6][termios.VTIME] = 0
    termios.tcsetattr(file, termios.TCSANOW, mode)
    termios.tcflush(file, termios.TCIOFLUSH)
