"""How soon readings come again once a device is back, under the real supervisor with its real pauses.

The bound is the one of docs/reference/drivers/README.md: one pause (twice the outage and a second at most),
and what the device, gpsd or NUT needs by itself.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from edge.driver import Driver, Given
from edge.drivers.camera.driver import CameraDriver
from edge.drivers.gnss.driver import GnssDriver
from edge.drivers.gpio.driver import GpioDriver
from edge.drivers.instrument.driver import InstrumentDriver
from edge.drivers.modbus.driver import ModbusDriver
from edge.drivers.senml.driver import SenmlDriver
from edge.drivers.ups.driver import UpsDriver
from edge.recorder import Recorder
from edge.supervisor import FIRST_WAIT_S, LONGEST_WAIT_S, Backoff, Supervisor
from simulators.devices.camera import Camera, camera_server
from simulators.devices.gnss import Receiver, gpsd_fed_by
from simulators.devices.gpio import running_board
from simulators.devices.instrument import Instrument, Multimeter, scpi_server
from simulators.devices.lan_broker import lan_broker
from simulators.devices.modbus import Unit, modbus_server
from simulators.devices.modbus_rtu import rtu_line
from simulators.devices.nmea import epoch, sky
from simulators.devices.senml import Sensor
from simulators.devices.ups import Ups, nut_server
from simulators.drives import Fix
from simulators.processes import daemon, find_program, free_port, wait_for_port
from wire.settings.camera import CameraDevice
from wire.settings.gnss import GnssDevice
from wire.settings.gpio import GpioDevice, GpioInput
from wire.settings.instrument import Identity, InstrumentDevice, Query
from wire.settings.intake import MqttIntake
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice, ModbusUnit
from wire.settings.senml import SenmlDevice, SenmlValue
from wire.settings.ups import UpsDevice
from wire.status import GapCause

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-3.6")]

OUTAGE_S = 3.0
PAUSE_S = min(LONGEST_WAIT_S, 2 * OUTAGE_S + FIRST_WAIT_S)
OWN_S = 5.0
"""For what the device, gpsd or NUT does by itself; it takes a second or two."""
HERE = Fix(28.193889052, 112.966809713, 52.3, 12.5, 77.25, parked=False)
There = Callable[[], AbstractAsyncContextManager[object]]
"""Makes the device be there while the context is open."""


def readings(collector: Any) -> int:
    """How many polls with a value and fixes with a place there were."""
    polls = sum(any(count is not None for count in poll.counts) for poll in collector.polls)
    return polls + sum(position.latitude_e9 is not None for position in collector.positions)


async def recovery_s(driver: Driver, collector: Any, there: There, *, cause: GapCause) -> float:
    """Let the device go and come back; return how long it then took to its first reading."""
    supervisor = Supervisor(
        driver,
        cast("Recorder", collector),
        backoff=Backoff(FIRST_WAIT_S, LONGEST_WAIT_S, random=random.Random(1).random),
        now=time.monotonic,
        now_tick=lambda: time.monotonic_ns() // 10**7,
    )
    running = asyncio.create_task(supervisor.run())
    try:
        async with there():
            await asyncio.wait_for(collector.until(lambda: readings(collector)), 30)
        await asyncio.wait_for(collector.until(lambda: collector.silences), 30)
        assert {said for _, said, _ in collector.silences} == {cause}
        await asyncio.sleep(OUTAGE_S)
        before, back_at = readings(collector), time.monotonic()
        async with there():
            await asyncio.wait_for(collector.until(lambda: readings(collector) > before), 60)
            return time.monotonic() - back_at
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def where(_: str) -> bytes:
    now = time.time()
    return epoch(HERE, datetime.fromtimestamp(now, UTC), sky("5", now))


def now() -> tuple[int, int]:
    return time.monotonic_ns(), time.time_ns() // 10**6


def gnss(port: int) -> GnssDriver:
    return GnssDriver(GnssDevice(name="gnss", port=port, silence_s=2), Given(time.monotonic_ns))


def test_modbus_device_that_was_away_is_read_within_one_pause(collector: Any) -> None:
    async def scenario() -> float:
        port = free_port()
        unit = ModbusUnit(address=1, profile="xy-md02", prefix="a")
        settings = ModbusDevice(name="bus", host="127.0.0.1", port=port, unit=[unit])
        driver = ModbusDriver(settings, Given(time.monotonic_ns))
        units = [Unit(1, "xy-md02", lambda _: 20.0)]
        return await recovery_s(
            driver, collector, lambda: modbus_server(units, now=now, port=port), cause=GapCause.BUS
        )

    assert asyncio.run(scenario()) < PAUSE_S + OWN_S


def test_serial_adapter_that_was_pulled_out_is_read_within_one_pause(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> float:
        path = tmp_path / "tty"
        unit = ModbusUnit(address=1, profile="xy-md02", prefix="a")
        settings = ModbusRtuDevice(name="bus", path=str(path), unit=[unit])
        driver = ModbusDriver(settings, Given(time.monotonic_ns))
        units = [Unit(1, "xy-md02", lambda _: 20.0)]
        return await recovery_s(
            driver, collector, lambda: rtu_line(units, now=now, path=path), cause=GapCause.BUS
        )

    assert asyncio.run(scenario()) < PAUSE_S + OWN_S


def test_silent_unit_among_others_is_read_again_within_one_pause(collector: Any) -> None:
    """The line lives, so the driver itself asks again: after a second, two, four, up to every 30 s."""

    async def scenario() -> float:
        async with modbus_server([Unit(n, "xy-md02", lambda _: 20.0) for n in (1, 2)], now=now) as (
            line,
            port,
        ):
            units = [ModbusUnit(address=n, profile="xy-md02", prefix=f"unit-{n}") for n in (1, 2)]
            settings = ModbusDevice(name="bus", host="127.0.0.1", port=port, unit=units)
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            bad = driver.layouts[1].id
            running = asyncio.create_task(driver.run(collector))
            try:
                await asyncio.wait_for(collector.until(lambda: collector.of(bad)), 30)
                line.units[2].fault = "silence"
                await asyncio.wait_for(collector.until(lambda: collector.silences), 30)
                await asyncio.sleep(OUTAGE_S)
                before = len(collector.of(bad))
                line.units[2].fault, back_at = "", time.monotonic()
                await asyncio.wait_for(collector.until(lambda: len(collector.of(bad)) > before), 60)
                return time.monotonic() - back_at
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    assert asyncio.run(scenario()) < PAUSE_S + OWN_S
    assert {cause for _, cause, _ in collector.silences} == {GapCause.SENSOR}


def test_instrument_that_was_away_is_read_within_one_pause(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> float:
        port = free_port()
        settings = InstrumentDevice(
            name="meter",
            prefix="meter",
            resource=f"TCPIP::127.0.0.1::{port}::SOCKET",
            identity=Identity(model="SIM-6500"),
            query=[Query(point="a", command="READ?", quantity="voltage", step=Decimal("1e-7"))],
        )
        driver = InstrumentDriver(settings, Given(time.monotonic_ns, tmp_path))
        meter = Instrument(Multimeter(now_s=time.time))
        return await recovery_s(driver, collector, lambda: scpi_server(meter, port=port), cause=GapCause.BUS)

    assert asyncio.run(scenario()) < PAUSE_S + OWN_S


def test_camera_that_was_away_is_recorded_within_one_pause(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> float:
        port = free_port()
        settings = CameraDevice(
            name="cam", prefix="cam", url=f"http://127.0.0.1:{port}/live", heartbeat_s=1, segment_s=2
        )
        driver = CameraDriver(settings, Given(time.monotonic_ns, tmp_path / "data"))
        camera = Camera(kind="mjpeg", now_s=time.time)
        return await recovery_s(
            driver,
            collector,
            lambda: camera_server(camera, folder=tmp_path, port=port),
            cause=GapCause.BUS,
        )

    assert asyncio.run(scenario()) < PAUSE_S + OWN_S


def test_nut_server_that_was_away_is_read_within_one_pause(collector: Any, daemon_folder: Path) -> None:
    async def scenario() -> float:
        port = free_port()
        driver = UpsDriver(UpsDevice(name="ups", port=port), Given(time.monotonic_ns))
        ups = Ups(now_s=time.time)
        return await recovery_s(
            driver, collector, lambda: nut_server(ups, folder=daemon_folder, port=port), cause=GapCause.BUS
        )

    assert asyncio.run(scenario()) < PAUSE_S + OWN_S


def test_restarted_gpsd_gives_positions_within_one_pause(collector: Any, daemon_folder: Path) -> None:
    async def scenario() -> float:
        port = free_port()
        return await recovery_s(
            gnss(port),
            collector,
            lambda: gpsd_fed_by(Receiver(where), folder=daemon_folder, port=port),
            cause=GapCause.BUS,
        )

    assert asyncio.run(scenario()) < PAUSE_S + OWN_S
    assert collector.positions[-1].point == "gnss/position"


async def _tell(control: Path, word: str) -> None:
    """Say one word to gpsd's control socket, which appears some time after its port."""
    for _ in range(200):
        with suppress(FileNotFoundError):
            reader, writer = await asyncio.open_unix_connection(control)
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError(f"{control} did not appear in 10 s")
    writer.write(f"{word}\r\n".encode())
    assert await reader.readline() == b"OK\n"
    writer.close()


