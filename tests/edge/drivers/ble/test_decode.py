"""Published vectors to the last digit, what is refused and why, and bytes at random."""

import csv
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.ble.decode import (
    APPLE_COMPANY,
    BTHOME_UUID,
    EDDYSTONE_UUID,
    RUUVI_COMPANY,
    RUUVI_POINTS,
    Envelope,
    FrameError,
    Heard,
    KeyNeededError,
    Packet,
    PlainError,
    WrongKeyError,
    eddystone,
    ibeacon,
    open_bthome,
    read_beacon,
    read_objects,
    read_ruuvi,
)
from edge.drivers.ble.objects import OBJECTS, POINTS, STATES
from simulators.devices.adverts import ad_structures
from wire.quantities import QUANTITIES

DATA = Path(__file__).parents[3] / "data" / "ble"
NAMES = {
    "light": "light",
    "pm25": "pm2_5",
    "volatile_organic_compounds": "voc",
    "power": "power",
    "gas": "gas_volume",
    "distance": "distance_mm",
}
MAC = "A4:C1:38:8D:18:B2"


def rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


BTHOME = [row for row in rows("bthome_v2_vectors.csv") if row["expected_kind"] == "values"]
REFUSED = [row for row in rows("bthome_v2_vectors.csv") if row["expected_kind"] == "no measurement accepted"]


def unpack(row: dict[str, str]) -> Packet:
    key = bytes.fromhex(row["bindkey_hex"]) if row["encrypted"] == "yes" else None
    data = bytes.fromhex(row["service_data_fcd2_hex"])
    return read_objects(open_bthome(data, row["address"], key))


def said(packet: Packet) -> dict[str, Any]:
    """What a packet says, in the words of the vectors."""
    found: dict[str, Any] = {field.point: field for field in packet.fields}
    found |= {press.name: press for press in packet.presses}
    found |= dict(packet.other)
    if packet.packet_id is not None:
        found["packet_id"] = packet.packet_id
    return found


