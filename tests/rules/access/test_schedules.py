"""Schedules on the wall clock of a site: days, holidays, make-up workdays, midnight, summer time."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.access.document import Day, Offset, Schedule, Window
from rules.access.schedules import Wall, day_number, holds, offsets_of, spans_of, wall_of
from rules.access.words import DayKind, DayName
from tests.rules.access.world import DAY_MS, HOUR_MS, WORKDAYS, at

BERLIN, SHANGHAI, LORD_HOWE = (
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("Asia/Shanghai"),
    ZoneInfo("Australia/Lord_Howe"),
)
"""With an hour of summer time, without any, with half an hour."""
FIRST, LAST = at("2025-01-01T00:00:00", BERLIN), at("2028-01-01T00:00:00", BERLIN)
WALLS = {zone: wall_of(offsets_of(zone, FIRST, LAST), ()) for zone in (BERLIN, SHANGHAI, LORD_HOWE)}
WEEK = tuple(DayName)[:7]
OFFICE = Schedule(id="office", windows=(Window(WORKDAYS, 8 * 60, 18 * 60),))
NIGHT = Schedule(id="night", windows=(Window((DayName.FRI,), 22 * 60, 30 * 60),))


def is_open(schedule: Schedule, text: str, *days: Day, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> bool:
    wall = wall_of(offsets_of(zone, FIRST, LAST), days)
    return holds(spans_of(schedule), wall, at(text, zone, fold=fold))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T07:59:59", False),
        ("2026-03-04T08:00:00", True),
        ("2026-03-04T17:59:59", True),
        ("2026-03-04T18:00:00", False),
        ("2026-03-07T10:00:00", False),
    ],
)
def test_window_includes_its_start_and_not_its_end(text: str, expected: bool) -> None:
    assert is_open(OFFICE, text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-06T21:59:59", False),
        ("2026-03-06T22:00:00", True),
        ("2026-03-06T23:59:59", True),
        ("2026-03-07T00:00:00", True),
        ("2026-03-07T05:59:59", True),
        ("2026-03-07T06:00:00", False),
        ("2026-03-07T22:30:00", False),
        ("2026-03-06T05:00:00", False),
    ],
)
def test_window_over_midnight_belongs_to_the_day_on_which_it_begins(text: str, expected: bool) -> None:
    assert is_open(NIGHT, text) is expected


def test_whole_day_is_open_from_midnight_to_midnight() -> None:
    whole = Schedule(id="wed", windows=(Window((DayName.WED,), 0, 1440),))
    texts = ("2026-03-03T23:59:59", "2026-03-04T00:00:00", "2026-03-04T23:59:59", "2026-03-05T00:00:00")
    assert [is_open(whole, text) for text in texts] == [False, True, True, False]


def test_holiday_is_no_day_of_the_week() -> None:
    holiday = Day(date="2026-03-04", kind=DayKind.HOLIDAY)
    assert not is_open(OFFICE, "2026-03-04T10:00:00", holiday)
    assert is_open(OFFICE, "2026-03-05T10:00:00", holiday)
    guard = Schedule(id="guard", windows=(Window((DayName.HOLIDAY,), 0, 1440),))
    assert is_open(guard, "2026-03-04T10:00:00", holiday)
    assert not is_open(guard, "2026-03-05T10:00:00", holiday)


def test_window_that_began_before_a_holiday_goes_on_into_it() -> None:
    saturday = Day(date="2026-03-07", kind=DayKind.HOLIDAY)
    assert is_open(NIGHT, "2026-03-07T05:00:00", saturday)
    friday = Day(date="2026-03-06", kind=DayKind.HOLIDAY)
    assert not is_open(NIGHT, "2026-03-07T05:00:00", friday)


def test_make_up_workday_counts_as_the_day_that_it_stands_for() -> None:
    """Golden Week of 2026: Saturday 10 October is worked in place of Wednesday 7 October."""
    saturday = "2026-10-10T10:00:00"
    assert not is_open(OFFICE, saturday)
    assert is_open(OFFICE, saturday, Day(date="2026-10-10", kind=DayKind.WORKDAY))
    wednesdays = Schedule(id="wed", windows=(Window((DayName.WED,), 0, 1440),))
    assert not is_open(wednesdays, saturday, Day(date="2026-10-10", kind=DayKind.WORKDAY))
    stands_for = Day(date="2026-10-10", kind=DayKind.WORKDAY, like=DayName.WED)
    assert is_open(wednesdays, saturday, stands_for)


def test_hour_that_is_skipped_does_not_open_a_window_within_it() -> None:
    early = Schedule(id="early", windows=(Window((DayName.SUN,), 120, 180),))
    start, wall = at("2026-03-29T00:00:00", BERLIN), WALLS[BERLIN]
    assert not any(holds(spans_of(early), wall, start + minute * 60_000) for minute in range(23 * 60))


def test_hour_that_is_repeated_opens_its_window_twice() -> None:
    early = Schedule(id="early", windows=(Window((DayName.SUN,), 120, 180),))
    start, wall = at("2026-10-25T00:00:00", BERLIN), WALLS[BERLIN]
    minutes = [holds(spans_of(early), wall, start + minute * 60_000) for minute in range(25 * 60)]
    assert sum(minutes) == 120
    assert is_open(early, "2026-10-25T02:30:00", zone=BERLIN)
    assert is_open(early, "2026-10-25T02:30:00", zone=BERLIN, fold=1)


def _reference(schedule: Schedule, zone: ZoneInfo, at_ms: int) -> bool:
    """The same by dates and times of the standard library."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(zone)
    naive = local.replace(tzinfo=None)
    for window in schedule.windows:
        for back in (0, 1):
            midnight = datetime.combine(naive.date() - timedelta(days=back), datetime.min.time())
            start = midnight + timedelta(minutes=window.start_min)
            end = midnight + timedelta(minutes=window.end_min)
            if WEEK[midnight.weekday()] in window.days and start <= naive < end:
                return True
    return False


