"""Texts of sysfs files become counts without loss; what is no value is absent with its reason."""

import errno
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.sysfs.decode import (
    CHANNELS,
    SysfsError,
    Value,
    channel_of,
    crc8,
    files_of,
    read,
    scratchpad_temperature,
    type_of,
)
from edge.drivers.sysfs.models import MODELS
from wire.quantities import QUANTITIES
from wire.settings import sysfs as settings
from wire.status import Status

GOOD, IMPLAUSIBLE = Status.GOOD, Status.IMPLAUSIBLE


def slave(pad: str, milli: int, verdict: str = "YES", second: str = "") -> str:
    crc = pad.split()[-1]
    return f"{pad} : crc={crc} {verdict}\n{second or pad} t={milli}\n"


@pytest.mark.requirement("G-6.11a")
@pytest.mark.parametrize(
    ("kind", "channel", "said", "count"),
    [
        ("iio", "in_temp", {"in_temp_input": "21520\n"}, 21_520_000),
        ("iio", "in_temp", {"in_temp_input": "21520.123456000"}, 21_520_123),
        ("iio", "in_humidityrelative", {"in_humidityrelative_input": "45123"}, 45_123_000),
        ("iio", "in_pressure", {"in_pressure_input": "101.325000000"}, 1_013_250_000),
        # HDC1080 and Si7021 with the offsets and scales of their kernel drivers
        (
            "iio",
            "in_temp",
            {"in_temp_raw": "26000", "in_temp_offset": "-15887.515151", "in_temp_scale": "2.517700195"},
            25_460_205,
        ),
        ("iio", "in_temp", {"in_temp_raw": "6688", "in_temp_offset": "-4368",
                             "in_temp_scale": "10.725097656"}, 24_882_227),
        ("iio", "in_voltage3", {"in_voltage3_raw": "-8388608",
                                 "in_voltage_scale": "0.000000244"}, -2_046_820),
        ("iio", "in_voltage3", {"in_voltage3_raw": "1", "in_voltage_offset": "2", "in_voltage_scale": "1.5",
                                "in_voltage3_scale": "2.5"}, 7_500_000),
        ("iio", "in_accel_x", {"in_accel_x_raw": "1000", "in_accel_scale": "0.009576806"}, 9_576_806_000),
        ("iio", "in_concentration_co2", {"in_concentration_co2_raw": "421",
                                         "in_concentration_co2_scale": "0.0001"}, 421_000),
        ("hwmon", "temp1", {"temp1_input": "-40500"}, -405_000),
        ("hwmon", "temp1", {"temp1_input": "21000", "temp1_fault": "0"}, 210_000),
        ("hwmon", "in0", {"in0_input": "11987"}, 119_870),
        ("hwmon", "curr1", {"curr1_input": "-20"}, -200),
        ("hwmon", "power1", {"power1_input": "4200001"}, 42_000_010),
        ("hwmon", "fan2", {"fan2_input": "1203"}, 12_030),
        ("hwmon", "humidity1", {"humidity1_input": "55001"}, 550_010),
        ("w1", "temperature", {"temperature": "23062"}, 230_620),
    ],
)  # fmt: skip
def test_value_is_exact_to_the_last_digit(kind: str, channel: str, said: dict[str, str], count: int) -> None:
    assert read(kind, channel, said) == Value(count, GOOD)


@pytest.mark.parametrize(
    ("pad", "milli", "exact"),
    [
        ("91 01 4b 46 7f ff 0f 10 25", 25062, "25.0625"),  # data sheet of the DS18B20, table 1
        ("5e ff 4b 46 7f ff 02 10 09", -10125, "-10.125"),
        ("90 fc 4b 46 7f ff 10 10 93", -55000, "-55"),
        ("50 05 4b 46 7f ff 10 10 b9", 85000, "85"),  # measured: its counter is not that of a start
        ("97 01 4b 46 1f ff 0f 10 e0", 25000, "25"),  # 9 bits: the lowest three mean nothing
        ("32 00 4b 46 ff ff 06 10 87", 25375, "25.375"),  # DS18S20
    ],
)
def test_thermometers_bytes_give_more_than_the_kernels_number(pad: str, milli: int, exact: str) -> None:
    body = bytes.fromhex(pad)[:8]
    fixed = f"{body.hex(' ')} {crc8(body):02x}"
    assert scratchpad_temperature(slave(fixed, milli)) == Decimal(exact)


def test_published_scratchpad_has_its_published_checksum() -> None:
    assert crc8(bytes.fromhex("50 05 4b 46 7f ff 0c 10")) == 0x1C


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        (slave("50 05 4b 46 7f ff 0c 10 1c", 85000), Status.NOT_MEASURED, "before the first conversion"),
        (slave("aa 00 4b 46 ff ff 0c 10 87", 85000), Status.NOT_MEASURED, "before the first conversion"),
        (slave("91 01 4b 46 7f ff 0f 10 26", 25062, "NO"), Status.DEVICE_ERROR, "wrong checksum"),
        (slave("91 01 4b 46 7f ff 0f 10 26", 25062), Status.DEVICE_ERROR, "wrong checksum"),
        (slave("00 00 00 00 00 00 00 00 00", 0), Status.DEVICE_ERROR, "shorted"),
        (slave("50 05 4b 46 7f ff 10 10 b9", 12000), Status.INVALID, "the kernel 12"),
        (slave("01 00 00 00 00 00 00 00 3d", 0), Status.INVALID, "no known thermometer"),
        ("", Status.DEVICE_ERROR, "did not answer"),
        ("t=21000\n", Status.INVALID, "two lines"),
    ],
)
def test_thermometer_that_measured_nothing_is_absent(text: str, status: Status, reason: str) -> None:
    pad = text[:26]
    if reason in ("no known thermometer", "the kernel 12", "before the first conversion"):
        body = bytes.fromhex(pad)[:8]
        text = slave(f"{body.hex(' ')} {crc8(body):02x}", int(text.strip().rsplit("=")[-1]))
    value = read("w1", "w1_slave", {"w1_slave": text})
    assert (value.count, value.status) == (None, status)
    assert reason in value.reason


