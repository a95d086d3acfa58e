"""What devices encode: by their manuals, and the same bytes for the same seed."""

import struct
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulators.climate import Instrument, Room
from simulators.devices.modbus import COUNTER_REGISTER, RegisterValue, Unit, encode, models
from simulators.devices.nmea import epoch, sentence, sky
from simulators.devices.ups import Ups, dump
from simulators.drives import Fix
from simulators.scenario import GnssPart, load_scenario, modbus_table, profile_of
from simulators.sources import drive_of, driven
from simulators.world import World

NOON = 1_789_000_000.0
MOMENT = datetime(2026, 11, 20, 11, 55, 16, 630_000, tzinfo=UTC)


def test_sentence_carries_the_published_checksum() -> None:
    """Source: the example GGA sentence of NMEA 0183 descriptions, checksum 47."""
    body = "GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"
    assert sentence(body) == f"${body}*47\r\n".encode()


def test_position_is_written_to_a_ten_millionth_of_a_minute() -> None:
    text = epoch(Fix(-28.5, -112.000000001, 50, 10, 90, parked=False), MOMENT, sky("1", NOON)).decode()
    assert "2830.0000000,S,11200.0000001,W" in text
    assert "$GNRMC,115516.63,A," in text
    assert ",201126,,,A,V*" in text


def test_receiver_writes_the_same_bytes_for_the_same_seed() -> None:
    part = GnssPart(name="gnss", latitude=28.2, longitude=112.9)
    first, second, other = (
        b"".join(
            driven(seed, "van", drive_of(seed, "van", part).at, utc_s=lambda at=at: at)("")
            for at in range(1000, 1100)
        )
        for seed in (5, 5, 6)
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize("model", sorted(models()))
def test_modbus_unit_gives_the_same_registers_for_the_same_seed(model: str) -> None:
    def registers(seed: int) -> list[list[int] | None]:
        meter = any(value.truth == "energy" for value in models()[model])
        source: Any = Instrument(str(seed)) if meter else Room(World(seed), "room")
        unit = Unit(1, model, lambda name: source.value(name, NOON))
        first = unit.values[0]
        return [unit.read(first.function, first.register, first.size) for _ in range(3)] + [
            unit.read(value.function, value.register, value.size) for value in unit.values
        ]

    assert registers(1) == registers(1)
    assert registers(1) != registers(2)


def test_encoder_rounds_clips_and_orders_words() -> None:
    def words(encoding: str, truth: float, **more: object) -> list[int]:
        fields = {"function": 3, "register": 0, "encoding": encoding, "truth": "x", **more}
        return encode(RegisterValue(**fields), truth)  # type: ignore[arg-type]

    assert words("int16", -10.1, scale=Decimal("0.1")) == [0xFF9B]
    assert words("int16", 1e9) == [0x7FFF]
    assert words("uint16", -5) == [0]
    assert words("uint32", 65536 + 2) == [1, 2]
    assert words("uint32", 65536 + 2, words="low_first") == [2, 1]
    assert words("float32", 30.56, words="low_first") == [0x7AE1, 0x41F4]


def test_counter_grows_by_one_with_each_read() -> None:
    unit = Unit(1, "sim-environment", lambda name: World(1).air("room", NOON).value(name))
    assert [struct.unpack(">I", struct.pack(">2H", *(unit.read(3, 0, 2) or [])))[0] for _ in range(3)] == [
        1,
        2,
        3,
    ]
    assert unit.read(3, COUNTER_REGISTER, 2) == [0, 4]
    unit.reads = 0x0001_FFFF
    assert unit.read(3, COUNTER_REGISTER, 2) == [2, 0]


def test_address_that_a_device_does_not_have_is_refused() -> None:
    unit = Unit(1, "xy-md02", lambda _: 20.0)
    assert unit.read(4, 2, 2) is None
    assert unit.read(3, 1, 1) is None


def test_battery_drains_while_it_carries_and_fills_after() -> None:
    clock = [NOON]
    ups = Ups(now_s=lambda: clock[0])
    assert ups.variables()["ups.status"] == "OL"
    ups.fault = "battery"
    said = []
    for _ in range(30):
        clock[0] += 30
        said.append(ups.variables())
    assert said[0]["ups.status"] == "OB DISCHRG"
    assert said[-1]["ups.status"] == "OB DISCHRG LB"
    charges = [int(one["battery.charge"]) for one in said]
    assert charges == sorted(charges, reverse=True)
    assert said[-1]["input.voltage"] == "0.0"
    ups.fault = ""
    assert ups.variables()["ups.status"] == "OL CHRG LB"
    clock[0] += 7200
    assert ups.variables()["ups.status"] == "OL"


def test_dump_is_a_dummy_ups_file() -> None:
    variables = {"ups.status": "OL CHRG", "ups.load": "1", "ups.serial": ""}
    assert dump(variables) == 'ups.status: OL CHRG\nups.load: 1\nups.serial: ""\n'


def test_profiles_of_the_simulators_fit_the_settings() -> None:
    from wire.settings.check import check
    from wire.settings.modbus import ModbusDevice, ModbusRtuDevice, Profile

    profile, faults = check(profile_of("sim-environment"), Profile)
    assert not faults
    assert profile is not None
    for gateway in load_scenario("demo").gateway:
        for part in gateway.modbus:
            kind, place = (ModbusRtuDevice, Path("/dev/line")) if part.rtu else (ModbusDevice, 502)
            assert check(modbus_table(part, place), kind)[1] == []


def test_register_table_names_truths_of_the_world() -> None:
    text = (Path(__file__).parents[2] / "simulators" / "devices" / "registers.toml").read_text("utf-8")
    room, instrument = Room(World(1), "room"), Instrument("meter")
    for name, model in tomllib.loads(text).items():
        meter = any(value["truth"] == "energy" for value in model["values"])
        for value in model["values"]:
            source: Any = instrument if meter else room
            assert value["truth"] == "reads" or isinstance(source.value(value["truth"], NOON), float), name
