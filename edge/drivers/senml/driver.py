"""Takes the packs of sensors on the LAN and feeds points with what is mapped; the rest are candidates.

Decoding is in `decode`, how packs come in `ways`. A record stands at its own time only within the limits
of the settings; otherwise at its arrival, and that is told.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from edge.candidates import Candidates
from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.senml.decode import (
    Count,
    Moment,
    Resolved,
    SenmlError,
    Unused,
    count_of,
    exponent_of,
    place,
    resolve,
)
from edge.drivers.senml.ways import Pack, Way, over_http, over_mqtt
from wire.layouts import make_layout
from wire.messages import TICKS_PER_S, Event, Layout, PointDeclaration, Poll, Scalar
from wire.settings.senml import SenmlDevice, SenmlValue
from wire.status import GapCause, PointKind, Status

LOOK_S = 1.0
REFUSALS_NS = 60_000_000_000
"""How often refused requests are told."""


@dataclass(slots=True)
class _Fed:
    """One point and what is known of it in this run."""

    value: SenmlValue
    point: PointDeclaration
    layout: Layout
    heard_ns: int
    floor_tick: int
    """No record may end a silence before it: where the silence, or this run, began."""
    quiet: bool = True
    """Whether the next record ends a silence."""
    told: bool = False
    """Whether this run has told the silence."""
    unfit: str = ""
    unused: Unused | None = None


class SenmlDriver(Declared):
    """One `[[device]]` with driver = "senml". Implements `edge.driver.Driver`."""

    def __init__(self, settings: SenmlDevice, given: Given) -> None:
        self._settings = settings
        self._given = given
        points = [_declare(settings, value) for value in settings.value]
        self._candidates = Candidates.of(settings.name, given)
        super().__init__(
            settings.name,
            points=points,
            layouts=[make_layout([point.name], [point.exponent]) for point in points],
            late=GapCause.SENSOR,  # the sensor, which sends by itself
        )

    async def run(self, emit: Emitter) -> None:
        """Take packs until cancelled; `DeviceUnavailable` when address or broker cannot be had."""
        now_ns = self._given.monotonic_ns()
        fed = [
            _Fed(value, point, layout, now_ns, ticks(now_ns))
            for value, point, layout in zip(self._settings.value, self.points, self.layouts, strict=True)
        ]
        async with self._way(emit) as way:
            run = _Run(self._settings, self._given, fed, way=way, emit=emit, candidates=self._candidates)
            await run.take()

    @asynccontextmanager
    async def _way(self, emit: Emitter | None) -> AsyncIterator[Way]:
        settings = self._settings
        folder = self._given.folder / self.name
        if settings.http is not None:
            monotonic_ns = self._given.monotonic_ns
            async with over_http(
                settings.http, settings.sender, folder, emit=emit, monotonic_ns=monotonic_ns
            ) as way:
                yield way
        else:
            assert settings.mqtt is not None
            async with over_mqtt(settings.mqtt, folder) as way:
                yield way

    async def probe(self) -> Sequence[ProbeLine]:
        """Open the way in once."""
        settings = self._settings
        if settings.http is not None:
            what = f"{self.name}: {settings.http.address} port {settings.http.port}"
        else:
            assert settings.mqtt is not None
            what = f"{self.name}: broker {settings.mqtt.host} port {settings.mqtt.port}"
        try:
            async with self._way(None):
                pass
        except DeviceUnavailable as error:
            return [ProbeLine(what, ok=False, answer=error.reason)]
        return [ProbeLine(what, ok=True, answer="open")]


class _Run:
    """One run of the driver."""

    def __init__(
        self,
        settings: SenmlDevice,
        given: Given,
        fed: Sequence[_Fed],
        *,
        way: Way,
        emit: Emitter,
        candidates: Candidates,
    ) -> None:
        self._settings = settings
        self._given = given
        self._fed = fed
        self._way = way
        self._emit = emit
        self._by_name: dict[str, list[_Fed]] = {}
        for one in fed:
            self._by_name.setdefault(one.value.name, []).append(one)
        self._candidates = candidates
        self._told_ns = given.monotonic_ns() - REFUSALS_NS

    def _now_tick(self) -> int:
        return ticks(self._given.monotonic_ns())

    async def take(self) -> None:
        while True:
            pack = await self._way.next(LOOK_S)
            if pack is not None:
                await self._pack(pack)
            now_ns = self._given.monotonic_ns()
            await self._look_for_silence(now_ns)
            await self._tell_refusals(now_ns)

    async def _pack(self, pack: Pack) -> None:
        try:
            records = resolve(pack.body)
        except SenmlError as error:
            pack.refused(str(error))
            return
        found: dict[str, tuple[_Fed, list[Resolved]]] = {}
        for record in records:
            mapped = self._by_name.get(record.name, ())
            if not mapped:
                seen: dict[str, Scalar] = {"unit": record.unit, "sender": pack.sender[:160]}
                await self._candidates.seen(self._emit, record.name, seen)
            for one in mapped:
                found.setdefault(one.point.name, (one, []))[1].append(record)
        moment = self._moment()
        for one, its in found.values():
            await self._feed(one, its, moment)
        pack.taken()

    def _moment(self) -> Moment:
        settings = self._settings
        return Moment(
            tick=self._now_tick(),
            offset_ticks=self._given.clock().offset_ticks,
            age_max_ticks=settings.age_max_s * TICKS_PER_S,
            future_max_ticks=int(settings.future_max_s * TICKS_PER_S),
        )

    async def _feed(self, one: _Fed, records: Sequence[Resolved], moment: Moment) -> None:
        placed: dict[int, Count] = {}
        unused: Unused | None = None
        for record in records:
            tick, why = place(record.time, moment)
            unused = why or unused
            placed[tick] = count_of(record, one.value)
        order = sorted(placed)
        if one.quiet:
            # The youngest record ends the silence, which must not end before it began.
            youngest = order.pop()
            count = placed.pop(youngest)
            if youngest < one.floor_tick:
                youngest, unused = moment.tick, Unused.SILENT
            await self._poll(one, youngest, count)
        for tick in order:
            await self._poll(one, tick, placed[tick])
        one.quiet = one.told = False
        one.heard_ns, one.floor_tick = self._given.monotonic_ns(), moment.tick
        await self._tell_unused(one, unused)

    async def _poll(self, one: _Fed, tick: int, count: Count) -> None:
        flags = [] if count.status is Status.GOOD else [(0, int(count.status))]
        await self._emit.poll(Poll(layout=one.layout.id, tick=tick, counts=[count.count], flags=flags))
        if count.reason != one.unfit:
            one.unfit = count.reason
            if count.reason:
                await self._event("record_unfit", one.point.name, {"reason": count.reason})

    async def _tell_unused(self, one: _Fed, unused: Unused | None) -> None:
        if unused is not one.unused:
            one.unused = unused
            if unused is not None:
                await self._event("record_time_unused", one.point.name, {"reason": unused.value})

    async def _look_for_silence(self, now_ns: int) -> None:
        for one in self._fed:
            silence_s = one.value.silence_s
            if silence_s and not one.told and now_ns - one.heard_ns >= silence_s * 1_000_000_000:
                await self._silent(one, silence_s, now_ns)

    async def _silent(self, one: _Fed, silence_s: int, now_ns: int) -> None:
        one.quiet = one.told = True
        await self._emit.silent(
            [one.point.name],
            cause=GapCause.SENSOR,
            reason=f"no record for {silence_s} s",
            tick=ticks(now_ns),
        )

    async def _tell_refusals(self, now_ns: int) -> None:
        if not self._way.refusals or now_ns - self._told_ns < REFUSALS_NS:
            return
        self._told_ns = now_ns
        for reason, count in self._way.refusals.items():
            await self._event("intake_refused", self._settings.name, {"reason": reason, "count": count})
        self._way.refusals.clear()

    async def _event(self, kind: str, subject: str, data: Mapping[str, Scalar]) -> None:
        await self._emit.event(Event(kind, subject, self._now_tick(), dict(data)))


def _declare(settings: SenmlDevice, value: SenmlValue) -> PointDeclaration:
    return PointDeclaration(
        name=f"{settings.prefix}/{value.point}",
        quantity=value.quantity,
        kind=PointKind(value.kind),
        exponent=exponent_of(value),
        device=settings.name,
        states=dict(value.states),
    )
