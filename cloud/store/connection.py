"""What every module of the store calls a connection, and how the services open one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from cloud.store import binary

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
"""An async connection that returns plain tuples."""

_CONNECT_S = 5
_SILENT_MS = 15_000


@asynccontextmanager
async def open_connection(url: str, purpose: str) -> AsyncIterator[Connection]:
    """Open a connection in autocommit; a server that falls silent is given up after 15 s."""
    connection = await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_S,
        tcp_user_timeout=_SILENT_MS,
        application_name=f"heng {purpose}",
    )
    binary.register(connection)
    async with connection:
        yield connection
