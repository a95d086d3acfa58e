"""`heng gateway settings`: show, set, compare and take back the settings of a gateway at the hub."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.commands.people import at_the_machine
from cloud import settings_acts
from cloud.gateway_acts import Actor, ActRefusedError
from cloud.identity.acts import Act, ActError
from cloud.settings_acts import ConflictError, DocumentError
from cloud.store import shadow
from cloud.store.connection import Connection
from cloud.store.shadow import Owner
from wire.settings.shadow import read_text
from wire.settings.toml import to_toml


def configure(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> list[argparse.ArgumentParser]:
    """Declare `settings` with `show`, `set`, `diff`, `history` and `revert`, and return their parsers."""
    settings = words.add_parser("settings", help="show and change what a gateway is set up for")
    actions = settings.add_subparsers(dest="settings_word", required=True, metavar="WORD")
    show = actions.add_parser("show", help="the newest document, and what the gateway makes of it")
    show.add_argument("gateway", metavar="ID")
    show.add_argument("--revision", type=int, metavar="N", help="that revision's document alone")
    show.add_argument("--json", action="store_true", help="the document as JSON")
    show.set_defaults(act=_show)
    put = actions.add_parser("set", help="save a document (TOML, or JSON by its name) and send it")
    put.add_argument("gateway", metavar="ID")
    put.add_argument("file", type=Path, metavar="FILE")
    put.add_argument("--based-on", type=int, metavar="N", help="refuse if another revision is the newest")
    put.set_defaults(act=_set)
    diff = actions.add_parser("diff", help="what two revisions say differently")
    diff.add_argument("gateway", metavar="ID")
    diff.add_argument("before", type=int, metavar="N")
    diff.add_argument("after", type=int, metavar="M")
    diff.set_defaults(act=_diff)
    history = actions.add_parser("history", help="every revision with author and reason")
    history.add_argument("gateway", metavar="ID")
    history.set_defaults(act=_history)
    revert = actions.add_parser("revert", help="have the gateway run an earlier revision again")
    revert.add_argument("gateway", metavar="ID")
    revert.add_argument("number", type=int, metavar="N")
    revert.set_defaults(act=_revert)
    for change in (put, revert):
        change.add_argument("--why", required=True, metavar="TEXT", help="for the history and the audit log")
    return list(actions.choices.values())


async def _show(connection: Connection, arguments: argparse.Namespace, _: Actor) -> None:
    owner = await _owner(connection, arguments.gateway)
    newest = await shadow.newest(connection, owner.id)
    number = newest if arguments.revision is None else arguments.revision
    document = await shadow.document(connection, owner.id, number)
    if document is None:
        raise ActRefusedError(f"gateway {owner.name} has no revision {number or 'yet'}")
    if arguments.revision is None:
        await _tell_state(connection, owner, newest)
    print(json.dumps(read_text(document)[0], indent=2, default=str) if arguments.json else document, end="")
    if arguments.json:
        print()


async def _tell_state(connection: Connection, owner: Owner, newest: int) -> None:
    """Say on the error output what is wanted and what was reported, so that the document can be kept."""
    wanted = await shadow.desired(connection, owner.id)
    told = await shadow.told(connection, owner.id)
    print(f"newest: {newest}, wanted: {'nothing' if wanted is None else wanted.number}", file=sys.stderr)
    if told is not None:
        runs = f"revision {told.running_number}" if told.running_number else "its own file"
        print(f"gateway: revision {told.number} {told.state}; runs with {runs}", file=sys.stderr)
        for path, value, expected in told.faults:
            print(f"  {path}: {value}: expected {expected}", file=sys.stderr)


async def _set(connection: Connection, arguments: argparse.Namespace, actor: Actor) -> None:
    document = _read(arguments.file)
    owner = await _owner(connection, arguments.gateway)
    based_on = arguments.based_on
    if based_on is None:
        based_on = await shadow.newest(connection, owner.id)
    try:
        async with connection.transaction():
            number = await settings_acts.save(
                _act(connection), owner.name, document, based_on=based_on, reason=arguments.why
            )
    except (ConflictError, DocumentError, ActError) as error:
        raise _refusal(error) from None
    print(f"{owner.name}: revision {number} is saved and goes to the gateway")


async def _revert(connection: Connection, arguments: argparse.Namespace, actor: Actor) -> None:
    owner = await _owner(connection, arguments.gateway)
    newest = await shadow.newest(connection, owner.id)
    try:
        async with connection.transaction():
            number = await settings_acts.revert(
                _act(connection), owner.name, arguments.number, based_on=newest, reason=arguments.why
            )
    except (ConflictError, DocumentError, ActError) as error:
        raise _refusal(error) from None
    print(f"{owner.name}: revision {number} is revision {arguments.number} again, and goes to the gateway")


async def _diff(connection: Connection, arguments: argparse.Namespace, _: Actor) -> None:
    owner = await _owner(connection, arguments.gateway)
    texts = []
    for number in (arguments.before, arguments.after):
        document = await shadow.document(connection, owner.id, number)
        if document is None:
            raise ActRefusedError(f"gateway {owner.name} has no revision {number}")
        texts.append(document)
    for line in settings_acts.difference(*texts, context=3):
        print(line)


async def _history(connection: Connection, arguments: argparse.Namespace, _: Actor) -> None:
    owner = await _owner(connection, arguments.gateway)
    for one in await shadow.revisions(connection, owner.id, limit=1000):
        made = f"{one.made_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        print(f"{one.number:>5}  {made}  {one.author or one.author_kind}: {one.reason}")


async def _owner(connection: Connection, gateway: str) -> Owner:
    owner = await shadow.owner(connection, gateway, datetime.now(UTC))
    if owner is None:
        raise ActRefusedError(f"gateway {gateway[:80]!r}: expected the id of a gateway")
    return owner


def _act(connection: Connection) -> Act:
    return Act(connection, at_the_machine(), datetime.now(UTC))


def _read(file: Path) -> str:
    """Return a document from a file; what is no text or no JSON is refused."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix != ".json":
            return text
        values: Any = json.loads(text)
        if not isinstance(values, dict):
            raise ActRefusedError(f"{file}: expected a JSON object")
        return to_toml(values)
    except (ValueError, RecursionError) as error:
        raise ActRefusedError(f"{file}: expected TOML or JSON in UTF-8: {error}") from None


def _refusal(error: ConflictError | DocumentError | ActError) -> ActRefusedError:
    if isinstance(error, DocumentError):
        faults = "".join(f"\n  {fault}" for fault in error.faults)
        return ActRefusedError(f"{len(error.faults)} fault(s), nothing was saved{faults}")
    return ActRefusedError(str(error))
