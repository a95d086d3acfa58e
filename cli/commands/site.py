"""`heng site apply FILE`: declares organisation, sites, gateways, bindings and calibrations."""

import argparse
import asyncio
import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from cli.commands.people import at_the_machine
from cli.database import add_database_options, chosen_database
from cloud.site_file import SiteFile, apply, read_site_file
from cloud.store import audit_log, sites_write
from cloud.store.connection import open_connection
from cloud.store.declare import DeclarationError
from cloud.store.migrate import SchemaError, check_version
from cloud.store.sites_write import SiteConflictError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's words."""
    parser.add_argument("action", choices=["apply", "check"], help="apply the file, or only check it")
    parser.add_argument("file", type=Path, help="TOML; see docs/reference/hub-settings.md")
    add_database_options(parser, owner=True)


def run(arguments: argparse.Namespace) -> int:
    """Apply or check; 2 when the file has faults, 1 when it cannot be applied."""
    try:
        file, faults = read_site_file(arguments.file)
        digest = hashlib.sha256(arguments.file.read_bytes()).hexdigest()
    except OSError as error:
        print(f"heng site: {error}", file=sys.stderr)
        return 2
    for fault in faults:
        print(f"{arguments.file}: {fault}", file=sys.stderr)
    if file is None:
        return 2
    if arguments.action == "check":
        return 0
    url = chosen_database(arguments, "site")
    if url is None:
        return 2
    try:
        changes = asyncio.run(_apply(url, file, {"file": arguments.file.name, "sha256": digest}))
    except (SchemaError, SiteConflictError, DeclarationError, psycopg.Error) as error:
        print(f"heng site: {error}", file=sys.stderr)
        return 1
    print("\n".join(changes) if changes else "nothing to do")
    return 0


async def _apply(url: str, file: SiteFile, named: dict[str, str]) -> list[str]:
    async with open_connection(url, "site") as connection:
        await check_version(connection)
        async with connection.transaction():
            changes = await apply(connection, file)
            body = await sites_write.organisation(connection, file.organisation)
            new = {**named, "changes": changes}
            entry = at_the_machine().entry("site.apply", "site file", organisation_id=body, new=new)
            await audit_log.append(connection, [entry], at=datetime.now(UTC))
        return changes
