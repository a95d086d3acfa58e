"""`heng people`: the first administrator, invitations, people from a file. No password is an argument."""

import argparse
import asyncio
import getpass
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from cli.database import add_database_options, chosen_database
from cloud.identity import acts
from cloud.identity.acts import Act, ActError
from cloud.identity.people_file import apply, read_people_file
from cloud.identity.secrets import Passwords
from cloud.identity.viewer import Origin, Viewer
from cloud.imports import service as import_service
from cloud.imports.service import FaultyError
from cloud.store import accounts, people
from cloud.store.connection import open_connection
from cloud.store.migrate import SchemaError, check_version
from cloud.store.sites_write import organisation
from rules.permissions import Grant, Role

Words = Callable[[Act], Awaitable[list[str]]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `add-administrator`, `invite`, `import`, `apply` and `check`."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    first = words.add_parser(
        "add-administrator", help="open an administrator's account and print its invitation"
    )
    first.add_argument("login", help="2 to 63 of a-z, 0-9, '.', '_', '-', '@'")
    first.add_argument("--organisation", required=True, help="made when it is not there")
    first.add_argument("--name", required=True, help="the person's name")
    first.add_argument("--number", required=True, help="the person's staff number")
    first.add_argument("--department", default="")
    invite = words.add_parser("invite", help="print a new invitation of an account, to set a new password")
    invite.add_argument("login")
    book = words.add_parser(
        "import", help="import people, cards, points and instruments from an .xlsx workbook"
    )
    book.add_argument("file", type=Path)
    book.add_argument("--organisation", required=True)
    book.add_argument("--preview", action="store_true", help="say what it would do, and do nothing")
    for word in ("apply", "check"):
        file = words.add_parser(word, help=f"{word} a people file; see docs/reference/people.md")
        file.add_argument("file", type=Path)
    for one in words.choices.values():
        add_database_options(one, owner=True)


def run(arguments: argparse.Namespace) -> int:
    """Act; 2 when the input has faults, 1 when it cannot be done."""
    acting = _acting(arguments)
    if acting is None:
        return 2
    if arguments.word == "check":
        return 0
    url = chosen_database(arguments, "people")
    if url is None:
        return 2
    try:
        lines = asyncio.run(_act(url, acting))
    except FaultyError as error:
        for fault in error.preview.faults:
            place = f"{fault.sheet} row {fault.row} {fault.column}".strip()
            print(f"{arguments.file}: {place}: {fault.value!r}: expected {fault.expected}", file=sys.stderr)
        print(f"heng people: {error}; nothing was written", file=sys.stderr)
        return 2
    except (ActError, SchemaError, psycopg.Error) as error:
        print(f"heng people: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines) if lines else "nothing to do")
    return 0


def _acting(arguments: argparse.Namespace) -> Words | None:
    if arguments.word == "add-administrator":
        return lambda act: _add_administrator(act, arguments)
    if arguments.word == "invite":
        return lambda act: _invite(act, arguments.login)
    if arguments.word == "import":
        return _importing(arguments)
    try:
        file, faults = read_people_file(arguments.file)
    except OSError as error:
        print(f"heng people: {error}", file=sys.stderr)
        return None
    for fault in faults:
        print(f"{arguments.file}: {fault}", file=sys.stderr)
    return None if file is None else lambda act: apply(act, file, Passwords())


def _importing(arguments: argparse.Namespace) -> Words | None:
    try:
        body = arguments.file.read_bytes()
    except OSError as error:
        print(f"heng people: {error}", file=sys.stderr)
        return None
    return lambda act: _import(act, arguments, body)


async def _import(act: Act, arguments: argparse.Namespace, body: bytes) -> list[str]:
    bodies = await accounts.all_organisations(act.connection)
    number = next((id_ for id_, name in bodies.items() if name == arguments.organisation), None)
    if number is None:
        raise ActError("organisation", arguments.organisation, f"one of {', '.join(bodies.values())}")
    if arguments.preview:
        told = await import_service.preview(act, number, body)
        if told.fault_count:
            raise FaultyError(told)
    else:
        _, told = await import_service.apply(act, number, body, file_name=arguments.file.name)
    lines = [f"{one.sheet} row {one.row}: {one.action} {one.what}" for one in told.changes]
    word = "would be " if arguments.preview else ""
    counts = f"{told.added} {word}added, {told.changed} {word}changed, {told.unchanged} as they were"
    return [*lines, counts]


async def _act(url: str, acting: Words) -> list[str]:
    async with open_connection(url, "people") as connection:
        await check_version(connection)
        async with connection.transaction():
            return await acting(Act(connection, at_the_machine(), datetime.now(UTC)))


def at_the_machine() -> Viewer:
    """Return the person at this command line, as the audit log names them."""
    return Viewer(
        kind="command", login=getpass.getuser(), origin=Origin(f"command line of {socket.gethostname()}")
    )


async def _add_administrator(act: Act, arguments: argparse.Namespace) -> list[str]:
    body = await organisation(act.connection, arguments.organisation)
    person = await acts.add_person(
        act, body, number=arguments.number, name=arguments.name, department=arguments.department
    )
    login, code = await acts.invite(act, person, arguments.login)
    account = await accounts.find_account(act.connection, login)
    assert account is not None
    await acts.grant_role(act, account.id, Grant(Role.ADMINISTRATOR, body))
    return [f"{login} is administrator of {arguments.organisation}", *_invitation(code)]


async def _invite(act: Act, login: str) -> list[str]:
    account = await accounts.find_account(act.connection, login)
    if account is None:
        raise ActError("login", login, "the login of an account")
    person = await people.get_person(act.connection, account.person_id)
    assert person is not None
    _, code = await acts.invite(act, person.id)
    return _invitation(code)


def _invitation(code: str) -> list[str]:
    days = acts.INVITED.days
    return [
        f"invitation, good once within {days} days; open it on the hub's pages and set a password:",
        f"  /invitation#{code}",
    ]
