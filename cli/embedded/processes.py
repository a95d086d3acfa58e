"""Starts, watches and ends child processes, so that none survives its parent.

Each child runs in a session of its own, writes to a log file, and gets a signal from the kernel when the
thread that started it dies (`setpriv --pdeathsig`): start children from a thread that lives as long as
they may. Children are ended by process id alone. It knows nothing of what runs inside them.
"""

import asyncio
import errno
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli.embedded.service_user import ServiceUser

STOP_S = 10.0
_POLL_S = 0.02
_TAIL_BYTES = 2000


class ProcessError(Exception):
    """A child did not start, did not get ready or ended by itself; the text holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `log` gets both outputs, appended; `environment` is added to our own."""

    arguments: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user: ServiceUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    """What ends it in good order; sent on `stop` and when the parent dies."""


class Child:
    """One running child; made by `start`."""

    def __init__(self, command: Command, process: subprocess.Popen[bytes]) -> None:
        self.command = command
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)

    @property
    def pid(self) -> int:
        """Process id, also of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone; nothing happens when it has ended."""
        if self.exit_code is None:
            signal.pidfd_send_signal(self._pidfd, number)

    async def wait(self) -> int:
        """Wait for its end and return the exit code."""
        while (code := self._process.poll()) is None:
            await self._ended()
        self._sweep()
        return code

    async def stop(self, *, timeout_s: float = STOP_S) -> int:
        """End it in good order, by force after `timeout_s`, and return the exit code."""
        self.signal(self.command.stop_signal)
        try:
            async with asyncio.timeout(timeout_s):
                return await self.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """End it by SIGKILL and return the exit code."""
        self.signal(signal.SIGKILL)
        return await self.wait()

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        try:
            data = self.command.log.read_bytes()
        except OSError:
            return ""
        return data[-_TAIL_BYTES:].decode(errors="replace").strip()

    async def _ended(self) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        descriptor = os.dup(self._pidfd)  # A loop has one reader a descriptor, but several may wait.
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def _sweep(self) -> None:
        """End what the child left behind in its process group, and give the descriptor back."""
        if self._pidfd < 0:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        os.close(self._pidfd)
        self._pidfd = -1


def start(command: Command) -> Child:
    """Start a child; `ProcessError` when its program is not there."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    arguments = [*_prefix(command), *(str(word) for word in command.arguments)]
    with command.log.open("ab") as log:
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=command.folder,
                env={**os.environ, **command.environment},
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessError(f"{command.arguments[0]}: {error.strerror}") from None
    return Child(command, process)


@asynccontextmanager
async def running(command: Command, *, timeout_s: float = STOP_S) -> AsyncIterator[Child]:
    """Run a child for as long as the block lasts."""
    child = start(command)
    try:
        yield child
    finally:
        await asyncio.shield(child.stop(timeout_s=timeout_s))


async def run(command: Command, *, timeout_s: float) -> None:
    """Run a child to its end; `ProcessError` unless it exits with 0 in time."""
    child = start(command)
    try:
        async with asyncio.timeout(timeout_s):
            code = await child.wait()
    except TimeoutError:
        raise ProcessError(
            f"{command.arguments[0]}: not done after {timeout_s} s\n{child.log_tail()}"
        ) from None
    finally:
        await child.kill()
    if code != 0:
        raise ProcessError(f"{command.arguments[0]}: ended with {code}\n{child.log_tail()}")


async def until(holds: Callable[[], Awaitable[bool]], *, timeout_s: float) -> bool:
    """Ask again and again until it holds; return whether it did in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not await holds():
        if loop.time() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def until_ready(child: Child, ready: Callable[[], Awaitable[bool]], *, timeout_s: float) -> None:
    """Wait until `ready` says so; `ProcessError` when the child ends before or it takes too long."""

    async def settled() -> bool:
        return child.exit_code is not None or await ready()

    in_time = await until(settled, timeout_s=timeout_s)
    name = child.command.arguments[0]
    if child.exit_code is not None:
        raise ProcessError(f"{name}: ended with {child.exit_code}\n{child.log_tail()}")
    if not in_time:
        raise ProcessError(f"{name}: not ready after {timeout_s} s\n{child.log_tail()}")


async def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a TCP port takes connections."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody listens on, outside the range that outgoing connections use."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        if is_free(port, host):
            return port


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server can listen on this port; 0 is none."""
    if not 1 <= port <= 65_535:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True


_UNLESS_ORPHANED = '[ "$PPID" = "$0" ] || exit 1; exec "$@"'
"""A parent that died before the kernel was asked for a signal is noticed by who its child belongs to now."""


def _prefix(command: Command) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ProcessError("setpriv: is not installed (package util-linux)")
    words = [setpriv, "--pdeathsig", command.stop_signal.name.removeprefix("SIG")]
    if command.user is not None:
        words += command.user.setpriv_options
    return [*words, "--", "/bin/sh", "-c", _UNLESS_ORPHANED, str(os.getpid())]
