"""A `heng` subcommand as a process that can be stopped, killed and started again under one name.

It does not restart anything by itself.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.embedded import processes
from cli.embedded.processes import Child, Command


def heng(words: Sequence[str | Path], *, log: Path, environment: Mapping[str, str] | None = None) -> Command:
    """Return the command `heng WORDS…`, run by this interpreter."""
    return Command((sys.executable, "-m", "cli.main", *words), log, environment or {})


class Service:
    """One `heng …` command line and the process that runs it now."""

    def __init__(
        self,
        name: str,
        words: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`words` stand behind `heng`; `environment` is added to ours."""
        self.name = name
        self.log = log
        self._command = heng(words, log=log, environment=environment)
        self._child: Child | None = None
        self.wanted = False
        """Whether it should run now: false from `stop` or `kill` on."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid if self._child and self._child.exit_code is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs and before it was started."""
        return self._child.exit_code if self._child else None

    async def start(self) -> None:
        """Start it; nothing happens when it runs."""
        self.wanted = True
        if self.pid is None:
            if self._child is not None:
                await self._child.wait()
            self._child = processes.start(self._command)

    async def stop(self) -> int | None:
        """End it in good order; return its exit code."""
        self.wanted = False
        return await self._child.stop() if self._child else None

    async def kill(self) -> None:
        """End it by SIGKILL."""
        self.wanted = False
        if self._child is not None:
            await self._child.kill()

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        return self._child.log_tail() if self._child else ""
