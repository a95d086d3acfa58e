"""Times of day are written in the site's zone with their offset, and with the date when it is another day."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from cloud.web.values import offset_text, since_text

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 20, 11, 30, 2, tzinfo=UTC), "19:30:02 +08:00"),
        (datetime(2026, 11, 19, 16, 0, tzinfo=UTC), "00:00:00 +08:00"),
        (datetime(2026, 11, 19, 15, 59, 59, tzinfo=UTC), "2026-11-19 23:59:59 +08:00"),
    ],
)
def test_since_has_its_offset_and_a_date_when_needed(moment: datetime, text: str) -> None:
    assert since_text(moment, NOW, SHANGHAI) == text


def test_offset_of_a_zone_is_named_with_utc() -> None:
    assert offset_text(NOW, SHANGHAI) == "UTC+08:00"
    assert offset_text(NOW, ZoneInfo("UTC")) == "UTC+00:00"
    assert offset_text(datetime(2026, 7, 1, tzinfo=UTC), ZoneInfo("Europe/Berlin")) == "UTC+02:00"
