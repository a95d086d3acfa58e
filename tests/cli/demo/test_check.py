"""What the check of the demo excuses: a vehicle that stands has no course, and nothing else may be absent."""

from typing import Any

import pytest

from cli.demo.check import faulty


def _row(name: str, quantity: str, **answer: Any) -> dict[str, Any]:
    row = {"state": "live", "status": "good", "value": "0.0", **answer}
    return {"point": {"site": "van", "name": name, "quantity": quantity}, **row}


ABSENT = {"state": "absent", "status": "not_measured", "value": None}


def test_standing_vehicle_may_have_no_course() -> None:
    rows = [_row("gnss/speed", "speed", value="0.2"), _row("gnss/course", "course", **ABSENT)]
    assert faulty(rows) == []


@pytest.mark.parametrize(
    "rows",
    [
        [_row("gnss/speed", "speed", value="9.0"), _row("gnss/course", "course", **ABSENT)],
        [_row("gnss/speed", "speed", **ABSENT), _row("gnss/course", "course", **ABSENT)],
        [_row("gnss/course", "course", **ABSENT)],
        [_row("gnss/speed", "speed"), _row("gnss/course", "course", **ABSENT | {"state": "silent"})],
        [_row("gnss/speed", "speed"), _row("gnss/course", "course", **ABSENT | {"status": "device_error"})],
        [_row("gnss/speed", "speed"), _row("room/air", "temperature", **ABSENT)],
    ],
)
def test_anything_else_that_is_not_live_is_named(rows: list[dict[str, Any]]) -> None:
    assert faulty(rows)
