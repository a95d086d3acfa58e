"""Listens to BLE sensors, tags and badges with one radio, and emits what they say.

Decoding is in `decode`; the radio and its recovery in `radio`; sensors in `ruuvi` and `bthome`, presence in
`tags`. One scan serves them all.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.candidates import Candidates
from edge.driver import Declared, Emitter, Given, ProbeLine
from edge.drivers.ble.bthome import BtHomeSensor, point_faults
from edge.drivers.ble.decode import Heard, read_beacon
from edge.drivers.ble.ladder import Timings
from edge.drivers.ble.radio import Deaf, Radio
from edge.drivers.ble.ruuvi import RuuviSensor
from edge.drivers.ble.sensors import Sensor
from edge.drivers.ble.strangers import tell_stranger
from edge.drivers.ble.tags import Tags, beacon_of
from wire.settings.base import SettingsError
from wire.settings.ble import BleDevice, BleSensor
from wire.status import GapCause

LOOK_S = 0.25
SYSFS = Path("/sys")


class BleDriver(Declared):
    """One `[[device]]` with driver = "ble". Implements `edge.driver.Driver`."""

    def __init__(
        self, settings: BleDevice, given: Given, *, timings: Timings | None = None, sysfs: Path = SYSFS
    ) -> None:
        """Raises `SettingsError` for points that BTHome does not have."""
        faults = [
            replace(fault, path=f"sensor[{index}].{fault.path}")
            for index, sensor in enumerate(settings.sensor)
            if sensor.format == "bthome"
            for fault in point_faults(sensor)
        ]
        if faults:
            raise SettingsError(faults)
        self._settings = settings
        self._monotonic_ns = given.monotonic_ns
        self._timings = timings or Timings()
        self._sysfs = sysfs
        self._sensors = {
            sensor.address: _sensor(sensor, settings.name, given.folder / settings.name)
            for sensor in settings.sensor
        }
        self._tags = Tags(settings)
        self._candidates = Candidates.of(settings.name, given)
        own = [stream.layout for sensor in self._sensors.values() for stream in sensor.streams]
        super().__init__(
            settings.name,
            points=[
                *(point for sensor in self._sensors.values() for point in sensor.points),
                *self._tags.points,
            ],
            layouts=[*own, self._tags.layout] if self._tags.layout else own,
            late=GapCause.RADIO,  # advertisements get lost
        )

    async def run(self, emit: Emitter) -> None:
        """Listen until cancelled; a radio that hears nothing is helped here, and never given up."""
        radio = self._radio()
        now_ns = self._monotonic_ns()
        self._tags.begin()
        for sensor in self._sensors.values():
            sensor.begin(emit, now_ns)
            if isinstance(sensor, BtHomeSensor):
                await sensor.tell_beginning(now_ns, emit)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(radio.run(emit))
            tasks.create_task(self._consume(radio, emit))

    def _radio(self) -> Radio:
        return Radio(
            self._settings, monotonic_ns=self._monotonic_ns, timings=self._timings, sysfs=self._sysfs
        )

    async def _consume(self, radio: Radio, emit: Emitter) -> None:
        look_ns = 0
        while True:
            for item in await radio.next(LOOK_S):
                if isinstance(item, Deaf):
                    await self._tags.deaf(item.from_ns, item.to_ns, emit)
                else:
                    await self._heard(item, emit)
            now_ns = self._monotonic_ns()
            if now_ns >= look_ns:
                look_ns = now_ns + int(LOOK_S * 1e9)
                await self._look(radio, now_ns, emit)

    async def _heard(self, heard: Heard, emit: Emitter) -> None:
        sensor = self._sensors.get(heard.address)
        if sensor is not None:
            await sensor.heard(heard, emit)
        beacon = read_beacon(heard)
        if beacon is not None and beacon in self._tags:
            await self._tags.heard(beacon, heard.at_ns, heard.rssi, emit=emit)
        elif sensor is None and self._settings.candidates:
            await tell_stranger(heard, self._candidates, emit)

    async def _look(self, radio: Radio, now_ns: int, emit: Emitter) -> None:
        for sensor in self._sensors.values():
            await sensor.look(now_ns, radio, emit)
        if radio.trouble:
            await self._tags.silent(now_ns, radio.trouble, emit)
        else:
            await self._tags.look(radio.heard_ns, emit)

    async def probe(self) -> Sequence[ProbeLine]:
        """Listen for every sensor and tag for half a minute at most; tell who was heard and how strongly."""
        listen_s = self._timings.probe_s
        missing: dict[object, str] = {address: f"sensor {address}" for address in self._sensors}
        missing |= {beacon_of(tag): f"tag {tag.name}" for tag in self._settings.tag}
        found: list[ProbeLine] = []

        def want(heard: Heard) -> bool:
            for key in (heard.address, read_beacon(heard)):
                what = missing.pop(key, None)
                if what is not None:
                    found.append(ProbeLine(f"{self.name}: {what}", ok=True, answer=f"{heard.rssi} dBm"))
            return not missing

        error, anybody = await self._radio().probe(listen_s, want)
        answer = error or ("hears" if anybody else f"heard nobody for {listen_s:.0f} s")
        lost = [
            ProbeLine(f"{self.name}: {what}", ok=False, answer="was not heard") for what in missing.values()
        ]
        return [ProbeLine(f"{self.name}: radio", ok=not error and anybody, answer=answer), *found, *lost]


def _sensor(settings: BleSensor, device: str, folder: Path) -> Sensor:
    if settings.format == "ruuvi":
        return RuuviSensor(settings, device)
    return BtHomeSensor(settings, device, folder)