def agrees(value: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        steps = (expected["properties"] or {}).get("steps")
        return (value.action, value.steps) == (expected["event_type"], steps)
    if isinstance(value, bytes):
        return expected in (value.hex(), value.decode())
    if isinstance(value, int):
        return value == expected
    if isinstance(expected, bool):
        return value.count == int(expected)
    if isinstance(expected, str):
        moment = datetime.fromtimestamp(value.count, UTC)
        text = f"{moment.year}, {moment.month}, {moment.day}, {moment.hour}, {moment.minute}, {moment.second}"
        return f"datetime({text}, tzinfo=timezone.utc)" == expected
    return Decimal(value.count).scaleb(value.exponent) == Decimal(str(expected))


def own_name(name: str, expected: dict[str, Any]) -> str:
    """The name of a value of the vectors in our table."""
    word = name.lower().replace(" ", "_")
    if word in ("voltage_1", "voltage_2") and "Voltage 2" in expected:
        return "voltage" if word == "voltage_1" else "voltage_2"
    if word == "power" and isinstance(expected[name], bool):
        return "powered"
    return {"mass": "", **NAMES}.get(word, word)


@pytest.mark.parametrize("row", BTHOME, ids=lambda row: row["case"])
def test_bthome_vectors_are_read_to_the_last_digit(row: dict[str, str]) -> None:
    expected = json.loads(row["expected_json"])
    found = said(unpack(row))
    assert len(found) == len(expected)
    for name, value in expected.items():
        own = own_name(name, expected)
        own = own or ("mass_kg" if "kilograms" in row["case"] else "mass_lb")
        assert agrees(found[own], value), (name, found)


def test_all_vectors_with_values_are_there() -> None:
    assert len(BTHOME) == 45
    assert len(REFUSED) == 2


def test_wrong_key_is_told_as_such() -> None:
    row = next(row for row in REFUSED if row["encrypted"] == "yes")
    with pytest.raises(WrongKeyError, match="configured key"):
        unpack(row)


def test_reading_ends_at_an_unknown_id() -> None:
    row = next(row for row in REFUSED if row["encrypted"] == "no")
    assert unpack(row).fields == ()


def test_counter_of_an_encrypted_packet_is_told() -> None:
    row = next(row for row in BTHOME if row["case"] == "bindkey_correct")
    data, key = bytes.fromhex(row["service_data_fcd2_hex"]), bytes.fromhex(row["bindkey_hex"])
    envelope = open_bthome(data, row["address"], key)
    assert envelope.counter == 0x33221100
    assert not envelope.trigger_based


@pytest.mark.parametrize(
    ("text", "key", "kind", "reason"),
    [
        ("", None, FrameError, "empty"),
        ("20", None, FrameError, "version 1; expected 2"),
        ("42010203040506", None, FrameError, "another address"),
        ("4102", None, KeyNeededError, "no key"),
        ("4102", bytes(16), FrameError, "1 encrypted bytes; expected at least 8"),
        ("4104138a01", None, KeyNeededError, "no key"),
        ("4004138a01", bytes(16), PlainError, "not encrypted"),
    ],
)
def test_packet_that_cannot_be_believed_is_refused(
    text: str, key: bytes | None, kind: type[FrameError], reason: str
) -> None:
    with pytest.raises(kind, match=reason):
        open_bthome(bytes.fromhex(text), MAC, key)


def objects(text: str) -> Packet:
    return read_objects(Envelope(trigger_based=False, counter=None, objects=bytes.fromhex(text)))


@pytest.mark.parametrize("text", ["02ca", "02ca0903bf", "53", "5305aabb", "3a", "3c01", "00"])
def test_object_that_is_cut_off_refuses_the_packet(text: str) -> None:
    with pytest.raises(FrameError, match="is cut off"):
        objects(text)


def test_second_of_a_name_is_a_point_of_its_own() -> None:
    packet = objects("02ca09021000450b003a013a003c02053aee")
    assert [(field.point, field.count, field.exponent) for field in packet.fields] == [
        ("temperature", 2506, -2),
        ("temperature_2", 16, -2),
        ("temperature_3", 11, -1),
    ]
    assert [(press.name, press.instance, press.action, press.steps) for press in packet.presses] == [
        ("button", 1, "press", None),
        ("button", 2, "none", None),
        ("dimmer", 1, "rotate_right", 5),
        ("button", 3, "unknown_238", None),
    ]


def test_temperature_in_steps_of_35_hundredths_is_exact() -> None:
    (field,) = objects("58ea").fields
    assert (field.count, field.exponent) == (-22 * 35, -2)


def test_trigger_based_devices_say_so() -> None:
    assert open_bthome(bytes.fromhex("4404138a01"), MAC, None).trigger_based


def test_every_object_is_a_whole_number_in_its_point() -> None:
    for known in OBJECTS.values():
        if known.name in POINTS:
            quantity, exponent = POINTS[known.name]
            assert exponent <= known.exponent
            assert quantity in QUANTITIES
    assert {known.name for known in OBJECTS.values()} >= POINTS.keys() >= STATES.keys()


# --- RuuviTag -------------------------------------------------------------------------------------------

RUUVI = list(rows("ruuvi_df5_vectors.csv"))
COLUMNS = {
    "temperature": ("temperature_C", 0),
    "humidity": ("humidity_pct", 0),
    "pressure": ("pressure_Pa", -2),
    "battery_voltage": ("battery_V", 0),
    "tx_power": ("tx_power_dBm", 0),
    "movement": ("movement", 0),
    "sequence": ("sequence", 0),
}


@pytest.mark.parametrize("row", RUUVI, ids=lambda row: row["case"])
def test_ruuvi_vectors_are_read_to_the_last_digit(row: dict[str, str]) -> None:
    found = read_ruuvi(bytes.fromhex(row["manufacturer_data_0499_hex"]))
    for point, (column, shift) in COLUMNS.items():
        count = found.counts[point]
        expected = Decimal(row[column]).scaleb(shift) if row[column] else None
        value = None if count is None else Decimal(count).scaleb(RUUVI_POINTS[point].exponent)
        assert value == expected, point
    for axis in "xyz":
        count, given_g = found.counts[f"acceleration_{axis}"], row[f"acc_{axis}_g"]
        value = None if count is None else Decimal(count).scaleb(-8)
        assert value == (Decimal(given_g) * Decimal("9.80665") if given_g else None)
    assert found.mac == (row["mac"] or None)
    assert found.sequence == (int(row["sequence"]) if row["sequence"] else None)


def test_the_smallest_steps_of_a_ruuvitag_survive() -> None:
    """0.005 degree and 0.0025 per cent are different counts."""
    body = bytearray.fromhex(RUUVI[0]["manufacturer_data_0499_hex"])
    body[1:5] = (1).to_bytes(2, "big") + (1).to_bytes(2, "big")
    found = read_ruuvi(bytes(body))
    assert (found.counts["temperature"], found.counts["humidity"]) == (5, 25)


@pytest.mark.parametrize("data", [b"", b"\x05", b"\x03" + bytes(23), b"\x05" + bytes(24)])
def test_other_manufacturer_data_are_refused(data: bytes) -> None:
    with pytest.raises(FrameError, match="expected 24 of format 05"):
        read_ruuvi(data)


def test_of_a_capture_the_ruuvitag_alone_is_recognised() -> None:
    """Advertisements of real devices in the order of the capture; the others are no format of ours."""
    sequences: list[int | None] = []
    for row in rows("captured_adverts.csv"):
        advert = ad_structures(bytes.fromhex(row["ad_structures_hex"]))
        assert (
            read_beacon(heard(manufacturer=dict(advert.manufacturer), service=dict(advert.service))) is None
        )
        if row["recognised"] == "ruuvi_df5":
            found = read_ruuvi(advert.manufacturer[RUUVI_COMPANY])
            assert found.mac == row["address"]
            sequences.append(found.sequence)
        else:
            assert RUUVI_COMPANY not in advert.manufacturer
    assert len(sequences) == 11
    assert sequences == sorted(sequences, key=lambda number: number or 0)


# --- beacons --------------------------------------------------------------------------------------------


def heard(*, manufacturer: dict[int, bytes] | None = None, service: dict[str, bytes] | None = None) -> Heard:
    return Heard(MAC, False, -60, 0, manufacturer or {}, service or {})


@pytest.mark.requirement("G-3.13")
def test_ibeacon_is_known_by_uuid_major_and_minor() -> None:
    uuid = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"
    data = bytes.fromhex("0215f7826da64fa24e988024bc5b71e0893e00010102c5")
    assert read_beacon(heard(manufacturer={APPLE_COMPANY: data})) == ibeacon(UUID(uuid), 1, 258)
    assert ibeacon(UUID(uuid), 1, 258).family == f"{uuid}/1"


@pytest.mark.parametrize("reserved", ["", "0000"])
def test_eddystone_is_known_by_namespace_and_instance(reserved: str) -> None:
    frame = bytes.fromhex("00ee00112233445566778899aabbccddeeff" + reserved)
    found = read_beacon(heard(service={EDDYSTONE_UUID: frame}))
    assert found == eddystone("00112233445566778899", "AABBCCDDEEFF")


def test_phones_and_other_frames_are_no_beacons() -> None:
    assert read_beacon(heard(manufacturer={APPLE_COMPANY: bytes.fromhex("10055b1c9f2b1a")})) is None
    assert read_beacon(heard(service={EDDYSTONE_UUID: bytes.fromhex("20000bb8")})) is None
    assert read_beacon(heard(service={EDDYSTONE_UUID: b"\x10" + bytes(17)})) is None
    assert read_beacon(heard()) is None


# --- anything -------------------------------------------------------------------------------------------


@given(st.binary(max_size=64), st.sampled_from([None, bytes(16)]))
def test_bthome_decoder_survives_anything(data: bytes, key: bytes | None) -> None:
    with suppress(FrameError):
        packet = read_objects(open_bthome(data, MAC, key))
        assert all(-(2**63) <= field.count < 2**63 for field in packet.fields)


@given(st.binary(max_size=64))
def test_objects_survive_anything(data: bytes) -> None:
    with suppress(FrameError):
        read_objects(Envelope(trigger_based=False, counter=None, objects=data))


@given(st.binary(min_size=23, max_size=23))
def test_ruuvi_decoder_reads_every_body(body: bytes) -> None:
    found = read_ruuvi(b"\x05" + body)
    assert found.counts.keys() == RUUVI_POINTS.keys()


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_beacon_decoder_survives_anything(one: bytes, other: bytes) -> None:
    found = read_beacon(
        heard(manufacturer={APPLE_COMPANY: one, RUUVI_COMPANY: other}, service={EDDYSTONE_UUID: other})
    )
    assert found is None or found.family
    assert BTHOME_UUID != EDDYSTONE_UUID
