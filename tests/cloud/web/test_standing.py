"""States of sites and gateways: what was never heard is not monitored, and nothing is green by default."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloud.store.latest import Latest
from cloud.store.points import Point
from cloud.store.sites import Gateway, Site
from cloud.web.language import language
from cloud.web.overview import figures, site_kinds, states
from cloud.web.standing import gateway_kind, is_fresh, site_kind

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NEW = Gateway(1, "institute", "lab-1", 1, "lab-1", False, None, None, None, NOW)
ONLINE = replace(NEW, online=True, online_since=NOW)
LOST = replace(NEW, online_since=NOW, last_batch_at=NOW)
POINT = Point(5, 1, 1, "lab-1", "room-1/air/temperature", "temperature", "analog", {}, -3, 1000, NOW)
FRESH = Latest(POINT, "live", NOW - timedelta(seconds=3), "20", "20", None, "good", 3.0)
ABSENT = replace(FRESH, state="absent", value=None, raw=None, status="sensor_error")
SILENT = replace(FRESH, observed_at=NOW - timedelta(seconds=3.001))
NEVER = Latest(POINT, "never", None, None, None, None, None, None)
BY_ITSELF = replace(SILENT, point=replace(POINT, period_ms=None))


def test_gateway_never_heard_is_not_monitored() -> None:
    assert gateway_kind(NEW) == "unmonitored"
    assert gateway_kind(ONLINE) == "online"
    assert gateway_kind(LOST) == "suspected"
    assert gateway_kind(replace(NEW, last_batch_at=NOW)) == "suspected"


@pytest.mark.parametrize(
    ("gateways", "kind"),
    [
        ([], "unmonitored"),
        ([NEW], "unmonitored"),
        ([ONLINE], "online"),
        ([ONLINE, LOST], "partly"),
        ([ONLINE, NEW], "partly"),
        ([LOST, NEW], "suspected"),
    ],
)
def test_site_is_online_only_when_all_its_gateways_are(gateways: list[Gateway], kind: str) -> None:
    assert site_kind(gateways, [FRESH], NOW) == kind


@pytest.mark.parametrize(
    ("points", "kind"),
    [
        ([], "unmonitored"),
        ([NEVER], "unmonitored"),
        ([SILENT], "unmonitored"),
        ([SILENT, NEVER], "unmonitored"),
        ([SILENT, BY_ITSELF], "unmonitored"),
        ([FRESH, SILENT], "partly"),
        ([FRESH, NEVER], "partly"),
        ([FRESH, ABSENT], "online"),
        ([FRESH, BY_ITSELF], "online"),
        ([BY_ITSELF], "online"),
    ],
)
def test_site_whose_points_are_silent_is_never_green(points: list[Latest], kind: str) -> None:
    assert site_kind([ONLINE], points, NOW) == kind


def test_time_alone_makes_a_point_silent_whatever_was_said_when_it_was_read() -> None:
    assert is_fresh(FRESH, NOW)
    assert not is_fresh(FRESH, NOW + timedelta(milliseconds=1))
    assert site_kind([LOST], [SILENT], NOW) == "suspected"


def test_sites_of_one_name_are_counted_and_shown_apart() -> None:
    first = Site(1, "institute", "lab-1", "Mass", "laboratory", "UTC", None, None, 1, 1, 1, NOW)
    second = replace(first, id=2, organisation="other body", title="Length", last_observed_at=None)
    kinds = site_kinds([first, second], [ONLINE], [FRESH], now=NOW)
    assert kinds == {1: "online", 2: "unmonitored"}
    english = language("en")
    assert {one.key: one.count for one in figures(kinds, english, silent=0)}["sites"] == 2
    assert [one.element for one in states(kinds, [], english)] == ["state-site-1", "state-site-2"]
