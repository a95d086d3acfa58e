"""`heng rights`: cards and their key, what gateways honour, why rights are not sent, the calendar."""

import argparse
import asyncio
import csv
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from cli.commands import rights_cards
from cli.commands.people import at_the_machine
from cli.commands.rights_cards import organisation_of
from cli.database import add_database_options, chosen_database
from cloud import card_acts, rights_acts
from cloud.identity.acts import Act, ActError
from cloud.rights_acts import Place
from cloud.rights_compile import VISITS_STAY, compile_rights
from cloud.store import decisions, rights_items
from cloud.store.connection import open_connection
from cloud.store.migrate import SchemaError, check_version
from cloud.store.rights_rows import read_rows
from cloud.store.sites import find_site

Words = Callable[[Act], Awaitable[list[str]]]
_ENDED_SINCE = timedelta(days=7)


class FaultyFileError(Exception):
    """A file that is not as expected; the text names row, value and expectation."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `card`, `key`, `gateways`, `check` and `days`."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    card = words.add_parser("card", help="list, give, block, unblock and revoke cards of a person")
    card_words = rights_cards.configure(card)
    key = words.add_parser("key", help="write the key of an organisation's cards to a file, or take one over")
    key.add_argument("--organisation", required=True)
    way = key.add_mutually_exclusive_group(required=True)
    way.add_argument("--out", type=Path, metavar="FILE", help="for <data>/credential.key of each gateway")
    way.add_argument("--take", type=Path, metavar="FILE", help="the credential.key of a gateway")
    words.add_parser("gateways", help="which rights each gateway honours, and what it may still honour")
    check = words.add_parser("check", help="say why the rights of a site are not sent; 1 when they are not")
    check.add_argument("site")
    days = words.add_parser("days", help="enter holidays and make-up workdays of an organisation from CSV")
    days.add_argument(
        "file", type=Path, help="lines of date,kind,like,title: 2026-10-10,workday,wed,National Day"
    )
    days.add_argument("--organisation", required=True)
    for one in (*card_words, *(one for word, one in words.choices.items() if word != "card")):
        add_database_options(one, owner=True)


def run(arguments: argparse.Namespace) -> int:
    """Act; 2 when the input has faults, 1 when it cannot be done."""
    acts: dict[str, Callable[[], Words]] = {
        "card": lambda: rights_cards.act_of(arguments),
        "key": lambda: lambda act: _key(act, arguments),
        "gateways": lambda: _gateways,
        "check": lambda: lambda act: _check(act, arguments.site),
        "days": lambda: lambda act: _days(act, arguments),
    }
    url = chosen_database(arguments, "rights")
    if url is None:
        return 2
    try:
        lines = asyncio.run(_act(url, acts[arguments.word]()))
    except FaultyFileError as error:
        print(f"heng rights: {error}", file=sys.stderr)
        return 2
    except (ActError, SchemaError, psycopg.Error, OSError) as error:
        print(f"heng rights: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 1 if arguments.word == "check" and lines[-1] != _SENT else 0


_SENT = "nothing is wrong: these rights are sent"


async def _act(url: str, acting: Words) -> list[str]:
    async with open_connection(url, "rights") as connection:
        await check_version(connection)
        async with connection.transaction():
            return await acting(Act(connection, at_the_machine(), datetime.now(UTC)))


async def _key(act: Act, arguments: argparse.Namespace) -> list[str]:
    number = await organisation_of(act, arguments.organisation)
    if arguments.take is not None:
        name = await card_acts.take_key(act, number, arguments.take.read_bytes())
        return [f"cards are hashed with key {name} from now on; import the cards again"]
    key = await card_acts.key_of(act, number)
    handle = os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as made:
        made.write(key)
    return [f"{arguments.out}: lay it as credential.key into the data folder of each gateway, and delete it"]


async def _gateways(act: Act) -> list[str]:
    rows = await decisions.list_rights(act.connection, act.at)
    ended = await decisions.list_revoked(
        act.connection, [row.gateway_id for row in rows], since=act.at - _ENDED_SINCE
    )
    tokens = [token for one in ended for token in one.ended.get("credentials", ())]
    cards = await rights_items.cards_of_tokens(act.connection, tokens)
    lines = []
    for row in rows:
        there = "nothing yet"
        if row.honoured_number is not None:
            there = f"{row.honoured_incarnation}.{row.honoured_number}"
        state = "not sent: " + row.faults[0] if row.faults else "newest" if row.up_to_date else "older"
        lines.append(f"{row.gateway}: {row.incarnation}.{row.number} here, {there} there: {state}")
        for one in ended:
            if one.gateway_id == row.gateway_id and one.honoured_at is None:
                known = [cards[token] for token in one.ended.get("credentials", ()) if token in cards]
                what = [f"{number} …{end}" for number, _, end in known]
                what += [name for kind in ("people", "rights", "visits") for name in one.ended.get(kind, ())]
                lines.append(
                    f"  may still honour, since {one.issued_at:%Y-%m-%d %H:%M:%S} UTC: {', '.join(what)}"
                )
    return lines or ["no gateway is sent rights"]


async def _check(act: Act, name: str) -> list[str]:
    site = await find_site(act.connection, name)
    rows = None
    if site is not None:
        rows = await read_rows(act.connection, site.id, visits_since=act.at - VISITS_STAY)
    if rows is None:
        raise ActError("site", name, "the name of a site")
    made = compile_rights(rows, "check", now=act.at)
    return list(made.faults) or [*made.notes, _SENT]


async def _days(act: Act, arguments: argparse.Namespace) -> list[str]:
    number = await organisation_of(act, arguments.organisation)
    with arguments.file.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    for place, row in enumerate(rows, 1):
        if len(row) not in (2, 3, 4):
            raise FaultyFileError(f"row {place}: {','.join(row)!r}: expected date,kind,like,title")
        day, kind, like, title = [*(one.strip() for one in row), "", ""][:4]
        body = {"kind": kind, "like": like} if like else {"kind": kind}
        try:
            await rights_acts.put_item(act, Place(number), kind="day", name=day, body=body, title=title)
        except ActError as error:
            raise FaultyFileError(f"row {place}: {error}; nothing was entered") from None
    return [f"{len(rows)} days entered"]
