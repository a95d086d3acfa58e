"""How a newest reading is written: exact, or a dash with the reason."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cloud.store.latest import Latest
from cloud.store.points import Point
from cloud.web.language import language
from cloud.web.values import show

NOW = datetime(2026, 11, 20, 12, 0, 0, 20_000, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
POINT = Point(
    5, 1, 1, "lab-1", "room-1/air/temperature", "temperature", "analog", {}, -3, 1000, NOW, "°C", "Cel"
)
POWER = Point(6, 1, 1, "lab-1", "ups/power", "state", "state", {"1": "mains", "2": "battery"}, 0, 1000, NOW)


def test_value_is_written_with_every_digit_on_every_page() -> None:
    shown = show(Latest(POINT, "live", NOW, "-3.1415", "-3.1415", None, "good", 0.5), language("en"), ZONE)
    assert (shown.text, shown.exact) == ("−3.1415", "−3.1415 °C")
    assert (shown.count, shown.exponent) == (-31415, -4)
    assert (shown.flag, shown.look) == ("", "number")
    assert shown.clock == "2026-11-20 20:00:00 +08:00"
    assert shown.at == 1_795_176_000_020


def test_absent_value_is_a_dash_with_its_reason_and_never_nought() -> None:
    shown = show(Latest(POINT, "absent", NOW, None, None, None, "over_range", 0.5), language("zh"), ZONE)
    assert (shown.text, shown.look, shown.flag, shown.count) == ("—", "absent", "超上量程", None)


def test_point_that_never_gave_a_reading_says_so() -> None:
    shown = show(Latest(POINT, "never", None, None, None, None, None, None), language("en"), ZONE)
    assert (shown.text, shown.flag, shown.at) == ("—", "No reading yet", None)


def test_silent_point_says_so_beside_its_last_value() -> None:
    shown = show(Latest(POINT, "silent", NOW, "20.1", "20.1", None, "good", 99.0), language("en"), ZONE)
    assert (shown.text, shown.flag) == ("20.1", "Silent: last value, 99\u202fs old")
    assert shown.stale
    shown = show(Latest(POINT, "silent", NOW, None, None, None, "invalid", 99.0), language("en"), ZONE)
    assert (shown.text, shown.flag) == ("—", "Silent: nothing newer")


def test_state_is_a_word() -> None:
    shown = show(Latest(POWER, "live", NOW, "2", "2", "battery", "good", 0.5), language("zh"), ZONE)
    assert (shown.text, shown.look) == ("电池供电", "word")
    shown = show(Latest(POWER, "absent", NOW, None, None, None, "unknown", 0.5), language("en"), ZONE)
    assert (shown.text, shown.flag) == ("—", "Power unknown")
    assert shown.weight == "urgent"


COURSE = replace(POINT, id=7, name="gnss/course", quantity="course")


def test_course_of_a_vehicle_that_stands_is_said_but_is_no_problem() -> None:
    shown = show(Latest(COURSE, "absent", NOW, None, None, None, "not_measured", 0.5), language("en"), ZONE)
    assert (shown.text, shown.flag, shown.weight) == ("—", "Not measured", "usual")
    shown = show(Latest(COURSE, "absent", NOW, None, None, None, "device_error", 0.5), language("en"), ZONE)
    assert shown.weight == "remark"
