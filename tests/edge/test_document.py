"""All faults of a settings file come in one round, whichever table they are in."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import edge.drivers
from edge.document import document_faults

MANY = """
[[device]]
driver = "modbus"
name = "room"
[[device.unit]]
address = 999
profile = "nobody-made-this"
prefix = "a"
[[device.unit]]
profile = "xy-md02"
prefix = "b"
points = [7, "temperature", "smell"]
[[device.unit]]
address = 3
profile = "xy-md02"
prefix = "c"
[[device.unit]]
address = 4
profile = "xy-md02"
prefix = "c"
[[device.unit]]
address = 5
profile = "half-made"
prefix = "c"
[[device.profile]]
name = "half-made"
[[device.profile]]
name = "xy-md02"
[[device.profile.value]]
point = "temperature"
quantity = "temperature"
register = 0
[[device]]
driver = "ups"
name = "c"
prefix = "b"
port = 0
[[device]]
driver = "modbus-rtu"
name = "line"
baud = 9601
[[device.unit]]
address = 1
profile = "rs-ws-n01-8"
prefix = "c"
"""


def test_every_table_is_asked_beside_the_faults_of_the_others() -> None:
    told = {(fault.path, fault.value): fault.expectation for fault in document_faults(tomllib.loads(MANY))}
    assert told["device[0].unit[0].profile", "nobody-made-this"].startswith("one of ")
    assert told["device[0].unit[1].points[2]", "smell"].startswith("one of temperature")
    assert told["device[0].unit[3].prefix", "c"] == (
        "a prefix under which its names are free; unit[2] has c/temperature"
    )
    assert told["device[0].profile[1].name", "xy-md02"] == "a name that no profile of Heng has"
    assert told["device line", "c/temperature"] == "a point that room does not feed"
    assert not [path for path, _ in told if "unit[4]" in path]


SAMPLES = sorted(Path(edge.drivers.__path__[0]).glob("*/sample*.toml"))


def _places(value: object, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*place, key))


def _replaced(data: Any, place: tuple[Any, ...], value: object) -> Any:
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[place[0]] = value if len(place) == 1 else _replaced(copy[place[0]], place[1:], value)
    return copy


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_odd_value_anywhere_in_a_device_is_no_error(sample: Path) -> None:
    devices = tomllib.loads(sample.read_text(encoding="utf-8"))["device"]
    for place in list(_places(devices))[1:]:
        for odd in (None, "?", -1, [None], {"a": 1}):
            document_faults({"device": _replaced(devices, place, odd)})
