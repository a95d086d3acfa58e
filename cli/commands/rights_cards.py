"""`heng rights card`: list, give, block, unblock and revoke cards of a person. No number is an argument."""

import argparse
import getpass
import sys
from collections.abc import Awaitable, Callable

from cloud import card_acts
from cloud.identity.acts import Act, ActError
from cloud.store import accounts
from cloud.store.credentials import list_credentials
from cloud.store.rights_items import AccessPerson, list_people

_STATES = {"block": "blocked", "unblock": "active", "revoke": "revoked"}
_TOLD = (
    "gateways that are heard are told at once; see `heng rights gateways` for those that may still honour it"
)


def configure(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Declare the words; return those that need a database."""
    words = parser.add_subparsers(dest="card_word", required=True, metavar="WORD")
    listing = words.add_parser("list", help="the cards of a person, with ids and states")
    give = words.add_parser("give", help="give a person a card; its number is asked for, or read from a pipe")
    for one in (listing, give):
        one.add_argument("person", help="staff number")
        one.add_argument("--organisation", required=True)
    give.add_argument("--format", default="h10301", help="h10301, h10302, h10304, h10306 or raw with bits")
    give.add_argument("--facility", default="", help="facility code, where the format has one")
    changing = []
    for word, text in (
        ("block", "turn a card away until it is unblocked"),
        ("unblock", "let a card be valid again"),
        ("revoke", "turn a card away for good"),
    ):
        one = words.add_parser(word, help=text)
        one.add_argument("card", type=int, help="id of the card, as `list` tells it")
        one.add_argument("--why", required=True)
        changing.append(one)
    return [listing, give, *changing]


def act_of(arguments: argparse.Namespace) -> Callable[[Act], Awaitable[list[str]]]:
    """Return what the arguments ask for."""
    if arguments.card_word == "list":
        return lambda act: _list(act, arguments)
    if arguments.card_word == "give":
        number = _number()
        return lambda act: _give(act, arguments, number)
    return lambda act: _change(act, arguments)


def _number() -> str:
    """Return the number of a card as somebody types it unseen, or a pipe gives it."""
    text = getpass.getpass("number of the card: ") if sys.stdin.isatty() else sys.stdin.readline()
    return text.strip()


async def organisation_of(act: Act, name: str) -> int:
    """Return the id of an organisation; `ActError` for a name that none has."""
    known = await accounts.all_organisations(act.connection)
    number = next((id_ for id_, one in known.items() if one == name), None)
    if number is None:
        raise ActError("organisation", name, f"one of {', '.join(known.values())}")
    return number


async def _person(act: Act, arguments: argparse.Namespace) -> AccessPerson:
    organisation = await organisation_of(act, arguments.organisation)
    found = await list_people(act.connection, organisation_id=organisation, number=arguments.person)
    if not found:
        raise ActError("person", arguments.person, f"a number of somebody of {arguments.organisation}")
    return found[0]


async def _list(act: Act, arguments: argparse.Namespace) -> list[str]:
    person = await _person(act, arguments)
    cards = await list_credentials(act.connection, person.person_id)
    lines = [f"{person.name} · {person.number}: {person.state}, PIN {'set' if person.has_pin else 'none'}"]
    for one in cards:
        until = "" if one.to_at is None else f", until {one.to_at:%Y-%m-%d %H:%M} UTC"
        lines.append(f"  {one.id}  {one.format} …{one.ending}  {one.state}{until}")
    return lines if cards else [*lines, "  no card"]


async def _give(act: Act, arguments: argparse.Namespace, number: str) -> list[str]:
    person = await _person(act, arguments)
    new = card_acts.NewCard(arguments.format, arguments.facility, number)
    made = await card_acts.give_card(act, person.person_id, new)
    return [f"card {made} is given to {person.name} · {person.number}"]


async def _change(act: Act, arguments: argparse.Namespace) -> list[str]:
    state = _STATES[arguments.card_word]
    await card_acts.set_card_state(act, arguments.card, state, why=arguments.why)
    return [f"card {arguments.card} is {state}", *([] if state == "active" else [_TOLD])]
