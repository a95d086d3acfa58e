"""`heng evidence verify`: proves again what a gateway sealed, from the kept bytes, over any interval."""

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from cryptography import x509

from cli.database import add_database_options, chosen_database, embedded_identity
from cloud.identity.evidence import EvidenceVerdict, trusted_keys, verify_batches
from cloud.store import evidence
from cloud.store.connection import open_connection
from cloud.store.migrate import SchemaError, check_version
from cloud.store.sites import get_gateway
from provisioning.errors import IdentityError
from provisioning.identity import HubIdentity

NOTHING = 3
"""Exit code when no batch was received in the interval: nothing is wrong, and nothing was proven."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's words."""
    parser.add_argument(
        "word", choices=["verify"], help="check bytes, signatures and chain, say what is missing"
    )
    parser.add_argument("--gateway", required=True, metavar="ID")
    parser.add_argument("--from", dest="from_at", type=_time, default=datetime(2000, 1, 1, tzinfo=UTC))
    parser.add_argument("--to", dest="to_at", type=_time, default=datetime(2200, 1, 1, tzinfo=UTC))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_database_options(parser, owner=False)
    parser.add_argument(
        "--identity",
        type=Path,
        default=os.environ.get("HENG_IDENTITY"),
        help="of a hub worker, for the root that certified the keys; default: HENG_IDENTITY, then "
        "that of the hub whose --data it is",
    )


def run(arguments: argparse.Namespace) -> int:
    """Verify; 1 when something is wrong or missing, 2 for faulty input, 3 when there is nothing to prove."""
    url = chosen_database(arguments, "evidence")
    if url is None:
        return 2
    try:
        folder = arguments.identity or embedded_identity(arguments)
        ca = None if folder is None else HubIdentity.load(Path(folder)).ca_certificate
        verdict = asyncio.run(_verify(arguments, url, ca))
    except IdentityError as error:
        print(f"heng evidence: {error}", file=sys.stderr)
        return 2
    except (SchemaError, psycopg.Error) as error:
        print(f"heng evidence: {error}", file=sys.stderr)
        return 1
    if verdict is None:
        print(
            f"heng evidence: --gateway {arguments.gateway!r}: expected a gateway of this hub", file=sys.stderr
        )
        return 2
    _tell(verdict, as_json=arguments.json, compared=ca is not None)
    if not verdict.whole:
        return 1
    return 0 if verdict.batches else NOTHING


async def _verify(
    arguments: argparse.Namespace, url: str, ca: x509.Certificate | None
) -> EvidenceVerdict | None:
    async with open_connection(url, "evidence") as connection:
        await check_version(connection)
        gateway = await get_gateway(connection, arguments.gateway)
        if gateway is None:
            return None
        verdict = EvidenceVerdict(gateway.name)
        for epoch, first, last in await evidence.lost_batches(connection, gateway.id):
            verdict.fault(f"epoch {epoch.hex()[:8]} batches {first} to {last}: received, and removed since")
        keys = trusted_keys(gateway.name, await evidence.keys_of(connection, gateway.id), ca, verdict=verdict)
        await verify_batches(
            evidence.sealed_batches(connection, gateway.id, from_at=arguments.from_at, to_at=arguments.to_at),
            keys=keys,
            tombstones=await evidence.tombstones_of(connection, gateway.id),
            verdict=verdict,
        )
        return verdict


def _tell(verdict: EvidenceVerdict, *, as_json: bool, compared: bool) -> None:
    if as_json:
        print(
            json.dumps(
                asdict(verdict)
                | {"whole": verdict.whole, "nothing": not verdict.batches, "keys_compared": compared}
            )
        )
        return
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    for epoch in verdict.epochs:
        gone = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in epoch.missing) or "none"
        print(
            f"epoch {epoch.epoch[:8]}: batches {epoch.first} to {epoch.last}, {epoch.proven} proven, "
            f"{epoch.tombstoned} dropped by the gateway, missing: {gone}"
        )
    print(
        f"{verdict.gateway}: {verdict.batches} batches, {verdict.proven} proven, "
        f"{verdict.without_bytes} without bytes: {_outcome(verdict, compared=compared)}"
    )


def _outcome(verdict: EvidenceVerdict, *, compared: bool) -> str:
    """Return the verdict in words; only with certificates that were checked it is `whole` alone."""
    if verdict.whole and not verdict.batches:
        return "nothing to prove"
    if compared:
        return "whole" if verdict.whole else "not whole"
    unchecked = "the keys' certificates were not checked: give --identity"
    return f"whole as far as it was checked, but {unchecked}" if verdict.whole else f"not whole; {unchecked}"


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a time with its zone, 2026-01-01T08:00:00+08:00"
        )
    return found
