"""What only one device can have is refused to the second, with field, value and owner."""

from collections.abc import Iterator
from typing import Any

import pytest

from wire.settings.check import check
from wire.settings.gateway import GatewaySettings

UNIT = {"address": 1, "profile": "xy-md02", "prefix": "room"}
LINE = "/dev/serial/by-id/usb-1"
HTTP = {"address": "192.168.20.1", "port": 8420}


def rtu(path: str = LINE) -> dict[str, Any]:
    return {"driver": "modbus-rtu", "path": path, "unit": [UNIT]}


def osdp(path: str = LINE) -> dict[str, Any]:
    return {"driver": "osdp", "path": path, "reader": [{"name": "entry", "address": 1}]}


def gpio(**more: int) -> dict[str, Any]:
    return {"driver": "gpio", "output": [{"name": "lock", "kind": "relay", "pin": 5, **more}]}


def wiegand(d0_pin: int, d1_pin: int) -> dict[str, Any]:
    return {"driver": "wiegand", "d0_pin": d0_pin, "d1_pin": d1_pin}


def terminal(**more: Any) -> dict[str, Any]:
    sender = [{"name": "entrance"}]
    return {"driver": "terminal", "http": HTTP | more, "sender": sender, "map": {"person": "/user"}}


def senml(**more: Any) -> dict[str, Any]:
    value = {"name": "a:t", "point": "t", "quantity": "temperature", "step": 0.1}
    return {
        "driver": "senml", "prefix": "roof", "http": HTTP | more, "sender": [{"name": "a"}], "value": [value]
    }  # fmt: skip


def faults(*devices: dict[str, Any]) -> Iterator[tuple[str, object, str]]:
    named = [{"name": name, **device} for name, device in zip(("first", "second"), devices, strict=True)]
    document = {"gateway": {"id": "lab"}, "uplink": {"host": "hub"}, "device": named}
    for fault in check(document, GatewaySettings)[1]:
        yield fault.path, fault.value, fault.expectation


@pytest.mark.requirement("G-3.6")
@pytest.mark.parametrize("first", [rtu, osdp])
@pytest.mark.parametrize("second", [rtu, osdp])
@pytest.mark.parametrize("path", [LINE, "/dev//serial/by-id/../by-id/./usb-1"])
def test_serial_line_has_one_owner_however_it_is_spelled(first: Any, second: Any, path: str) -> None:
    assert list(faults(first(), second(path))) == [("device[1].path", path, "a port that first does not own")]
    assert list(faults(first(), second("/dev/serial/by-id/usb-2"))) == []


def test_pin_has_one_owner() -> None:
    expected = "a pin that first does not use"
    assert list(faults(gpio(), wiegand(4, 5))) == [("device[1].d1_pin", 5, expected)]
    assert list(faults(wiegand(4, 6), gpio(contact_pin=6))) == [
        ("device[1].output[0].contact_pin", 6, expected)
    ]
    assert list(faults(wiegand(4, 6), wiegand(6, 4))) == [
        ("device[1].d0_pin", 6, expected),
        ("device[1].d1_pin", 4, expected),
    ]
    assert list(faults(gpio(), wiegand(4, 6))) == []


def test_address_that_is_listened_on_has_one_owner() -> None:
    expected = "a port that first does not listen on at 192.168.20.1"
    assert list(faults(terminal(), senml())) == [("device[1].http.port", 8420, expected)]
    assert list(faults(senml(), senml(path="/other"))) == [("device[1].http.port", 8420, expected)]
    assert list(faults(terminal(), senml(port=8421))) == []
    assert list(faults(terminal(), senml(address="192.168.21.1"))) == []
