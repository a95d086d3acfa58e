"""Statuses and causes are on disk: their numbers and words never change."""

import pytest

from wire.status import ClockState, GapCause, PointKind, Status


def test_status_numbers_are_fixed() -> None:
    assert {status.name: int(status) for status in Status} == {
        "GOOD": 0,
        "IMPLAUSIBLE": 1,
        "TIME_BRACKETED": 2,
        "NOT_MEASURED": 16,
        "INVALID": 17,
        "OVER_RANGE": 18,
        "UNDER_RANGE": 19,
        "DEVICE_ERROR": 20,
        "STALE": 21,
        "UNKNOWN": 22,
    }


@pytest.mark.parametrize("status", Status)
def test_value_is_absent_from_sixteen_on(status: Status) -> None:
    assert status.absent is (int(status) > 15)


def test_words_on_the_wire_are_fixed() -> None:
    assert " ".join(GapCause) == "sensor radio bus gateway power storage clock hub maintenance"
    assert " ".join(ClockState) == "unsynchronised synchronised holdover"
    assert " ".join(PointKind) == "analog state counter"
