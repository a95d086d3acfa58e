"""Tracks break where there is no evidence; what was not measured is a dash."""

from datetime import UTC, datetime, timedelta

import pytest

from cloud.store.calibration import BEGINNING, END, Scale, Scales
from cloud.store.positions_read import Fix, LatestPosition
from cloud.web.language import language
from cloud.web.tracks import position_json, speed, split

START = datetime(2026, 11, 20, tzinfo=UTC)
SCALES = Scales([Scale(BEGINNING, END, -9, 5000, None)])


def _fix(second: int, mode: int = 3, latitude: int | None = 40 * 10**9) -> Fix:
    return Fix(
        START + timedelta(seconds=second), mode, latitude, 116 * 10**9 + second, None, None, None, None, None
    )


@pytest.mark.requirement("G-6.10b2")
def test_long_silence_breaks_a_track() -> None:
    runs = split([_fix(0), _fix(1), _fix(2), _fix(90), _fix(91)], SCALES)
    assert [len(run) for run in runs] == [3, 2]


def test_report_without_a_fix_breaks_a_track() -> None:
    assert [len(run) for run in split([_fix(0), _fix(1, mode=1), _fix(2)], SCALES)] == [1, 1]
    assert [len(run) for run in split([_fix(0), _fix(1, latitude=None), _fix(2)], SCALES)] == [1, 1]
    assert split([_fix(0, mode=0)], SCALES) == []


def test_silence_is_long_by_the_period_of_its_own_time() -> None:
    change = START + timedelta(seconds=100)
    scales = Scales([Scale(BEGINNING, change, -9, 1000, None), Scale(change, END, -9, 60_000, None)])
    runs = split([_fix(0), _fix(90), _fix(101), _fix(200)], scales)
    assert [len(run) for run in runs] == [1, 3]


def test_unmeasured_position_is_no_place_and_a_dash() -> None:
    position = LatestPosition(
        7, "gnss/position", 1, "van-1", "Van", "vehicle", START, 1, None, None, None, None, 3.0
    )
    found = position_json(position, language("en"))
    assert found["at"] is None
    assert found["words"] == {"latitude": "—", "longitude": "—", "speed": "—", "course": "—", "fix": "no fix"}


@pytest.mark.parametrize(
    ("mm_s", "text"),
    [(0, "0.0 km/h"), (None, "—"), (11_200, "40.3 km/h"), (13, "0.0 km/h"), (14, "0.1 km/h")],
)
def test_speed_is_km_h_with_one_place(mm_s: int | None, text: str) -> None:
    assert speed(mm_s) == text
