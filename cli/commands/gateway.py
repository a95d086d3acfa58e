"""`heng gateway`: list gateways; claim, approve, revoke, replace, settings. Each act is in the audit log."""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import psycopg
import segno

from cli.commands import gateway_settings
from cli.database import add_database_options, chosen_database
from cloud import gateway_acts
from cloud.gateway_acts import CLAIM_HOURS, Actor, ActRefusedError, Made, Replacement, Wish
from cloud.store import fleet
from cloud.store.connection import Connection, open_connection
from cloud.store.fleet import FleetRow
from cloud.store.migrate import SchemaError, check_version
from provisioning import files
from provisioning.claim import claim_uri, write_claim
from provisioning.errors import ProvisioningError

Act = Callable[[Connection, argparse.Namespace, Actor], Awaitable[None]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `list`, `claim`, `approve`, `revoke` and `replace`."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    listed = words.add_parser("list", help="every gateway with site, certificate and what it waits for")
    listed.set_defaults(act=_list)
    claim = words.add_parser("claim", help="register a gateway at a site and make its claim file")
    claim.add_argument("site", metavar="SITE", help="name of the site that it will serve")
    claim.add_argument("--id", metavar="ID", help="its id; made from the site's name if left out")
    claim.add_argument(
        "--organisation", metavar="NAME", help="whose site, where several organisations have one of this name"
    )
    claim.set_defaults(act=_claim)
    replace = words.add_parser("replace", help="have a new gateway take over what a broken one served")
    replace.add_argument("old", metavar="OLD", help="id of the broken one")
    replace.add_argument("--id", metavar="ID", help="id of the new one; OLD-r2 if left out")
    replace.add_argument("--why", default="", metavar="TEXT", help="for the audit log")
    replace.set_defaults(act=_replace)
    for made in (claim, replace):
        made.add_argument(
            "--hours", type=int, default=CLAIM_HOURS, help="how long the code is good (default: %(default)s)"
        )
        made.add_argument(
            "--out", type=Path, metavar="FILE", help="where the claim file goes, closed to others"
        )
        made.add_argument(
            "--qr", type=_picture, metavar="FILE", help="a picture of the claim as QR code, svg or png"
        )
    approve = words.add_parser("approve", help="let a gateway back in that was away for very long")
    approve.add_argument("gateway", metavar="ID")
    approve.set_defaults(act=_approve)
    revoke = words.add_parser("revoke", help="refuse a gateway's keys and certificates, for ever")
    revoke.add_argument("gateway", metavar="ID")
    revoke.add_argument("--why", required=True, metavar="TEXT", help="for the audit log")
    revoke.set_defaults(act=_revoke)
    for one in (*words.choices.values(), *gateway_settings.configure(words)):
        add_database_options(one, owner=False)


def _picture(text: str) -> Path:
    """Read the name of a picture; its kind is known before a claim is made."""
    if Path(text).suffix.lower() not in (".svg", ".png"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a name that ends with .svg or .png")
    return Path(text)


def run(arguments: argparse.Namespace) -> int:
    """Act; 1 when it is refused or the database is away, 2 for bad input."""
    url = chosen_database(arguments, "gateway")
    if url is None:
        return 2
    try:
        asyncio.run(_run(arguments, url))
    except (ActRefusedError, ProvisioningError, SchemaError, psycopg.Error, OSError) as error:
        print(f"heng gateway: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(arguments: argparse.Namespace, url: str) -> None:
    act: Act = arguments.act
    async with open_connection(url, "gateway") as connection:
        await check_version(connection)
        await act(connection, arguments, Actor("command", getpass.getuser(), "command line"))


async def _list(connection: Connection, arguments: argparse.Namespace, _: Actor) -> None:
    now = datetime.now(UTC)
    rows = [("gateway", "site", "state", "certificate until", "last batch")]
    rows += [
        (one.name, one.site or "-", _state(one, now), _day(one.certificate_until), _minute(one.last_batch_at))
        for one in await fleet.fleet(connection, now)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


_STATES = {
    "waiting": "waits for approval",
    "ended": "certificate ended",
    "bare": "not enrolled",
}


def _state(one: FleetRow, now: datetime) -> str:
    state = one.state(now)
    return f"claimed until {_minute(one.claim_until)}" if state == "claimed" else _STATES.get(state, state)


def _day(at: datetime | None) -> str:
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d}"


def _minute(at: datetime | None) -> str:
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


async def _claim(connection: Connection, arguments: argparse.Namespace, actor: Actor) -> None:
    owner = arguments.organisation
    owner_id = None if owner is None else await fleet.organisation_id(connection, owner)
    if owner is not None and owner_id is None:
        raise ActRefusedError(f"organisation {owner[:80]!r}: expected the name of an organisation")
    wish = Wish(arguments.site, arguments.id, owner_id, arguments.hours)
    _show(await gateway_acts.make_claim(connection, actor, wish, now=datetime.now(UTC)), arguments)


async def _replace(connection: Connection, arguments: argparse.Namespace, actor: Actor) -> None:
    wish = Replacement(arguments.old, arguments.id, arguments.why, arguments.hours)
    _show(await gateway_acts.replace(connection, actor, wish, now=datetime.now(UTC)), arguments)


def _show(made: Made, arguments: argparse.Namespace) -> None:
    """Print the claim, or where it is; the code is printed only when it goes into no file."""
    print(f"gateway:    {made.claim.gateway}")
    print(f"hub:        {made.claim.url}")
    print(f"good until: {_minute(made.expires_at)}")
    code = segno.make(claim_uri(made.claim), error="m", micro=False)
    if arguments.out is not None:
        files.replace(arguments.out, write_claim(made.claim))
        print(f"claim file: {arguments.out}")
    if arguments.qr is not None:
        picture = BytesIO()
        code.save(picture, kind=arguments.qr.suffix[1:].lower(), scale=6)
        files.replace(arguments.qr, picture.getvalue())
        print(f"QR code:    {arguments.qr}")
    if arguments.out is None and arguments.qr is None:
        print(f"code:       {made.claim.code}")
        print(claim_uri(made.claim))
        code.terminal(compact=True)
    print("next:       heng enrol CLAIM, on the gateway")


async def _approve(connection: Connection, arguments: argparse.Namespace, actor: Actor) -> None:
    await gateway_acts.approve(connection, actor, arguments.gateway, now=datetime.now(UTC))
    print(f"{arguments.gateway}: gets its certificate when it asks again")


async def _revoke(connection: Connection, arguments: argparse.Namespace, actor: Actor) -> None:
    number = await gateway_acts.revoke(
        connection, actor, arguments.gateway, why=arguments.why, now=datetime.now(UTC)
    )
    print(f"{arguments.gateway}: revoked, with {number} certificates")
