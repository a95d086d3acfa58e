"""Runs the real daemons that simulated devices sit behind (gpsd, upsd, dummy-ups), each as a private child.

A child ends with the context that started it, by its own process id, and by the kernel when this process
dies. It knows no daemon.
"""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

STOP_S = 5.0


class DaemonError(Exception):
    """A daemon is not installed, did not start or is not ready in time; the text says which and why."""


def find_program(name: str, *folders: str) -> str:
    """Return the path of an installed program, looked for on PATH and in `folders`; `DaemonError`."""
    path = shutil.which(
        name, path=os.pathsep.join((*folders, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    )
    if path is None:
        raise DaemonError(f"{name} is not installed")
    return path


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@asynccontextmanager
async def daemon(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    unprivileged: bool = False,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a foreground daemon while the context is open; what it writes goes to the end of `log`.

    `unprivileged` runs it as nobody when we are root: a daemon that drops root by itself would lose the
    kernel's promise to end it with us.
    """
    words = [*_guard(unprivileged=unprivileged), *command]
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        await stop(process)


@asynccontextmanager
async def daemon_piped(command: Sequence[str], *, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a child whose input and output are ours while the context is open; what it says goes to `log`."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *_guard(unprivileged=False),
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await stop(process)


def _guard(*, unprivileged: bool) -> list[str]:
    """Return the words that make a child end with us (util-linux, Linux only)."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    drop = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
    as_whom = drop if unprivileged and os.geteuid() == 0 else []
    unless_orphaned = '[ "$PPID" = "$0" ] || exit 1; exec "$@"'  # We may have died before setpriv began.
    words = ["--pdeathsig", "KILL", "--", "/bin/sh", "-c", unless_orphaned, str(os.getpid())]
    return [setpriv, *as_whom, *words]


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a child in good order, by force after `STOP_S`; one that has ended is left alone."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def wait_for_port(
    process: asyncio.subprocess.Process, port: int, *, log: Path, timeout_s: float = 10
) -> None:
    """Return when the daemon accepts connections on 127.0.0.1; `DaemonError` with the end of its log."""
    try:
        async with asyncio.timeout(timeout_s):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return
    except TimeoutError:
        pass
    raise DaemonError(f"process {process.pid} does not listen on port {port}: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:]
