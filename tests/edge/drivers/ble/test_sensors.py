"""Sensors, tags and strangers without a radio: what each advertisement leads to, at given times."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.candidates import Candidates
from edge.drivers.ble.bthome import BtHomeSensor, read_key, split_point
from edge.drivers.ble.decode import Beacon, Heard, read_beacon
from edge.drivers.ble.replay import Counter, Verdict
from edge.drivers.ble.ruuvi import RuuviSensor
from edge.drivers.ble.sensors import Sensor
from edge.drivers.ble.strangers import tell_stranger
from edge.drivers.ble.tags import Tags, beacon_of
from simulators.devices import adverts
from simulators.devices.adverts import Advert
from wire.settings.ble import BleDevice, BlePresence, BleSensor, BleTag
from wire.status import GapCause, Status

S = 10**9
RUUVI_MAC, BTHOME_MAC = "CB:B8:33:4C:88:4F", "54:48:E6:8F:80:A5"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
UUID = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"
WARM, COLD = bytes.fromhex("02ca09"), bytes.fromhex("020100")


class Hears:
    """A radio that hears somebody at every moment, whatever its trouble is said to be."""

    def __init__(self, trouble: str = "", heard_s: float = 1e6) -> None:
        self.trouble = trouble
        self.heard_ns = int(heard_s * S)


def do(*steps: Coroutine[Any, Any, None]) -> None:
    async def all_of_them() -> None:
        for step in steps:
            await step

    asyncio.run(all_of_them())


def heard(advert: Advert, at_s: float, *, address: str = BTHOME_MAC, rssi: int = -60) -> Heard:
    at_ns = int(at_s * S)
    return Heard(address, False, rssi, at_ns, dict(advert.manufacturer), dict(advert.service))


def kinds(collector: Any) -> list[str]:
    return [event.kind for event in collector.events]


def values(collector: Any, sensor: Sensor, point: str) -> list[int | None]:
    stream = next(one for one in sensor.streams if any(name.endswith(point) for name in one.names))
    place = next(place for place, name in enumerate(stream.names) if name.endswith(point))
    return [poll.counts[place] for poll in collector.of(stream.layout.id)]


# --- RuuviTag -------------------------------------------------------------------------------------------


def ruuvi(collector: Any, **more: Any) -> RuuviSensor:
    settings = BleSensor(prefix="room", address=RUUVI_MAC, format="ruuvi", **more)
    sensor = RuuviSensor(settings, "ble")
    sensor.begin(collector, 0)
    return sensor


def measured(sequence: int, at_s: float) -> Heard:
    return heard(adverts.ruuvi(sequence, mac=RUUVI_MAC), at_s, address=RUUVI_MAC)


def test_one_reading_is_taken_in_each_period_and_repeats_are_none(collector: Any) -> None:
    sensor = ruuvi(collector, period_ms=1000, points=["sequence", "missed"])
    for number in range(40):  # two measurements a second, each sent twice
        at_s = 10 + number / 4
        do(sensor.heard(measured(number // 2, at_s), collector))
    assert values(collector, sensor, "sequence") == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert set(values(collector, sensor, "missed")) == {0}


def test_measurements_that_were_not_heard_are_counted_over_the_wrap(collector: Any) -> None:
    sensor = ruuvi(collector, period_ms=100, points=["sequence", "missed"])
    for at_s, sequence in enumerate([65_530, 65_533, 65_534, 0, 5]):
        do(sensor.heard(measured(sequence, at_s), collector))
    assert values(collector, sensor, "missed") == [0, 2, 2, 2, 6]
    assert kinds(collector) == []


def test_sequence_that_jumps_is_a_restart_and_no_loss(collector: Any) -> None:
    sensor = ruuvi(collector, period_ms=100, points=["missed"])
    do(sensor.heard(measured(40_000, 1), collector), sensor.heard(measured(3, 2), collector))
    assert values(collector, sensor, "missed") == [0, 0]
    (event,) = collector.events
    assert (event.kind, event.subject, event.tick) == ("sensor_restarted", "room", 200)
    assert event.data == {"device": "ble", "sequence": 3, "before": 40_000}


def test_invalid_values_are_absent_with_a_reason(collector: Any) -> None:
    sensor = ruuvi(collector, points=["temperature", "humidity", "pressure"])
    invalid = Advert({0x0499: bytes.fromhex("058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF")})
    do(sensor.heard(heard(invalid, 1, address=RUUVI_MAC), collector))
    (poll,) = collector.polls
    assert poll.counts == [None, None, None]
    assert poll.flags == [(0, Status.INVALID), (1, Status.INVALID), (2, Status.INVALID)]


def test_silence_is_told_after_three_periods_with_its_reason(collector: Any) -> None:
    sensor = ruuvi(collector, period_ms=10_000, points=["temperature"])
    do(sensor.heard(measured(1, 5), collector))
    do(sensor.look(34 * S, Hears(), collector))
    assert collector.silences == []
    do(sensor.look(36 * S, Hears(), collector), sensor.look(40 * S, Hears(), collector))
    reason = "the sensor was not heard for 30.0 s"
    assert collector.silences == [(("room/temperature",), GapCause.RADIO, reason)]
    do(
        sensor.heard(measured(2, 50), collector),
        sensor.look(81 * S, Hears("adapter hci0 is gone"), collector),
    )
    assert collector.silences[1:] == [(("room/temperature",), GapCause.RADIO, "adapter hci0 is gone")]


def test_sensor_that_repeats_one_measurement_for_ever_is_silent(collector: Any) -> None:
    sensor = ruuvi(collector, period_ms=1000, points=["temperature"])
    for at_s in range(6):
        do(sensor.heard(measured(1, at_s), collector), sensor.look(at_s * S, Hears(), collector))
    assert len(collector.polls) == 1
    reason = "the sensor sent nothing new for 3.0 s"
    assert collector.silences == [(("room/temperature",), GapCause.SENSOR, reason)]


def test_radio_that_hears_nobody_takes_the_blame(collector: Any) -> None:
    """BlueZ gives a device's old data again when nothing but its level came in."""
    sensor = ruuvi(collector, period_ms=1000, points=["temperature"])
    for at_s in range(6):
        do(sensor.heard(measured(1, at_s), collector), sensor.look(at_s * S, Hears(heard_s=0), collector))
    reason = "nothing was heard for 3.0 s"
    assert collector.silences == [(("room/temperature",), GapCause.RADIO, reason)]


