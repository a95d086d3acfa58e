"""Stretches of one alarm that nobody acknowledged are one row, and an act says how many it takes."""

import pytest

from cli.main import main
from tests.cloud.alarms.test_pages import browser as browser

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11b")


def forced(browser, times: int, door: str = "archive") -> None:
    """Have a door forced so often, and shut again each time."""
    site = browser.site
    for _ in range(times):
        for kind in ("door_forced", "door_shut"):
            site.measure(site.point, 20.0)
            site.event(kind, door)
        browser.turn()


@pytest.fixture
def doors(browser, site):
    site.point = site.lab.point(period_ms=None)
    browser.turn()
    forced(browser, 3)
    forced(browser, 1, "between")
    return browser


def items(browser):
    return browser.get("/api/alarms").json()["items"]


def test_one_alarm_is_one_row_with_its_count_and_times_and_the_api_lists_each(doors):
    for language, words in (
        ("en", ["3 times", "Acknowledge all 3"]),
        ("zh", ["3 次", "全部确认（3 条）"]),
    ):
        page = doors.get("/alarms", lang=language).text
        assert page.count('class="alarm high"') == 2
        assert all(word in page for word in words)
    assert page.count('<li class="time">') == 2, "the row itself is the third"
    assert page.count(">3</span>") == 0
    found = items(doors)
    assert len(found) == 4
    assert sorted(one["waiting"] for one in found) == [1, 3, 3, 3]


def test_first_out_is_said_only_where_something_came_after_it(doors, site):
    assert "First out" not in doors.get("/alarms", lang="en").text
    site.event("door_forced", "east", zone="hall")
    site.measure(site.point, 20.0)
    site.event("door_forced", "west", zone="hall")
    doors.turn()
    assert doors.get("/alarms", lang="en").text.count("First out") == 1


def test_acknowledging_the_row_takes_all_and_the_api_says_how_many(doors):
    body = {"act": "acknowledge", "site_id": 1, "point": "door-forced/archive", "condition": "event"}
    done = doors.send("POST", "/api/alarms/acts", body)
    assert (done.status_code, done.content, done.headers["heng-acknowledged"]) == (204, b"", "3")
    assert [one["point"] for one in items(doors)] == ["door-forced/between"]
    comment = {**body, "act": "comment", "point": "door-forced/between", "text": "seen"}
    assert "heng-acknowledged" not in doors.send("POST", "/api/alarms/acts", comment).headers


def test_what_stands_acknowledged_is_a_row_of_its_own(doors, site):
    doors.form("/alarms", site="1", point="door-forced/archive", condition="event", act="acknowledge")
    assert len(items(doors)) == 1
    site.event("door_forced", "archive")
    doors.turn()
    doors.form("/alarms", site="1", point="door-forced/archive", condition="event", act="acknowledge")
    page = doors.get("/alarms", lang="en").text
    assert page.count('class="alarm high"') == 2
    assert "times" not in page


def test_command_line_lists_one_row_and_says_how_many_it_acknowledged(doors, site, capsys):
    def call(*words):
        assert main(["alarm", *words, "--database-url", site.lab.hub_dsn]) == 0
        return capsys.readouterr().out

    found = [line.split() for line in call("list").splitlines() if "archive" in line]
    assert [(line[0], line[-1]) for line in found] == [("high", "3")]
    name = site.lab.execute("SELECT name FROM sites WHERE id = 1")[0][0]
    assert call("acknowledge", name, "door-forced/archive", "event") == "acknowledged: 3\n"
