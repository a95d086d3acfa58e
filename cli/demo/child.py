"""One process of ours with a log file: it dies with us, and it can be stopped, killed and started again.

It does not restart anything by itself.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

STOP_S = 10.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def heng(*words: str | Path) -> list[str]:
    """Return the command line of a `heng` subcommand, run by this interpreter."""
    return [sys.executable, "-m", "cli.main", *map(str, words)]


class Child:
    """A command that runs in a session of its own, so that a Ctrl-C reaches it only through us."""

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` is added to ours; `log` takes what the process prints, and grows."""
        self.name = name
        self.command = list(command)
        self.log = log
        self.environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Its process id; `ProcessLookupError` when it was never started."""
        if self._process is None:
            raise ProcessLookupError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; its output is appended to the log."""
        parent = os.getpid()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: _die_with(parent),
            )

    async def stop(self, within_s: float = STOP_S) -> int:
        """Ask it to end, kill it when it does not; return its exit code."""
        if self._process is None:
            return 0
        self._signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), within_s)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """Kill -9 and wait until it is gone."""
        self._signal(signal.SIGKILL)
        return await self.wait()

    async def wait(self) -> int:
        """Wait until it ends; return its exit code."""
        if self._process is None:
            return 0
        return await self._process.wait()

    def last_words(self, lines: int = 12) -> str:
        """Return the end of its log."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
