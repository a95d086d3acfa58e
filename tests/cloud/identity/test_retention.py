"""Who may say how long personal data are kept, what is refused, and that it is written down."""

from typing import Any

import pytest

from rules.permissions import Grant, Role

HOURS = {"weekdays": [1, 2], "from_time": "08:00", "to_time": "18:00", "why": "contract"}


def put(world: Any, token: str, path: str, sent: Any) -> Any:
    return world.ask(path, token, "PUT", json=sent)


@pytest.mark.requirement("S-5.6.3")
def test_administrator_says_how_long_and_it_is_written_down(world: Any) -> None:
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    sent = {"days": 400, "why": "agreed with the staff"}
    assert put(world, token, "/api/retention/1/access_events", sent).status_code == 204
    rows = world.ask("/api/retention", token).json()
    assert {(one["kind"], one["days"], one["is_default"]) for one in rows} == {
        ("access_events", 400, False),
        ("positions_off_duty", 0, True),
        ("pictures", None, True),
    }
    (row,) = world.lab.execute(
        "SELECT old::text, new::text, why FROM audit_log"
        " WHERE action = 'retention.set' ORDER BY id DESC LIMIT 1"
    )
    assert row == ('{"days":730}', '{"days":400}', "agreed with the staff")


def test_administrator_declares_duty_hours_of_a_site(world: Any) -> None:
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    site = world.places["here"].site
    assert put(world, token, f"/api/sites/{site}/duty-hours", HOURS).status_code == 204
    (one,) = world.ask("/api/duty-hours", token).json()
    assert (one["site"], one["from_time"], one["keep_off_duty"]) == ("here-site", "08:00:00", False)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"weekdays": []}, "weekdays"),
        ({"weekdays": [0]}, "weekdays"),
        ({"weekdays": [1, 1]}, "weekdays"),
        ({"to_time": "08:00"}, "to_time"),
        ({"why": ""}, "why"),
        ({"from_time": "25:00"}, "from_time"),
    ],
)
def test_hours_that_make_no_sense_are_refused(world: Any, given: Any, field: str) -> None:
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    answer = put(world, token, f"/api/sites/{world.places['here'].site}/duty-hours", {**HOURS, **given})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("path", ["/api/retention/1/audit", "/api/retention/1/access_events"])
def test_audit_log_has_no_days_and_no_class_has_less_than_none(world: Any, path: str) -> None:
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    assert put(world, token, path, {"days": -1, "why": "x"}).status_code == 422


@pytest.mark.requirement("G-7.2a", "H-7.1c")
def test_nobody_else_says_how_long(world: Any) -> None:
    alien = world.places["alien"]
    sent = {"days": 0, "why": "x"}
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    assert put(world, token, f"/api/retention/{alien.organisation}/pictures", sent).status_code == 404
    assert put(world, token, f"/api/sites/{alien.site}/duty-hours", HOURS).status_code == 404
    other = world.token(Grant(Role.QUALITY, 1), Grant(Role.ADMINISTRATOR, 1, world.places["here"].site))
    assert put(world, other, "/api/retention/1/pictures", sent).status_code == 403
