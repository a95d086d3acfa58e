"""What a gateway declares of its devices: every kind of them, within bounds, and no secret."""

from pathlib import Path

import pytest

from edge.assembly import KINDS, build_drivers
from edge.driver import Given
from edge.inventory import PARTS_MAX, inventory
from wire import frame
from wire.codec import decode_body, encode_body
from wire.messages import PartDeclaration, Points
from wire.settings.ble import BleDevice, BleTag
from wire.settings.camera import CameraDevice
from wire.settings.gateway import read_settings
from wire.settings.gpio import GpioDevice, GpioOutput
from wire.settings.modbus import ModbusDevice, ModbusUnit

ROOT = Path(__file__).parents[2]
HEAD = """
[gateway]
id = "lab-1"
[uplink]
host = "127.0.0.1"
"""


def of_sample(file: Path, tmp_path: Path):
    whole = tmp_path / "gateway.toml"
    whole.write_text(HEAD + file.read_text(encoding="utf-8"), encoding="utf-8")
    settings, faults = read_settings(whole)
    assert settings is not None, faults
    return settings


SAMPLES = sorted((ROOT / "edge" / "drivers").glob("*/sample*.toml"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_part_begins_the_names_of_points_of_its_device(sample: Path, tmp_path: Path) -> None:
    settings = of_sample(sample, tmp_path)
    drivers = build_drivers(settings, Given(lambda: 0, tmp_path))
    for declared, driver in zip(inventory(settings.device), drivers, strict=True):
        assert (declared.name, declared.driver in KINDS) == (driver.name, True)
        names = [point.name for point in driver.points]
        assert {point.device for point in driver.points} <= {declared.name}
        for part in declared.parts:
            fed = [name for name in names if name == part.name or name.startswith(part.name + "/")]
            assert fed, part


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_declaration_of_devices_is_what_a_hub_reads(sample: Path, tmp_path: Path) -> None:
    declared = inventory(of_sample(sample, tmp_path).device)
    message = Points(gateway="lab-1", points=[], layouts=[], devices=declared)
    assert decode_body(encode_body(message), Points) == message


def test_unit_and_sensor_are_told_with_the_address_by_which_they_would_be_candidates() -> None:
    units = [ModbusUnit(address=7, profile="xy-md02", prefix="room-1")]
    line = ModbusDevice(name="bus", host="127.0.0.1", unit=units)
    (declared,) = inventory([line])
    assert declared.parts == [PartDeclaration(name="room-1", kind="unit", address="bus/7")]


def test_output_is_told_with_the_state_in_which_it_rests() -> None:
    outputs = [
        GpioOutput(name="fan", kind="relay", pin=5),
        GpioOutput(name="lock", kind="relay", pin=6, safe="on"),
    ]
    (declared,) = inventory([GpioDevice(name="pins", prefix="lab", output=outputs)])
    assert [(part.name, part.rest) for part in declared.parts] == [("lab/fan", "off"), ("lab/lock", "on")]


def test_nothing_is_told_of_where_a_camera_is() -> None:
    camera = CameraDevice(name="cam", prefix="cam-1", url="rtsp://192.168.7.9/secret-path")
    assert b"192.168" not in encode_body(
        Points(gateway="g", points=[], layouts=[], devices=inventory([camera]))
    )


def test_many_parts_leave_room_in_the_frame() -> None:
    tags = [
        BleTag(
            name=f"instrument-{number:03d}" + "x" * 40,
            uuid=f"{number:08x}-0000-0000-0000-000000000000",
            major=1,
            minor=1,
        )
        for number in range(500)
    ]
    devices = [BleDevice(name=f"radio-{place}", adapters=[f"hci{place}"], tag=tags) for place in range(10)]
    declared = inventory(devices)
    assert [len(one.parts) for one in declared] == [500, 500, *[0] * 8]
    assert sum(len(one.parts) for one in declared) == PARTS_MAX
    body = encode_body(Points(gateway="g", points=[], layouts=[], devices=declared))
    assert len(body) < frame.BODY_BYTES_MAX // 4