def test_second_line_of_a_bad_checksum_is_not_believed() -> None:
    text = slave("ff ff ff ff ff ff ff ff ff", 25062, "NO", second="91 01 4b 46 7f ff 0f 10 25")
    assert read("w1", "w1_slave", {"w1_slave": text}).status is Status.DEVICE_ERROR


@pytest.mark.parametrize(
    ("before", "count"),
    [(None, None), (Value(210_000, GOOD), None), (Value(None, Status.INVALID), None),
     (Value(840_000, GOOD), 850_000)],
)  # fmt: skip
def test_85_degrees_out_of_nowhere_is_no_temperature(before: Value | None, count: int | None) -> None:
    assert read("w1", "temperature", {"temperature": "85000"}, before=before).count == count


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, Status.DEVICE_ERROR),
        ({"temp1_input": errno.EIO}, Status.DEVICE_ERROR),
        ({"temp1_input": 9999}, Status.DEVICE_ERROR),
        ({"temp1_input": errno.ENODATA}, Status.NOT_MEASURED),
        ({"temp1_input": "21000", "temp1_fault": "1"}, Status.DEVICE_ERROR),
        ({"temp1_input": ""}, Status.DEVICE_ERROR),
        ({"temp1_input": "12,5"}, Status.INVALID),
        ({"temp1_input": "1e9"}, Status.INVALID),
        ({"temp1_input": "nan"}, Status.INVALID),
        ({"temp1_input": "٢١"}, Status.INVALID),
        ({"temp1_input": "9999999999999999999"}, Status.INVALID),
    ],
)
def test_what_is_no_value_is_absent_with_a_reason(said: dict[str, str | int], status: Status) -> None:
    value = read("hwmon", "temp1", said)
    assert (value.count, value.status) == (None, status)
    assert value.reason


@pytest.mark.parametrize(
    ("channel", "said", "count", "status"),
    [
        ("in_temp", {"in_temp_input": "85001"}, 85_001_000, IMPLAUSIBLE),
        ("in_temp", {"in_temp_input": "-40000"}, -40_000_000, GOOD),
        ("in_humidityrelative", {"in_humidityrelative_input": "45.123"}, 45_123, IMPLAUSIBLE),
        ("in_pressure", {"in_pressure_input": "101325"}, 1_013_250_000_000, IMPLAUSIBLE),
        ("in_voltage0", {"in_voltage0_raw": "5"}, 5_000_000, GOOD),
    ],
)
def test_value_that_the_model_cannot_say_is_marked_and_kept(
    channel: str, said: dict[str, str], count: int, status: Status
) -> None:
    value = read("iio", channel, said, model="bme280")
    assert (value.count, value.status) == (count, status)


def test_wrong_scale_of_a_driver_is_found_although_the_value_looks_right() -> None:
    said = {"in_temp_raw": "26000", "in_temp_offset": "-15887", "in_temp_scale": "0.002517700"}
    value = read("iio", "in_temp", said, model="hdc1080")
    assert (value.status, value.reason) == (IMPLAUSIBLE, "scale 0.002517700: expected 2.517700195")
    assert read("iio", "in_temp", {**said, "in_temp_scale": "2.5177"}, model="hdc1080").status is GOOD


def test_every_channel_type_of_the_settings_is_known() -> None:
    names = {
        "iio": ["in_temp", "in_humidityrelative", "in_pressure", "in_illuminance", "in_concentration_co2",
                "in_voltage12", "in_current0", "in_power0", "in_accel_z"],
        "hwmon": ["temp1", "humidity1", "in0", "curr1", "power1", "fan1"],
        "w1": ["temperature", "w1_slave"],
    }  # fmt: skip
    for kind, channels in names.items():
        assert {type_of(kind, channel) for channel in channels} == set(CHANNELS[kind])
        for channel in channels:
            assert channel_of(kind, channel).quantity in QUANTITIES
            assert files_of(kind, channel)


def test_models_of_the_settings_and_of_the_table_are_the_same() -> None:
    assert set(MODELS) == set(get_args(settings.SysfsModel))
    for limits in MODELS.values():
        assert set(limits) <= set(QUANTITIES)


@given(
    st.sampled_from(["w1_slave", "temperature"]),
    st.one_of(
        st.text(),
        st.binary(min_size=8, max_size=8).map(
            lambda pad: slave(
                f"{pad.hex(' ')} {crc8(pad):02x}", int.from_bytes(pad[:2], "little", signed=True)
            )
        ),
        st.integers(0, 200),
    ),
)
def test_no_text_of_a_thermometer_raises(channel: str, said: str | int) -> None:
    value = read("w1", channel, {channel: said}, model="ds18b20")
    assert (value.count is None) == value.status.absent


@given(
    st.dictionaries(
        st.sampled_from(["in_temp_input", "in_temp_raw", "in_temp_offset", "in_temp_scale"]),
        st.one_of(st.text(alphabet="0123456789.-+e ", max_size=30), st.text(), st.integers(0, 200)),
    )
)
def test_no_texts_of_a_channel_raise(said: dict[str, str | int]) -> None:
    value = read("iio", "in_temp", said, model="hdc1080")
    assert (value.count is None) == value.status.absent


@given(st.text())
def test_scratchpads_raise_their_own_error_alone(text: str) -> None:
    with pytest.raises(SysfsError):
        scratchpad_temperature(text)
