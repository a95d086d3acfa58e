"""One consistent look at the database for one answer, one transaction for one change; bounded in time.

Whose look it is stands in `ASKER`: the tables then are the views of `scope.sql`, which show what that asker
may see.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
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
_CHANGE = "SET LOCAL TimeZone = 'UTC'; SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '10s'"


@dataclass(frozen=True, slots=True)
class Seen:
    """What may be seen: whole organisations, single sites, and (`everywhere`) what belongs to nobody."""

    organisations: frozenset[int]
    sites: frozenset[int]
    everywhere: bool = False


ASKER: ContextVar[Seen | None] = ContextVar("heng_asker", default=None)
"""Set by the guard of every route; None: everything, for the hub itself and while there are no accounts."""


@asynccontextmanager
async def snapshot(pool: Pool, *, wait_s: float = 5.0) -> AsyncIterator[Connection]:
    """Give a connection whose statements all see the same state; times come back in UTC.

    Raises psycopg's `OperationalError` when there is none within `wait_s` or a statement takes over 30 s.
    """
    async with pool.connection(timeout=wait_s) as connection, connection.transaction():
        await connection.execute((_SETUP + _narrowing()).encode())
        yield connection


@asynccontextmanager
async def changing(pool: Pool, *, wait_s: float = 5.0) -> AsyncIterator[Connection]:
    """Give a connection in a transaction that writes; all of it is undone when the block raises.

    Raises psycopg's `OperationalError` as `snapshot` does.
    """
    async with pool.connection(timeout=wait_s) as connection, connection.transaction():
        await connection.execute((_CHANGE + _narrowing()).encode())
        yield connection


def _narrowing() -> str:
    seen = ASKER.get()
    if seen is None:
        return ""
    organisations = ",".join(str(int(one)) for one in sorted(seen.organisations))
    sites = ",".join(str(int(one)) for one in sorted(seen.sites))
    everywhere = "on" if seen.everywhere else "off"
    return (
        "; SET LOCAL search_path = scoped, public"
        f"; SET LOCAL heng.organisations = '{{{organisations}}}'"
        f"; SET LOCAL heng.sites = '{{{sites}}}'"
        f"; SET LOCAL heng.everywhere = '{everywhere}'"
    )
