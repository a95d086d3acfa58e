"""`heng audit`: verify, export and sign the audit log."""

import argparse
import asyncio
import csv
import os
import sys
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from cli.database import add_database_options, chosen_database, embedded_identity
from cloud.api.routes.audit import cell
from cloud.identity.chain import Verdict, head_line, read_head_lines, sign_head, verify
from cloud.store import audit_log
from cloud.store.audit_log import AuditRow
from cloud.store.connection import open_connection
from cloud.store.migrate import SchemaError, check_version
from provisioning.errors import IdentityError
from provisioning.identity import HubIdentity

UNREADABLE = 3
"""Exit code: nothing can be said about the log, which is something else than a log that is not whole."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `verify`, `export` and `head`."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    check = words.add_parser("verify", help="find every row that was edited, removed or put in")
    check.add_argument(
        "--heads",
        type=Path,
        action="append",
        default=[],
        help="file of heads that were kept elsewhere; repeatable",
    )
    words.add_parser("export", help="write the whole log to standard output as CSV")
    words.add_parser("head", help="sign the end of the log and print it as one line, to be kept elsewhere")
    for one in words.choices.values():
        add_database_options(one, owner=False)
        one.add_argument(
            "--identity",
            type=Path,
            action="append",
            help="identity folder of a hub worker, whose key signs; default: HENG_IDENTITY, then that of the "
            "hub whose --data it is",
        )


def run(arguments: argparse.Namespace) -> int:
    """Act; 1 when the log is not whole, 2 when the input has faults, 3 when the log cannot be read."""
    url = chosen_database(arguments, "audit")
    if url is None:
        return 2
    try:
        identities = [HubIdentity.load(folder) for folder in _folders(arguments)]
        return asyncio.run(_act(arguments, url, identities))
    except (IdentityError, ValueError) as error:
        print(f"heng audit: {error}", file=sys.stderr)
        return 2
    except (OSError, SchemaError, psycopg.Error) as error:
        print(f"heng audit: {error}", file=sys.stderr)
        return UNREADABLE


def _folders(arguments: argparse.Namespace) -> list[Path]:
    """Return the identity folders that were given, or the one of the environment or of the data folder."""
    if arguments.identity:
        return list(arguments.identity)
    told = os.environ.get("HENG_IDENTITY")
    found = Path(told) if told else embedded_identity(arguments)
    return [] if found is None else [found]


async def _act(arguments: argparse.Namespace, url: str, identities: list[HubIdentity]) -> int:
    async with open_connection(url, "audit") as connection:
        await check_version(connection)
        if arguments.word == "export":
            writer = csv.writer(sys.stdout)
            writer.writerow([field.name for field in fields(AuditRow)])
            async for row in audit_log.read_all(connection):
                writer.writerow([cell(value) for value in asdict(row).values()])
            return 0
        if arguments.word == "head":
            if not identities:
                raise IdentityError("no key to sign with: give --identity or --data, or set HENG_IDENTITY")
            made = await sign_head(connection, identities[0].signer, at=datetime.now(UTC))
            heads = await audit_log.read_heads(connection)
            if made is not None or heads:
                print(head_line(made or heads[-1]))
            return 0
        heads = [
            *await audit_log.read_heads(connection),
            *(h for f in arguments.heads for h in read_head_lines(f)),
        ]
        trusted = frozenset(one.signer.public_key for one in identities) or None
        verdict = await verify(audit_log.read_all(connection), heads, trusted=trusted)
    return _tell(verdict, compared=trusted is not None)


def _tell(verdict: Verdict, *, compared: bool) -> int:
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    print(f"{verdict.rows} rows, {verdict.heads} signed heads")
    print(_behind(verdict))
    print(f"hash of the last row: {verdict.tip}")
    if verdict.heads and not compared:
        print("whose key signed was not compared: give --identity")
    good = "whole: nothing was edited, removed or put in"
    if verdict.unsigned or not verdict.heads:
        good += f", as far as row {verdict.signed}; behind it the newest rows could have been taken away"
    print("not whole" if verdict.faults else good)
    return 1 if verdict.faults else 0


def _behind(verdict: Verdict) -> str:
    """Say how much of the log no signature covers yet."""
    if verdict.signed_at is None:
        return f"no row is signed: {verdict.unsigned} rows stand behind no head; `heng audit head` signs"
    at = f"{verdict.signed_at:%Y-%m-%dT%H:%M:%SZ}"
    if not verdict.unsigned:
        return f"every row is signed: the last head signs row {verdict.signed}, at {at}"
    return (
        f"the last head signs row {verdict.signed}, at {at}; {verdict.unsigned} rows stand behind it and are "
        "not signed yet; `heng audit head` signs"
    )
