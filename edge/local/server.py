"""The local socket: takes one question of each caller and gives the answer; who may connect, the file says.

It knows no question. A caller that leaves ends what is done for it.
"""

import asyncio
import json
import logging
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.control.offers import NotDoneError, RefusedError
from edge.local.asks import ASK_BYTES_MAX, SOCKET_NAME, Ask

LOG = logging.getLogger(__name__)
CALLERS_MAX = 16
ASKING_S = 10.0
"""So long may a caller take to ask."""
LEAVING_S = 5.0
"""So long may a caller take to read the end of its answer."""
_PEER = struct.Struct("=iII")
"""`struct ucred`: process, user, group."""
Line = Mapping[str, object]


class Caller:
    """One who is connected."""

    def __init__(self, writer: asyncio.StreamWriter, user: str = "") -> None:
        """`user` is the user of the system that its process runs as; empty where that is not known."""
        self._writer = writer
        self.user = user

    @property
    def waiting_bytes(self) -> int:
        """How much it has not read yet."""
        return self._writer.transport.get_write_buffer_size()

    def say(self, *lines: Line) -> None:
        """Send lines; nothing when it has left."""
        if not self._writer.is_closing():
            self._writer.write(b"".join(map(encoded, lines)))


Answer = Callable[[Ask, Caller], Awaitable[Line]]
"""Returns what the last line says was done; `RefusedError` or `NotDoneError`."""


class Local:
    """The socket of a data folder."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        """The socket lies in `folder` and is open to its owner alone."""
        self._file = folder / SOCKET_NAME
        self._answer = answer
        self._decode = msgspec.json.Decoder(Ask).decode
        self._serving: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled; where no socket can be made, nobody can ask, and that is all."""
        try:
            self._file.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self._serve, sock=self._place(), limit=ASK_BYTES_MAX)
        except OSError as error:
            LOG.warning("local: %s: %s", self._file, error)
            await asyncio.get_running_loop().create_future()
            raise
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            self._file.unlink(missing_ok=True)
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _place(self) -> socket.socket:
        place = socket.socket(socket.AF_UNIX)
        try:
            place.bind(str(self._file))
            self._file.chmod(0o600)  # before anybody can connect
        except OSError:
            place.close()
            raise
        return place

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            caller = Caller(writer, await asyncio.to_thread(user_of, writer.get_extra_info("socket")))
            if (last := await self._converse(reader, caller)) is not None:
                caller.say(last)
                async with asyncio.timeout(LEAVING_S):
                    await writer.drain()
                    writer.write_eof()
                    await reader.read()
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the task ends here, and asyncio's streams want no cancelled one
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, caller: Caller) -> Line | None:
        """Return the last line; None when the caller left before."""
        if len(self._serving) > CALLERS_MAX:
            return failed(f"{CALLERS_MAX} others ask already: expected fewer at once", wrong=False)
        try:
            async with asyncio.timeout(ASKING_S):
                asked = await reader.readuntil(b"\n")
            ask = self._decode(asked)
        except (asyncio.IncompleteReadError, TimeoutError):
            return None
        except (asyncio.LimitOverrunError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            return failed(f"expected a question in one line of JSON ({error})", wrong=True)
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(self._end_of(ask, caller))
            leaving = tasks.create_task(_left(reader))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            answering.cancel()
            leaving.cancel()
        return None if answering.cancelled() else answering.result()

    async def _end_of(self, ask: Ask, caller: Caller) -> Line:
        try:
            return {"done": await self._answer(ask, caller)}
        except RefusedError as error:
            return failed(str(error), wrong=True)
        except NotDoneError as error:
            return failed(str(error), wrong=False)


def user_of(connection: socket.socket) -> str:
    """Return the user at the other end as the kernel knows it, such as `root (uid 0)`; empty: it does not."""
    try:
        _, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    except OSError:
        return ""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


async def _left(reader: asyncio.StreamReader) -> None:
    """Return when the caller has left; it has nothing more to say."""
    with suppress(OSError):
        await reader.read(1)


def failed(text: str, *, wrong: bool) -> Line:
    """Return the last line of an answer that is none."""
    return {"failed": text, "wrong": wrong}


def encoded(line: Line) -> bytes:
    """Return a line as it is sent."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
