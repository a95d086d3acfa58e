"""By which names a hub is asked: a page of another site can have a name of its own lead to this machine."""

import asyncio

import pytest

from cloud.api.entrance import EntranceLimits
from tests.security.raw import get, status

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]

MINE = EntranceLimits(hosts=frozenset({"192.0.2.9"}))


OURS = [
    "localhost",
    "localhost:8080",
    "127.0.0.1:80",
    "127.8.8.8",
    "[::1]:8080",
    "LocalHost",
    "192.0.2.9:8080",
]
FOREIGN = [
    *("attacker.example", "attacker.example:8080", "192.0.2.7", "[fe80::1]", "[", "@", ""),
    *("localhost.attacker.example", "127.0.0.1.attacker.example", "localhost@attacker.example"),
]


def test_hub_without_accounts_answers_to_names_of_its_machine_alone(lab, pages, refused):
    """A page that has its own name lead to 127.0.0.1 would read everything: nobody is asked to sign in."""

    async def scene():
        async with pages(limits=MINE) as hub:
            return {host: status(await hub.say(get("/api/sites", host=host))) for host in OURS + FOREIGN}

    assert asyncio.run(scene()) == dict.fromkeys(OURS, 200) | dict.fromkeys(FOREIGN, 421)
    assert [where for _, where, _, _ in refused("Unknown name%")] == ["GET /api/sites"]


def test_hub_with_accounts_answers_to_any_name_and_asks_who_is_there(lab, pages):
    lab.execute("INSERT INTO people (organisation_id, number, name) VALUES (1, '7', 'Anna')")
    lab.execute("INSERT INTO accounts (organisation_id, person_id, login) SELECT 1, id, 'anna' FROM people")

    async def scene():
        async with pages(limits=MINE) as hub:
            return await hub.say(get("/api/sites", host="hub.example"))

    answer = asyncio.run(scene())
    assert status(answer) == 401