def test_ruuvi_data_of_another_format_are_refused_once(collector: Any) -> None:
    sensor = ruuvi(collector)
    for at_s in range(3):
        odd = Advert({0x0499: bytes([3, at_s])})
        do(sensor.heard(heard(odd, at_s, address=RUUVI_MAC), collector))
    assert [event.data["refusal"] for event in collector.events] == ["format"]
    do(sensor.heard(heard(Advert({0x0499: b"\x03"}), 700, address=RUUVI_MAC), collector))
    assert len(collector.events) == 2


# --- BTHome ---------------------------------------------------------------------------------------------


def bthome(collector: Any, folder: Path, **more: Any) -> BtHomeSensor:
    more.setdefault("points", ["temperature"])
    settings = BleSensor(prefix="room", address=BTHOME_MAC, format="bthome", **more)
    sensor = BtHomeSensor(settings, "ble", folder)
    sensor.begin(collector, 0)
    do(sensor.tell_beginning(0, collector))
    return sensor


def keyed(collector: Any, folder: Path, **more: Any) -> BtHomeSensor:
    (folder / "room.key").write_text(KEY.hex() + "\n", encoding="ascii")
    return bthome(collector, folder, key_file="room.key", period_ms=100, **more)


def sealed(counter: int, objects: bytes = WARM, *, key: bytes = KEY) -> Advert:
    return adverts.sealed_bthome(objects, key=key, counter=counter, mac=BTHOME_MAC)


def play(sensor: Sensor, collector: Any, sent: list[Advert], *, start_s: float = 1) -> None:
    for number, advert in enumerate(sent):
        do(sensor.heard(heard(advert, start_s + number), collector))


