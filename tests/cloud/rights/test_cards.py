"""Cards, PINs and what a person is at doors: given, blocked and revoked on the person's page."""

from collections.abc import Iterator
from typing import Any

import pytest

from edge.credential import Credential
from rules.permissions import Grant, Permission, Role
from tests.cloud.identity.asking import World, open_world
from tests.cloud.rights.laboratory import KEY, KEY_ID

NUMBER = "54321"


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as made:
        lab.execute("INSERT INTO credential_keys VALUES (1, %s, %s, now(), NULL)", KEY_ID, KEY)
        lab.execute("INSERT INTO people (organisation_id, number, name) VALUES (1, '1001', 'Person 1001')")
        lab.execute("INSERT INTO people (organisation_id, number, name) VALUES (1, '1002', 'Person 1002')")
        yield made


@pytest.fixture
def person(world: World) -> int:
    world.lab.execute("DELETE FROM credentials")
    world.lab.execute("DELETE FROM access_people")
    return number_of(world, "1001")


def number_of(world: World, number: str) -> int:
    return int(world.lab.execute("SELECT id FROM people WHERE number = %s", number)[0][0])


def send(world: World, person: int, role: Any = Role.ADMINISTRATOR, **form: str) -> Any:
    world.token(Grant(role, 1))
    return world.ask(
        f"/people/{person}/cards?lang=en",
        method="POST",
        cookies=world.session(),
        data=form,
        headers={"origin": "http://hub"},
    )


def give(world: World, person: int) -> Any:
    return send(world, person, do="give", card_format="h10301", card_facility="7", card_number=NUMBER)


def test_card_is_given_on_the_page_and_listed_without_its_number(world: World, person: int) -> None:
    answer = give(world, person)
    assert answer.status_code == 303, answer.text
    text = world.ask(answer.headers["location"] + "&lang=en", cookies=world.session()).text
    assert "Saved." in text
    assert "h10301 …21" in text
    assert NUMBER not in text
    wanted = world.ask(f"/api/access/people/{person}", world.token(Grant(Role.ADMINISTRATOR, 1))).json()
    assert wanted["person"]["number"] == "1001"
    (card,) = wanted["cards"]
    assert (card["ending"], card["state"]) == ("21", "active")
    assert set(card) == {"id", "person_id", "kind", "format", "ending", "from_at", "to_at", "state"}
    rows = world.lab.execute("SELECT token FROM credentials")
    assert rows == [(Credential("card", "h10301", NUMBER, facility=7).token(KEY),)]
    again = give(world, person)
    assert again.status_code == 422
    assert "somebody of this organisation has this card" in again.text
    assert NUMBER not in again.text


def test_card_is_blocked_unblocked_and_revoked_with_a_reason_and_shown_at_once(
    world: World, person: int
) -> None:
    give(world, person)
    ((card,),) = world.lab.execute("SELECT id FROM credentials")
    for state, word in (("blocked", "blocked"), ("active", "valid"), ("revoked", "revoked")):
        form = {"do": "state", "card_credential": str(card), "card_state": state, "card_why": f"now {state}"}
        answer = send(world, person, **form)
        assert answer.status_code == 303, answer.text
        text = world.ask(answer.headers["location"] + "&lang=en", cookies=world.session()).text
        cards = text.split('id="cards"')[1].split("</table>")[0]
        assert f">{word}</span>" in cards
        assert ('href="/doors/gateways"' in cards) == (state != "active")
        rows = world.lab.execute(
            "SELECT new ->> 'state', why FROM audit_log WHERE action = 'credential.change'"
            " ORDER BY id DESC LIMIT 1"
        )
        assert rows == [(state, f"now {state}")]
    silent = {"do": "state", "card_credential": str(card), "card_state": "active", "card_why": " "}
    assert "Say why" in send(world, person, **silent).text
    assert world.lab.execute("SELECT state FROM credentials") == [("revoked",)]


def test_form_of_one_person_changes_no_card_of_another(world: World, person: int) -> None:
    give(world, person)
    ((card,),) = world.lab.execute("SELECT id FROM credentials")
    form = {"do": "state", "card_credential": str(card), "card_state": "revoked", "card_why": "wrong page"}
    answer = send(world, number_of(world, "1002"), **form)
    assert answer.status_code == 422
    assert "Choose a card of this person." in answer.text
    assert world.lab.execute("SELECT state FROM credentials") == [("active",)]


def test_pin_is_set_and_cleared_and_never_shown(world: World, person: int) -> None:
    assert send(world, person, do="pins", card_pin="4711", card_duress_pin="4712").status_code == 303
    pins = [tuple(Credential("pin", "keypad", one).token(KEY) for one in ("4711", "4712"))]
    assert world.lab.execute("SELECT pin, duress_pin FROM access_people") == pins
    for wrong in ({"card_pin": "98"}, {"card_pin": "9876", "card_duress_pin": "9876"}, {"card_pin": ""}):
        answer = send(world, person, do="pins", **wrong)
        assert answer.status_code == 422, answer.text
        assert "9876" not in answer.text
    assert world.lab.execute("SELECT pin, duress_pin FROM access_people") == pins
    assert send(world, person, do="pins-clear").status_code == 303
    assert world.lab.execute("SELECT pin, duress_pin FROM access_people") == [(None, None)]


def test_person_is_suspended_on_the_page_and_until_when_stays_as_it_was(world: World, person: int) -> None:
    world.lab.execute(
        "INSERT INTO access_people (person_id, organisation_id, valid) VALUES (%s, 1, '[,2030-01-01)')",
        person,
    )
    form = {"do": "person", "card_person_state": "suspended", "card_escorts": "1", "card_why": "on leave"}
    answer = send(world, person, **form)
    assert answer.status_code == 303, answer.text
    rows = world.lab.execute("SELECT state, escorts, slow, upper(valid)::date::text FROM access_people")
    assert rows == [("suspended", True, False, "2030-01-01")]
    text = world.ask(answer.headers["location"] + "&lang=en", cookies=world.session()).text
    assert "suspended: turned away at every door" in text


def test_who_may_not_manage_rights_sees_cards_and_no_forms(world: World, person: int) -> None:
    give(world, person)
    answer = send(world, person, Role.QUALITY, do="pins-clear")
    assert answer.status_code == 403
    text = world.ask(f"/people/{person}?lang=en", cookies=world.session()).text
    assert "h10301 …21" in text
    assert "card_number" not in text
    blind = world.token(Grant(Role.ADMINISTRATOR, 1), scopes=(Permission.JOBS_READ,))
    assert world.ask(f"/api/access/people/{person}", blind).status_code == 403
    admin = world.token(Grant(Role.ADMINISTRATOR, 1))
    assert world.ask("/api/access/people/999999", admin).status_code == 404
