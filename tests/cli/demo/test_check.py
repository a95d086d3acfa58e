"""What the check of the demo excuses: courses of who stands, levels of a wire, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.demo.asking import Stretch, WrongError
from cli.demo.check import faulty, told_of_the_past


def _row(name: str, quantity: str, **answer: Any) -> dict[str, Any]:
    row = {"state": "live", "status": "good", "value": "0.0", "word": None, **answer}
    row = {"observed_at": "2026-11-21T12:00:00.010Z", **row}
    return {"point": {"site": "van", "name": name, "quantity": quantity}, **row}


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
ABSENT = {"state": "absent", "status": "not_measured", "value": None}


def test_standing_vehicle_may_have_no_course() -> None:
    rows = [_row("gnss/speed", "speed", value="0.2"), _row("gnss/course", "course", **ABSENT)]
    assert faulty(rows, since=NOW) == []


@pytest.mark.parametrize("word", ["ethernet", "mobile"])
def test_wire_and_modem_may_have_no_level(word: str) -> None:
    rows = [_row("uplink/bearer", "state", word=word), _row("uplink/signal", "signal_level", **ABSENT)]
    assert faulty(rows, since=NOW) == []


@pytest.mark.parametrize(
    "rows",
    [
        [_row("uplink/bearer", "state", word="wifi"), _row("uplink/signal", "signal_level", **ABSENT)],
        [_row("other/bearer", "state", word="mobile"), _row("uplink/signal", "signal_level", **ABSENT)],
        [_row("uplink/bearer", "state", word="mobile"), _row("uplink/sent", "data_volume", **ABSENT)],
        [_row("gnss/speed", "speed", value="9.0"), _row("gnss/course", "course", **ABSENT)],
        [_row("gnss/speed", "speed", **ABSENT), _row("gnss/course", "course", **ABSENT)],
        [_row("gnss/course", "course", **ABSENT)],
        [_row("gnss/speed", "speed"), _row("gnss/course", "course", **ABSENT | {"state": "silent"})],
        [_row("gnss/speed", "speed"), _row("gnss/course", "course", **ABSENT | {"status": "device_error"})],
        [_row("gnss/speed", "speed"), _row("room/air", "temperature", **ABSENT)],
    ],
)
def test_anything_else_that_is_not_live_is_named(rows: list[dict[str, Any]]) -> None:
    assert faulty(rows, since=NOW)


def test_value_of_an_earlier_run_is_named() -> None:
    assert faulty([_row("room/air", "temperature")], since=NOW) == []
    assert faulty([_row("room/air", "temperature")], since=NOW + 1) == [
        "van/room/air was last read in an earlier run"
    ]


def test_long_stretch_is_asked_for_in_pieces() -> None:
    pieces = list(Stretch(0.0, 25.0).pieces(10.0))
    assert pieces == [Stretch(15.0, 25.0), Stretch(5.0, 15.0), Stretch(0.0, 5.0)]


def test_fault_of_the_past_is_told_with_its_numbers() -> None:
    sums = {"expected": 700, "stored": 600, "explained": 20, "duplicated": 1}
    with pytest.raises(WrongError) as told:
        told_of_the_past(Stretch(0.0, 25.0), sums, {"a": 30, "b": 50, "c": 0})
    assert str(told.value) == (
        "since 1970-01-01 00:00:00 UTC: 700 due, 600 stored, 20 explained, 80 unexplained"
        " at 2 points (b, a), 1 twice"
    )


def test_whole_past_is_told_in_numbers() -> None:
    sums = {"expected": 620, "stored": 600, "explained": 20, "duplicated": 0}
    told = told_of_the_past(Stretch(0.0, 25.0), sums, {"a": 0})
    assert told == "since 1970-01-01 00:00:00 UTC: 620 due, 600 stored, 20 explained, 0 unexplained"
