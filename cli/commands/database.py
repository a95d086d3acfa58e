"""`heng database upgrade`: makes or upgrades the hub's tables, as their owner."""

import argparse
import asyncio
import os
import sys

import psycopg

from cloud.store.migrate import SchemaError, check_version, install_timescaledb, upgrade


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's words."""
    parser.add_argument("action", choices=["upgrade", "check"], help="upgrade the tables, or only check them")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("HENG_OWNER_DATABASE_URL"),
        help="of the owner role; default: HENG_OWNER_DATABASE_URL",
    )


def run(arguments: argparse.Namespace) -> int:
    """Upgrade or check; 0 when the tables are those of this code."""
    if not arguments.database_url:
        print("heng database: give --database-url or set HENG_OWNER_DATABASE_URL", file=sys.stderr)
        return 2
    try:
        asyncio.run(_run(arguments.action, arguments.database_url))
    except (SchemaError, psycopg.Error) as error:
        print(f"heng database: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(action: str, url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        if action == "check":
            await check_version(connection)
            print("the tables are those of this code")
            return
        timescaledb = await install_timescaledb(connection)
        applied = await upgrade(connection)
        kind = "TimescaleDB" if timescaledb else "plain PostgreSQL"
        print(f"{kind}: " + (f"applied {', '.join(applied)}" if applied else "nothing to do"))
