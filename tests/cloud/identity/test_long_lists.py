"""Lists of people and rights are whole, however long; times on pages are the organisation's, and say so."""

import re
from typing import Any

import pytest

from cloud.store.audit_log import Entry, append
from rules.permissions import Grant, Role
from tests.cloud.identity.world import NOW

MANY = 1100


@pytest.fixture(scope="module")
def crowded(world: Any) -> Any:
    """1,100 people, each with an account, a role and an authorisation."""
    world.token(Grant(Role.ADMINISTRATOR, 1))
    world.lab.execute(
        "INSERT INTO people (organisation_id, number, name)"
        " SELECT 1, 'n' || n, 'crowd ' || n FROM generate_series(1, %s) n",
        MANY,
    )
    world.lab.execute(
        "INSERT INTO accounts (organisation_id, person_id, login)"
        " SELECT 1, id, number FROM people WHERE name LIKE 'crowd%%'"
    )
    world.lab.execute(
        "INSERT INTO role_grants (organisation_id, account_id, role)"
        " SELECT 1, id, 'safety' FROM accounts WHERE login LIKE 'n%%'"
    )
    world.lab.execute(
        "INSERT INTO authorisations (organisation_id, person_id, kind, subject, valid)"
        " SELECT 1, id, 'activity', 'weighing', '[2025-01-01 00:00:00+08,)' FROM people"
        " WHERE name LIKE 'crowd%%' ORDER BY id"
    )
    return world


def page(world: Any, path: str) -> str:
    return str(world.ask(path, cookies=world.session(), headers={"accept": "text/html"}).text)


def next_part(world: Any, text: str, path: str) -> str:
    (address,) = re.findall(rf'href="({path}\?[^"]*after=\d+)"', text)
    return page(world, address.replace("&amp;", "&"))


def test_list_of_people_goes_on_and_the_last_ones_have_their_roles(crowded: Any) -> None:
    first = page(crowded, "/people")
    assert f"crowd {MANY}<" not in first
    rest = next_part(crowded, first, "/people")
    row = rest[rest.index(f"crowd {MANY}<") :]
    assert "Safety" in row[: row.index("</tr>")]


@pytest.mark.requirement("H-7.2c")
def test_nobody_who_was_authorised_is_left_out(crowded: Any) -> None:
    first = page(crowded, "/authorisations?at=2025-01-01")
    rest = next_part(crowded, first, "/authorisations")
    names = [f"crowd {number} <" for number in range(1, MANY + 1)]
    assert all((name in first) or (name in rest) for name in names)
    assert f'">crowd {MANY} ·' in first, "everybody can be authorised"
    assert "next part" not in rest


def test_moment_is_one_of_the_organisation(crowded: Any) -> None:
    assert "crowd 1 <" in page(crowded, "/authorisations?at=2025-01-01")
    assert "crowd 1 <" not in page(crowded, "/authorisations?at=2024-12-31T23:59")
    shown = page(crowded, "/authorisations?at=2025-01-01")
    assert "2025-01-01 00:00:00" in shown
    assert "(Asia/Shanghai)" in shown


def test_zone_is_utc_where_sites_have_several(crowded: Any) -> None:
    there = crowded.places["there"].site
    crowded.lab.execute("UPDATE sites SET time_zone = 'Europe/Berlin' WHERE id = %s", there)
    try:
        shown = page(crowded, "/authorisations?at=2025-01-01")
    finally:
        crowded.lab.execute("UPDATE sites SET time_zone = 'Asia/Shanghai' WHERE id = %s", there)
    assert "(UTC)" in shown
    assert "2024-12-31 16:00:00" in shown


@pytest.mark.parametrize(
    "path",
    ["/people/1", "/authorisations", "/audit", "/me", "/imports", "/gateways", "/gateways/here-gateway"],
)
def test_page_without_one_site_says_its_zone(crowded: Any, path: str) -> None:
    shown = page(crowded, path)
    assert "Asia/Shanghai" in shown or "+08:00" in shown
    assert " UTC" not in shown
    assert "(UTC)" not in shown


def test_gateways_are_shown_with_the_title_of_their_site(crowded: Any) -> None:
    shown = page(crowded, "/gateways")
    row = shown[shown.index("here-gateway</a>") :]
    row = row[: row.index("</tr>")]
    assert '<a href="/sites/here-site">here site</a>' in row


def test_acts_of_others_of_the_same_name_are_not_mine(crowded: Any) -> None:
    entry = Entry("command", "asker", "role.take", "somebody of the shell", organisation_id=1)

    async def write(connection: Any) -> None:
        async with connection.transaction():
            await append(connection, [entry], at=NOW)

    crowded.lab.run(write)
    assert "somebody of the shell" not in page(crowded, "/me")
    shown = page(crowded, "/audit?lang=zh")
    assert "somebody of the shell" in shown
    assert 'title="role.take">收回角色' in shown.replace("<span>", "")
    assert "命令行" in shown
