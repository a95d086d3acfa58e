"""Profiles and their use are checked before anything is started."""

import tomllib
from collections.abc import Callable
from decimal import Decimal

import pytest

from edge.driver import Given
from edge.drivers.modbus.catalogue import ProfileError, device_faults, shipped_profiles
from edge.drivers.modbus.driver import ModbusDriver
from wire.settings.check import check
from wire.settings.modbus import ModbusDevice, ModbusUnit, Profile, ProfileValue

GOOD = {"name": "p", "value": [{"point": "t", "quantity": "temperature", "register": 0}]}


def faults_of(**value: object) -> list[str]:
    table = {**GOOD, "value": [{"point": "t", "quantity": "temperature", "register": 0, **value}]}
    return [fault.path for fault in check(table, Profile)[1]]


def test_shipped_profiles_name_their_source() -> None:
    assert len(shipped_profiles()) >= 8
    for profile in shipped_profiles().values():
        assert profile.source
        assert profile.title


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"quantity": "warmth"}, "value[0].quantity"),
        ({"register": 65535, "type": "int32"}, "value[0].register"),
        ({"scale": 0}, "value[0].scale"),
        ({"scale": "1e-12"}, "value[0].scale"),
        ({"offset": "1e12"}, "value[0].offset"),
        ({"type": "float32"}, "value[0].step"),
        ({"invalid": ["0x80000000"]}, "value[0].invalid[0]"),
        ({"kind": "counter", "scale": "0.1"}, "value[0].kind"),
        ({"kind": "state", "type": "float32", "step": 1}, "value[0].kind"),
        ({"function": 5}, "value[0].function"),
        ({"function": 1}, "value[0].type"),
        ({"type": "bit"}, "value[0].type"),
        ({"type": "int24"}, "value[0].type"),
    ],
)
def test_wrong_value_of_a_profile_is_named(value: dict[str, object], path: str) -> None:
    assert faults_of(**value) == [path]


def test_point_named_twice_is_a_fault() -> None:
    table = {"name": "p", "value": GOOD["value"] * 2}  # type: ignore[operator]
    assert [fault.path for fault in check(table, Profile)[1]] == ["value[1].point"]


def device(*units: ModbusUnit, profiles: list[Profile] | None = None) -> ModbusDevice:
    return ModbusDevice(name="bus", host="127.0.0.1", unit=list(units), profile=profiles or [])


def test_every_wrong_use_of_a_profile_is_named() -> None:
    own = Profile(name="xy-md02", value=[ProfileValue(point="t", quantity="temperature", register=0)])
    faults = device_faults(
        device(
            ModbusUnit(address=1, profile="nothing", prefix="a"),
            ModbusUnit(address=2, profile="r444a01", prefix="b", points=["pressure"]),
            ModbusUnit(address=3, profile="r444a01", prefix="c"),
            ModbusUnit(address=4, profile="r444a01", prefix="c"),
            profiles=[own],
        )
    )
    paths = [fault.path for fault in faults]
    assert paths == ["profile[0].name", "unit[0].profile", "unit[1].points[0]", "unit[3].prefix"]


def test_driver_refuses_a_profile_that_is_not_there(monotonic_ns: Callable[[], int]) -> None:
    with pytest.raises(ProfileError) as caught:
        ModbusDriver(device(ModbusUnit(address=1, profile="nothing", prefix="a")), Given(monotonic_ns))
    assert [fault.path for fault in caught.value.faults] == ["unit[0].profile"]


def test_same_address_may_serve_two_prefixes(monotonic_ns: Callable[[], int]) -> None:
    units = [ModbusUnit(address=1, profile="r444a01", prefix=prefix) for prefix in ("a", "b")]
    assert len(ModbusDriver(device(*units), Given(monotonic_ns)).points) == 4


def test_scale_written_as_a_number_is_the_same_decimal() -> None:
    text = '[[value]]\npoint="t"\nquantity="temperature"\nregister=0\nscale=0.1\n'
    profile, faults = check(tomllib.loads('name = "p"\n' + text), Profile)
    assert not faults
    assert profile is not None
    assert profile.value[0].scale == Decimal("0.1")
