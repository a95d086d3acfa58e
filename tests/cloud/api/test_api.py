import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.head import HeadAsGet
from cloud.api.services import Services

DAY = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


class Http(Protocol):
    app: FastAPI
    point: int

    def get(self, path: str, **query: object) -> httpx.Response: ...
    def request(self, method: str, path: str, query: dict[str, Any]) -> httpx.Response: ...


class Lab(Protocol):
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...


def test_readings_are_bounded_and_exact(http: Http) -> None:
    answer = http.get("/api/readings", point=http.point, max_points=100, **DAY).json()
    assert answer["readings"] is None
    assert 0 < len(answer["buckets"]) <= 100
    assert min(Decimal(b["min"]) for b in answer["buckets"]) == Decimal("20.00")
    assert max(Decimal(b["max"]) for b in answer["buckets"]) == Decimal("20.06")
    assert sum(b["n"] for b in answer["buckets"]) == 3000
    assert {gap["cause"] for gap in answer["gaps"]} == {"bus"}


def test_few_readings_come_raw_with_their_times(http: Http) -> None:
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T08:00:02+08:00"}
    answer = http.get("/api/readings", point=http.point, **span).json()
    assert answer["readings"] == [
        {"observed_at": "2026-01-01T00:00:00Z", "value": "20.00", "raw": "20.00", "status": "good"},
        {"observed_at": "2026-01-01T00:00:01Z", "value": "20.01", "raw": "20.01", "status": "good"},
    ]


def test_latest_of_a_silent_point_has_no_value_but_the_last_one_and_its_age(http: Http) -> None:
    items = http.get("/api/latest", site=1).json()["items"]
    mine = next(item for item in items if item["point"]["id"] == http.point)
    assert (mine["value"], mine["raw"], mine["status"], mine["point"]["unit"]) == (None, None, None, "°C")
    assert mine["last"] == {"value": "20.03", "raw": "20.03", "word": None, "status": "good"}
    assert (mine["age_s"], mine["state"]) == (601.0, "silent")
    assert {item["state"] for item in items} == {"silent"}


@pytest.mark.parametrize(
    ("path", "position", "query"),
    [
        ("/api/points", "after", {}),
        ("/api/gaps", "after", DAY),
        ("/api/events", "before", DAY),
        ("/api/latest", "after", {}),
        ("/api/completeness", "after", DAY),
    ],
)
def test_pages_join_to_the_whole_list(http: Http, path: str, position: str, query: dict[str, str]) -> None:
    whole = http.get(path, **query).json()
    assert whole["next"] is None
    assert len(whole["items"]) > 1
    items: list[object] = []
    turn: dict[str, object] = {}
    while True:
        part = http.get(path, limit=1, **query, **turn).json()
        assert len(part["items"]) == 1
        items += part["items"]
        if part["next"] is None:
            break
        turn = {position: part["next"]}
    assert items == whole["items"]


@pytest.mark.requirement("G-6.9c1")
def test_completeness_adds_up(http: Http) -> None:
    (row,) = http.get("/api/completeness", point=http.point, **DAY).json()["items"]
    assert row["expected"] == row["stored"] + row["explained"] + row["unexplained"] == 3600
    assert (row["stored"], row["causes"]) == (3000, {"bus": 600})


@pytest.mark.parametrize(
    ("path", "query", "field", "value", "expected"),
    [
        ("/api/readings", {}, "point", "", "a value"),
        ("/api/readings", {"point": "x"}, "point", "x", "an integer"),
        ("/api/readings", {"point": 1, "max_points": 0}, "max_points", "0", "at least 1"),
        ("/api/readings", {"point": 1, "resolution": "2h"}, "resolution", "2h", "one of"),
        ("/api/readings", {"point": 1, "from": "yesterday"}, "from", "yesterday", "RFC 3339"),
        ("/api/readings", {"point": 1, "from": "2026-01-01T00:00:00"}, "from", "2026-01-01T00:00:00", "zone"),
        ("/api/readings", {"point": 1, "from": "1800-01-01T00:00:00Z"}, "from", "1800", "2000 to 2200"),
        ("/api/gaps", {"from": DAY["to"], "to": DAY["from"]}, "from", "2026-01-02", "before to"),
        ("/api/completeness", {"from": "2025-01-01T00:00:00Z"}, "from", "2025-01-01", "31 days"),
        ("/api/gaps", {"cause": "moon"}, "cause", "moon", "'bus'"),
        ("/api/sites/77", {}, "site", "77", "an existing site"),
        ("/api/points/77", {}, "point", "77", "an existing point"),
        ("/api/gateways/none", {}, "gateway", "none", "an existing gateway"),
    ],
)
def test_errors_name_field_value_and_expectation(
    http: Http, path: str, query: dict[str, str], field: str, value: str, expected: str
) -> None:
    response = http.get(path, **query)
    assert response.status_code in (404, 422)
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["instance"]) == (response.status_code, path)
    (fault,) = body["errors"]
    assert fault["field"] == field
    assert value in fault["value"]
    assert expected in fault["expected"]


