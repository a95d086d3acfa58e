"""What is wrong between devices is named together with what is wrong inside them."""

import tomllib
from pathlib import Path

from edge.document import document_faults
from wire.settings.gateway import read_settings

BAD = """
[gateway]
id = "Lab 1"
[uplink]
host = "127.0.0.1"
[[device]]
driver = "modbus"
name = "room"
port = 0
[[device.unit]]
address = 999
profile = "xy-md02"
prefix = "a"
[[device.unit]]
address = 2
profile = "nobody-made-this"
prefix = "b"
[[device.unit]]
address = 3
profile = "xy-md02"
prefix = "ups"
[[device]]
driver = "ups"
name = "ups"
prefix = "x"
[[device]]
driver = "ups"
name = "ups-2"
prefix = "x"
"""


def test_profiles_and_points_are_checked_beside_other_faults(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(BAD, encoding="utf-8")
    settings, faults = read_settings(file, more=document_faults)
    assert settings is None
    paths = {fault.path for fault in faults}
    assert {
        "gateway.id",
        "device[0].host",
        "device[0].port",
        "device[0].unit[0].address",
        "device[0].unit[1].profile",
        "device ups-2",
    } <= paths


def test_document_of_another_shape_has_no_devices() -> None:
    for data in (None, [], {"device": 3}, {"device": [3]}, tomllib.loads("[device]\nname = 1")):
        assert document_faults(data) == []


LINES = """
[gateway]
id = "lab-1"
[uplink]
host = "127.0.0.1"
[[device]]
driver = "modbus-rtu"
name = "line-1"
path = "/dev/ttyUSB0"
baud = 9601
[[device.unit]]
address = 1
profile = "nobody-made-this"
prefix = "a"
[[device]]
driver = "modbus-rtu"
name = "line-2"
path = "/dev/ttyUSB1"
[[device.unit]]
address = 1
profile = "xy-md02"
prefix = "a"
[[device]]
driver = "modbus-rtu"
name = "line-3"
path = "/dev/ttyUSB1"
[[device.unit]]
address = 1
profile = "xy-md02"
prefix = "b"
"""


def test_faults_of_serial_lines_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(LINES, encoding="utf-8")
    _, faults = read_settings(file, more=document_faults)
    assert [fault.path for fault in faults] == [
        "device[0].baud",
        "device[2].path",
        "device[0].unit[0].profile",
    ]
    file.write_text(LINES.replace("9601", "9600").replace("nobody-made-this", "xy-md02"), encoding="utf-8")
    _, faults = read_settings(file, more=document_faults)
    assert [(fault.path, fault.expectation) for fault in faults] == [
        ("device[2].path", "a port that line-2 does not own"),
        ("device line-2", "a point that line-1 does not feed"),
        ("device line-2", "a point that line-1 does not feed"),
    ]


def test_output_has_one_owner(tmp_path: Path) -> None:
    profile = """
[[device.profile]]
name = "{name}"
[[device.profile.value]]
point = "{name}"
quantity = "temperature"
register = 0
[[device.profile.output]]
output = "relay"
kind = "switch"
function = 5
register = 0
[[device.unit]]
address = 1
profile = "{name}"
prefix = "room"
[[device.unit.output]]
output = "relay"
"""
    text = "[gateway]\nid = 'lab-1'\n[uplink]\nhost = 'localhost'\n"
    for name in ("left", "right"):
        text += f"[[device]]\ndriver = 'modbus'\nname = '{name}'\nhost = 'localhost'\n"
        text += profile.format(name=name)
    file = tmp_path / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    _, (fault,) = read_settings(file, more=document_faults)
    assert (fault.path, fault.value) == ("device right", "room/relay")
