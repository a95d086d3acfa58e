"""A database server that is not ours to start: what a crash of it can mean from outside.

The private server of a campaign is `cli.embedded.postgres`; this one stands in for it under the same names.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from cli.embedded import processes
from cloud.store.sessions import end_other_sessions

Connection = psycopg.AsyncConnection[Any]

_BACK_S = 120.0


class ForeignDatabase:
    """Kills server processes of one database; the server restarts itself."""

    def __init__(self, dsn: str) -> None:
        """`dsn` may see and end the sessions of the hub."""
        self.dsn = dsn

    @property
    def pid(self) -> int | None:
        """Not known: the server runs by itself."""
        return None

    async def start(self) -> None:
        """Wait until the server answers again."""
        if not await processes.until(self._answers, timeout_s=_BACK_S):
            raise TimeoutError(f"the database does not answer after {_BACK_S:.0f} s")

    async def stop(self) -> None:
        """Nothing: it is not ours."""

    async def kill(self) -> None:
        """SIGKILL to a session's process, so that the server recovers from its log; else cut all sessions."""
        with suppress(psycopg.OperationalError):
            async with await self._connect() as connection:
                victim = connection.info.backend_pid
                if _is_local(connection) and _is_postgres(victim):
                    with suppress(PermissionError):
                        os.kill(victim, signal.SIGKILL)
                        return
                await end_other_sessions(connection)

    async def _connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(self.dsn, autocommit=True, connect_timeout=5)

    async def _answers(self) -> bool:
        try:
            async with await self._connect():
                return True
        except psycopg.OperationalError:
            return False


def _is_local(connection: Connection) -> bool:
    return connection.info.hostaddr in ("127.0.0.1", "::1", "") or connection.info.host.startswith("/")


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("postgres")
    except OSError:
        return False
