"""Jobs over HTTP, from a method to the file of a record."""

import asyncio
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.services import Services
from tests.cloud.jobs.conftest import MINUTE, Work

pytestmark = pytest.mark.requirement("H-7.3.1a", "H-7.3.1b")


@dataclass
class Http:
    runner: asyncio.Runner
    client: httpx.AsyncClient

    def ask(self, method: str, path: str, **given: object) -> httpx.Response:
        return self.runner.run(self.client.request(method, path, **given))


@pytest.fixture
def http(work: Work) -> Iterator[Http]:
    with asyncio.Runner() as runner:
        pool = AsyncConnectionPool(work.lab.hub_dsn, min_size=1, max_size=2, open=False)
        runner.run(pool.open())
        app = create_app(Services(pool=pool, now=lambda: work.now, broker_connected=lambda: True))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://hub")
        yield Http(runner, client)
        runner.run(client.aclose())
        runner.run(pool.close())


def planned(work: Work, **more: object) -> dict[str, object]:
    return {
        "site_id": 1,
        "number": "A-1",
        "method": "JJG 130",
        "version": 1,
        "zone": "room-2",
        "people": ["ann", "bob"],
        "instruments": ["std-1"],
        "from_at": work.now.isoformat(),
        "to_at": (work.now + 60 * MINUTE).isoformat(),
        **more,
    }


def test_job_is_planned_begun_held_released_and_finished_and_its_record_is_a_file(
    work: Work, http: Http
) -> None:
    made = http.ask("POST", "/api/jobs", json=planned(work))
    assert made.status_code == 201, made.text
    job = f"/api/jobs/{made.json()['id']}"
    assert http.ask("GET", f"{job}/record").status_code == 409
    assert http.ask("POST", f"{job}/start", json={}).status_code == 204
    work.tell("interlock_tripped")
    work.follow()
    assert http.ask("GET", job).json()["state"] == "held"
    refused = http.ask("POST", f"{job}/release", json={"reason": "x"})
    assert refused.status_code == 409
    assert "What holds the work has not ended (interlock/gateway-1/climate)" in refused.json()["detail"]
    work.now += timedelta(seconds=5)
    work.tell("interlock_enabled")
    assert http.ask("POST", f"{job}/release", json={"reason": "checked"}).status_code == 204
    work.now += timedelta(seconds=5)
    assert http.ask("POST", f"{job}/finish", json={}).status_code == 204
    record = http.ask("GET", f"{job}/record").json()
    assert (record["final"], record["held_s"]) == (True, 5.0)
    assert record["presence"] == "not_met"  # nobody was seen to come in
    rows = list(csv.reader(io.StringIO(http.ask("GET", f"{job}/record.csv").text)))
    assert next(row for row in rows if row[0] == "cause")[:2] == ["cause", "interlock/gateway-1/climate"]
    assert [row[1] for row in rows if row[0] == "log"] == [
        *("started", "held", "returned", "released", "finished")
    ]
    listed = list(csv.DictReader(io.StringIO(http.ask("GET", "/api/jobs.csv").text)))
    assert (listed[0]["number"], listed[0]["state"], listed[0]["holds"]) == ("A-1", "finished", "1")


def test_new_version_of_a_method_leaves_the_one_before_as_it_was(http: Http) -> None:
    sent = {
        "organisation_id": 1,
        "method": "JJG 200",
        "limits": [{"quantity": "temperature", "low": "18.0", "high": "22.0"}],
        "people_min": 1,
        "reason": "first",
    }
    assert http.ask("POST", "/api/methods", json=sent).json() == {"version": 1}
    sent["limits"] = [{"quantity": "temperature", "high": "23"}]
    assert http.ask("POST", "/api/methods", json=sent).json() == {"version": 2}
    found = [one for one in http.ask("GET", "/api/methods").json()["items"] if one["method"] == "JJG 200"]
    assert [one["limits"] for one in found] == [
        [{"quantity": "temperature", "low": None, "high": "23"}],
        [{"quantity": "temperature", "low": "18.0", "high": "22.0"}],
    ]


def test_bad_plan_is_refused_whole_with_field_value_and_expectation(work: Work, http: Http) -> None:
    for change, field in (
        ({"people": ["ann", "nobody"]}, "people"),
        ({"people": ["ann"]}, "people"),
        ({"zone": "cellar"}, "zone"),
        ({"version": 9}, "method"),
        ({"to_at": work.now.isoformat()}, "to_at"),
        ({"number": "=1+1"}, "number"),
    ):
        answer = http.ask("POST", "/api/jobs", json=planned(work, **change))
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
    assert http.ask("GET", "/api/jobs").json()["items"] == []