def test_encrypted_counter_only_ever_grows(collector: Any, tmp_path: Path) -> None:
    sensor = keyed(collector, tmp_path)
    play(sensor, collector, [sealed(5), sealed(5), sealed(4, COLD), sealed(6), sealed(5), sealed(900)])
    assert values(collector, sensor, "temperature") == [2506, 2506, 2506]
    assert kinds(collector) == ["counter_learned", "sensor_refused"]
    assert collector.events[1].data == {
        "device": "ble",
        "refusal": "counter",
        "reason": "its counter went back to 4, below 6",
    }


@pytest.mark.parametrize("low", [0, 1, 99, 100, 499])
def test_counter_that_began_anew_is_refused_after_a_restart_too(
    low: int, collector: Any, tmp_path: Path
) -> None:
    """No number is small enough to be believed: that would be a window for replays."""
    play(keyed(collector, tmp_path), collector, [sealed(500)])
    later = keyed(collector, tmp_path)
    play(later, collector, [sealed(low, COLD), sealed(500, COLD)])
    assert values(collector, later, "temperature") == [2506]
    play(later, collector, [sealed(501, COLD)])
    assert values(collector, later, "temperature") == [2506, 1]


def test_administrator_resets_a_counter_once(collector: Any, tmp_path: Path) -> None:
    play(keyed(collector, tmp_path), collector, [sealed(500)])
    collector.events.clear()
    sensor = keyed(collector, tmp_path, counter_reset=1)
    play(sensor, collector, [sealed(3, COLD), sealed(2)])
    assert kinds(collector) == ["counter_reset", "counter_learned", "sensor_refused"]
    assert collector.events[0].data == {"device": "ble", "reset": 1, "lowest": 501}
    collector.events.clear()
    again = keyed(collector, tmp_path, counter_reset=1)  # the same number resets nothing more
    play(again, collector, [sealed(1)])
    assert kinds(collector) == ["sensor_refused"]
    rolled_back = keyed(collector, tmp_path)  # nor does an older settings file
    play(rolled_back, collector, [sealed(1), sealed(4)])
    assert values(collector, rolled_back, "temperature") == [2506, 1, 2506]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=30), st.integers(0, 30))
def test_no_order_of_counters_brings_an_old_one_in(counters: list[int], restart: int) -> None:
    class Kept:
        def __init__(self) -> None:
            self.kept: dict[str, bytes] = {}

        def remember(self, key: str, value: bytes) -> None:
            self.kept[key] = value

        def recall(self, key: str) -> bytes | None:
            return self.kept.get(key)

    memory: Any = Kept()
    counter, accepted = Counter(memory, "a", 0), []
    for place, number in enumerate(counters):
        if place == restart:
            counter = Counter(memory, "a", 0)
        if counter.judge(number) in (Verdict.NEW, Verdict.FIRST):
            counter.accept(number)
            accepted.append(number)
    assert accepted == sorted(set(accepted))
    assert not counters or accepted[-1] == max(counters)


def test_wrong_key_tells_so_at_once(collector: Any, tmp_path: Path) -> None:
    sensor = keyed(collector, tmp_path)
    play(sensor, collector, [sealed(5, key=bytes(16))])
    assert [event.data["refusal"] for event in collector.events] == ["wrong_key"]
    assert collector.silences == [
        (("room/temperature",), GapCause.SENSOR, "does not decrypt with the configured key")
    ]


def test_plain_data_of_a_keyed_sensor_are_not_believed(collector: Any, tmp_path: Path) -> None:
    sensor = keyed(collector, tmp_path)
    play(sensor, collector, [sealed(5), adverts.bthome(COLD)])
    assert values(collector, sensor, "temperature") == [2506]
    assert collector.events[-1].data["refusal"] == "not_encrypted"
    assert collector.silences == []  # a stranger's word does not silence a sensor that is read
    do(sensor.look(21 * S // 10, Hears(), collector))
    assert collector.silences[0][2] == "not encrypted although a key is configured"


def test_encrypted_data_without_a_key_say_what_is_missing(collector: Any, tmp_path: Path) -> None:
    play(bthome(collector, tmp_path), collector, [sealed(5)])
    assert collector.events[0].data["refusal"] == "no_key"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "key file room.key: No such file or directory"),
        (b"231d", "key file room.key: 4 characters, expected 32 hex digits"),
        (b"\xff" * 32, "key file room.key: 0 characters, expected 32 hex digits"),
        (b"g" * 32, "key file room.key: 32 characters, expected 32 hex digits"),
    ],
)
def test_key_file_that_cannot_be_used_is_told(
    content: bytes | None, reason: str, collector: Any, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "room.key").write_bytes(content)
    sensor = bthome(collector, tmp_path, key_file="room.key")
    play(sensor, collector, [sealed(5), adverts.bthome(WARM)])
    assert read_key(tmp_path / "room.key") == (None, reason)
    assert [event.data["reason"] for event in collector.events] == [reason]
    assert collector.polls == []
    assert collector.silences == [(("room/temperature",), GapCause.SENSOR, reason)]


