"""What is wrong between devices is named together with what is wrong inside them."""

import tomllib
from pathlib import Path

from edge.assembly import document_faults
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
