"""Alarms with people signed in: each sees and handles those of their sites, and no others."""

import pytest

from rules.permissions import Grant, Role

pytestmark = pytest.mark.requirement("G-7.2a", "G-6.11")

RULES = [{"condition": "hi", "priority": "high", "limit": "23.0", "deadband": "0.5"}]


def raise_alarm(world, mark: str) -> None:
    place = world.places[mark]
    world.lab.execute(
        "INSERT INTO alarm_occurrences (organisation_id, site_id, point_id, point, condition, revision,"
        " onset, raised_at, priority, ack_required, grp, open, known_at, live)"
        " VALUES (%s, %s, %s, %s, 'hi', 1, 176722560000, 176722560000, 2, true, 'g', true, 176722560000,"
        " true)"
        " ON CONFLICT DO NOTHING",
        *(place.organisation, place.site, place.point, f"{mark}/air/temperature"),
    )


def act(world, token: str, mark: str, what: str = "acknowledge", **more: object) -> int:
    place = world.places[mark]
    body = {"act": what, "site_id": place.site, "point": f"{mark}/air/temperature", "condition": "hi", **more}
    return int(world.ask("/api/alarms/acts", token, "POST", json=body).status_code)


@pytest.mark.parametrize("role", [Role.FACILITIES, Role.SAFETY, Role.LABORATORY, Role.QUALITY])
def test_who_handles_alarms_at_one_site_does_so_there_alone(world, role):
    for mark in world.places:
        raise_alarm(world, mark)
    token = world.token(Grant(role, 1, world.places["here"].site))
    shown = {one["point"] for one in world.ask("/api/alarms", token).json()["items"]}
    assert shown == {"here/air/temperature"}
    assert act(world, token, "here", "comment", text=f"seen by {role}") == 204
    assert act(world, token, "there") == 404
    assert act(world, token, "alien") == 404
    row = world.lab.execute(
        "SELECT actor, object FROM audit_log WHERE action = 'alarm.comment' ORDER BY id DESC"
    )
    assert row[0] == ("asker/test", "alarm here/air/temperature:hi")


def test_who_only_sees_alarms_handles_none(world):
    raise_alarm(world, "here")
    token = world.token(Grant(Role.VIEWER, 1))
    assert world.ask("/api/alarms", token).status_code == 200
    assert act(world, token, "here") == 403
    customer = world.token(Grant(Role.CUSTOMER, 1))
    assert world.ask("/api/alarms", customer).status_code == 403


def test_safety_says_what_is_an_alarm_and_who_is_told_in_its_organisation(world):
    place = world.places["here"]
    token = world.token(Grant(Role.SAFETY, 1))

    def put(path: str, body: dict[str, object], method: str = "PUT") -> int:
        return int(world.ask(path, token, method, json={"reason": "x", **body}).status_code)

    template = {"organisation_id": 1, "quantity": "temperature", "rules": RULES}
    assert put("/api/alarm-templates/air", template) == 200
    assert put("/api/alarm-templates/air", template) == 200
    way = {"organisation_id": 1, "kind": "email", "target": "ann@lab.example"}
    assert world.ask("/api/alarm-ways/duty", token, "PUT", json=way).status_code == 200
    assert world.ask("/api/alarm-ways/duty", token, "PUT", json=way).status_code == 200
    assert (
        world.ask("/api/alarm-ways/duty/test", token, "POST", json={"organisation_id": 1}).status_code == 202
    )
    points = {"organisation_id": 1, "points": [place.point]}
    assert put("/api/alarm-templates/air/points", points, "POST") == 204
    policy = {"chains": {"all": {"steps": [{"to": ["duty"]}]}}, "routes": [{"chain": "all"}]}
    assert put(f"/api/sites/{place.site}/alarm-policy", policy) == 200
    assert put("/api/alarms/unwatched", points, "POST") == 204
    alien = world.places["alien"]
    assert put("/api/alarm-templates/air", template | {"organisation_id": alien.organisation}) == 404
    assert put("/api/alarm-templates/air/points", points | {"points": [alien.point]}, "POST") == 422
    assert put(f"/api/sites/{alien.site}/alarm-policy", policy) == 404
    at_site = world.token(Grant(Role.SAFETY, 1, place.site))
    assert (
        world.ask("/api/alarm-templates/air", at_site, "PUT", json=template | {"reason": "x"}).status_code
        == 403
    )