WINDOWS = st.builds(
    lambda days, start, length: Window(tuple(days), start, start + length),
    st.sets(st.sampled_from(WEEK), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
CHANGES = [offset.from_ms for wall in WALLS.values() for offset in map(Offset, wall.starts, wall.seconds)]
INSTANTS = st.integers(FIRST + DAY_MS, LAST - DAY_MS) | st.builds(
    lambda change, near: change + near,
    st.sampled_from([one for one in CHANGES if one > FIRST]),
    st.integers(-3 * HOUR_MS, 3 * HOUR_MS),
)
"""Any, and many near a change of the offset."""


@given(st.lists(WINDOWS, max_size=3), INSTANTS, st.sampled_from(list(WALLS)))
def test_schedule_holds_as_the_wall_clock_says(windows: list[Window], instant: int, zone: ZoneInfo) -> None:
    schedule = Schedule(id="any", windows=tuple(windows))
    assert holds(spans_of(schedule), WALLS[zone], instant) == _reference(schedule, zone, instant)


@given(INSTANTS, st.sampled_from(list(WALLS)))
def test_local_day_and_minute_are_those_of_the_zone(instant: int, zone: ZoneInfo) -> None:
    local = datetime.fromtimestamp(instant / 1000, zone)
    day, minute = WALLS[zone].local(instant)
    assert date(1970, 1, 1) + timedelta(days=day) == local.date()
    assert minute == local.hour * 60 + local.minute


def test_offsets_name_each_change_to_the_millisecond() -> None:
    found = offsets_of(BERLIN, at("2026-01-01T00:00:00", BERLIN), at("2027-01-01T00:00:00", BERLIN))
    assert found == (
        Offset(at("2026-01-01T00:00:00", BERLIN), 3600),
        Offset(at("2026-03-29T03:00:00", BERLIN), 7200),
        Offset(at("2026-10-25T02:00:00", BERLIN, fold=1), 3600),
    )
    begin, end = at("2026-01-01T00:00:00", BERLIN), at("2027-01-01T00:00:00", BERLIN)
    for later in range(8):
        assert offsets_of(BERLIN, begin + later, end)[1:] == found[1:]
    assert offsets_of(SHANGHAI, FIRST, LAST) == (Offset(FIRST, 8 * 3600),)


def test_first_offset_counts_before_it_too() -> None:
    wall = Wall((1000,), (3600,), {})
    assert wall.local(0) == (0, 60)


def test_day_number_of_a_date_that_does_not_exist_is_refused() -> None:
    assert day_number("1970-01-02") == 1
    with pytest.raises(ValueError, match="day is out of range"):
        day_number("2026-02-30")