def test_receiver_plugged_in_again_gives_positions_within_one_pause(
    collector: Any, daemon_folder: Path
) -> None:
    """gpsd is told through its socket that the receiver goes and comes, as udev tells it."""
    daemon_folder.chmod(0o711)
    control = daemon_folder / "open" / "control"
    control.parent.mkdir()
    control.parent.chmod(0o777)

    async def scenario() -> float:
        source_port, port = free_port(), free_port()
        device = f"tcp://127.0.0.1:{source_port}"
        receiver = Receiver(where)

        @asynccontextmanager
        async def plugged() -> AsyncIterator[None]:
            source = await asyncio.start_server(receiver.serve, "127.0.0.1", source_port)
            try:
                await _tell(control, f"+{device}")
                yield
                await _tell(control, f"-{device}")
            finally:
                source.close()
                receiver.close()
                await source.wait_closed()

        log = daemon_folder / "gpsd.log"
        # The second receiver never says anything; without one gpsd would end, for systemd to start it anew.
        other = f"udp://127.0.0.1:{free_port()}"
        command = [find_program("gpsd"), "-N", "-n", "-b", "-S", str(port), "-F", str(control), other]
        writing = asyncio.create_task(receiver.write())
        try:
            async with daemon(command, log=log, unprivileged=True) as process:
                await wait_for_port(process, port, log=log)
                return await recovery_s(gnss(port), collector, plugged, cause=GapCause.SENSOR)
        finally:
            writing.cancel()

    assert asyncio.run(scenario()) < PAUSE_S + OWN_S