def test_packet_id_tells_a_repeat_from_the_same_value_again(collector: Any, tmp_path: Path) -> None:
    sensor = bthome(collector, tmp_path, period_ms=100)
    first, second = adverts.bthome(b"\x00\x01" + WARM), adverts.bthome(b"\x00\x02" + WARM)
    play(sensor, collector, [first, first, second, first])
    assert values(collector, sensor, "temperature") == [2506, 2506]


def test_values_that_come_in_turns_are_points_of_their_own(collector: Any, tmp_path: Path) -> None:
    sensor = bthome(collector, tmp_path, points=["temperature", "humidity", "voltage_2"], period_ms=5000)
    packets = [adverts.bthome(WARM), adverts.bthome(bytes.fromhex("03bf13"))] * 3
    play(sensor, collector, packets)
    assert values(collector, sensor, "temperature") == [2506]
    assert values(collector, sensor, "humidity") == [5055]
    do(sensor.look(16 * S, Hears(), collector))
    assert [silence[0] for silence in collector.silences] == [("room/voltage_2",)]


def test_states_are_recorded_when_they_change_and_once_a_period(collector: Any, tmp_path: Path) -> None:
    sensor = bthome(collector, tmp_path, points=["door"], period_ms=60_000)
    closed, opened = adverts.bthome(b"\x1a\x00"), adverts.bthome(b"\x1a\x01")
    play(sensor, collector, [closed, closed, opened, opened, closed])
    assert values(collector, sensor, "door") == [0, 1, 0]
    assert [poll.tick for poll in collector.polls] == [100, 300, 500]
    assert sensor.points[0].states == {"0": "closed", "1": "open"}


def test_buttons_and_dimmers_are_events_and_repeats_are_none(collector: Any, tmp_path: Path) -> None:
    sensor = bthome(collector, tmp_path, points=["battery"], comes_by_itself=True)
    press = adverts.bthome(bytes.fromhex("00013a003a02"), trigger_based=True)
    turn = adverts.bthome(bytes.fromhex("00023c0203"))
    play(sensor, collector, [press, press, turn, press])
    assert [(event.kind, event.data) for event in collector.events] == [
        ("button_used", {"device": "ble", "number": 2, "action": "double_press"}),
        ("dimmer_used", {"device": "ble", "number": 1, "action": "rotate_right", "steps": 3}),
    ]
    do(sensor.look(10**6 * S, Hears(), collector))
    assert collector.silences == []
    assert sensor.points[0].period_ms is None


def test_points_of_bthome_are_names_with_a_place() -> None:
    assert split_point("voltage_2") == ("voltage", 2)
    assert split_point("pm2_5") == ("pm2_5", 1)
    assert split_point("pm2_5_2") == ("pm2_5", 2)
    assert split_point("voltage_1") is None
    assert split_point("mass_kg") is None


# --- tags -----------------------------------------------------------------------------------------------


def tags() -> tuple[Tags, Beacon]:
    badge = BleTag(name="badge-12", kind="badge", uuid=UUID, major=1, minor=2)
    asset = BleTag(name="balance", namespace="00112233445566778899", instance="aabbccddeeff")
    presence = BlePresence(enter_s=2, leave_s=10, dwell_s=30, smoothing_s=1)
    device = BleDevice(name="ble", zone="room-1", tag=[badge, asset], presence=presence)
    found = Tags(device)
    found.begin()
    assert beacon_of(asset) in found
    return found, beacon_of(badge)


