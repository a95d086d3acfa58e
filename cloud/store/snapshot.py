"""One consistent look at the database for one answer: read only, UTC, bounded in time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from cloud.store.connection import Connection

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]

_SETUP = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL TimeZone = 'UTC';
SET LOCAL statement_timeout = '30s';
SET LOCAL plan_cache_mode = 'force_custom_plan'
"""


@asynccontextmanager
async def snapshot(pool: Pool, *, wait_s: float = 5.0) -> AsyncIterator[Connection]:
    """Give a connection whose statements all see the same state; times come back in UTC.

    Raises psycopg's `OperationalError` when there is none within `wait_s` or a statement takes over 30 s.
    """
    async with pool.connection(timeout=wait_s) as connection, connection.transaction():
        await connection.execute(_SETUP)
        yield connection
