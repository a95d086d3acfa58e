"""Who is inside: what a page says of zones whose gateway is heard, is not heard, and never told anything."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from rules.permissions import Grant, Role
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.world import NOW, Place
from wire.codec import encode_body
from wire.control import ControlStatus, InsideNow, PortalNow

SITE = "here-site"
LATELY = NOW - timedelta(seconds=5)
LONG_AGO = NOW - timedelta(minutes=7)
NOBODY = "Nobody is known to be inside."


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as made:
        site = made.places["here"].site
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
def asker(world: World) -> str:
    world.lab.execute("DELETE FROM control_status")
    return world.token(Grant(Role.ADMINISTRATOR, 1))


def told(
    world: World, here: Place, heard_at: datetime | None, *, people: dict[str, str], doors: tuple[str, ...]
) -> None:
    """Let the gateway of the place have told of these doors, and people (number -> zone)."""
    status = ControlStatus(
        gateway=here.gateway,
        boot=bytes(16),
        tick=1,
        portals=tuple(PortalNow(name=name) for name in doors),
        inside=tuple(
            InsideNow(person=number, zone=zone, at_ms=round(LONG_AGO.timestamp() * 1000))
            for number, zone in people.items()
        ),
    )
    world.lab.execute("DELETE FROM control_status")
    world.lab.execute(
        "INSERT INTO control_status SELECT 1, id, %s, 1, %s, %s, %s FROM gateways WHERE name = %s",
        *(bytes(16), encode_body(status), heard_at or LATELY, heard_at, here.gateway),
    )


def inside(world: World, asker: str, language: str = "en") -> str:
    """Return what the part of the page about people inside says."""
    text = world.ask(f"/doors?site={SITE}&lang={language}", asker).text
    return str(text.split('id="inside"')[1].split("</section>")[0])


def test_nobody_is_inside_only_where_every_gateway_of_the_doors_is_heard(
    world: World, here: Place, asker: str
) -> None:
    told(world, here, LATELY, people={}, doors=("front", "inner"))
    assert NOBODY in inside(world, asker)
    assert "not known" not in inside(world, asker)


def test_people_are_shown_by_name_and_number(world: World, here: Place, asker: str) -> None:
    told(world, here, LATELY, people={"1001": "vault"}, doors=("front", "inner"))
    said = inside(world, asker)
    assert "The vault" in said
    assert "Person 1001 · 1001" in said
    assert "not known" not in said


def test_of_a_gateway_that_is_not_heard_people_are_last_known_and_the_roll_call_names_the_same(
    world: World, here: Place, asker: str
) -> None:
    told(world, here, LONG_AGO, people={"1001": "vault", "1002": "vault"}, doors=("front", "inner"))
    said = inside(world, asker)
    assert NOBODY not in said
    lobby, vault = said.split("The vault")
    assert "not known" in lobby
    assert "not known" in vault
    assert "since" in vault
    call = world.ask(f"/doors/roll-call/{SITE}?lang=en", asker).text
    for number in ("1001", "1002"):
        assert f"Person {number}" in vault
        assert f"Person {number}" in call
    assert "当前未知" in inside(world, asker, "zh")


def test_of_a_gateway_that_is_not_heard_nobody_is_never_said(world: World, here: Place, asker: str) -> None:
    told(world, here, LONG_AGO, people={}, doors=("front", "inner"))
    assert NOBODY not in inside(world, asker)
    assert "not known" in inside(world, asker)
    call = world.ask(f"/doors/roll-call/{SITE}?lang=en", asker).text
    assert NOBODY not in call
    assert "Whether anybody is inside is not known." in call


def test_what_a_broker_kept_is_not_known_since_nobody_knows_when(
    world: World, here: Place, asker: str
) -> None:
    told(world, here, None, people={"1001": "lobby"}, doors=("front", "inner"))
    said = inside(world, asker)
    assert "not known" in said
    assert "Person 1001" in said


def test_zone_behind_a_door_that_no_gateway_tells_of_is_not_known(
    world: World, here: Place, asker: str
) -> None:
    told(world, here, LATELY, people={}, doors=("front",))
    said = inside(world, asker)
    assert NOBODY not in said
    assert "The vault" in said
    world.lab.execute("DELETE FROM control_status")
    said = inside(world, asker)
    assert NOBODY not in said
    assert "not known" in said


def test_lock_down_by_command_names_who_asked(world: World, here: Place, asker: str) -> None:
    told(world, here, LATELY, people={}, doors=("front", "inner"))
    world.lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
        " SELECT 1, id, %s, %s, 'lock_down', 'vault', %s FROM gateways WHERE name = %s",
        *(here.site, NOW, json.dumps({"on": True, "by": "command: 1002", "reason": "a test"}), here.gateway),
    )
    world.lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
        " SELECT 1, id, %s, %s, 'exit_opened', 'inner', '{}' FROM gateways WHERE name = %s",
        *(here.site, NOW, here.gateway),
    )
    stream = world.ask(f"/doors?site={SITE}&lang=en", asker).text.split('id="stream"')[1]
    down = next(row for row in stream.split("<tr>") if "Entry was locked down." in row)
    assert "Person 1002 · 1002" in down
    assert "The vault" in down
    assert "nobody who is known" not in stream.split("</table>")[0]
