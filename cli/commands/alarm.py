"""`heng alarm`: see open alarms, acknowledge, comment, shelve, maintain; apply a file; test a way.

Each act is in the audit log. Whoever can use the command line of the hub may do all of it.
"""

import argparse
import asyncio
import getpass
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from cli.database import add_database_options, chosen_database
from cloud import alarm_acts, alarm_manage
from cloud.alarm_acts import Alarm
from cloud.alarm_file import AlarmFileError, apply_file, read_alarm_file
from cloud.identity.acts import Act, ActError
from cloud.identity.viewer import Origin, Viewer
from cloud.notify.settings import read_notify_local
from cloud.settings import SettingsError
from cloud.store import accounts
from cloud.store.alarm_rows import list_rows
from cloud.store.connection import open_connection
from cloud.store.migrate import SchemaError, check_version
from cloud.store.sites import find_site
from rules.alarm.model import Condition

Do = Callable[[Act, argparse.Namespace], Awaitable[None]]
LIST_MAX = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    listed = words.add_parser("list", help="open alarms, what nobody has seen first")
    listed.add_argument("--site", metavar="NAME")
    listed.set_defaults(act=_list)
    for word, text, act in (
        ("acknowledge", "acknowledge an alarm; its escalation stops", _acknowledge),
        ("comment", "write something beside an alarm", _comment),
        ("assign", "give an alarm to a person (--text; nobody: take it back)", _assign),
        ("shelve", "put an alarm aside, until it is over or for some minutes", _shelve),
        ("unshelve", "take an alarm from its shelf", _unshelve),
    ):
        one = _about(words.add_parser(word, help=text), act)
        one.add_argument("condition", choices=[condition.value for condition in Condition])
        if word != "unshelve":
            one.add_argument("--text", default="", metavar="TEXT", help="what is said or why")
        if word == "shelve":
            one.add_argument("--minutes", type=int, metavar="N", help="left out: until it is over")
    out = _about(words.add_parser("take-out", help="take a point out of service for maintenance"), _take_out)
    out.add_argument("--text", required=True, metavar="TEXT", help="why")
    out.add_argument("--minutes", type=int, metavar="N", help="left out: until it is put back")
    _about(words.add_parser("put-back", help="put a point back into service"), _put_back)
    file = words.add_parser("apply", help="apply a file of ways, templates and who is called")
    file.add_argument("file", type=Path)
    file.set_defaults(act=_apply)
    test = words.add_parser("test", help="send a test message by a way; the hub must run")
    test.add_argument("way", metavar="NAME")
    test.add_argument("--organisation", required=True, metavar="NAME")
    test.set_defaults(act=_test)
    for one in words.choices.values():
        add_database_options(one, owner=False)


def _about(parser: argparse.ArgumentParser, act: Do) -> argparse.ArgumentParser:
    parser.add_argument("site", metavar="SITE", help="name of the site")
    parser.add_argument("point", metavar="POINT", help="name of the point, or interlock/NAME and the like")
    parser.set_defaults(act=act)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Act; 2 for bad input, 1 when it cannot be done."""
    url = chosen_database(arguments, "alarm")
    if url is None:
        return 2
    try:
        asyncio.run(_run(arguments, url))
    except (ActError, AlarmFileError, SettingsError) as error:
        print(f"heng alarm: {error}", file=sys.stderr)
        return 2
    except (SchemaError, psycopg.Error, OSError) as error:
        print(f"heng alarm: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(arguments: argparse.Namespace, url: str) -> None:
    act: Do = arguments.act
    who = Viewer(kind="command", login=getpass.getuser(), origin=Origin(socket.gethostname()))
    async with open_connection(url, "alarm") as connection:
        await check_version(connection)
        async with connection.transaction():
            await act(Act(connection, who, datetime.now(UTC)), arguments)


async def _list(act: Act, arguments: argparse.Namespace) -> None:
    site_id = None if arguments.site is None else await _site(act, arguments.site)
    found = await list_rows(act.connection, now=act.at, site_id=site_id, limit=LIST_MAX)
    rows = [("priority", "state", "site", "point", "condition", "worst", "limit", "since", "times")]
    rows += [
        (
            *(one.priority, one.state, one.site, one.point, one.condition),
            *(f"{one.worst or '-'} {one.unit}".strip(), one.limit or "-", f"{one.onset:%Y-%m-%dT%H:%M:%SZ}"),
            str(row.times),
        )
        for row in found
        for one in (row.alarm,)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


async def _acknowledge(act: Act, arguments: argparse.Namespace) -> None:
    taken = await alarm_acts.acknowledge(act, await _alarm(act, arguments), text=arguments.text)
    print(f"acknowledged: {taken}")


async def _comment(act: Act, arguments: argparse.Namespace) -> None:
    await alarm_acts.comment(act, await _alarm(act, arguments), text=arguments.text)


async def _assign(act: Act, arguments: argparse.Namespace) -> None:
    await alarm_acts.assign(act, await _alarm(act, arguments), to=arguments.text)


async def _shelve(act: Act, arguments: argparse.Namespace) -> None:
    alarm, until = await _alarm(act, arguments), _until(act, arguments.minutes)
    await alarm_acts.shelve(act, alarm, until=until, text=arguments.text)


async def _unshelve(act: Act, arguments: argparse.Namespace) -> None:
    await alarm_acts.unshelve(act, await _alarm(act, arguments))


async def _take_out(act: Act, arguments: argparse.Namespace) -> None:
    site, until = await _site(act, arguments.site), _until(act, arguments.minutes)
    await alarm_acts.take_out(act, site, arguments.point, until=until, text=arguments.text)


async def _put_back(act: Act, arguments: argparse.Namespace) -> None:
    await alarm_acts.put_back(act, await _site(act, arguments.site), arguments.point)


async def _apply(act: Act, arguments: argparse.Namespace) -> None:
    file, local = read_alarm_file(arguments.file), read_notify_local(os.environ)
    for line in await apply_file(act, file, local=local) or ["nothing changed"]:
        print(line)


async def _test(act: Act, arguments: argparse.Namespace) -> None:
    bodies = await accounts.all_organisations(act.connection)
    found = next((number for number, name in bodies.items() if name == arguments.organisation), None)
    if found is None:
        raise ActError("--organisation", arguments.organisation, f"one of {', '.join(bodies.values())}")
    number = await alarm_manage.test_channel(act, found, arguments.way)
    print(f"message {number} waits; what became of it is on the page /alarms/calls")


async def _alarm(act: Act, arguments: argparse.Namespace) -> Alarm:
    return Alarm(await _site(act, arguments.site), arguments.point, Condition(arguments.condition))


async def _site(act: Act, name: str) -> int:
    found = await find_site(act.connection, name)
    if found is None:
        raise ActError("site", name, "the name of a site")
    return found.id


def _until(act: Act, minutes: int | None) -> datetime | None:
    if minutes is not None and not 0 < minutes <= 366 * 24 * 60:
        raise ActError("--minutes", minutes, "1 to 527040")
    return None if minutes is None else act.at + timedelta(minutes=minutes)
