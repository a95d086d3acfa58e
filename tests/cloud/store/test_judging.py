"""Whether a device works is judged by evidence alone: readings, open gaps, its gateway."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloud.store.gaps_read import Gap
from cloud.store.judging import Judged, judge
from cloud.store.latest import Latest
from cloud.store.points import Point
from cloud.store.sites import Gateway

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR_AGO = NOW - timedelta(hours=1)
GATEWAY = Gateway(1, "o", "g", 1, "s", True, HOUR_AGO, None, NOW, HOUR_AGO)


def latest(
    number: int, state: str, *, name: str = "a/b", word: str = "", period: int | None = 1000
) -> Latest:
    point = Point(number, 1, 1, "s", name, "state", "state", {}, 0, period, HOUR_AGO)
    at = None if state == "never" else NOW if state == "live" else HOUR_AGO
    return Latest(point, state, at, None, None, word or None, None, None)


def gap(point: int, cause: str = "bus", since: datetime | None = HOUR_AGO) -> Gap:
    return Gap(point, point, "a/b", 1, "s", cause, "no answer", since, NOW, True, NOW)


def test_everything_heard_is_working() -> None:
    assert judge([latest(1, "live"), latest(2, "absent")], {}, GATEWAY) == Judged("working")


def test_what_answers_without_any_good_value_is_of_no_use() -> None:
    stale = judge([latest(1, "absent"), latest(2, "absent")], {}, GATEWAY)
    assert stale == Judged("silent", None, "no_value", "", 2)


def test_without_points_there_is_nothing_to_judge_by() -> None:
    assert judge([], {}, GATEWAY).state == "unmonitored"


def test_some_silent_points_make_it_partly_and_all_silent_with_their_cause() -> None:
    some = judge([latest(1, "live"), latest(2, "silent")], {2: gap(2)}, GATEWAY)
    assert some == Judged("partly", HOUR_AGO, "bus", "no answer", 1)
    every = judge([latest(1, "silent"), latest(2, "silent")], {2: gap(2, "sensor")}, GATEWAY)
    assert every == Judged("silent", HOUR_AGO, "sensor", "no answer", 2)
    assert judge([latest(1, "silent")], {}, GATEWAY) == Judged("silent", HOUR_AGO, None, "", 1)


def test_silence_goes_on_where_its_reason_changes() -> None:
    later = gap(1, since=HOUR_AGO + timedelta(minutes=9))
    assert judge([latest(1, "silent")], {1: later}, GATEWAY).since_at == HOUR_AGO
    by_itself = judge([latest(1, "live", period=None)], {1: later}, GATEWAY)
    assert by_itself.since_at == later.from_at, "its last word is no beginning of a silence"


def test_never_heard_says_why_where_the_gateway_did() -> None:
    assert judge([latest(1, "never")], {}, GATEWAY) == Judged("never", silent=1)
    told = judge([latest(1, "never")], {1: gap(1, since=None)}, GATEWAY)
    assert told == Judged("never", None, "bus", "no answer", 1)


def test_what_comes_by_itself_is_silent_only_when_its_gateway_says_so() -> None:
    assert judge([latest(1, "live", period=None)], {}, GATEWAY).state == "working"
    assert judge([latest(1, "live", period=None)], {1: gap(1)}, GATEWAY).state == "silent"
    mixed = [latest(1, "live"), latest(2, "never", period=None)]
    assert judge(mixed, {}, GATEWAY).state == "working"


def test_nothing_works_behind_a_gateway_that_is_not_heard() -> None:
    away = replace(GATEWAY, online=False, online_since=HOUR_AGO)
    assert judge([latest(1, "live")], {}, away) == Judged("silent", HOUR_AGO, "offline", "", 1)


@pytest.mark.parametrize(
    ("leaf", "word", "cause"),
    [("link", "lost", "session_lost"), ("line", "low", "line_low"), ("picture", "frozen", "frozen")],
)
def test_readings_that_say_that_it_is_of_no_use_make_it_silent(leaf: str, word: str, cause: str) -> None:
    points = [
        latest(1, "live", name=f"door/in/{leaf}", word=word),
        latest(2, "silent", name="door/in/tamper"),
    ]
    assert judge(points, {2: gap(2)}, GATEWAY) == Judged("silent", HOUR_AGO, cause, "no answer", 1)
    other = latest(3, "live", name="gate/out/link", word="secure")
    assert judge([*points, other], {2: gap(2)}, GATEWAY).state == "partly", "another reader on the line works"
