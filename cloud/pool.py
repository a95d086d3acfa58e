"""Opens a pool of database connections for one room of the hub."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool

from cloud.store.connection import StoreConnection
from cloud.store.snapshot import Pool

_CLOSE_S = 1.0


@asynccontextmanager
async def open_pool(url: str, purpose: str, *, most: int) -> AsyncIterator[Pool]:
    """Give a pool of at most so many connections in autocommit; it does not wait for the database.

    A connection is looked at before it is lent, so that one that died in an outage comes to nobody.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        connection_class=StoreConnection,
        min_size=1,
        max_size=most,
        open=False,
        kwargs={"autocommit": True, "application_name": f"heng {purpose}"},
        check=AsyncConnectionPool.check_connection,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close(timeout=_CLOSE_S)
