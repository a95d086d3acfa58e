"""What stands between tables is checked beside faults of single ones, for every kind of device."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import edge.drivers
from wire.settings.check import check
from wire.settings.gateway import GatewaySettings

DRIVERS = Path(edge.drivers.__path__[0])
SAMPLES = sorted(DRIVERS.glob("*/sample*.toml"))
HEAD: dict[str, Any] = {"gateway": {"id": "lab-1"}, "uplink": {"host": "127.0.0.1"}}


def _devices(sample: Path) -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = tomllib.loads(sample.read_text(encoding="utf-8"))["device"]
    return tables


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("odd", [None, -1, "?", [None], {"a": 1}, [{}]])
def test_odd_value_in_a_device_hides_no_fault_between_the_others(sample: Path, odd: object) -> None:
    (first, *_) = _devices(sample)
    port = {"driver": "modbus-rtu", "path": "/dev/ttyTEST"}
    line = {**port, "unit": [{"address": 1, "profile": "xy-md02", "prefix": "a"}]}
    for key in first.keys() - {"driver"}:
        tables = [{**first, key: odd}, {**line, "name": "line-1"}, {**line, "name": "line-2", "baud": 9601}]
        _, faults = check({**HEAD, "device": tables}, GatewaySettings)
        told = {(fault.path, fault.expectation) for fault in faults}
        assert ("device[2].path", "a port that line-1 does not own") in told, key
        assert "device[2].baud" in {path for path, _ in told}


def test_source_named_twice_is_told_beside_one_that_does_not_exist() -> None:
    clock = {"sources": ["system", "sundial", "hub", "system"]}
    _, faults = check({**HEAD, "clock": clock, "device": []}, GatewaySettings)
    assert {"clock.sources[1]", "clock.sources[3]"} <= {fault.path for fault in faults}


def test_holder_of_a_name_is_told() -> None:
    ups = {"driver": "ups", "name": "power"}
    _, (fault,) = check({**HEAD, "device": [ups, ups]}, GatewaySettings)
    assert str(fault) == (
        "device[1].name: 'power': expected a name that no other device has; device[0] has it"
    )
