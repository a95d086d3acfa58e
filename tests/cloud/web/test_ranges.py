"""Ranges are read in the site's time zone; nonsense is refused with field, value and expectation."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cloud.web.language import language
from cloud.web.ranges import SPANS, BadRangeError, read_range

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("name", SPANS)
def test_named_range_ends_now(name: str) -> None:
    found = read_range(name, None, None, now=NOW, zone=SHANGHAI)
    assert found.to_at == NOW
    assert found.to_at.astimezone(UTC) - found.from_at.astimezone(UTC) == SPANS[name]
    assert found.query == f"range={name}"


def test_named_range_is_as_long_over_a_change_of_the_clocks() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    found = read_range("24h", None, None, now=datetime(2026, 10, 25, 12, 0, tzinfo=UTC), zone=berlin)
    assert found.to_at.astimezone(UTC) - found.from_at.astimezone(UTC) == timedelta(hours=24)


def test_custom_range_is_local_time() -> None:
    found = read_range(None, "2026-11-20T08:00", "2026-11-20T09:30", now=NOW, zone=SHANGHAI)
    assert found.from_at == datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
    assert found.to_at == datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
    assert found.name is None
    assert found.query == "from=2026-11-20T08:00&to=2026-11-20T09:30"


def test_nothing_asked_is_the_last_hour() -> None:
    assert read_range(None, None, None, now=NOW, zone=SHANGHAI).name == "1h"


@pytest.mark.parametrize(
    ("name", "start", "end", "field", "value"),
    [
        ("99d", None, None, "range", "99d"),
        ("", None, None, "range", ""),
        ("99d", "2026-11-20T08:00", "2026-11-20T09:30", "range", "99d"),
        (None, "yesterday", "today", "from", "yesterday"),
        (None, "2026-11-20T10:00", "today", "to", "today"),
        (None, "2026-11-20T10:00", None, "to", ""),
        (None, None, "2026-11-20T10:00", "from", ""),
        (None, "2026-11-20T10:00", "2026-11-20T09:00", "to", "2026-11-20T09:00"),
        (None, "2006-11-20T10:00", "2026-11-20T09:00", "to", "2026-11-20T09:00"),
        (None, "1026-11-20T10:00", "2026-11-20T09:00", "from", "1026-11-20T10:00"),
        (None, "0001-01-01T00:00", "2026-11-20T09:00", "from", "0001-01-01T00:00"),
        (None, "2026-11-20T10:00", "9999-12-31T23:59", "to", "9999-12-31T23:59"),
    ],
)
def test_nonsense_is_refused_with_field_and_value(name, start, end, field, value) -> None:
    with pytest.raises(BadRangeError) as error:
        read_range(name, start, end, now=NOW, zone=SHANGHAI)
    assert (error.value.field, error.value.value) == (field, value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("en", "range is “99d”: expected one of 1h, 24h, 7d, 30d, 1y."),
        ("zh", "range 为 “99d”：应为 1h, 24h, 7d, 30d, 1y 之一。"),
    ],
)
def test_error_says_what_was_expected_in_the_language_of_the_page(code: str, said: str) -> None:
    with pytest.raises(BadRangeError) as error:
        read_range("99d", None, None, now=NOW, zone=SHANGHAI)
    assert error.value.say(language(code)) == said


def test_long_value_is_said_in_part() -> None:
    assert len(BadRangeError("range", "9" * 5000, words=("1h",)).say(language("en"))) < 200