def test_all_bad_fields_are_named_at_once(http: Http) -> None:
    body = http.get("/api/readings", point="x", max_points="y", resolution="z").json()
    assert {fault["field"] for fault in body["errors"]} == {"point", "max_points", "resolution"}


def test_unknown_address_and_method_are_problems_too(http: Http) -> None:
    missing = http.get("/api/nothing")
    assert (missing.status_code, missing.json()["title"]) == (404, "Not found")
    assert http.get("/api/points/77").json()["title"] == "Not found"
    wrong = http.request("DELETE", "/api/sites", {})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
    assert wrong.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/health", "/api/sites", "/api/nothing"])
def test_head_is_the_head_of_the_same_answer(http: Http, path: str) -> None:
    whole, head = http.get(path), http.request("HEAD", path, {})
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers == whole.headers


def test_head_of_a_stream_comes_to_an_end() -> None:
    left: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: 1\n\n"
                await asyncio.sleep(0.01)
        finally:
            left.append("left")

    app = FastAPI()
    app.add_middleware(HeadAsGet)
    app.add_api_route("/live", lambda: StreamingResponse(endless(), media_type="text/event-stream"))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as client:
            return await asyncio.wait_for(client.head("/live"), 5)

    head = asyncio.run(ask())
    assert (head.status_code, head.content, left) == (200, b"", ["left"])
    assert head.headers["content-type"].startswith("text/event-stream")


def test_latest_tells_no_position(http: Http) -> None:
    items = http.get("/api/latest").json()["items"]
    assert {item["point"]["quantity"] for item in items} == {"temperature"}
    assert "position" in {point["quantity"] for point in http.get("/api/points").json()["items"]}


def test_ready_names_database_schema_and_broker(http: Http) -> None:
    response = http.get("/ready")
    body = response.json()
    assert response.status_code == 200
    assert {check["name"]: check["ok"] for check in body["checks"]} == {
        "database": True,
        "schema": True,
        "broker": True,
    }
    assert body["backlog"]["gaps_open"] == 3


def test_metrics_are_in_the_format_of_prometheus(http: Http) -> None:
    http.get("/api/sites")
    text = http.get("/metrics").text
    assert "heng_database_up 1.0" in text
    assert "heng_gateways 1.0" in text
    assert 'heng_http_request_seconds_count{route="/api/sites",status="200"}' in text


def test_hub_without_database_says_so(lab: Lab) -> None:
    async def ask() -> tuple[httpx.Response, ...]:
        nowhere = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"
        pool = AsyncConnectionPool(nowhere, min_size=0, max_size=1, open=False, reconnect_timeout=0.1)
        async with pool:
            app = create_app(
                Services(pool=pool, now=lambda: datetime.now(UTC), broker_connected=lambda: False)
            )
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
                return tuple(
                    [await client.get(path) for path in ("/health", "/ready", "/metrics", "/api/sites")]
                )

    health, ready, metrics, sites = asyncio.run(ask())
    assert health.status_code == 200
    assert ready.status_code == 503
    assert {check["name"]: check["ok"] for check in ready.json()["checks"]} == {
        "database": False,
        "broker": False,
    }
    assert "heng_database_up 0.0" in metrics.text
    assert (sites.status_code, sites.json()["title"]) == (503, "Unavailable")


def test_older_schema_is_not_ready(lab: Lab, http: Http) -> None:
    (taken,) = lab.execute("DELETE FROM schema_migrations WHERE number = 2 RETURNING number, name, sha256")
    try:
        response = http.get("/ready")
    finally:
        lab.execute("INSERT INTO schema_migrations (number, name, sha256) VALUES (%s, %s, %s)", *taken)
    assert response.status_code == 503
    schema = next(check for check in response.json()["checks"] if check["name"] == "schema")
    assert not schema["ok"]
    assert "heng database upgrade" in schema["detail"]
