"""Who asks the control port for what is not there is told what is."""

import json

import pytest

from simulators.control import obey
from simulators.devices.modbus import ModbusLine, Unit
from simulators.running import Running


def _state() -> Running:
    unit = Unit(2, "xy-md02", lambda _: 20.0, name="lab-1/room-1/2")
    return Running("one", {"lab-1/room-1": ModbusLine([unit], now=lambda: (0, 0), log=None)}, {})


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"device": "lab-1/room-9", "fault": ""}, "device 'lab-1/room-9': expected one of lab-1/room-1"),
        ({"device": "lab-1/room-1", "unit": 9, "fault": ""}, "unit 9 of lab-1/room-1: expected one of 2"),
    ],
)
def test_unknown_device_and_unit_are_answered_with_those_that_are_there(
    wish: dict[str, object], error: str
) -> None:
    answer = json.loads(obey(_state(), json.dumps(wish).encode()))
    assert answer == {"ok": False, "error": error}