def test_pins_that_were_lost_are_read_within_one_pause(collector: Any, pins_folder: Path) -> None:
    settings = GpioDevice(name="pins", input=[GpioInput(name="door", kind="door_contact", pin=17)])

    @asynccontextmanager
    async def there() -> AsyncIterator[None]:
        async with running_board(pins_folder) as board:
            board.fault = ""
            yield
            board.fault = "gone"

    driver = GpioDriver(settings, Given(time.monotonic_ns))
    assert asyncio.run(recovery_s(driver, collector, there, cause=GapCause.BUS)) < PAUSE_S + 1


def test_broker_on_the_lan_that_was_away_gives_records_within_one_pause(
    collector: Any, daemon_folder: Path
) -> None:
    port = free_port()
    settings = SenmlDevice(
        name="rooms",
        prefix="rooms",
        mqtt=MqttIntake(host="127.0.0.1", port=port, topics=["a/senml"]),
        value=[SenmlValue(name="a:temperature", point="t", quantity="temperature", step=Decimal("0.1"))],
    )

    @asynccontextmanager
    async def there() -> AsyncIterator[None]:
        async with lan_broker(daemon_folder, port=port):
            sensor = Sensor("a", lambda _: 20.0, quantities=("temperature",))
            publishing = asyncio.create_task(publish(sensor))
            yield
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    async def publish(sensor: Sensor) -> None:
        while True:
            sensor.measure(0.0)
            await sensor.publish(port, "a/senml", 0.0)
            await asyncio.sleep(0.2)

    driver = SenmlDriver(settings, Given(time.monotonic_ns, daemon_folder))
    assert asyncio.run(recovery_s(driver, collector, there, cause=GapCause.BUS)) < PAUSE_S + OWN_S
