"""`heng command`: ask gateways for something, approve what others ask, and see what became of it."""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import psycopg

from cli.commands.people import at_the_machine
from cli.database import add_database_options, chosen_database
from cloud import command_acts
from cloud.command_acts import VALID_S, Wish
from cloud.identity.acts import Act, ActError
from cloud.store import commands
from cloud.store.commands import Command
from cloud.store.connection import Connection, open_connection
from cloud.store.migrate import SchemaError, check_version
from rules.command import KINDS
from wire.messages import Scalar

Run = Callable[[Connection, argparse.Namespace], Awaitable[int]]
_ID_DIGITS = 32
_LOOK_S = 0.1
_DONE = frozenset({"executed"})
_OPEN = frozenset({"sent", "accepted"})


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `list`, `send`, `show` and `approve`."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    listed = words.add_parser("list", help="commands and how they stand, the newest first")
    listed.add_argument("--gateway", metavar="ID", help="of this one alone")
    listed.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: %(default)s)")
    listed.set_defaults(act=_list)
    send = words.add_parser("send", help="ask a gateway for something, and wait for its receipt")
    send.add_argument("gateway", metavar="ID")
    send.add_argument("name", metavar="NAME", choices=sorted(KINDS), help="such as interlock.acknowledge")
    send.add_argument(
        "arguments", nargs="*", metavar="ARGUMENT=VALUE", help="a number where a number is wanted"
    )
    send.add_argument(
        "--valid-s",
        type=float,
        default=VALID_S,
        metavar="S",
        help="begun within, or never (default: %(default)s)",
    )
    send.add_argument("--no-wait", action="store_true", help="do not wait for the receipt")
    send.set_defaults(act=_send)
    show = words.add_parser("show", help="one command with every receipt")
    show.add_argument("command_id", metavar="COMMAND", type=_command_id)
    show.set_defaults(act=_show)
    approve = words.add_parser("approve", help="be the second person of a command")
    approve.add_argument("command_id", metavar="COMMAND", type=_command_id)
    approve.set_defaults(act=_approve)
    for one in words.choices.values():
        add_database_options(one, owner=False)


def run(arguments: argparse.Namespace) -> int:
    """Act; 1 when it is refused, not confirmed, or the database is away, 2 for bad input."""
    url = chosen_database(arguments, "command")
    if url is None:
        return 2
    try:
        return asyncio.run(_run(arguments, url))
    except (ActError, SchemaError, psycopg.Error, OSError) as error:
        print(f"heng command: {error}", file=sys.stderr)
        return 1


async def _run(arguments: argparse.Namespace, url: str) -> int:
    act: Run = arguments.act
    async with open_connection(url, "command") as connection:
        await check_version(connection)
        return await act(connection, arguments)


async def _list(connection: Connection, arguments: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    found = await commands.list_commands(connection, gateway=arguments.gateway, limit=max(1, arguments.limit))
    rows = [("command", "time", "gateway", "name", "state", "asked by")]
    rows += [
        (
            one.id,
            f"{one.asked_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            one.gateway,
            one.name,
            one.state(now),
            one.asker,
        )
        for one in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    return 0


async def _send(connection: Connection, arguments: argparse.Namespace) -> int:
    wish = Wish(
        arguments.gateway,
        arguments.name,
        read_arguments(arguments.name, arguments.arguments),
        valid_s=arguments.valid_s,
    )
    async with connection.transaction():
        made = await command_acts.ask(Act(connection, at_the_machine(), datetime.now(UTC)), wish)
    print(made.id)
    return await _until_known(connection, made, wait=not arguments.no_wait)


async def _show(connection: Connection, arguments: argparse.Namespace) -> int:
    found = await commands.get_command(connection, arguments.command_id)
    if found is None:
        raise ActError("command", arguments.command_id.hex(), "an existing command")
    print(f"command:  {found.id}")
    print(f"gateway:  {found.gateway}")
    print(f"name:     {found.name}")
    print(f"arguments: {json.dumps(found.arguments, ensure_ascii=False, sort_keys=True)}")
    print(f"asked:    {_moment(found.asked_at)} by {found.asker or 'nobody'}")
    if found.approved_at is not None:
        print(f"approved: {_moment(found.approved_at)} by {found.approver}")
    if found.issued_at is not None and found.not_after is not None:
        print(f"sent:     {_moment(found.issued_at)}, to be begun until {_moment(found.not_after)}")
    for one in await commands.receipts(connection, arguments.command_id):
        why = f" {one.reason}: {one.text}" if one.reason else ""
        print(
            f"receipt:  {_moment(one.received_at)} {one.state}{why}{' (journal)' if one.from_journal else ''}"
        )
    print(f"state:    {_words(found, datetime.now(UTC))}")
    return 0


async def _approve(connection: Connection, arguments: argparse.Namespace) -> int:
    async with connection.transaction():
        act = Act(connection, at_the_machine(), datetime.now(UTC))
        approved = await command_acts.approve(act, arguments.command_id)
    return await _until_known(connection, approved, wait=True)


async def _until_known(connection: Connection, command: Command, *, wait: bool) -> int:
    """Tell what became of a command once it is known, at its deadline at the latest; 0 when it is done."""
    while wait and command.state(datetime.now(UTC)) in _OPEN:
        await asyncio.sleep(_LOOK_S)
        found = await commands.get_command(connection, bytes.fromhex(command.id))
        assert found is not None
        command = found
    now = datetime.now(UTC)
    print(_words(command, now))
    state = command.state(now)
    return 0 if state in _DONE or state == "waiting" or (not wait and state in _OPEN) else 1


_WORDS: Mapping[str, str] = {
    "waiting": "waits for another person: heng command approve {id}",
    "lapsed": "nobody approved it in time",
    "sent": "on its way, no receipt yet",
    "accepted": "accepted, not confirmed yet",
    "executed": "executed, confirmed by the gateway",
    "refused": "refused by the gateway: {why}",
    "expired": "came too late, nothing was done",
    "failed": "begun, and not known to be done: {why}",
    "unknown": "unknown: no receipt in time, it may or may not have been done",
}


def _words(command: Command, now: datetime) -> str:
    state = command.state(now)
    if state == "not_sent":
        return f"refused at the hub, not sent: {command.refused_text}"
    why = command.answer or command.answer_word or "it did not say why"
    return _WORDS[state].format(id=command.id, why=why)


def read_arguments(name: str, words: list[str]) -> dict[str, Scalar]:
    """Return `name=value` words as arguments, each of the kind that the command wants; `ActError`."""
    kind = KINDS[name]
    wanted = {**kind.needs, **kind.may}
    found: dict[str, Scalar] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ActError("argument", word, "ARGUMENT=VALUE")
        try:
            found[key] = wanted[key](text) if key in wanted and wanted[key] is not str else text
        except ValueError:
            raise ActError(f"arguments.{key}", text, "a number") from None
    return found


def _command_id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != _ID_DIGITS or len(found) != _ID_DIGITS // 2:
        raise argparse.ArgumentTypeError(f"{text!r}: expected the {_ID_DIGITS} digits of a command's id")
    return found


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