@pytest.mark.requirement("G-5.1a")
def test_badge_enters_dwells_and_leaves(collector: Any) -> None:
    watched, badge = tags()
    do(watched.deaf(0, 0, collector))
    for at_s in range(40):
        do(watched.heard(badge, at_s * S, -60, emit=collector), watched.look(at_s * S, collector))
    do(*(watched.look(at_s * S, collector) for at_s in range(40, 60)))
    assert [(event.kind, event.subject, event.tick) for event in collector.events] == [
        ("zone_entered", "badge-12", 200),
        ("zone_dwelled", "badge-12", 3200),
        ("zone_left", "badge-12", 4900),
    ]
    assert collector.events[0].data == {
        "device": "ble",
        "zone": "room-1",
        "kind": "badge",
        "after_ms": 2000,
        "rssi": -60,
    }
    states = [(poll.tick, poll.counts) for poll in collector.polls]
    assert states[:3] == [(0, [None, None]), (200, [1, None]), (1200, [1, 0])]
    assert (4900, [0, 0]) in states
    assert collector.polls[0].flags == [(0, Status.UNKNOWN), (1, Status.UNKNOWN)]
    assert not any("f7826da6" in str(event) for event in collector.events)


def test_deaf_radio_makes_presence_silent_and_no_departure(collector: Any) -> None:
    watched, badge = tags()
    do(watched.deaf(0, 0, collector))
    for at_s in range(5):
        do(watched.heard(badge, at_s * S, -60, emit=collector))
    do(watched.silent(20 * S, "it hangs", collector), watched.silent(21 * S, "it hangs", collector))
    assert collector.silences == [(("badge-12/presence", "balance/presence"), GapCause.RADIO, "it hangs")]
    do(watched.deaf(4 * S, 100 * S, collector), watched.look(101 * S, collector))
    assert kinds(collector) == ["zone_entered"]
    assert collector.polls[-1].counts == [1, None]
    do(watched.look(111 * S, collector))
    assert kinds(collector) == ["zone_entered", "zone_left"]


# --- strangers ------------------------------------------------------------------------------------------


def strangers(collector: Any, *sent: Heard) -> list[tuple[str, object]]:
    candidates = Candidates(device="ble", now_tick=lambda: 1)
    do(*(tell_stranger(one, candidates, collector) for one in sent))
    return [(event.subject, event.data["format"]) for event in collector.events]


def stranger(advert: Advert, address: str, *, random: bool) -> Heard:
    return Heard(address, random, -60, 0, dict(advert.manufacturer), dict(advert.service))


def test_sensors_are_told_with_the_address_that_settings_need(collector: Any) -> None:
    found = strangers(
        collector,
        stranger(adverts.ruuvi(1, mac=RUUVI_MAC), RUUVI_MAC, random=True),
        stranger(adverts.bthome(WARM), BTHOME_MAC, random=False),
        stranger(sealed(1), "54:48:E6:8F:80:A6", random=False),
    )
    assert found == [
        (RUUVI_MAC, "ruuvi"),
        (BTHOME_MAC, "bthome"),
        ("54:48:E6:8F:80:A6", "bthome_encrypted"),
    ]


def test_private_addresses_are_shortened_and_members_left_out(collector: Any) -> None:
    tag = adverts.ibeacon(UUID, 7, 4242)
    uid = adverts.eddystone("00112233445566778899", "aabbccddeeff")
    found = strangers(
        collector,
        stranger(adverts.bthome(WARM), "5E:48:E6:8F:80:A5", random=True),
        stranger(adverts.bthome(WARM), "5E:11:22:33:44:55", random=True),
        stranger(tag, "5E:48:E6:8F:80:A5", random=True),
        stranger(uid, "5E:48:E6:8F:80:A5", random=True),
    )
    assert found == [
        ("5E:xx:xx:xx:xx:xx", "bthome"),
        (f"ibeacon {UUID}/7", "ibeacon"),
        ("eddystone 00112233445566778899", "eddystone"),
    ]
    assert "4242" not in str(collector.events)
    assert "aabbccddeeff" not in str(collector.events)


def test_phones_are_never_told(collector: Any) -> None:
    phones = [stranger(adverts.phone(), f"5E:48:E6:8F:80:{n:02X}", random=True) for n in range(50)]
    assert all(read_beacon(one) is None for one in phones)
    assert strangers(collector, *phones) == []
