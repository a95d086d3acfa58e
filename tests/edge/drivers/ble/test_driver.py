"""The driver with real bleak, a real dbus-daemon and the BlueZ of the simulators."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.ble.driver import BleDriver
from edge.drivers.ble.ladder import Step, Timings
from simulators.devices import adverts
from simulators.devices.bluez import Adapter, Transmitter
from simulators.running import Clocks, running
from simulators.scenario import load_scenario
from wire.settings.base import SettingsError
from wire.settings.ble import BleDevice, BlePresence, BleSensor, BleTag
from wire.settings.check import check
from wire.status import GapCause

pytestmark = pytest.mark.slow

MAC, BTHOME_MAC = "CB:B8:33:4C:88:4F", "54:48:E6:8F:80:A5"
UUID = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"
KEY = bytes(range(16))
IMPATIENT = Timings(
    call_s=0.5, settle_s=0.3, power_off_s=0.05, usb_off_s=0.1, pause_s=0.05, longest_pause_s=0.5, alarm_s=0.5
)


def kinds(collector: Any) -> list[str]:
    return [event.kind for event in collector.events]


@pytest.mark.requirement("G-3.6", "G-5.1a")
def test_one_scan_serves_sensors_tags_and_candidates(collector: Any, run_until: Any, lab: Any) -> None:
    counter = 0

    def sealed() -> adverts.Advert:
        nonlocal counter
        counter += 1
        objects = bytes.fromhex("016402ca09")
        return adverts.sealed_bthome(objects, key=KEY, counter=counter, mac=BTHOME_MAC)

    async def scenario() -> None:
        async with lab() as here:
            folder = here.folder / "ble"
            folder.mkdir()
            (folder / "room.key").write_text(KEY.hex(), encoding="ascii")
            badge = adverts.ibeacon(UUID, 1, 2)
            here.air.transmitters += [
                Transmitter(BTHOME_MAC, sealed, 0.1),
                Transmitter("C0:00:00:00:00:01", lambda: badge, 0.1, rssi=-55, random=True),
                Transmitter("C0:00:00:00:00:02", lambda: adverts.ruuvi(1, mac=MAC), 0.1, random=True),
                Transmitter("5E:00:00:00:00:03", adverts.phone, 0.1, random=True),
            ]
            sensors = [
                BleSensor(prefix="room", address=MAC, format="ruuvi", period_ms=200, points=["temperature"]),
                BleSensor(
                    prefix="door",
                    address=BTHOME_MAC,
                    format="bthome",
                    period_ms=200,
                    points=["battery", "temperature"],
                    key_file="room.key",
                ),
            ]
            driver = here.driver(
                sensor=sensors,
                tag=[BleTag(name="badge-12", kind="badge", uuid=UUID, major=1, minor=2)],
                presence=BlePresence(enter_s=0.5, leave_s=1, period_ms=1000),
            )
            layouts = [layout.id for layout in driver.layouts]
            assert len(layouts) == 4
            wanted = {"candidate_seen", "counter_learned", "zone_entered"}
            await run_until(
                driver,
                collector,
                lambda: (
                    wanted <= set(kinds(collector)) and all(len(collector.of(one)) > 2 for one in layouts)
                ),
            )
            temperature, battery = collector.of(layouts[0]), collector.of(layouts[1])
            assert {poll.counts[0] for poll in temperature} == {21_005}
            assert {poll.counts[0] for poll in battery} == {100}
            assert set(kinds(collector)) == wanted
            seen = [event.subject for event in collector.events if event.kind == "candidate_seen"]
            assert seen == ["C0:00:00:00:00:02"]
            assert here.air.calls.count("hci0 StartDiscovery") == 1

    asyncio.run(scenario())


def test_cancelled_driver_stops_its_scan(collector: Any, run_until: Any, lab: Any) -> None:
    async def scenario() -> None:
        async with lab() as here:
            await run_until(here.driver(), collector, lambda: collector.polls)
            assert not here.air.adapters["hci0"].scanning
            assert here.air.calls[-2:] == ["hci0 StopDiscovery", "hci0 SetDiscoveryFilter"]
            before = {task.get_name() for task in asyncio.all_tasks()}
            await run_until(here.driver(), collector, lambda: len(collector.polls) > 3)
            assert len(asyncio.all_tasks()) == len(before)

    asyncio.run(scenario())


def test_silent_sensor_and_silent_radio_have_different_reasons(
    collector: Any, run_until: Any, lab: Any
) -> None:
    async def scenario() -> None:
        async with lab() as here:
            here.air.transmitters.append(Transmitter("5E:00:00:00:00:03", adverts.phone, 0.1, random=True))
            driver = here.driver()
            await run_until(driver, collector, lambda: collector.polls)
            del here.air.transmitters[0]
            await run_until(driver, collector, lambda: collector.silences)
            reason = "the sensor was not heard for 0.6 s"
            assert collector.silences == [(("room/temperature", "room/sequence"), GapCause.RADIO, reason)]
            here.air.adapters["hci0"].fault = "in_progress"
            await run_until(driver, collector, lambda: len(collector.silences) > 1)
            assert collector.silences[1][1:] == (
                GapCause.RADIO,
                "adapter hci0: BlueZ says InProgress",
            )

    asyncio.run(scenario())


def test_radio_that_stays_dead_raises_one_alarm(collector: Any, run_until: Any, lab: Any) -> None:
    async def scenario() -> None:
        async with lab() as here:
            here.air.adapters["hci0"].fault = "gone"
            driver = here.driver(timings=IMPATIENT)
            await run_until(driver, collector, lambda: "radio_failed" in kinds(collector))
            steps = [event.data["step"] for event in collector.events if event.kind == "radio_step"]
            assert steps == [step.value for step in Step]
            assert collector.events[-1].data["reason"] == "there is no Bluetooth adapter"
            collector.events.clear()
            running = asyncio.create_task(driver.run(collector))
            await asyncio.sleep(4)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert kinds(collector) == ["radio_step"] * 4 + ["radio_failed"]

    asyncio.run(scenario())


def test_adapter_is_chosen_by_name_or_address(collector: Any, run_until: Any, lab: Any) -> None:
    async def scenario() -> None:
        async with lab(adapters=3) as here:
            for wanted, name in ((["hci2", "hci1"], "hci2"), (["00:1A:7D:DA:71:01"], "hci1"), ([], "hci0")):
                here.air.calls.clear()
                collector.polls.clear()
                await run_until(here.driver(adapters=wanted), collector, lambda: collector.polls)
                assert f"{name} StartDiscovery" in here.air.calls

    asyncio.run(scenario())


def test_probe_says_who_is_heard(lab: Any) -> None:
    async def scenario() -> None:
        async with lab() as here:
            other = BleSensor(prefix="x", address=BTHOME_MAC, format="bthome", points=["battery"])
            own = BleSensor(prefix="room", address=MAC, format="ruuvi")
            lines = await here.driver(sensor=[own, other]).probe()
            assert [(line.what, line.ok, line.answer) for line in lines] == [
                ("ble: radio", True, "hears"),
                (f"ble: sensor {MAC}", True, "-60 dBm"),
                (f"ble: sensor {BTHOME_MAC}", False, "was not heard"),
            ]
            here.air.adapters["hci0"].fault = "gone"
            await asyncio.sleep(0.1)
            (radio, sensor) = await here.driver().probe()
            assert (radio.ok, radio.answer) == (False, "there is no Bluetooth adapter")
            assert not sensor.ok

    asyncio.run(scenario())


def test_machine_without_a_bus_is_told(collector: Any, run_until: Any, lab: Any) -> None:
    async def scenario() -> None:
        async with lab() as here:
            driver = here.driver(timings=IMPATIENT)
        await run_until(driver, collector, lambda: "radio_failed" in kinds(collector))
        assert str(collector.events[-1].data["reason"]).startswith("cannot connect to D-Bus: ")

    asyncio.run(scenario())


def test_points_that_bthome_does_not_have_are_named(lab: Any) -> None:
    async def scenario() -> None:
        async with lab() as here:
            sensor = BleSensor(prefix="x", address=BTHOME_MAC, format="bthome", points=["battery", "mass"])
            with pytest.raises(SettingsError, match=r"sensor\[0\].points\[1\]: 'mass': expected one of"):
                here.driver(sensor=[sensor])

    asyncio.run(scenario())


def test_adapter_on_no_usb_cannot_be_re_enumerated(collector: Any, run_until: Any, lab: Any) -> None:
    async def scenario() -> None:
        async with lab() as here:
            here.air.adapters = {"hci7": Adapter("00:1A:7D:DA:71:77", fault="deaf")}
            driver = here.driver(adapters=["hci7"], timings=IMPATIENT)
            await run_until(driver, collector, lambda: "radio_failed" in kinds(collector))
            told = {event.data.get("step"): event.data.get("outcome") for event in collector.events}
            assert told["reenumeration"] == "the adapter is on no USB"
            assert told["second_adapter"] == "there is no other adapter"
            assert told["power_cycle"] == "done"

    asyncio.run(scenario())


# --- with a scenario, and what a bad radio brings --------------------------------------------------------

SCENARIO = """
title = "One radio"
[[gateway]]
id = "lab-1"
kind = "laboratory"
title = "Laboratory"
latitude = 28.19
longitude = 112.97
[[gateway.ble]]
name = "ble"
rooms = ["room-1", "room-2"]
tags = ["balance-7"]
"""


def test_scenario_gives_rooms_and_tags(
    collector: Any, run_until: Any, daemon_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = daemon_folder / "scenario.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    clocks = Clocks(time.monotonic_ns, time.time)

    async def scenario() -> None:
        made = running(load_scenario(str(file)), seed=3, folder=daemon_folder, clocks=clocks)
        async with made as state:
            offered: Any = state.gateways["lab-1"]
            for name, value in offered["environment"].items():
                monkeypatch.setenv(name, value)
            (table,) = offered["device"]
            assert table.pop("driver") == "ble"
            settings, faults = check(table, BleDevice)
            assert faults == []
            assert settings is not None
            driver = BleDriver(settings, Given(time.monotonic_ns))
            layouts = [layout.id for layout in driver.layouts]
            await run_until(driver, collector, lambda: all(map(collector.of, layouts)))
            celsius, percent, pascal, _, _ = collector.of(layouts[0])[0].counts
            assert 15_000 < celsius < 27_000
            assert 200_000 < percent < 800_000
            assert 85_000 < pascal < 110_000
            with pytest.raises(ValueError, match="smoke"):
                state.switch("lab-1/ble", "smoke")
            state.switch("lab-1/ble", "deaf")

    asyncio.run(scenario())


def test_garbage_brings_no_reading_and_no_end(collector: Any, insist: Any, lab: Any) -> None:
    async def scenario() -> None:
        async with lab() as here:
            bthome = adverts.bthome(bytes.fromhex("02ca09"))
            here.air.transmitters.append(Transmitter(BTHOME_MAC, lambda: bthome, 0.02))
            here.air.adapters["hci0"].fault = "garbage"
            door = BleSensor(
                prefix="door", address=BTHOME_MAC, format="bthome", points=["temperature"], period_ms=100
            )
            tag = BleSensor(prefix="room", address=MAC, format="ruuvi", period_ms=100, points=["sequence"])
            driver = here.driver(sensor=[tag, door])
            (ruuvi, plain) = [layout.id for layout in driver.layouts]
            await insist(driver, collector, lambda: len(collector.events) > 1)
            assert set(kinds(collector)) == {"sensor_refused"}
            assert {event.data["refusal"] for event in collector.events} <= {"format", "no_key"}
            assert collector.of(ruuvi) == []
            here.air.adapters["hci0"].fault = ""
            await insist(driver, collector, lambda: collector.of(ruuvi) and collector.of(plain))

    asyncio.run(scenario())
