"""What every module of the store calls a connection, and how the services open one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import wait_async

from cloud.store import binary

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
"""An async connection that returns plain tuples."""

T = TypeVar("T")
_CONNECT_S = 5
_SILENT_MS = 15_000
_LAST_WORDS_S = 0.5
"""How long a server is asked to end what was cancelled."""


class StoreConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection that lets go at once when its task is cancelled, although the server may be silent.

    A statement that is cancelled takes its connection along: the server is asked to end it, and nobody waits
    for what comes of that. What a cancelled task says last, a rollback, gets as long and no longer.
    """

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Do what psycopg's own does but for the end: see the class."""
        task = asyncio.current_task()
        ending = task is not None and task.cancelling() > 0
        try:
            if not ending:
                return await wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
            async with asyncio.timeout(_LAST_WORDS_S):
                return await wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except (asyncio.CancelledError, TimeoutError):
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                if not ending:
                    with suppress(psycopg.Error, OSError):
                        await self.cancel_safe(timeout=_LAST_WORDS_S)
                self.pgconn.finish()
            if ending:
                raise asyncio.CancelledError from None
            raise


@asynccontextmanager
async def open_connection(url: str, purpose: str) -> AsyncIterator[Connection]:
    """Open a connection in autocommit; a server that falls silent is given up after 15 s."""
    connection = await StoreConnection.connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_S,
        tcp_user_timeout=_SILENT_MS,
        application_name=f"heng {purpose}",
    )
    binary.register(connection)
    async with connection:
        yield connection
