"""A question that makes no sense is an error with a hint, never an empty answer."""

import json
from typing import Any, Protocol

import httpx
import pytest

from cloud.api.routes.events import KINDS
from cloud.web.words import EVENTS

DAY = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


class Http(Protocol):
    point: int
    runner: Any
    client: httpx.AsyncClient

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


def send(http: Http, method: str, path: str, **given: object) -> httpx.Response:
    answer = http.runner.run(http.client.request(method, path, **given))
    assert isinstance(answer, httpx.Response)
    return answer


def test_change_with_a_parameter_that_is_not_understood_changes_nothing(http: Http, lab: Lab) -> None:
    person = {"organisation_id": 1, "number": "strict-1", "name": "Nobody"}
    for query in ("?bogus=1", "?organisation_id=1&organisation_id=2"):
        answer = send(http, "POST", f"/api/people{query}", json=person)
        assert answer.status_code == 422
        assert lab.execute("SELECT * FROM people WHERE number = 'strict-1'") == []


NEW_PERSON = {"organisation_id": 1, "number": "strict-2", "name": "Li Na"}
CURVE = {
    "from_at": "2026-01-01T00:00:00Z",
    "indicated": ["1e9999999"],
    "correction": ["0"],
    "exponent": -3,
    "expanded_uncertainty": "0.1",
    "coverage_factor": "2",
    "certificate": "x",
    "laboratory": "x",
    "calibrated_on": "2025-12-31",
    "reason": "x",
}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/api/people", {**NEW_PERSON, "department": "a\0b"}, 422, "department"),
        ("POST", "/api/people", {**NEW_PERSON, "organisation_id": 99}, 404, "organisation_id"),
        ("POST", "/api/people", {**NEW_PERSON, "organisation_id": 2**31 - 1}, 404, "organisation_id"),
        ("POST", "/api/people", {**NEW_PERSON, "name": "\ud800"}, 422, "name"),
        ("POST", "/api/people", {**NEW_PERSON, "\ud800": "x"}, 422, "request"),
        ("PUT", "/api/people/{person}", {"name": "x", "department": "\0"}, 422, "department"),
        (
            "PUT",
            "/api/people/{person}",
            {"name": "x", "left_at": "0001-01-01T00:00:00+14:00"},
            422,
            "left_at",
        ),
        (
            "PUT",
            "/api/people/{person}",
            {"name": "x", "left_at": "9999-12-31T23:59:59-14:00"},
            422,
            "left_at",
        ),
        ("POST", "/api/points/{point}/calibrations", CURVE, 422, "nodes"),
    ],
)
def test_what_the_database_cannot_keep_is_named_and_breaks_nothing(
    *, http: Http, lab: Lab, method: str, path: str, body: dict[str, object], status: int, field: str
) -> None:
    ((person,),) = lab.execute(
        "INSERT INTO people (organisation_id, number, name)"
        " VALUES (1, gen_random_uuid()::text, 'x') RETURNING id"
    )
    path = path.replace("{person}", str(person)).replace("{point}", str(http.point))
    headers = {"content-type": "application/json"}
    answer = send(http, method, path, content=json.dumps(body), headers=headers)
    assert answer.status_code == status, answer.text
    assert field in [fault["field"] for fault in answer.json()["errors"]]
    assert http.get("/api/people").status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "expected"),
    [
        (b'{"act": "comment", "site_id": 1, "point": "p", "people": 3}', "people", "no field of this name"),
        (b"{", "body", "JSON; it cannot be read from character 1 on"),
        (b'{"act": "comment", "site_id": 1, "point": ["p"]}', "point", "a text"),
        (b'{"act": "comment", "site_id": 1, "point": ""}', "point", "at least 1 characters"),
    ],
)
def test_body_that_does_not_fit_is_told_in_words(http: Http, body: bytes, field: str, expected: str) -> None:
    sent = http.client.post("/api/alarms/acts", content=body, headers={"content-type": "application/json"})
    answer = http.runner.run(sent)
    assert answer.status_code == 422
    assert [(fault["field"], fault["expected"]) for fault in answer.json()["errors"]] == [(field, expected)]
