"""The page of what is kept how long: shown to who reads people, changed with a reason by who manages them."""

from datetime import time
from typing import Any

import pytest

from cloud.store.retention import DEFAULTS, Duty
from cloud.web.language import language
from cloud.web.retention_page import CLASSES, days_text, hours_text
from rules.permissions import Grant, Role

BROWSER = {"accept": "text/html", "origin": "http://hub"}
SET = {"organisation": "1", "class": "access_events", "days": "365", "why": "agreed", "sure": "1"}
HOURS = {"weekdays": ["1", "2", "5"], "from_time": "08:00", "to_time": "17:30", "why": "contract"}
EN, ZH = language("en"), language("zh")


@pytest.fixture
def administrator(world: Any) -> Any:
    world.lab.execute("DELETE FROM retention; DELETE FROM duty_hours")
    world.token(Grant(Role.ADMINISTRATOR, 1))
    return world


def page(world: Any, code: str = "en") -> Any:
    return world.ask(f"/retention?lang={code}", cookies=world.session(), headers={"accept": "text/html"})


def post(world: Any, path: str, form: dict[str, Any]) -> Any:
    return world.ask(path, method="POST", data=form, cookies=world.session(), headers=BROWSER)


@pytest.mark.requirement("S-5.6.3")
def test_days_are_set_with_a_reason_and_then_shown(administrator: Any) -> None:
    assert "730 days" in page(administrator).text
    assert post(administrator, "/retention", SET).status_code == 303
    shown = page(administrator).text
    assert "365 days" in shown
    assert "as long as there is room" in shown
    (row,) = administrator.lab.execute(
        "SELECT old::text, new::text, why FROM audit_log WHERE action = 'retention.set'"
        " ORDER BY id DESC LIMIT 1"
    )
    assert row == ('{"days":730}', '{"days":365}', "agreed")


def test_duty_hours_are_declared_with_a_reason_and_then_shown(administrator: Any) -> None:
    site = administrator.places["here"].site
    sent = HOURS | {"site": str(site)}
    assert "always: every position is kept" in page(administrator).text
    assert post(administrator, "/retention/hours", sent).status_code == 303
    shown = page(administrator).text
    assert "Mon Tue Fri, 08:00–17:30" in shown
    assert "positions off duty are deleted" in shown
    assert administrator.lab.execute("SELECT weekdays, keep_off_duty FROM duty_hours") == [([1, 2, 5], False)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"days": "-1"}, "Days are a whole number"),
        ({"days": "40000"}, "Days are a whole number"),
        ({"why": " "}, "Say why"),
        ({"sure": ""}, "Confirm"),
    ],
)
def test_days_that_make_no_sense_change_nothing(administrator: Any, change: Any, said: str) -> None:
    answer = post(administrator, "/retention", SET | change)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert administrator.lab.execute("SELECT * FROM retention") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weekdays": []}, "at least one day"),
        ({"from_time": "soon"}, "The beginning is a time"),
        ({"to_time": "08:00"}, "The end is a time"),
        ({"why": ""}, "Say why"),
    ],
)
def test_hours_that_make_no_sense_change_nothing(administrator: Any, change: Any, said: str) -> None:
    sent = HOURS | {"site": str(administrator.places["here"].site)} | change
    answer = post(administrator, "/retention/hours", sent)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert administrator.lab.execute("SELECT * FROM duty_hours") == []


@pytest.mark.requirement("G-7.2a", "H-7.1c")
def test_who_only_reads_people_changes_nothing_and_others_see_nothing(administrator: Any) -> None:
    alien = administrator.places["alien"]
    assert "alien" not in page(administrator).text
    assert (
        post(administrator, "/retention", SET | {"organisation": str(alien.organisation)}).status_code == 404
    )
    assert post(administrator, "/retention/hours", HOURS | {"site": str(alien.site)}).status_code == 404
    administrator.token(Grant(Role.QUALITY, 1))
    shown = page(administrator)
    assert shown.status_code == 200
    assert "Keep it so long" not in shown.text
    assert post(administrator, "/retention", SET).status_code == 403
    administrator.token(Grant(Role.VIEWER, 1))
    assert page(administrator).status_code == 403
    assert administrator.lab.execute("SELECT * FROM retention") == []


def test_page_is_chinese_in_chinese(administrator: Any) -> None:
    shown = page(administrator, "zh").text
    assert "门禁事件" in shown
    assert "周一" in shown
    assert "Positions off duty" not in shown


def test_every_class_has_words() -> None:
    assert CLASSES.keys() == DEFAULTS.keys()


def test_lengths_and_hours_are_said() -> None:
    assert [days_text(days, EN) for days in (None, 0, 30)] == [
        "as long as there is room",
        "not kept",
        "30 days",
    ]
    week = Duty(1, "s", 1, [1, 2, 3, 4, 5, 7], time(8), time(18), keep_off_duty=False)
    assert hours_text(week, EN) == "Mon–Fri Sun, 08:00–18:00"
    assert hours_text(week, ZH) == "周一–周五 周日, 08:00–18:00"
    assert hours_text(None, EN) == ""
