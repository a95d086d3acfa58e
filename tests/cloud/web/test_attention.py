"""What needs a person is a visible problem: said, first, counted and on the badge."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cloud.store.latest import Latest
from cloud.store.points import Point
from cloud.store.sites import Gateway, Site
from cloud.web.attention import concern, is_usual
from cloud.web.language import language
from cloud.web.overview import SiteView, figures, problems_first, site_view
from cloud.web.standing import site_kind
from cloud.web.values import show

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SUPPLY = {"1": "mains", "2": "battery"}
POWER = Point(5, 1, 1, "lab-1", "ups/power", "state", "state", SUPPLY, 0, 1000, NOW)
FLAGS = replace(POWER, id=6, name="ups/flags", quantity="count", kind="analog", states={})
AIR = replace(POWER, id=7, name="air/temperature", quantity="temperature", kind="analog", states={})
MAINS = Latest(POWER, "live", NOW, "1", "1", "mains", "good", 0.0)
BATTERY = Latest(POWER, "live", NOW, "2", "2", "battery", "good", 0.0)
UNKNOWN = Latest(POWER, "absent", NOW, None, None, None, "unknown", 0.0)
FAILED = Latest(AIR, "absent", NOW, None, None, None, "device_error", 0.0)
ONLINE = Gateway(1, "institute", "lab-1", 1, "lab-1", True, NOW, None, NOW, NOW)


def _flags(bits: int) -> Latest:
    return Latest(FLAGS, "live", NOW, str(bits), str(bits), None, "good", 0.0)


@pytest.mark.parametrize(
    ("latest", "said"),
    [
        (MAINS, None),
        (BATTERY, "On battery"),
        (UNKNOWN, "Power unknown"),
        (_flags(0b1), None),
        (_flags(0b101), "Battery low"),
        (_flags(0b110), "Battery low"),
        (_flags(0b10001), "Battery to be replaced"),
        (FAILED, None),
        (replace(BATTERY, state="silent"), None),
        (replace(MAINS, point=replace(POWER, states={"0": "off"}), word="off"), None),
        (Latest(replace(POWER, kind="analog", states={}), "live", NOW, "2", "2", None, "good", 0.0), None),
    ],
)
def test_what_needs_a_person_is_known_from_states_and_flags(latest: Latest, said: str | None) -> None:
    assert concern(latest) == said


def test_uplink_that_no_wifi_carries_rightly_has_no_level() -> None:
    level = replace(AIR, name="uplink/signal", quantity="signal_level")
    absent = replace(FAILED, point=level, status="not_measured")
    assert is_usual(absent)
    assert not is_usual(replace(absent, status="invalid"))
    assert not is_usual(replace(absent, state="silent"))
    assert not is_usual(replace(absent, point=replace(level, name="uplink/modem/level")))


def test_it_is_said_beside_the_value_in_words() -> None:
    shown = show(BATTERY, language("zh"), ZoneInfo("UTC"))
    assert (shown.text, shown.flag, shown.weight) == ("电池供电", "正由电池供电", "urgent")
    assert show(MAINS, language("zh"), ZoneInfo("UTC")).flag == ""


@pytest.mark.parametrize("latest", [BATTERY, UNKNOWN, _flags(0b110)])
def test_badge_is_never_green_then(latest: Latest) -> None:
    assert site_kind([ONLINE], [latest], NOW) == "attention"
    assert site_kind([ONLINE], [MAINS], NOW) == "online"
    assert site_kind([replace(ONLINE, online=False)], [latest], NOW) == "suspected"
    assert site_kind([ONLINE], [latest], NOW + timedelta(minutes=1)) == "unmonitored"


def test_its_group_stands_first_and_its_site_before_the_partly_online() -> None:
    def view(name: str, points: list[Latest]) -> SiteView:
        site = Site(1, "institute", name, name, "laboratory", "UTC", None, None, 1, 1, 1, NOW)
        return site_view(
            site, gateways=[ONLINE], latest=points, sparks={}, whys={}, language=language("en"), now=NOW
        )

    whole = view("a", [FAILED, BATTERY])
    assert [place.name for place in whole.places] == ["ups", "air"]
    silent = replace(MAINS, point=AIR, state="silent", observed_at=NOW - timedelta(minutes=1))
    partly = view("b", [MAINS, silent])
    assert partly.state.kind == "partly"
    assert [one.name for one in problems_first([partly, whole])] == ["a", "b"]
    assert (whole.state.word, whole.state.kind) == ("Needs attention", "attention")


def test_it_is_counted_on_top_of_the_page() -> None:
    kinds = {1: "attention", 2: "online"}
    counts = {one.key: one.count for one in figures(kinds, language("en"), silent=0)}
    assert (counts["attention"], counts["online"], counts["partly"]) == (1, 1, 0)
