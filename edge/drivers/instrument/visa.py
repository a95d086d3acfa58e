"""One VISA resource and the one thread that may touch it.

Every call is done in that thread with a deadline. When a deadline passes or the caller is cancelled, the
connection is shut down under the thread, so that it always ends. It interprets nothing but the frame of an
answer. PyVISA-py's sessions are used directly: its resource class throws away what came before a timeout.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import pyvisa
from pyvisa.constants import ResourceAttribute, StatusCode

from edge.drivers.instrument.decode import AnswerError, block_length, block_size

T = TypeVar("T")
LINE_BYTES_MAX = 65_536
SLICE_S = 0.1
"""How long PyVISA-py is left alone with a socket: at its end of file it spins until its own timeout."""
GRACE_S = 0.5
_SOCKETS = ("interface", "sock", "_sync", "_async")
_PARTS_OF_WHOLE = 4096
_HISLIP_PORT = 4880
_PORTMAPPER_PORT = 111
# PyVISA-py logs a traceback whenever an instrument cannot be reached; the supervisor tells it once.
logging.getLogger("pyvisa").setLevel(logging.CRITICAL)


class VisaError(Exception):
    """The instrument cannot be reached, went away or does not answer in time."""


class VisaTimeout(VisaError):
    """No answer in time."""


class Resource:
    """An open resource."""

    def __init__(self, name: str, executor: ThreadPoolExecutor) -> None:
        self._name = name
        self._executor = executor
        self._raw = name.endswith("::SOCKET")
        self._manager: pyvisa.ResourceManager | None = None
        self._session: Any = None
        self._opened: Any = None

    async def tell(self, command: str, *, timeout_s: float) -> None:
        """Send a command that has no answer; `VisaError`."""
        await self._do(lambda: self._send(command, time.monotonic() + timeout_s), timeout_s)

    async def ask(self, command: str, *, timeout_s: float) -> bytes:
        """Send a query and return its answer with its end; `VisaError`, `AnswerError`."""

        def work() -> bytes:
            end = time.monotonic() + timeout_s
            self._send(command, end)
            return self._line(end)

        return await self._do(work, timeout_s)

    async def fetch(self, command: str, *, timeout_s: float, bytes_max: int) -> bytes:
        """Send a query and return the bytes of the data block that answers it; `VisaError`, `AnswerError`."""

        def work() -> bytes:
            end = time.monotonic() + timeout_s
            self._send(command, end)
            return self._block(end, bytes_max)

        return await self._do(work, timeout_s)

    # --- in the caller's task ----------------------------------------------------------------------------

    async def open(self, timeout_s: float) -> None:
        """Connect; `VisaError`."""
        await self._do(lambda: self._open(timeout_s), timeout_s + GRACE_S)

    async def close(self) -> None:
        """Let go of everything, whatever state it is in."""
        self._break()
        await self._finish(asyncio.get_running_loop().run_in_executor(self._executor, self._close))

    async def _do(self, work: Callable[[], T], timeout_s: float) -> T:
        """Do it in the thread; past its deadline, or cancelled, the connection is broken under it."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            done, _ = await asyncio.wait({future}, timeout=timeout_s + GRACE_S)
        except asyncio.CancelledError:
            self._break()
            await self._finish(future)
            raise
        if not done:
            self._break()
            await self._finish(future)
            raise VisaTimeout(f"no answer within {timeout_s:g} s")
        error = future.exception()
        if error is None:
            return future.result()
        # PyVISA-py says a bare `Exception("could not connect")`, `OSError` and `VisaIOError` alike.
        if isinstance(error, OSError | pyvisa.Error) or type(error) is Exception:
            raise VisaError(f"{self._name}: {str(error) or type(error).__name__}"[:200]) from error
        raise error

    async def _finish(self, future: asyncio.Future[Any]) -> None:
        await asyncio.wait({future})
        future.exception()

    def _break(self) -> None:
        for one in self._sockets():
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _sockets(self) -> list[socket.socket]:
        """Return what the session holds: itself a socket, a client with one, or HiSLIP's two."""
        holders = [self._session, getattr(self._session, "interface", None)]
        found = [getattr(holder, name, None) for holder in holders for name in _SOCKETS]
        return [one for one in found if isinstance(one, socket.socket)]

    # --- in the thread -----------------------------------------------------------------------------------

    def _open(self, timeout_s: float) -> None:
        if not self._raw:
            self._knock(timeout_s)
        self._manager = pyvisa.ResourceManager("@py")
        resource: Any = self._manager.open_resource(self._name, open_timeout=int(timeout_s * 1000))
        resource.timeout = int((SLICE_S if self._raw else timeout_s) * 1000)
        session = resource.visalib.sessions[resource.session]
        if self._raw:
            session.set_attribute(ResourceAttribute.termchar, 0x0A)
            self._set_line_end(session, on=True)
            error = session.interface.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise VisaError(f"cannot connect: {os.strerror(error)}")
        self._opened = resource  # kept: PyVISA closes a resource that nobody holds
        self._session = session

    def _knock(self, timeout_s: float) -> None:
        """See whether anybody is there: PyVISA-py leaves a socket open when a HiSLIP server refuses."""
        address, device = self._name.split("::")[1:3]
        port = _HISLIP_PORT if device.startswith("hislip") else _PORTMAPPER_PORT
        socket.create_connection((address, port), timeout_s).close()

    @staticmethod
    def _set_line_end(session: Any, *, on: bool) -> None:
        session.set_attribute(ResourceAttribute.termchar_enabled, on)

    def _close(self) -> None:
        self._session = self._opened = None
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def _send(self, command: str, end: float) -> None:
        if self._raw:
            self._check_quiet()
        data = command.encode("ascii") + b"\n"
        count, status = self._session.write(data)
        if status < 0 or count != len(data):
            late = time.monotonic() >= end
            reason = f"the command was not taken ({StatusCode(status).name})"
            raise VisaTimeout(reason) if late else VisaError(reason)

    def _check_quiet(self) -> None:
        """Refuse to ask while an answer lies there that nobody waits for: it would be taken for the next."""
        try:
            waiting = self._session.interface.recv(64, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            waiting = bytes(self._session._pending_buffer)
            if not waiting:
                return
        if not waiting:
            raise VisaError("the instrument closed the connection")
        raise AnswerError(f"{waiting[:40]!r} came unasked: expected silence before a command")

    def _line(self, end: float) -> bytes:
        return self._until(end, LINE_BYTES_MAX, lambda found: found.endswith(b"\n"))

    def _exactly(self, count: int, end: float) -> bytes:
        found = bytearray()
        while len(found) < count:
            found += self._some(min(count - len(found), _PARTS_OF_WHOLE), end, got=len(found))[0]
        return bytes(found)

    def _until(self, end: float, bytes_max: int, whole: Callable[[bytes], bool]) -> bytes:
        """Return a message: up to its line end on a raw socket, up to its end mark elsewhere."""
        found = bytearray()
        while True:
            part, ended = self._some(_PARTS_OF_WHOLE, end, got=len(found))
            found += part
            if ended or whole(bytes(found[-1:])):
                return bytes(found)
            if len(found) > bytes_max:
                raise AnswerError(f"an answer of more than {bytes_max} bytes")

    def _block(self, end: float, bytes_max: int) -> bytes:
        if not self._raw:
            message = self._until(end, bytes_max + 16, lambda _: False)
            digits = block_length(message[:2])
            size = block_size(message[2 : 2 + digits], bytes_max)
            data = message[2 + digits : 2 + digits + size]
            if len(data) != size:
                raise AnswerError(f"a block of {len(data)} bytes: expected {size}")
            return data
        self._set_line_end(self._session, on=False)
        try:
            digits = block_length(self._exactly(2, end))
            data = self._exactly(block_size(self._exactly(digits, end), bytes_max), end)
        finally:
            self._set_line_end(self._session, on=True)
        if rest := self._line(end).strip():
            raise AnswerError(f"{rest[:40]!r} behind a block of data: expected the end of the line")
        return data

    def _some(self, count: int, end: float, *, got: int) -> tuple[bytes, bool]:
        """Return what is there of the answer, and whether the instrument marked its end."""
        while True:
            data, status = self._session.read(count)
            if data:
                return bytes(data), not self._raw and status == StatusCode.success
            if time.monotonic() >= end or (not self._raw and status == StatusCode.error_timeout):
                raise VisaTimeout(f"half an answer ({got} bytes)" if got else "no answer in time")
            if self._raw:
                self._check_open()
            elif status < 0:
                raise VisaError(f"the connection broke ({StatusCode(status).name})")

    def _check_open(self) -> None:
        with suppress(BlockingIOError):
            if not self._session.interface.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise VisaError("the instrument closed the connection")


@asynccontextmanager
async def open_resource(name: str, *, timeout_s: float) -> AsyncIterator[Resource]:
    """Open a resource and its thread; `VisaError`. Both are gone on the way out."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="visa")
    resource = Resource(name, executor)
    try:
        await resource.open(timeout_s)
        yield resource
    finally:
        try:
            await resource.close()
        finally:
            executor.shutdown(wait=True)  # the connection is broken: the thread ends within a slice
