"""Listens to gpsd and emits fixes as positions and polls, and the time once three fixes agree.

Decoding is in `decode` and `own`, the connection in `gpsd`, what is reported in `report`. gpsd-py3 serves
the probe alone: it gives 0.0 for what is missing and cannot time out.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, TimeHint, ticks
from edge.drivers.exact import count_of
from edge.drivers.gnss.arrival import Arrivals
from edge.drivers.gnss.decode import (
    POINTS,
    Extra,
    Failure,
    ReportError,
    Sky,
    Tpv,
    counts_of,
    parse,
    position_of,
    time_ms_of,
)
from edge.drivers.gnss.gpsd import GpsdError, GpsdLines, watch
from edge.drivers.gnss.own import OwnError, is_own, parse_own
from edge.drivers.gnss.probe import second_opinion
from edge.drivers.gnss.receiver import Receiver
from edge.drivers.gnss.report import Report, Reporter
from edge.drivers.gnss.trust import TimeReport, Trust, judge
from rules.motion import Bounds, Motion, Place, advance
from wire.layouts import make_layout
from wire.messages import Event, PointDeclaration, Poll, Position, Scalar
from wire.settings.gnss import GnssDevice
from wire.status import GapCause, PointKind

CONNECT_TIMEOUT_S = 5.0
ODOMETER = "odometer"
_OF_MOTION = frozenset({"hold", "odometer"})
_BOUNDS = Bounds()


class GnssDriver(Declared):
    """One `[[device]]` with driver = "gnss". Implements `edge.driver.Driver`."""

    def __init__(self, settings: GnssDevice, given: Given) -> None:
        self._settings = settings
        self._monotonic_ns = given.monotonic_ns
        self._position_point = f"{settings.prefix}/position"
        position = PointDeclaration(
            name=self._position_point,
            quantity="position",
            exponent=-9,
            period_ms=_period_ms(settings),
            device=settings.name,
        )
        measured = [_declare(settings, point) for point in settings.points]
        self._layout = (
            make_layout([p.name for p in measured], [p.exponent for p in measured]) if measured else None
        )
        self._receiver = Receiver()
        self._trust = Trust()
        self._arrivals = Arrivals()
        self._doubted = False
        self._motion: Motion | None = None
        self._follows = bool(_OF_MOTION & set(settings.points))
        super().__init__(
            settings.name,
            points=[position, *measured],
            layouts=[self._layout] if self._layout else [],
            late=GapCause.SENSOR,  # the receiver, which reports by itself
        )

    async def run(self, emit: Emitter) -> None:
        """Emit every report until cancelled; `DeviceUnavailable` when gpsd or the receiver is silent."""
        self._receiver, self._trust, self._doubted = Receiver(), Trust(), False
        self._arrivals = Arrivals()
        settings = self._settings
        reporter = Reporter(emit, settings.sparse)
        try:
            async with watch(
                settings.host,
                settings.port,
                receiver=settings.receiver,
                raw=settings.own_messages,
                timeout_s=CONNECT_TIMEOUT_S,
            ) as lines:
                await self._listen(lines, emit, reporter)
        except (GpsdError, ReportError) as error:
            await reporter.flush()
            raise DeviceUnavailable(str(error), GapCause.BUS) from None
        except DeviceUnavailable:
            await reporter.flush()
            raise

    async def _listen(self, lines: GpsdLines, emit: Emitter, reporter: Reporter) -> None:
        silence_ns = self._settings.silence_s * 1_000_000_000
        heard_ns = self._monotonic_ns()
        while True:
            left_ns = heard_ns + silence_ns - self._monotonic_ns()
            try:
                line = await lines.next(max(0, left_ns) / 1e9)  # after a stall reports may wait to be read
            except TimeoutError:
                if left_ns > 0:
                    continue
                reason = f"the receiver reported nothing for {self._settings.silence_s} s"
                raise DeviceUnavailable(reason, GapCause.SENSOR) from None
            now_ns = self._monotonic_ns()
            if self._settings.own_messages and is_own(line):
                await self._own(line, now_ns, emit)
                continue
            report = parse(line)
            if isinstance(report, Failure):
                raise DeviceUnavailable(f"gpsd says: {report.message[:120]}", GapCause.BUS)
            if isinstance(report, Sky) and self._is_ours(report.device):
                self._receiver.heard_sky(report, now_ns)
            elif isinstance(report, Tpv) and self._is_ours(report.device):
                heard_ns = now_ns
                await self._fix(report, now_ns, emit, reporter=reporter)

    def _is_ours(self, device: str) -> bool:
        return self._settings.receiver is None or device == self._settings.receiver

    async def _own(self, line: bytes, now_ns: int, emit: Emitter) -> None:
        """Take a message of the receiver's own; what is damaged is left out, as it would be on the line."""
        try:
            own = parse_own(line)
        except OwnError:
            return
        for kind, data in self._receiver.heard_own(own, now_ns) if own else ():
            await self._tell(kind, data, now_ns, emit=emit)

    async def _tell(self, kind: str, data: dict[str, Scalar], now_ns: int, *, emit: Emitter) -> None:
        await emit.event(Event(kind, self._position_point, ticks(now_ns), data))

    async def _fix(self, tpv: Tpv, read_ns: int, emit: Emitter, *, reporter: Reporter) -> None:
        self._receiver.heard_fix(tpv, read_ns)
        now_ns = self._arrivals.made_ns(time_ms_of(tpv.time), read_ns)
        if now_ns is None:
            return
        sky, tick = self._receiver.sky(now_ns), ticks(now_ns)
        position = position_of(tpv, sky, point=self._position_point, tick=tick)
        await self._tell_time(tpv, position, now_ns, emit=emit)
        placed = self._followed(position, now_ns, emit)
        motion = self._motion if placed else None
        if motion is not None and motion.held and "hold" in self._settings.points:
            place = motion.place
            position = replace(position, latitude_e9=place.latitude_e9, longitude_e9=place.longitude_e9)
        poll: Poll | None = None
        states: tuple[object, ...] = ()
        if self._layout is not None:
            own = self._receiver.own(now_ns)
            odometer = self._motion.odometer_mm if self._motion else None
            extra = Extra(own, _scaled(tpv.ept, -6), motion, odometer)
            counts, flags = counts_of(position, sky, self._settings.points, extra=extra)
            poll = Poll(layout=self._layout.id, tick=tick, counts=counts, flags=flags)
            states = (sky is None, own.antenna, own.jamming_state, motion.held if motion else None)
        await reporter.report(Report(position, poll, (position.mode, *states)), now_ns / 1e9)

    def _followed(self, position: Position, now_ns: int, emit: Emitter) -> bool:
        """Follow the vehicle, keep its odometer; whether this fix has a place that was followed."""
        if not self._follows or position.latitude_e9 is None or position.longitude_e9 is None:
            return False
        speed, error = position.speed_mm_s, position.error_horizontal_mm
        fix = Place(
            now_ns / 1e9,
            position.latitude_e9,
            position.longitude_e9,
            None if speed is None else speed / 1000,
            None if error is None else error / 1000,
        )
        before = self._motion
        first_mm = 0 if before else _kept(emit.recall(ODOMETER))
        self._motion = advance(before, fix, _BOUNDS, odometer_mm=first_mm)
        if before is not None and self._motion.odometer_mm != before.odometer_mm:
            emit.remember(ODOMETER, str(self._motion.odometer_mm).encode())
        return True

    async def _tell_time(self, tpv: Tpv, position: Position, now_ns: int, *, emit: Emitter) -> None:
        """Pass the time on once it is trusted; say once why it is not, when the time itself is the reason."""
        report = TimeReport(
            now_ns, position.gnss_time_ms, position.mode, tpv.leap_seconds, _scaled(tpv.ept, -6)
        )
        self._trust = judge(self._trust, report, late_ms=self._settings.time_bound_ms)
        if self._trust.doubt and not self._doubted:
            self._doubted = True
            await self._tell("gnss_time_doubted", {"reason": self._trust.doubt}, now_ns, emit=emit)
        if self._trust.bound_ms is not None and self._settings.time_source:
            self._doubted = False
            emit.time(TimeHint("gnss", now_ns, self._trust.last_ms * 1_000_000, self._trust.bound_ms))

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
        kind=_kind(point, kind.quantity),
        exponent=kind.exponent,
        period_ms=_period_ms(settings),
        device=settings.name,
        states=dict(kind.states),
    )


def _period_ms(settings: GnssDevice) -> int:
    """Return the longest silence that is promised: what sparse reporting leaves out is not missing."""
    return settings.period_ms if settings.sparse is None else settings.sparse.longest_s * 1000


def _kind(point: str, quantity: str) -> PointKind:
    if point == ODOMETER:
        return PointKind.COUNTER
    return PointKind.STATE if quantity == "state" else PointKind.ANALOG


def _kept(value: bytes | None) -> int:
    """Return the odometer of an earlier run; 0 when there was none."""
    return int(value) if value is not None and value.isdigit() else 0


def _scaled(value: Decimal | None, exponent: int) -> int | None:
    return None if value is None else count_of(value, exponent)
