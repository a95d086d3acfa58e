"""Adapters of drivers with another program between them and the device: gpsd, NUT, BlueZ, ffmpeg."""

import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from edge.drivers.ble.driver import BleDriver
from simulators.devices import adverts
from simulators.devices.bluez import Adapter, Air, Transmitter, bluetooth_service, make_sysfs, message_bus
from simulators.devices.camera import Camera, camera_server
from simulators.devices.gnss import Receiver, gpsd_fed_by
from simulators.devices.nmea import epoch, sky
from simulators.devices.ups import Ups, nut_server
from simulators.drives import Fix
from tests.edge.drivers.ble.conftest import FAST
from tests.edge.drivers.conftest import Collector
from tests.sweep.fitting import Fault, Fitted, Proxy, Seen, Site, only, proxy, silent
from wire.messages import Poll
from wire.settings.ble import BleDevice, BleSensor
from wire.settings.camera import CameraDevice
from wire.settings.gnss import GnssDevice
from wire.settings.ups import UpsDevice
from wire.status import GapCause

MAC = "54:48:E6:8F:80:A5"
KEY = bytes(range(16))
HERE = Fix(28.193889052, 112.966809713, 52.3, 12.5, 77.25, parked=False)
REPORT_S = 0.25
NEAR_E9 = 2_000
"""NMEA gives a place in steps of a ten thousandth of an arc minute or less."""


def _between(line: Proxy, seen: Seen, cut: Seen) -> dict[str, Fault]:
    faults = {
        mode: Fault(seen, line.switch(mode), line.switch("")) for mode in ("garbage", "silence", "slow")
    }
    return faults | {"reset": Fault(cut, line.cut)}


def where(_: str) -> bytes:
    now = time.time()
    return epoch(HERE, datetime.fromtimestamp(now, UTC), sky("5", now))


async def gnss(site: Site) -> Fitted:
    receiver = Receiver(where, period_s=REPORT_S)
    port = await site.stack.enter_async_context(gpsd_fed_by(receiver, folder=site.place("gpsd")))
    line = await site.stack.enter_async_context(proxy(port))
    device = GnssDevice(
        name="gnss",
        host="127.0.0.1",
        port=line.port,
        silence_s=1,
        period_ms=int(1000 * REPORT_S),
        points=["speed", "mode"],
    )

    def placed(collector: Collector) -> bool:
        places = [one for one in collector.positions if one.latitude_e9 is not None]
        return all(abs(one.latitude_e9 - HERE.latitude * 1e9) < NEAR_E9 for one in places)

    return Fitted(
        device,
        _between(line, silent(GapCause.BUS, GapCause.SENSOR), silent(GapCause.BUS)),
        lambda poll: poll.counts[1] in (None, 1, 2, 3),
        alive=lambda collector: sum(one.latitude_e9 is not None for one in collector.positions),
        also=placed,
        every_s=REPORT_S,
    )


async def ups(site: Site) -> Fitted:
    made = nut_server(Ups(now_s=time.time), folder=site.place("nut"))
    line = await site.stack.enter_async_context(proxy(await site.stack.enter_async_context(made)))
    device = UpsDevice(
        name="ups",
        host="127.0.0.1",
        port=line.port,
        interval_ms=200,
        timeout_ms=300,
        points=["input_voltage", "battery_charge", "load"],
    )

    true = only(2_300_000, 100_000, 23_000)
    faults = _between(line, silent(GapCause.BUS), silent(GapCause.BUS))
    return Fitted(device, faults, true, every_s=0.2)


async def ble(site: Site) -> Fitted:
    """A sealed sensor: what has no seal and no checksum of its own could not tell noise from a reading."""
    counter = 0

    def advert() -> adverts.Advert:
        nonlocal counter
        counter += 1
        return adverts.sealed_bthome(bytes.fromhex("02ca09"), key=KEY, counter=counter, mac=MAC)

    folder, keys = site.place("bluez"), site.folder / "ble"
    keys.mkdir(mode=0o700)
    (keys / "room.key").write_text(KEY.hex(), encoding="ascii")
    tag = Transmitter(MAC, advert, 0.1)
    air = Air({"hci0": Adapter("00:1A:7D:DA:71:00")}, [tag])
    sysfs = make_sysfs(folder, ["hci0"])
    address = await site.stack.enter_async_context(message_bus(folder))
    await site.stack.enter_async_context(bluetooth_service(air, address, sysfs=sysfs))
    site.environment.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    sensor = BleSensor(
        prefix="tag",
        address=MAC,
        format="bthome",
        period_ms=200,
        points=["temperature"],
        key_file="room.key",
    )
    device = BleDevice(name="ble", watchdog_s=2, sensor=[sensor])

    def switch(fault: str) -> None:
        air.adapters["hci0"].fault = fault

    def rarely(interval_s: float) -> None:
        tag.interval_s, tag.due_s = interval_s, 0.0

    def runs(service: bool) -> None:
        air.service = service

    seen = silent(GapCause.RADIO)
    faults = {
        "garbage": Fault(silent(GapCause.SENSOR), lambda: switch("garbage"), lambda: switch("")),
        "silence": Fault(seen, lambda: switch("deaf"), lambda: switch("")),
        "slow": Fault(seen, lambda: rarely(1.5), lambda: rarely(0.1)),
        "reset": Fault(seen, lambda: runs(False), lambda: runs(True)),
    }
    return Fitted(
        device,
        faults,
        only(2506),
        every_s=0.3,
        make=lambda settings, given: BleDriver(settings, given, timings=FAST, sysfs=sysfs),
    )


def stop_children(program: str, *words: str) -> None:
    """Have the children of this process that run so stand still; they stand still for good."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (folder / "cmdline").read_text()
            if parent == os.getpid() and program in command and all(word in command for word in words):
                os.kill(int(folder.name), signal.SIGSTOP)
                found += 1
    assert found, f"no child runs {program} {words}"


async def camera(site: Site) -> Fitted:
    made = camera_server(Camera(kind="mjpeg", now_s=time.time), folder=site.place("camera"))
    line = await site.stack.enter_async_context(proxy(await site.stack.enter_async_context(made)))
    device = CameraDevice(
        name="cam",
        prefix="cam",
        url=f"http://127.0.0.1:{line.port}/live",
        heartbeat_s=1,
        silence_s=2,
        segment_s=2,
        frozen_s=0,
    )

    def true(poll: Poll) -> bool:
        rate, recorded, picture = poll.counts
        return (
            (rate is None or 0 < rate < 200_000) and (recorded is None or recorded >= 0) and picture is None
        )

    faults = _between(line, silent(GapCause.BUS, GapCause.SENSOR), silent(GapCause.BUS))
    stopped = Fault(silent(GapCause.SENSOR), lambda: stop_children("ffmpeg", str(site.folder / "cam")))
    return Fitted(device, faults, true, every_s=1.0, block=stopped)
