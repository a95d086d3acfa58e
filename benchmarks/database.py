"""A database of a benchmark's own, on a server that is given or on one that is made for it."""

import argparse
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo


class Server(Protocol):
    """A database server of the benchmark's own."""

    @property
    def admin_dsn(self) -> str:
        """For a role that may create databases."""


StartServer = Callable[[Path], AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def own_database(folder: Path, args: argparse.Namespace) -> AsyncIterator[str]:
    """Make an empty database, give its DSN, and drop it; on a server in `folder` when no URL is given."""
    async with AsyncExitStack() as stack:
        admin_dsn: str = args.database_url
        if not admin_dsn:
            start: StartServer = args.start_server
            admin_dsn = (await stack.enter_async_context(start(folder / "postgres"))).admin_dsn
        name = f"heng_bench_{secrets.token_hex(4)}"
        admin = await psycopg.AsyncConnection.connect(admin_dsn, autocommit=True)
        await stack.enter_async_context(admin)
        await admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_conninfo(admin_dsn, dbname=name)
        finally:
            await admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
