"""Listens to gpsd and emits every fix as a position and a poll, and the time once three fixes agree.

Decoding is in `decode`, the connection in `gpsd`. gpsd-py3 serves the probe alone: it gives 0.0 for what
is missing and cannot time out.
"""

import asyncio
from collections.abc import Sequence

from edge.driver import DeviceUnavailable, Emitter, Given, ProbeLine, TimeHint, ticks
from edge.drivers.gnss.decode import (
    POINTS,
    SKY_AGE_MAX_NS,
    Failure,
    ReportError,
    Sky,
    Tpv,
    counts_of,
    parse,
    position_of,
)
from edge.drivers.gnss.gpsd import GpsdError, GpsdLines, watch
from edge.drivers.gnss.probe import second_opinion
from wire.layouts import make_layout
from wire.messages import Layout, PointDeclaration, Poll, Position
from wire.settings.gnss import GnssDevice
from wire.status import GapCause, PointKind

CONNECT_TIMEOUT_S = 5.0
FIXES_BEFORE_TIME = 3


class GnssDriver:
    """One `[[device]]` with driver = "gnss". Implements `edge.driver.Driver`."""

    def __init__(self, settings: GnssDevice, given: Given) -> None:
        self._settings = settings
        self._monotonic_ns = given.monotonic_ns
        self._position_point = f"{settings.prefix}/position"
        self._measured = [_declare(settings, point) for point in settings.points]
        self._layout = (
            make_layout([p.name for p in self._measured], [p.exponent for p in self._measured])
            if self._measured
            else None
        )
        self._sky: tuple[int, Sky] | None = None
        self._fixes = 0
        self._last_time_ms = 0

    @property
    def name(self) -> str:
        """The device's name in the settings."""
        return self._settings.name

    @property
    def points(self) -> Sequence[PointDeclaration]:
        """The position and the chosen points."""
        position = PointDeclaration(
            name=self._position_point,
            quantity="position",
            exponent=-9,
            period_ms=self._settings.period_ms,
            device=self.name,
        )
        return [position, *self._measured]

    @property
    def layouts(self) -> Sequence[Layout]:
        """One layout of the chosen points, if any."""
        return [self._layout] if self._layout else []

    @property
    def late(self) -> GapCause:
        """The receiver, which reports by itself."""
        return GapCause.SENSOR

    async def run(self, emit: Emitter) -> None:
        """Emit every report until cancelled; `DeviceUnavailable` when gpsd or the receiver is silent."""
        self._sky, self._fixes, self._last_time_ms = None, 0, 0
        settings = self._settings
        try:
            async with watch(
                settings.host, settings.port, receiver=settings.receiver, timeout_s=CONNECT_TIMEOUT_S
            ) as lines:
                await self._listen(lines, emit)
        except (GpsdError, ReportError) as error:
            raise DeviceUnavailable(str(error), GapCause.BUS) from None

    async def _listen(self, lines: GpsdLines, emit: Emitter) -> None:
        silence_ns = self._settings.silence_s * 1_000_000_000
        heard_ns = self._monotonic_ns()
        while True:
            left_ns = heard_ns + silence_ns - self._monotonic_ns()
            if left_ns <= 0:
                reason = f"the receiver reported nothing for {self._settings.silence_s} s"
                raise DeviceUnavailable(reason, GapCause.SENSOR)
            try:
                line = await lines.next(left_ns / 1e9)
            except TimeoutError:
                continue
            now_ns = self._monotonic_ns()
            report = parse(line)
            if isinstance(report, Failure):
                raise DeviceUnavailable(f"gpsd says: {report.message[:120]}", GapCause.BUS)
            if isinstance(report, Sky) and self._is_ours(report.device):
                if report.satellites is not None or report.u_sat is not None:
                    self._sky = (now_ns, report)
            elif isinstance(report, Tpv) and self._is_ours(report.device):
                heard_ns = now_ns
                await self._fix(report, now_ns, emit)

    def _is_ours(self, device: str) -> bool:
        return self._settings.receiver is None or device == self._settings.receiver

    async def _fix(self, tpv: Tpv, now_ns: int, emit: Emitter) -> None:
        fresh = self._sky is not None and now_ns - self._sky[0] <= SKY_AGE_MAX_NS
        sky = self._sky[1] if self._sky is not None and fresh else None
        tick = ticks(now_ns)
        position = position_of(tpv, sky, point=self._position_point, tick=tick)
        self._tell_time(position, now_ns, emit)
        await emit.position(position)
        if self._layout is not None:
            counts, flags = counts_of(position, sky, self._settings.points)
            await emit.poll(Poll(layout=self._layout.id, tick=tick, counts=counts, flags=flags))

    def _tell_time(self, position: Position, now_ns: int, emit: Emitter) -> None:
        """Pass the time on after three 3D fixes in a row whose times grow.

        gpsd may report one epoch in pieces; the same time again neither counts nor starts anew.
        """
        time_ms = position.gnss_time_ms
        if time_ms is not None and time_ms == self._last_time_ms:
            return
        if position.mode != 3 or time_ms is None or time_ms < self._last_time_ms:
            self._fixes = 0
            self._last_time_ms = time_ms or 0
            return
        self._fixes += 1
        self._last_time_ms = time_ms
        if self._settings.time_source and self._fixes >= FIXES_BEFORE_TIME:
            emit.time(TimeHint("gnss", now_ns, time_ms * 1_000_000, self._settings.time_bound_ms))

    async def probe(self) -> Sequence[ProbeLine]:
        """Connect, wait for one report, and let gpsd-py3 say what it sees."""
        settings = self._settings
        what = f"{self.name}: gpsd at {settings.host} port {settings.port}"
        try:
            async with asyncio.timeout(settings.silence_s + CONNECT_TIMEOUT_S):
                tpv = await self._first_fix()
        except TimeoutError:
            return [ProbeLine(what, ok=False, answer=f"no report within {settings.silence_s} s")]
        except (GpsdError, ReportError) as error:
            return [ProbeLine(what, ok=False, answer=str(error))]
        mode = {2: "2D fix", 3: "3D fix"}.get(tpv.mode, "no fix")
        own = ProbeLine(what, ok=True, answer=f"{mode} from {tpv.device or 'a receiver'}, time {tpv.time}")
        return [own, await second_opinion(self.name, settings.host, settings.port)]

    async def _first_fix(self) -> Tpv:
        settings = self._settings
        async with watch(
            settings.host, settings.port, receiver=settings.receiver, timeout_s=CONNECT_TIMEOUT_S
        ) as lines:
            while True:
                report = parse(await lines.next(settings.silence_s))
                if isinstance(report, Tpv) and self._is_ours(report.device):
                    return report


def _declare(settings: GnssDevice, point: str) -> PointDeclaration:
    kind = next(kind for name, kind in POINTS.items() if name == point)
    return PointDeclaration(
        name=f"{settings.prefix}/{point}",
        quantity=kind.quantity,
        kind=PointKind.STATE if kind.states else PointKind.ANALOG,
        exponent=kind.exponent,
        period_ms=settings.period_ms,
        device=settings.name,
        states=dict(kind.states),
    )
