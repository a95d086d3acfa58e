"""A question that makes no sense is an error with a hint, never an empty answer."""

from typing import Protocol

import httpx
import pytest

from cloud.api.routes.events import KINDS
from cloud.web.words import EVENTS

DAY = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


class Http(Protocol):
    point: int

    def get(self, path: str, **query: object) -> httpx.Response: ...


class Lab(Protocol):
    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...


@pytest.mark.parametrize(
    ("path", "query", "status", "field", "expected"),
    [
        ("/api/points", {"sitte": 1}, 422, "sitte", "site"),
        ("/api/sites/1", {"site": 1}, 422, "site", "no query parameter"),
        ("/api/sites/77", {"bogus": 1}, 422, "bogus", "no query parameter"),
        ("/api/points", {"limit": ["1", "2"]}, 422, "limit", "one value"),
        ("/api/points", {"site": 999}, 404, "site", "an existing site"),
        ("/api/events", {"gateway": "nobody"}, 404, "gateway", "an existing gateway"),
        ("/api/gaps", {"point": 999}, 404, "point", "an existing point"),
        ("/api/events", {"kind": "nope"}, 422, "kind", "power_lost"),
        ("/api/events", {"kind": "no!"}, 422, "kind", "a-z, 0-9, '_'"),
        ("/api/points", {"quantity": "warmth"}, 422, "quantity", "temperature"),
        ("/api/sites", {"kind": "ship"}, 422, "kind", "'vehicle'"),
    ],
)
def test_question_that_makes_no_sense_is_never_an_empty_answer(
    http: Http, path: str, query: dict[str, object], status: int, field: str, expected: str
) -> None:
    response = http.get(path, **query)
    assert response.status_code == status
    fault = next(fault for fault in response.json()["errors"] if fault["field"] == field)
    assert expected in fault["expected"]
    assert "^[" not in fault["expected"]


def test_unknown_parameter_is_named_beside_every_other_fault(http: Http) -> None:
    body = http.get("/api/readings", point="x", max_points="y", bogus="z").json()
    assert [fault["field"] for fault in body["errors"]] == ["point", "max_points", "bogus"]


def test_known_kind_without_events_is_an_empty_list(http: Http) -> None:
    assert http.get("/api/events", kind="battery_low", **DAY).json() == {"items": [], "next": None}


def test_kinds_of_events_are_those_that_the_pages_name() -> None:
    assert set(KINDS) == set(EVENTS)


def test_position_has_a_track_and_everything_else_has_readings(http: Http, lab: Lab) -> None:
    ((van,),) = lab.execute(
        "INSERT INTO points (organisation_id, site_id, name, quantity, kind)"
        " VALUES (1, 1, 'van/position', 'position', 'analog') RETURNING id"
    )
    try:
        readings = http.get("/api/readings", point=van)
        assert http.get(f"/api/positions/{van}/track").status_code == 200
    finally:
        lab.execute("DELETE FROM points WHERE id = %s", van)
    assert readings.status_code == 422
    assert f"/api/positions/{van}/track" in readings.json()["errors"][0]["expected"]
    track = http.get(f"/api/positions/{http.point}/track")
    assert track.status_code == 422
    assert f"/api/readings?point={http.point}" in track.json()["errors"][0]["expected"]
