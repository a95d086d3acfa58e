"""Another system is told of the environment at once, and what each value is worth."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest

from tests.cloud.api.conftest import NOW
from wire.status import Status

pytestmark = pytest.mark.requirement("G-6.11d")
S = timedelta(seconds=1)


class Lab(Protocol):
    def point(self, *, period_ms: int | None = ...) -> int: ...
    def store(self, point: int, rows: Sequence[tuple[datetime, int | None, int]]) -> None: ...
    def gap(self, point: int, cause: str, from_at: datetime | None, to_at: datetime | None) -> None: ...


class Http(Protocol):
    def get(self, path: str, **query: object) -> httpx.Response: ...


def told(http: Http, point: int) -> dict[str, Any]:
    items: list[dict[str, Any]] = http.get("/api/latest", site=1).json()["items"]
    return next(item for item in items if item["point"]["id"] == point)


def test_each_new_reading_is_there_for_the_next_question_with_its_worth(lab: Lab, http: Http) -> None:
    point = lab.point()
    assert told(http, point)["state"] == "never"
    lab.store(point, [(NOW - 2 * S, 2215, Status.GOOD)])
    item = told(http, point)
    assert (item["state"], item["value"], item["status"], item["age_s"]) == ("live", "22.15", "good", 2.0)
    lab.store(point, [(NOW - S, 30_000, Status.IMPLAUSIBLE)])
    item = told(http, point)
    assert (item["state"], item["value"], item["status"]) == ("live", "300.00", "implausible")
    lab.store(point, [(NOW, None, Status.DEVICE_ERROR)])
    item = told(http, point)
    assert (item["state"], item["value"], item["status"]) == ("absent", None, "device_error")


def test_stretch_is_evaluated_as_soon_as_it_is_over(lab: Lab, http: Http) -> None:
    point = lab.point()
    span = {"from": (NOW - 10 * S).isoformat(), "to": NOW.isoformat()}
    lab.store(point, [(NOW - second * S, 2200, Status.GOOD) for second in (10, 9, 8, 4, 3, 2, 1)])
    lab.gap(point, "sensor", NOW - 8 * S, NOW - 4 * S)
    items = http.get("/api/completeness", **span).json()["items"]
    mine = next(item for item in items if item["point_id"] == point)
    assert (mine["expected"], mine["stored"], mine["explained"], mine["unexplained"]) == (10, 7, 3, 0)
    assert mine["causes"] == {"sensor": 3}
