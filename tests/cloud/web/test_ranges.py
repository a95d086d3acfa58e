"""Ranges are read in the site's time zone; nonsense becomes the last hour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cloud.web.ranges import SPANS, read_range

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


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2h", None, None),
        (None, "yesterday", "today"),
        (None, "2026-11-20T10:00", "2026-11-20T09:00"),
        (None, "1026-11-20T10:00", "2026-11-20T09:00"),
        (None, "2026-11-20T10:00", None),
    ],
)
def test_nonsense_becomes_the_last_hour(name, start, end) -> None:
    assert read_range(name, start, end, now=NOW, zone=SHANGHAI).name == "1h"
