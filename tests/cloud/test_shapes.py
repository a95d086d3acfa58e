"""What has a wrong shape is told by its field, what stands there, and what was expected, in words."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from cloud.shapes import misshapen
from rules.access.document import Schedule


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    """Has a field of each kind."""

    name: Annotated[str, msgspec.Meta(min_length=2)]
    kind: Literal["a", "b"] = "a"
    many: dict[str, int] = {}
    low: Annotated[float, msgspec.Meta(lt=5)] | None = None


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (Schedule, {"windows": [[[], 0, 10]]}, "windows 1 days: nothing: expected at least 1 entry"),
        (
            Schedule,
            {"windows": [[["funday"], 0, 10]]},
            "windows 1 days 1: funday: expected one of mon, tue, wed, thu, fri, sat, sun, holiday",
        ),
        (Schedule, {"windows": "x"}, "windows: x: expected a list"),
        (
            Schedule,
            {"windows": [[["mon"], -1, 10]]},
            "windows 1 start_min: -1: expected a whole number, at least 0",
        ),
        (Schedule, {"wind": [1]}, "wind: [1]: expected no field of this name; known are id, windows"),
        (Thing, {}, "name: nothing: expected a value"),
        (Thing, {"name": "x"}, "name: x: expected at least 2 characters"),
        (Thing, {"name": "xy", "kind": "c"}, "kind: c: expected one of a, b"),
        (Thing, {"name": "xy", "low": 5}, "low: 5: expected a number, less than 5.0"),
        (Thing, {"name": "xy", "low": "5"}, "low: 5: expected a number or nothing"),
        (Thing, [], "nothing: expected a table of fields"),
    ],
)
def test_fault_names_field_value_and_what_was_expected(model: Any, given: Any, said: str) -> None:
    if model is Schedule:
        given = {"id": "a", **given}
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.convert(given, model)
    assert str(misshapen(found.value, given, model)) == said


def test_name_that_does_not_fit_is_said_without_a_pattern() -> None:
    given = {"id": "A b", "windows": []}
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.convert(given, Schedule)
    said = misshapen(found.value, given, Schedule)
    assert (said.place, said.value) == ("id", "A b")
    assert said.expected.startswith("1 to 64 characters of a-z")
