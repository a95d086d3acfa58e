"""Saving rights on pages: said when it worked, and nothing is overwritten unseen."""

from collections.abc import Iterator
from typing import Any

import pytest

from rules.permissions import Grant, Role
from tests.cloud.identity.asking import World, open_world

SITE = "here-site"


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as made:
        lab.execute("INSERT INTO people (organisation_id, number, name) VALUES (1, '1001', 'Person 1001')")
        lab.execute(
            "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers, cameras, readers)"
            " VALUES (1, %s, 'lobby', 'The lobby', 'room', '{}', '{}', '{}')",
            made.places["here"].site,
        )
        yield made


def send(world: World, path: str, form: dict[str, Any]) -> Any:
    world.token(Grant(Role.ADMINISTRATOR, 1))
    return world.ask(
        f"{path}?lang=en",
        method="POST",
        cookies=world.session(),
        data={"site": SITE} | form,
        headers={"origin": "http://hub"},
    )


def kept(world: World, name: str) -> Any:
    return world.lab.execute("SELECT body FROM access_items WHERE name = %s", name)[0][0]


def test_group_is_not_overwritten_unless_that_is_asked_for(world: World) -> None:
    form = {"kind": "group", "id": "staff", "people": "1001", "holds": "site"}
    answer = send(world, "/rights/schedules", form)
    assert answer.status_code == 303, answer.text
    shown = world.ask(f"{answer.headers['location']}&lang=en", cookies=world.session()).text
    assert 'role="status">Saved.' in shown
    again = send(world, "/rights/schedules", {**form, "people": ""})
    assert again.status_code == 422
    assert "a short name that no other group has" in again.text
    assert "Saved." not in again.text
    assert kept(world, "staff") == {"people": ["1001"]}
    assert send(world, "/rights/schedules", {**form, "people": "", "replace": "1"}).status_code == 303
    assert kept(world, "staff") == {"people": []}


def test_right_is_changed_by_its_own_form_and_not_by_a_new_one(world: World) -> None:
    form = {"id": "r-1", "effect": "allow", "people": "1001", "zone": "lobby"}
    answer = send(world, "/rights", form)
    assert answer.status_code == 303, answer.text
    again = send(world, "/rights", {**form, "effect": "deny"})
    assert again.status_code == 422
    assert "a short name that no other right has" in again.text
    edit = world.ask(f"/rights?site={SITE}&edit=r-1&lang=en", cookies=world.session()).text
    assert 'name="changes" value="r-1"' in edit
    assert send(world, "/rights", {**form, "effect": "deny", "changes": "r-1"}).status_code == 303
    assert kept(world, "r-1")["effect"] == "deny"
