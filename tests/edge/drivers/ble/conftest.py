"""A BlueZ of the simulators on a private D-Bus, and drivers that bleak connects to it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.ble.driver import BleDriver
from edge.drivers.ble.ladder import Timings
from simulators.devices import adverts
from simulators.devices.bluez import (
    Adapter,
    Air,
    BlueZ,
    Transmitter,
    bluetooth_service,
    make_sysfs,
    message_bus,
)
from wire.settings.ble import BleDevice, BleSensor

MAC = "CB:B8:33:4C:88:4F"
FAST = Timings(
    call_s=1.0,
    settle_s=0.8,
    power_off_s=0.05,
    usb_off_s=0.1,
    usb_back_s=1.5,
    pause_s=0.05,
    longest_pause_s=0.5,
    probe_s=1.0,
    alarm_s=6.0,
)
"""A fourth of the shipped ones, or less."""


@dataclass
class Lab:
    """What a test has in its hands."""

    air: Air
    folder: Path
    sysfs: Path
    running: AsyncExitStack
    bluez: BlueZ | None = None
    address: str = ""

    async def start(self) -> None:
        """Start the bus and the BlueZ on it."""
        self.address = await self.running.enter_async_context(message_bus(self.folder))
        service = bluetooth_service(self.air, self.address, sysfs=self.sysfs)
        self.bluez = await self.running.enter_async_context(service)

    def driver(self, *, timings: Timings = FAST, **more: Any) -> BleDriver:
        """A driver that listens to the RuuviTag of the lab unless told otherwise."""
        sensor = BleSensor(
            prefix="room", address=MAC, format="ruuvi", period_ms=200, points=["temperature", "sequence"]
        )
        settings = BleDevice(**{"name": "ble", "watchdog_s": 2, "sensor": [sensor], **more})
        return BleDriver(settings, Given(time.monotonic_ns, self.folder), timings=timings, sysfs=self.sysfs)


def ruuvi_tag(address: str = MAC, *, interval_s: float = 0.1) -> Transmitter:
    """A tag that measures something new every time."""
    sequence = 0

    def advert() -> adverts.Advert:
        nonlocal sequence
        sequence += 1
        return adverts.ruuvi(sequence, celsius=21.005, mac=address)

    return Transmitter(address, advert, interval_s, random=True)


MakeLab = Callable[..., AbstractAsyncContextManager[Lab]]


@pytest.fixture
def lab(daemon_folder: Path, monkeypatch: pytest.MonkeyPatch) -> MakeLab:
    """`async with lab(adapters=2) as here`: a bus, a BlueZ and one RuuviTag."""

    @asynccontextmanager
    async def make(adapters: int = 1) -> AsyncIterator[Lab]:
        names = [f"hci{number}" for number in range(adapters)]
        radios = {name: Adapter(f"00:1A:7D:DA:71:{n:02X}") for n, name in enumerate(names)}
        air = Air(radios, [ruuvi_tag()])
        sysfs = make_sysfs(daemon_folder, names)
        async with AsyncExitStack() as running:
            here = Lab(air, daemon_folder, sysfs, running)
            await here.start()
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", here.address)
            yield here

    return make
