"""Who passed which door, and who is inside, is for who may read access there and for nobody else."""

import msgspec
import pytest

from rules.permissions import Grant, Role
from tests.cloud.identity.world import START
from wire.codec import encode_body
from wire.control import ControlStatus, InsideNow

pytestmark = pytest.mark.requirement("G-7.2a")
PERSONAL = {
    "person": "n-li",
    "people": "n-li",
    "token": "t-1",
    "masked": "**1",
    "duress": True,
    "admits": "n-li",
}


@pytest.fixture(autouse=True)
def told(world):
    """Both sites of an organisation tell of a door, an asking at a panel, and who is inside."""
    for mark in ("here", "there"):
        place = world.places[mark]
        ((gateway,),) = world.lab.execute("SELECT id FROM gateways WHERE name = %s", place.gateway)
        world.lab.execute("DELETE FROM events WHERE site_id = %s AND kind <> 'power_lost'", place.site)
        for kind in ("access_granted", "panel_asked"):
            world.lab.execute(
                "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
                " VALUES (1, %s, %s, %s, %s, 'door', %s::text::jsonb)",
                *(gateway, place.site, START, kind, '{"act": "trip", ' + _json(PERSONAL)[1:]),
            )
        inside = (InsideNow(person="n-li", zone="room", at_ms=1),)
        said = ControlStatus(gateway=place.gateway, boot=bytes(16), tick=2, inside=inside)
        world.lab.execute(
            "UPDATE control_status SET body = %s WHERE gateway_id = %s", encode_body(said), gateway
        )


def _json(data):
    return msgspec.json.encode(data).decode()


def events(world, token, **query):
    found = world.ask("/api/events", token, params={"from": "2026-01-01T00:00:00Z", "limit": 1000, **query})
    return {(one["site"], one["kind"]): one["data"] for one in found.json()["items"]}


def inside(world, token, mark):
    return (
        world.ask(f"/api/gateways/{world.places[mark].gateway}/control", token).json()["status"].get("inside")
    )


def test_who_may_not_read_access_is_told_nothing_of_people(world):
    token = world.token(Grant(Role.VIEWER, 1))
    seen = events(world, token)
    assert {kind for _, kind in seen} == {"power_lost", "panel_asked"}
    assert [data for (_, kind), data in seen.items() if kind == "panel_asked"] == [{"act": "trip"}] * 2
    assert events(world, token, kind="access_granted") == {}
    assert inside(world, token, "here") is None


def test_who_may_read_access_at_one_site_is_told_of_people_there_alone(world):
    here = world.places["here"].site
    token = world.token(Grant(Role.VIEWER, 1), Grant(Role.DISPATCHER, 1, here))
    ((data,),) = [list(events(world, token, kind="access_granted").values())]
    assert data == {"act": "trip", **PERSONAL}
    panels = list(events(world, token, kind="panel_asked").values())
    assert sorted(panels, key=len) == [{"act": "trip"}, {"act": "trip", **PERSONAL}]
    assert inside(world, token, "here") == [{"person": "n-li", "zone": "room", "at_ms": 1}]
    assert inside(world, token, "there") is None


def test_page_of_events_names_nobody_to_who_may_not_read_access(world):
    ((name,),) = world.lab.execute("SELECT name FROM sites WHERE id = %s", world.places["here"].site)
    world.token(Grant(Role.VIEWER, 1))
    page = world.ask(f"/sites/{name}/events", cookies=world.session())
    assert page.status_code == 200
    assert "n-li" not in page.text
    world.token(Grant(Role.DISPATCHER, 1))
    assert "n-li" in world.ask(f"/sites/{name}/events", cookies=world.session()).text
