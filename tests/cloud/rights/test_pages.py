"""Rights over API and pages: entered, refused when they contradict themselves, explained, shown."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from edge.credential import Credential
from rules.permissions import Grant, Role
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.world import NOW, Place
from tests.cloud.rights.laboratory import KEY, KEY_ID
from wire.codec import encode_body
from wire.control import ControlStatus, PortalNow

SITE = "here-site"


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as made:
        place = made.places["here"]
        site = place.site
        for zone in ("lobby", "vault"):
            lab.execute(
                "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers, cameras, readers)"
                " VALUES (1, %s, %s, %s, 'room', '{}', '{}', '{}')",
                *(site, zone, f"The {zone}"),
            )
        for name, start, end in (("front", None, "lobby"), ("inner", "lobby", "vault")):
            lab.execute(
                "INSERT INTO portals (organisation_id, site_id, name, title, kind, from_zone_id, to_zone_id)"
                " VALUES (1, %s, %s, %s, 'door', (SELECT id FROM zones WHERE name = %s AND site_id = %s),"
                " (SELECT id FROM zones WHERE name = %s AND site_id = %s))",
                *(site, name, f"The {name} door", start, site, end, site),
            )
        lab.execute("INSERT INTO credential_keys VALUES (1, %s, %s, now(), NULL)", KEY_ID, KEY)
        for number in ("1001", "1002"):
            lab.execute(
                "INSERT INTO people (organisation_id, number, name) VALUES (1, %s, %s)",
                *(number, f"Person {number}"),
            )
        yield made


@pytest.fixture
def here(world: World) -> Place:
    return world.places["here"]


@pytest.fixture
def admin(world: World) -> str:
    return world.token(Grant(Role.ADMINISTRATOR, 1))


@pytest.fixture(autouse=True)
def _nothing_yet(world: World) -> None:
    for table in (
        "rights_issued",
        "rights_state",
        "access_items",
        "visits",
        "access_people",
        "control_status",
    ):
        world.lab.execute(f"DELETE FROM {table}")


def put(world: World, token: str, place: Place, kind: str, name: str, body: dict[str, Any]) -> Any:
    return world.ask(
        f"/api/sites/{place.site}/access/{kind}/{name}", token, "PUT", json={"body": body, "title": "T"}
    )


def test_right_is_kept_shown_and_taken_out(world: World, here: Place, admin: str) -> None:
    assert put(world, admin, here, "group", "staff", {"people": ["1001"]}).status_code == 204
    right = {"groups": ["staff"], "zones": ["lobby"]}
    assert put(world, admin, here, "right", "r-1", right).status_code == 204
    found = world.ask("/api/access/items", admin, params={"site": here.site, "kind": "right"}).json()
    assert [(one["name"], one["body"]) for one in found["items"]] == [("r-1", right)]
    assert "r-1" in world.ask("/api/access/rights.csv", admin).text
    assert world.ask(f"/api/sites/{here.site}/access/right/r-1", admin, "DELETE").status_code == 204
    assert world.ask("/api/access/items", admin, params={"kind": "right"}).json()["items"] == []
    rows = world.lab.execute("SELECT action FROM audit_log WHERE object LIKE 'right r-1%%' ORDER BY id")
    assert [action for (action,) in rows] == ["access.add", "access.drop"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"groups": ["nobody"], "zones": ["lobby"]}, "a group of this document"),
        ({"people": ["1001"], "zones": ["moon"]}, "a zone of this document"),
        ({"people": ["1001"], "sides": ["front/out"]}, "an exit asks for no right"),
        ({"people": ["1001"], "zone": ["lobby"]}, "zone"),
        ({"people": ["9999"], "zones": ["lobby"]}, "the number of somebody of the staff"),
        ({"people": ["1001"], "zones": ["lobby"], "approval": ["1001", 1]}, "comes from elsewhere"),
    ],
)
def test_right_that_makes_no_sense_is_refused_and_nothing_is_kept(
    world: World, here: Place, admin: str, body: dict[str, Any], said: str
) -> None:
    answer = put(world, admin, here, "right", "r-2", body)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["errors"][0]["expected"]
    assert world.lab.execute("SELECT count(*) FROM access_items") == [(0,)]


def test_group_takes_nobody_who_does_not_exist_and_keeps_who_has_left(
    world: World, here: Place, admin: str
) -> None:
    answer = put(world, admin, here, "group", "staff", {"people": ["1001", "9999"]})
    assert answer.status_code == 422, answer.text
    assert "9999" in answer.text
    assert world.lab.execute("SELECT count(*) FROM access_items") == [(0,)]
    assert put(world, admin, here, "group", "staff", {"people": ["1001", "1002"]}).status_code == 204
    world.lab.execute("UPDATE people SET left_at = %s WHERE number = '1002'", NOW)
    try:
        assert put(world, admin, here, "group", "staff", {"people": ["1002"]}).status_code == 204
        assert put(world, admin, here, "group", "new", {"people": ["1002"]}).status_code == 422
    finally:
        world.lab.execute("UPDATE people SET left_at = NULL WHERE number = '1002'")
    everywhere = world.ask(
        "/api/organisations/1/access/group/all", admin, "PUT", json={"body": {"people": ["9999"]}}
    )
    assert everywhere.status_code == 422


def test_day_that_does_not_exist_is_refused(world: World, admin: str) -> None:
    path = "/api/organisations/1/access/day/2026-02-31"
    answer = world.ask(path, admin, "PUT", json={"body": {"kind": "holiday"}})
    assert answer.status_code == 422
    assert "a date that exists" in answer.text


def test_role_at_a_site_manages_rights_there_and_nowhere_else(world: World, here: Place) -> None:
    token = world.token(Grant(Role.SAFETY, 1, here.site))
    body = {"everyone": True, "zones": ["lobby"]}
    assert put(world, token, here, "right", "r-3", body).status_code == 204
    assert put(world, token, world.places["there"], "right", "r-3", body).status_code == 404
    shared = world.ask("/api/organisations/1/access/group/all", token, "PUT", json={"body": {}})
    assert shared.status_code == 403
    reader = world.token(Grant(Role.QUALITY, 1))
    assert put(world, reader, here, "right", "r-3", body).status_code == 403


def test_card_is_revoked_and_its_number_is_never_told(world: World, admin: str) -> None:
    ((person,),) = world.lab.execute("SELECT id FROM people WHERE number = '1001'")
    card = {"format": "h10301", "facility": "7", "number": "54321"}
    made = world.ask(f"/api/access/people/{person}/cards", admin, "POST", json=card)
    assert made.status_code == 201, made.text
    again = world.ask(f"/api/access/people/{person}/cards", admin, "POST", json=card)
    assert again.status_code == 422
    path = f"/api/access/credentials/{made.json()['id']}/state"
    assert world.ask(path, admin, "PUT", json={"state": "lost", "why": "left in a bus"}).status_code == 204
    assert world.ask(path, admin, "PUT", json={"state": "gone", "why": "x"}).status_code == 422
    rows = world.lab.execute(
        "SELECT old::text || new::text || object FROM audit_log WHERE action LIKE 'cred%%'"
    )
    assert "54321" not in str(rows)
    assert "54321" not in again.text
    world.lab.execute("DELETE FROM credentials")


def test_pin_is_kept_as_the_hash_that_a_gateway_makes(world: World, admin: str) -> None:
    ((person,),) = world.lab.execute("SELECT id FROM people WHERE number = '1002'")
    path = f"/api/access/people/{person}/pins"
    assert world.ask(path, admin, "PUT", json={"pin": "4711", "duress_pin": "4712"}).status_code == 204
    assert world.ask(path, admin, "PUT", json={"pin": "12"}).status_code == 422
    rows = world.lab.execute("SELECT pin, duress_pin FROM access_people")
    assert rows == [tuple(Credential("pin", "keypad", one).token(KEY) for one in ("4711", "4712"))]
    (found,) = [one for one in world.ask("/api/access/people", admin).json()["items"] if one["has_pin"]]
    assert found["number"] == "1002"
    assert "4711" not in str(world.lab.execute("SELECT * FROM audit_log"))


@pytest.mark.requirement("H-4.3.2b")
def test_visit_is_registered_shown_and_ended(world: World, here: Place) -> None:
    token = world.token(Grant(Role.LABORATORY, 1, here.site))
    visit = {
        "site_id": here.site,
        "visitor": "Ms Guest",
        "host": "1001",
        "zones": ["lobby"],
        "from_at": NOW.isoformat(),
        "to_at": (NOW + timedelta(hours=4)).isoformat(),
    }
    made = world.ask("/api/visits", token, "POST", json=visit)
    assert made.status_code == 201, made.text
    for field, value in (("zones", ["moon"]), ("host", "nobody"), ("to_at", visit["from_at"])):
        assert world.ask("/api/visits", token, "POST", json={**visit, field: value}).status_code == 422
    (found,) = world.ask("/api/visits", token, params={"still": "true"}).json()["items"]
    assert (found["number"], found["host"], found["escort"]) == ("V-000001", "1001", "host")
    assert "Ms Guest" in world.ask(f"/visitors?site={SITE}", token).text
    assert "Ms Guest" in world.ask("/api/visits.csv", token).text
    path = f"/api/visits/{made.json()['id']}"
    assert world.ask(f"{path}/approval", token, "POST").status_code == 403
    assert world.ask(f"{path}/end", token, "POST", json={"why": "went home"}).status_code == 204
    assert world.ask("/api/visits", token, params={"still": "true"}).json()["items"] == []
    assert "V-000001" not in world.ask("/people", world.token(Grant(Role.ADMINISTRATOR, 1))).text


def test_visit_whose_host_cannot_be_sent_to_gateways_is_refused(world: World, here: Place) -> None:
    token = world.token(Grant(Role.LABORATORY, 1, here.site))
    world.lab.execute("INSERT INTO people (organisation_id, number, name) VALUES (1, '工号001', 'Host')")
    visit = {
        "site_id": here.site,
        "visitor": "Ms Guest",
        "host": "工号001",
        "zones": ["lobby"],
        "from_at": NOW.isoformat(),
        "to_at": (NOW + timedelta(hours=4)).isoformat(),
    }
    answer = world.ask("/api/visits", token, "POST", json=visit)
    assert answer.status_code == 422, answer.text
    assert "a number of 1 to 64" in answer.json()["errors"][0]["expected"]
    assert world.lab.execute("SELECT count(*) FROM visits") == [(0,)]


def test_head_approves_a_right_and_a_change_takes_the_approval_away(world: World, here: Place) -> None:
    session = world.session()
    token = world.token(Grant(Role.SAFETY, 1))
    assert put(world, token, here, "zone", "vault", {"heads": [["asker", [None, None]]]}).status_code == 204
    right = {"people": ["1001"], "zones": ["vault"]}
    put(world, token, here, "right", "r-4", right)
    form = {"site": SITE, "approve": "r-4"}
    answer = world.ask("/rights", method="POST", cookies=session, data=form, headers={"origin": "http://hub"})
    assert answer.status_code == 303, answer.text

    def approval() -> Any:
        return world.lab.execute("SELECT body -> 'approval' FROM access_items WHERE name = 'r-4'")[0][0]

    assert approval()[0] == "asker"

    lab = world.lab  # the same number in another organisation is another person
    ((body,),) = lab.execute("INSERT INTO organisations (name) VALUES ('of asker') RETURNING id")
    lab.execute("UPDATE people SET organisation_id = %s WHERE number = 'asker'", body)
    again = world.ask("/rights", method="POST", cookies=session, data=form, headers={"origin": "http://hub"})
    lab.execute("UPDATE people SET organisation_id = 1 WHERE number = 'asker'")
    assert "the head of a laboratory of this site" in again.text
    put(world, token, here, "right", "r-4", right)
    assert approval() is not None
    put(world, token, here, "right", "r-4", {**right, "people": ["1001", "1002"]})
    assert approval() is None


def test_form_enters_a_right_a_schedule_and_a_holiday(world: World, here: Place) -> None:
    world.token(Grant(Role.ADMINISTRATOR, 1))
    session = world.session()

    def send(path: str, form: dict[str, Any]) -> Any:
        headers = {"origin": "http://hub"}
        return world.ask(path, method="POST", cookies=session, data={"site": SITE} | form, headers=headers)

    schedule = {"kind": "schedule", "id": "office", "start": "08:00", "end": "18:00", "on": ["mon", "fri"]}
    assert send("/rights/schedules", schedule).status_code == 303
    day = {"kind": "day", "id": "2026-10-01", "title": "National Day", "like": "", "holds": "all"}
    assert send("/rights/schedules", day).status_code == 303
    right = {"id": "r-5", "effect": "allow", "people": "1001, 1002", "zone": ["lobby"], "schedule": "office"}
    answer = send("/rights", right)
    assert answer.status_code == 303, answer.text
    wrong = send("/rights", {**right, "id": "r-6", "schedule": "never"})
    assert wrong.status_code == 422
    assert "a schedule of this document" in wrong.text
    for language, words in (("en", "may come in: T"), ("zh", "可进入")):
        text = world.ask(f"/rights?site={SITE}&lang={language}", cookies=session).text
        assert words.replace(": T", "") in text
        assert "The lobby" in text
    text = world.ask(f"/rights/schedules?site={SITE}&lang=en", cookies=session).text
    assert "Monday, Friday 08:00–18:00" in text
    assert "National Day" in text


def decision(world: World, place: Place, **data: Any) -> int:
    rows = world.lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
        " SELECT 1, id, %s, %s, %s, 'front/in', %s FROM gateways WHERE name = %s RETURNING id",
        *(place.site, NOW, data.pop("kind", "access_refused"), json.dumps(data), place.gateway),
    )
    return int(rows[0][0])


@pytest.mark.requirement("G-6.4b")
def test_refusal_is_shown_in_plain_words_and_explained_without_rights_kept(
    world: World, here: Place, admin: str
) -> None:
    event = decision(
        world, here, reason="out_of_schedule", step="right", person="1001", token="a" * 32, revision="0.9"
    )
    for language, words in (("en", "does not hold at this time"), ("zh", "当前时段无进入权限")):
        text = world.ask(f"/doors?site={SITE}&lang={language}", admin).text
        assert words in text
        assert "Person 1001" in text
        why = world.ask(f"/doors/why/{event}?lang={language}", admin).text
        assert words in why
    told = world.ask(f"/api/access/events/{event}/explanation", admin).json()
    assert (told["reason"], told["kept"]) == ("out_of_schedule", False)
    outcomes = {one["step"]: one["outcome"] for one in told["steps"]}
    assert outcomes["credential"] == "passed"
    assert outcomes["right"] == "failed"
    assert outcomes["company"] == "not_judged"
    span = {"from": (NOW - timedelta(hours=1)).isoformat(), "to": (NOW + timedelta(hours=1)).isoformat()}
    events = world.ask("/api/access/events", admin, params={**span, "refused": "true"}).json()["items"]
    assert [one["id"] for one in events] == [event]
    assert "token" not in events[0]["data"]


def test_roll_call_and_gateways_say_when_nothing_is_known(world: World, here: Place, admin: str) -> None:
    text = world.ask(f"/doors/roll-call/{SITE}?lang=en", admin).text
    assert "this list says nothing" in text
    assert world.ask(f"/api/access/sites/{here.site}/roll-call", admin).json()["told"] is False
    world.lab.execute(
        "INSERT INTO rights_state (gateway_id, organisation_id, incarnation, number, faults)"
        " SELECT id, 1, 0, 2, %s FROM gateways WHERE name = %s",
        *('["zones vault: no way out: expected a portal"]', here.gateway),
    )
    world.lab.execute(
        "INSERT INTO rights_issued (gateway_id, organisation_id, incarnation, number, kind, body, issued_at,"
        " ended) SELECT id, 1, 0, 2, 'revocation', '', %s, '{\"people\": [\"1002\"]}' FROM gateways"
        " WHERE name = %s",
        *(NOW, here.gateway),
    )
    text = world.ask(f"/doors/gateways?site={SITE}&lang=en", admin).text
    assert "may still be honoured" in text
    assert "no way out" in text
    (found,) = world.ask("/api/access/gateways", admin).json()
    assert found["up_to_date"] is False
    assert found["may_still_honour"][0]["people"] == ["1002"]


def test_lock_down_is_asked_of_the_gateways_and_of_nobody_who_tells_nothing(
    world: World, here: Place
) -> None:
    world.token(Grant(Role.SAFETY, 1))
    session = world.session()

    def send(form: dict[str, str]) -> Any:
        headers = {"origin": "http://hub"}
        return world.ask(
            "/doors", method="POST", cookies=session, data={"site": SITE} | form, headers=headers
        )

    form = {"do": "access.lock_down", "reason": "gas", "zone": ""}
    assert send(form).status_code == 422
    status = ControlStatus(gateway=here.gateway, boot=bytes(16), tick=1, portals=(PortalNow(name="front"),))
    world.lab.execute(
        "INSERT INTO control_status SELECT 1, id, %s, 1, %s, %s, %s FROM gateways WHERE name = %s",
        *(bytes(16), encode_body(status), NOW, NOW, here.gateway),
    )
    assert send({**form, "reason": ""}).status_code == 422
    assert send({**form, "do": "output.set"}).status_code == 422
    answer = send(form)
    assert answer.status_code == 303, answer.text
    rows = world.lab.execute("SELECT name, arguments FROM commands ORDER BY number DESC LIMIT 1")
    assert rows == [("access.lock_down", {"reason": "gas"})]
    answer = send({"do": "portal.open", "side": "front/in", "reason": "delivery"})
    assert answer.headers["location"].startswith("/commands/")
    text = world.ask(f"/doors?site={SITE}&lang=en", cookies=session).text
    assert "not known" in text
    world.token(Grant(Role.DISPATCHER, 1))
    assert send(form).status_code == 403
