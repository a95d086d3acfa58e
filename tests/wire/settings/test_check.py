"""Settings are checked as a whole: every fault at once, each with path, value and expectation."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.settings.check import check
from wire.settings.gateway import GatewaySettings, read_settings

GOOD = """
[gateway]
id = "lab-1"
[uplink]
host = "127.0.0.1"
timeout_s = 5
protocol = "mqtt5"
[clock]
sources = ["system", "hub"]
drift_ppm = 20.0
[[device]]
driver = "modbus"
name = "room-1"
host = "192.0.2.10"
[[device.unit]]
address = 1
profile = "meter"
prefix = "room-1/air"
[[device.profile]]
name = "meter"
[[device.profile.value]]
point = "temperature"
quantity = "temperature"
register = 1
function = 3
type = "int16"
offset = 1.5
kind = "analog"
scale = "0.1"
invalid = ["0x8000"]
[[device]]
driver = "ups"
name = "ups-1"
[[device]]
driver = "gnss"
name = "gnss-1"
"""

TOML = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.datetimes() | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["gateway", "uplink", "device", "id", "host", "driver", "name", "unit", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ODD = [
    True,
    0,
    -1,
    3.0,
    0.5,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "\0",
    "x\n",
    "1",
    [],
    [[]],
    {},
    [1],
    "[]",
]


def _paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in items for found in [(*path, key), *_paths(value, (*path, key))]]


def _replaced(data: Any, path: tuple[Any, ...], value: object) -> Any:
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = value if len(path) == 1 else _replaced(copy[path[0]], path[1:], value)
    return copy


def test_good_settings_have_no_fault() -> None:
    found, faults = check(tomllib.loads(GOOD), GatewaySettings)
    assert faults == []
    assert found is not None
    assert [device.name for device in found.device] == ["room-1", "ups-1", "gnss-1"]


def test_all_faults_come_at_once() -> None:
    bad = GOOD.replace('"lab-1"', '"Lab 1"').replace("address = 1", "address = 300\nspeed = 9")
    bad = bad.replace('host = "127.0.0.1"', "port = 99999").replace('"ups"', '"toaster"')
    found, faults = check(tomllib.loads(bad), GatewaySettings)
    assert found is None
    assert {fault.path for fault in faults} == {
        "gateway.id",
        "uplink.host",
        "uplink.port",
        "device[0].unit[0].address",
        "device[0].unit[0].speed",
        "device[1].driver",
    }
    for fault in faults:
        path, _, rest = str(fault).partition(": ")
        assert path == fault.path
        assert ": expected " in rest


def test_faults_between_fields_come_with_those_of_fields() -> None:
    bad = GOOD.replace('host = "127.0.0.1"', "port = 99999\nresend_s = 20\nresend_max_s = 5")
    bad = bad.replace('"system", "hub"', '"hub", "hub"').replace("drift_ppm = 20.0", "drift_ppm = -1")
    bad = bad.replace('"ups-1"', '"room-1"').replace('name = "gnss-1"', 'name = "room-1"\nport = 0')
    _, faults = check(tomllib.loads(bad), GatewaySettings)
    assert sorted(fault.path for fault in faults) == [
        "clock.drift_ppm",
        "clock.sources[1]",
        "device[1].name",
        "device[2].name",
        "device[2].port",
        "uplink.host",
        "uplink.port",
        "uplink.resend_max_s",
    ]


@given(TOML)
def test_any_document_gives_faults_and_never_an_error(data: object) -> None:
    found, faults = check(data, GatewaySettings)
    assert (found is None) == bool(faults)


@pytest.mark.parametrize("path", _paths(tomllib.loads(GOOD)), ids=str)
def test_odd_value_anywhere_is_a_fault_or_fits(path: tuple[Any, ...]) -> None:
    for value in ODD:
        found, faults = check(_replaced(tomllib.loads(GOOD), path, value), GatewaySettings)
        assert (found is None) == bool(faults), value


@pytest.mark.parametrize(
    "name", ["gateway.id", "device[0].name", "device[0].host", "device[0].unit[0].prefix"]
)
def test_name_with_a_newline_at_its_end_is_a_fault(name: str) -> None:
    path = tuple(
        int(part) if part.isdigit() else part for part in name.replace("[", ".").replace("]", "").split(".")
    )
    _, faults = check(_replaced(tomllib.loads(GOOD), path, "room-1\n"), GatewaySettings)
    assert [fault.path for fault in faults] == [name]


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"[gateway", b"x = " + b"9" * 5000, b"x = " + b"[" * 5000, b"", b"x = 1979-05-27"],
    ids=["no text", "cut off", "endless number", "deep", "empty", "foreign"],
)
def test_unreadable_file_is_a_fault(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_bytes(data)
    found, faults = read_settings(file)
    assert found is None
    assert faults


def test_missing_file_is_a_fault(tmp_path: Path) -> None:
    found, faults = read_settings(tmp_path / "nowhere.toml")
    assert found is None
    assert [str(tmp_path / "nowhere.toml")] == [fault.path for fault in faults]
