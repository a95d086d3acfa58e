"""Settings of Bluetooth devices: the sample works, and each mistake is named with what was expected."""

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.ble import decode
from edge.drivers.ble.driver import BleDriver
from wire.settings.ble import RUUVI_POINTS, BleDevice, adapters_shared
from wire.settings.check import check

SAMPLE = Path(__file__).parents[4] / "edge" / "drivers" / "ble" / "sample.toml"
RUUVI = {"prefix": "a", "address": "CB:B8:33:4C:88:4F", "format": "ruuvi"}
BTHOME = {"prefix": "b", "address": "54:48:E6:8F:80:A5", "format": "bthome", "points": ["battery"]}
BADGE = {"name": "badge", "namespace": "00112233445566778899", "instance": "aabbccddeeff"}
TAG = {"name": "tag", "uuid": "f7826da6-4fa2-4e98-8024-bc5b71e0893e", "major": 1, "minor": 2}


def read(**more: Any) -> tuple[BleDevice | None, list[str]]:
    settings, faults = check({"name": "ble", **more}, BleDevice)
    return settings, [f"{fault.path}: {fault.expectation}" for fault in faults]


def test_sample_makes_a_driver() -> None:
    (table,) = tomllib.loads(SAMPLE.read_text("utf-8"))["device"]
    table.pop("driver")
    settings, faults = check(table, BleDevice)
    assert faults == []
    assert settings is not None
    driver = BleDriver(settings, Given(time.monotonic_ns))
    names = [point.name for point in driver.points]
    assert len(names) == 6 + 3 + 2
    assert names[0] == "room-1/bench/temperature"
    assert names[-1] == "badge-12/presence"
    declared = {name for layout in driver.layouts for name in layout.points}
    assert declared == set(names)


def test_every_value_of_the_format_can_be_a_point() -> None:
    assert set(RUUVI_POINTS) == {*decode.RUUVI_POINTS, "missed"}


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"sensor": [RUUVI | {"address": "cb:b8:33:4c:88:4f"}]}, "sensor[0].address: six bytes"),
        ({"sensor": [RUUVI | {"points": ["co2"]}]}, "sensor[0].points[0]: one of temperature"),
        ({"sensor": [RUUVI | {"points": ["humidity"] * 2}]}, "sensor[0].points[1]: each point once"),
        ({"sensor": [RUUVI | {"counter_reset": 1}]}, "sensor[0].counter_reset: nothing"),
        ({"sensor": [BTHOME | {"points": []}]}, "sensor[0].points: at least one point"),
        ({"sensor": [BTHOME | {"key_file": "../key"}]}, "sensor[0].key_file: "),
        ({"sensor": [RUUVI, RUUVI | {"prefix": "c"}]}, "sensor[1].address: an address that is used once"),
        (
            {"sensor": [RUUVI, RUUVI | {"address": "CB:B8:33:4C:88:50"}]},
            "sensor[1].prefix: a prefix under which its names are free; sensor[0] has ",
        ),
        ({"tag": [TAG | {"minor": 70_000}]}, "tag[0].minor: "),
        ({"tag": [TAG | {"instance": "aabbccddeeff"}]}, "tag[0].uuid: uuid, major and minor, or"),
        ({"tag": [{"name": "x"}]}, "tag[0].uuid: uuid, major and minor, or"),
        ({"tag": [TAG, TAG | {"name": "other"}]}, "tag[1]: an identity that no other tag has"),
        ({"presence": {"enter_dbm": -80, "leave_dbm": -80}}, "presence.leave_dbm: less than enter_dbm (-80)"),
        ({"adapters": ["hci0", "hci0"]}, "adapters[1]: each adapter once"),
        ({"adapters": ["eth0"]}, "adapters[0]: hci0, hci1"),
        ({"candidates": False}, "sensor: at least one sensor or tag"),
    ],
)
def test_mistake_is_named(more: dict[str, Any], fault: str) -> None:
    settings, faults = read(**more)
    assert settings is None
    assert any(one.startswith(fault) for one in faults), faults


@pytest.mark.parametrize(
    ("more", "patience_s"),
    [
        ({}, 90),
        ({"tag": [TAG, BADGE]}, 90),
        ({"sensor": [RUUVI | {"period_ms": 60_000}]}, 10),
        ({"sensor": [BTHOME | {"period_ms": 60_000}]}, 180),
        ({"sensor": [BTHOME | {"period_ms": 60_000}, RUUVI]}, 10),
        ({"sensor": [BTHOME | {"comes_by_itself": True}]}, 90),
        ({"sensor": [RUUVI], "watchdog_s": 45}, 45),
    ],
)
def test_patience_with_the_radio_follows_from_the_sensors(more: dict[str, Any], patience_s: float) -> None:
    settings, faults = read(**more)
    assert faults == []
    assert settings is not None
    assert settings.patience_s == patience_s


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (["hci0"], ["hci1"], []),
        (["hci0"], ["hci1", "hci0"], ["adapters of its own; one listens with hci0"]),
        (["hci0"], [], ["adapters of its own; one listens with hci0"]),
        ([], ["hci0"], ["adapters of its own; one listens with all"]),
    ],
)
def test_adapter_belongs_to_one_device(one: list[str], other: list[str], said: list[str]) -> None:
    devices = [BleDevice(name="one", adapters=one), object(), BleDevice(name="other", adapters=other)]
    found = list(adapters_shared(devices))
    assert [fault.expectation for fault in found] == said
    assert all(fault.path == "device[2].adapters" for fault in found)
