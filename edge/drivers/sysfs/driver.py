"""Reads the kernel's sensors every interval; a sensor that goes away is silent alone, and found again.

Decoding is in `decode`, finding and reading in `finding`, the threads that may block in `owner`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.candidates import Candidates
from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.sysfs.decode import Value, channel_of, files_of, read
from edge.drivers.sysfs.finding import KINDS, GoneError, Place, find, places, read_files
from edge.drivers.sysfs.owner import Owner, StuckError
from wire.layouts import make_layout
from wire.messages import Event, Layout, PointDeclaration, Poll, as_text
from wire.settings.sysfs import SysfsDevice, SysfsSensor
from wire.status import GapCause, Status

SEARCH_EVERY_S = 600.0


@dataclass(slots=True)
class _Sensor:
    """One configured sensor and what is known of it in this run."""

    settings: SysfsSensor
    points: Sequence[PointDeclaration]
    layout: Layout
    place: Place | None = None
    before: list[Value | None] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    def forget(self) -> None:
        """Begin anew, as after a start."""
        self.place, self.before, self.told = None, [None] * len(self.points), set()


class SysfsDriver(Declared):
    """One `[[device]]` with driver = "sysfs". Implements `edge.driver.Driver`."""

    def __init__(self, settings: SysfsDevice, given: Given) -> None:
        self._settings = settings
        self._root = Path(settings.root)
        self._monotonic_ns = given.monotonic_ns
        self._sensors = [_sensor(settings, sensor) for sensor in settings.sensor]
        self._owners: dict[str, tuple[Owner, list[_Sensor]]] = {}
        for index, sensor in enumerate(self._sensors):
            # The thermometers of a 1-wire bus wait for each other in the kernel anyway.
            key = "w1" if sensor.settings.kind == "w1" else f"{sensor.settings.kind}-{index}"
            self._owners.setdefault(key, (Owner(f"{settings.name}-{key}"), []))[1].append(sensor)
        self._candidates = Candidates.of(settings.name, given)
        self._search = Owner(f"{settings.name}-search")
        super().__init__(
            settings.name,
            points=[point for sensor in self._sensors for point in sensor.points],
            layouts=[sensor.layout for sensor in self._sensors],
            late=GapCause.BUS,  # the bus that a sensor hangs on, which the kernel waited for
        )

    async def run(self, emit: Emitter) -> None:
        """Read every interval until cancelled; `DeviceUnavailable` when there is no sysfs at all."""
        if not self._root.is_dir():
            raise DeviceUnavailable(f"no folder {self._root}", GapCause.GATEWAY)
        for sensor in self._sensors:
            sensor.forget()
        try:
            async with asyncio.TaskGroup() as tasks:
                for owner, sensors in self._owners.values():
                    tasks.create_task(self._read(owner, sensors, emit))
                if self._settings.candidates:
                    tasks.create_task(self._look_around(emit))
        finally:
            for owner, _ in self._owners.values():
                owner.close()
            self._search.close()

    async def _read(self, owner: Owner, sensors: Sequence[_Sensor], emit: Emitter) -> None:
        interval_ns = self._settings.interval_ms * 1_000_000
        due_ns = self._monotonic_ns()
        while True:
            for sensor in sensors:
                await self._look(owner, sensor, emit)
            due_ns = max(due_ns + interval_ns, self._monotonic_ns())
            await asyncio.sleep((due_ns - self._monotonic_ns()) / 1e9)

    async def _look(self, owner: Owner, sensor: _Sensor, emit: Emitter) -> None:
        points = [point.name for point in sensor.points]
        try:
            values = await self._values(owner, sensor)
        except (GoneError, StuckError) as error:
            cause = GapCause.SENSOR if isinstance(error, GoneError) else GapCause.BUS
            sensor.forget()
            tick = ticks(self._monotonic_ns())
            await emit.silent(points, cause=cause, reason=as_text(str(error)), tick=tick)
            return
        sensor.before = list(values)
        tick = ticks(self._monotonic_ns())
        flags = [
            (place, int(value.status))
            for place, value in enumerate(values)
            if value.status is not Status.GOOD
        ]
        counts = [value.count for value in values]
        await emit.poll(Poll(layout=sensor.layout.id, tick=tick, counts=counts, flags=flags))
        for point, value in zip(points, values, strict=True):
            if value.status is Status.IMPLAUSIBLE and point not in sensor.told:
                sensor.told.add(point)
                await emit.event(Event("sensor_implausible", point, tick, {"reason": value.reason[:160]}))

    async def _values(self, owner: Owner, sensor: _Sensor) -> list[Value]:
        settings, known = sensor.settings, sensor.place
        files = [name for value in settings.value for name in files_of(settings.kind, value.channel)]

        def work() -> tuple[Place, list[Value]]:
            place = known or find(self._root, settings)
            said = read_files(place, dict.fromkeys(files))
            return place, [
                read(settings.kind, value.channel, said, model=settings.model, before=before)
                for value, before in zip(settings.value, sensor.before, strict=True)
            ]

        sensor.place, values = await owner.call(work, self._settings.timeout_ms / 1000)
        return values

    # --- what is there and not configured ------------------------------------------------------------

    async def _look_around(self, emit: Emitter) -> None:
        while True:
            try:
                found = await self._search.call(self._strangers, self._settings.timeout_ms / 1000)
            except StuckError:
                found = []
            for place in found:
                address = as_text("/".join((place.kind, *place.hardware)))
                await self._candidates.seen(emit, address, {"kind": place.kind, "chip": place.chip[:64]})
            await asyncio.sleep(SEARCH_EVERY_S)

    def _strangers(self) -> list[Place]:
        return [
            place
            for kind in KINDS
            for place in places(self._root, kind)
            if not any(place.is_meant(sensor) for sensor in self._settings.sensor)
        ]

    async def probe(self) -> Sequence[ProbeLine]:
        """Read every sensor once."""
        lines = []
        for owner, sensors in self._owners.values():
            for sensor in sensors:
                sensor.forget()
                lines.append(await self._probe(owner, sensor))
            owner.close()
        return lines

    async def _probe(self, owner: Owner, sensor: _Sensor) -> ProbeLine:
        settings = sensor.settings
        what = f"{self.name}: {settings.kind} {' at '.join(filter(None, (settings.chip, settings.at)))}"
        try:
            values = await self._values(owner, sensor)
        except (GoneError, StuckError) as error:
            return ProbeLine(what, ok=False, answer=str(error))
        said = [
            f"{point.name} {_text(value, point.exponent)}"
            for point, value in zip(sensor.points, values, strict=True)
        ]
        return ProbeLine(what, ok=all(v.status is Status.GOOD for v in values), answer=", ".join(said))


def _text(value: Value, exponent: int) -> str:
    if value.count is None:
        return f"absent ({value.reason})"
    number = f"{value.count / 10**-exponent:g}"
    return f"{number} ({value.reason})" if value.reason else number


def _sensor(device: SysfsDevice, settings: SysfsSensor) -> _Sensor:
    points = []
    for value in settings.value:
        channel = channel_of(settings.kind, value.channel)
        points.append(
            PointDeclaration(
                name=f"{settings.prefix}/{value.point}",
                quantity=channel.quantity,
                exponent=channel.exponent,
                period_ms=device.interval_ms,
                device=device.name,
            )
        )
    layout = make_layout([point.name for point in points], [point.exponent for point in points])
    return _Sensor(settings, points, layout)
