"""What an adapter of the sweep says of one driver: its settings, the far end's faults, what is seen of them.

An adapter starts a simulator and gives a `Fitted`; the tests of this folder know nothing else of a driver.
"""

import asyncio
import inspect
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge.assembly import build_driver
from edge.driver import Driver, Given
from simulators.devices.gpio import Board, Relay, running_board
from simulators.rpi_gpio import MODULES, environment
from tests.edge.drivers.conftest import Collector
from wire.messages import Poll
from wire.settings.gateway import Device
from wire.status import GapCause

FAULTS = ("garbage", "silence", "slow", "reset")
Act = Callable[[], object]
"""Something that is done; what it returns is awaited where it can be."""
Seen = Callable[[Collector], object]
"""Whether what came in since the fault began shows it."""


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Fault:
    """`begin` has the far end do it, `end` has it well again."""

    seen: Seen
    begin: Act
    end: Act = nothing


def readings(collector: Collector) -> int:
    """How many polls with a value and fixes with a place there were."""
    polls = sum(any(count is not None for count in poll.counts) for poll in collector.polls)
    return polls + sum(position.latitude_e9 is not None for position in collector.positions)


@dataclass
class Fitted:
    """One driver and its far end, which runs."""

    device: Device
    faults: Mapping[str, Fault]
    true: Callable[[Poll], bool]
    """Whether a poll says nothing but what the far end holds; absent values are true."""
    alive: Callable[[Collector], int] = readings
    """How much of what only a living far end can cause came in."""
    also: Callable[[Collector], bool] = lambda _: True
    """Whether everything else that came in is true."""
    make: Callable[[Any, Given], Driver] = build_driver
    """A driver as the assembly makes it, or one with shorter times."""
    every_s: float = 0.1
    """How often something of it comes in while its far end is well."""
    block: Fault | None = None
    """Has a thread or a child of the driver stand still, where it has one that can."""


class Site:
    """One machine: a folder, its environment, one board of pins."""

    def __init__(self, folder: Path, stack: AsyncExitStack, environment: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.stack = stack
        self.environment = environment
        self._board: Board | None = None

    def place(self, name: str) -> Path:
        """Make and return a folder for a simulator's files."""
        folder = self.folder / f"far-{name}"
        folder.mkdir(mode=0o700)
        return folder

    async def board(self, *relays: Relay) -> Board:
        """Return the board that the machine has; its relays are what the first caller says."""
        if self._board is None:
            folder = self.place("pins")
            for name, value in environment(folder).items():
                if name == "PYTHONPATH":
                    self.environment.syspath_prepend(str(MODULES))
                else:
                    self.environment.setenv(name, value)
            self._board = await self.stack.enter_async_context(running_board(folder, list(relays)))
        return self._board

    async def live(self, life: Coroutine[object, object, None]) -> None:
        """Have the far end do something by itself until the site is closed."""
        await self.stack.enter_async_context(_alive(life))


@asynccontextmanager
async def site(environment: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A machine while the context is open; its folder has a short path, as sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="heng-sweep-") as name:
        async with AsyncExitStack() as stack:
            yield Site(Path(name), stack, environment)


@asynccontextmanager
async def _alive(life: Coroutine[object, object, None]) -> AsyncIterator[None]:
    living = asyncio.create_task(life)
    try:
        yield
    finally:
        assert not living.done(), living.result()
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


async def do(act: Act) -> None:
    """Do it, and wait for it where it takes time."""
    result = act()
    if inspect.isawaitable(result):
        await result


# --- what is seen from outside ---------------------------------------------------------------------------


def silent(*causes: GapCause) -> Seen:
    """Points became silent, for one of these causes."""
    return lambda collector: any(cause in causes for _, cause, _ in collector.silences)


def told(kind: str) -> Seen:
    """An event of this kind came."""
    return lambda collector: any(event.kind == kind for event in collector.events)


def absent(collector: Collector) -> object:
    """A poll without any value came, and says of each why."""
    return any(
        all(count is None for count in poll.counts) and len(poll.flags) == len(poll.counts)
        for poll in collector.polls
    )


def goes_on(collector: Collector) -> object:
    """It is read as before."""
    return readings(collector) >= 3


def only(*values: int | None) -> Callable[[Poll], bool]:
    """Polls hold these counts in this order, or nothing."""
    return lambda poll: all(count in (None, value) for count, value in zip(poll.counts, values, strict=True))


# --- a line to a far end ---------------------------------------------------------------------------------

DRIP_S = 0.05


@dataclass
class Proxy:
    """Stands between a driver and a server that behaves. `mode` may change at any time."""

    to_port: int
    mode: str = ""
    """garbage, silence, slow or nothing, for what the server says."""
    port: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _random: random.Random = field(default_factory=lambda: random.Random(5))

    def switch(self, mode: str) -> Act:
        """Return what sets the mode."""

        def act() -> None:
            self.mode = mode

        return act

    def cut(self) -> None:
        """Break every connection; new ones are taken."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end leaves."""
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_writer}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._up(reader, to_writer))
                tasks.create_task(self._down(to_reader, writer))
        except* (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for one in (writer, to_writer):
                self._writers.discard(one)
                one.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.mode == "silence":
                continue
            if self.mode == "garbage":
                data = self._random.randbytes(len(data))
            while self.mode == "slow" and data:
                writer.write(data[:1])
                data = data[1:]
                await asyncio.sleep(DRIP_S)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


@asynccontextmanager
async def proxy(to_port: int) -> AsyncIterator[Proxy]:
    """Listen in front of a port of this machine while the context is open."""
    one = Proxy(to_port)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        one.cut()
        await server.wait_closed()
