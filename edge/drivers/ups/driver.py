"""Reads one UPS every interval, and at once when its status changes: power lost, back, or no longer known.

Decoding is in `decode`, the connection in `client`. The last value is never repeated: a stale UPS, a dead
NUT driver and a lost server all make the power unknown.
"""

import asyncio
from collections.abc import Sequence

from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.ups.client import NutClient, connect
from edge.drivers.ups.decode import (
    MEASURED,
    NutError,
    NutRefusedError,
    Power,
    Reading,
    is_lost,
    nothing,
    read,
)
from wire.layouts import make_layout
from wire.messages import Event, PointDeclaration, Poll, Scalar
from wire.settings.ups import UpsDevice, UpsPoint
from wire.status import GapCause, PointKind, Status

NOTHING_KNOWN = {"DATA-STALE": Status.STALE, "DRIVER-NOT-CONNECTED": Status.UNKNOWN}
"""Refusals that say something about the UPS; any other is a fault of the set-up."""
NO_STATUS = "VAR-NOT-SUPPORTED"
"""What NUT answers for a status that is not there."""


class UpsDriver(Declared):
    """One `[[device]]` with driver = "ups". Implements `edge.driver.Driver`."""

    def __init__(self, settings: UpsDevice, given: Given) -> None:
        self._settings = settings
        self._monotonic_ns = given.monotonic_ns
        points = [_declare(settings, point) for point in settings.points]
        self._layout = make_layout([p.name for p in points], [p.exponent for p in points])
        self._told = False
        self._power: Power | None = None
        self._flags: frozenset[str] = frozenset()
        self._status = ""
        super().__init__(
            settings.name,
            points=points,
            layouts=[self._layout],
            late=GapCause.BUS,  # the NUT server, which answered late
        )

    async def run(self, emit: Emitter) -> None:
        """Read every interval until cancelled; `DeviceUnavailable` when the server cannot be asked."""
        settings = self._settings
        timeout_s = settings.timeout_ms / 1000
        try:
            async with connect(settings.host, settings.port, timeout_s=timeout_s) as client:
                await self._watch(client, emit)
        except NutError as error:
            await self._notice(nothing(settings.points, Status.UNKNOWN), emit, reason=str(error))
            raise DeviceUnavailable(str(error), GapCause.BUS) from None

    async def _watch(self, client: NutClient, emit: Emitter) -> None:
        interval_ns = self._settings.interval_ms * 1_000_000
        due_ns = self._monotonic_ns()
        while True:
            due_ns = min(due_ns, self._monotonic_ns())
            reading, reason = await self._look(client)
            await self._notice(reading, emit, reason=reason)
            tick = ticks(self._monotonic_ns())
            await emit.poll(
                Poll(layout=self._layout.id, tick=tick, counts=reading.counts, flags=reading.statuses)
            )
            due_ns = max(due_ns + interval_ns, self._monotonic_ns())
            await self._rest(client, due_ns)

    async def _rest(self, client: NutClient, due_ns: int) -> None:
        """Wait until the next reading is due, or until the status is another one."""
        watch_ns = self._settings.watch_ms * 1_000_000
        while (left_ns := due_ns - self._monotonic_ns()) > watch_ns:
            await asyncio.sleep(watch_ns / 1e9)
            if await self._status_now(client) != self._status:
                return
        await asyncio.sleep(max(0, left_ns) / 1e9)

    async def _status_now(self, client: NutClient) -> str:
        try:
            return await client.variable(self._settings.ups, "ups.status")
        except NutRefusedError as error:
            return error.code

    async def _look(self, client: NutClient) -> tuple[Reading, str]:
        try:
            variables = await client.variables(self._settings.ups)
        except NutRefusedError as error:
            if error.code not in NOTHING_KNOWN:
                raise
            self._status = error.code
            return nothing(self._settings.points, NOTHING_KNOWN[error.code]), str(error)
        self._status = variables.get("ups.status", NO_STATUS)
        lost = "the driver of NUT has lost the UPS and looks for it" if is_lost(variables) else ""
        return read(variables, self._settings.points), lost

    async def _notice(self, reading: Reading, emit: Emitter, *, reason: str) -> None:
        """Emit events for what changed since the reading before."""
        data: dict[str, Scalar] = {"flags": " ".join(sorted(reading.flags))}
        if reason:
            data["reason"] = reason[:160]
        if reading.power is not self._power or not self._told:
            kind = _event_of(reading.power, first=not self._told)
            self._told, self._power = True, reading.power
            if kind is not None:
                await self._tell(kind, data, emit)
        if "LB" in reading.flags and "LB" not in self._flags:
            await self._tell("battery_low", data, emit)
        self._flags = reading.flags

    async def _tell(self, kind: str, data: dict[str, Scalar], emit: Emitter) -> None:
        subject = f"{self._settings.prefix}/power"
        await emit.event(Event(kind=kind, subject=subject, tick=ticks(self._monotonic_ns()), data=data))

    async def probe(self) -> Sequence[ProbeLine]:
        """Connect and read the UPS once."""
        settings = self._settings
        what = f"{self.name}: UPS {settings.ups} at {settings.host} port {settings.port}"
        try:
            async with connect(settings.host, settings.port, timeout_s=settings.timeout_ms / 1000) as client:
                variables = await client.variables(settings.ups)
        except NutError as error:
            return [ProbeLine(what, ok=False, answer=str(error))]
        reading = read(variables, settings.points)
        power = "unknown" if reading.power is None else reading.power.name.lower()
        flags = " ".join(sorted(reading.flags))
        model = variables.get("device.model", variables.get("ups.model", "model not told"))
        return [ProbeLine(what, ok=reading.power is not None, answer=f"{model}: power {power} ({flags})")]


def _event_of(power: Power | None, *, first: bool) -> str | None:
    if power is Power.MAINS:
        return None if first else "power_restored"
    return "power_unknown" if power is None else "power_lost"


def _declare(settings: UpsDevice, point: UpsPoint) -> PointDeclaration:
    measured = MEASURED.get(point)
    states = {str(int(power)): power.name.lower() for power in Power} if point == "power" else {}
    return PointDeclaration(
        name=f"{settings.prefix}/{point}",
        quantity=measured.quantity if measured else "state",
        kind=PointKind.ANALOG if measured else PointKind.STATE,
        exponent=measured.exponent if measured else 0,
        period_ms=settings.interval_ms,
        device=settings.name,
        states=states,
    )
