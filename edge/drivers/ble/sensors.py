"""What is common to sensors: at most one reading a period, silence after three, and refusals told once.

Each format derives from `Sensor` and says which advertisements bring a new measurement.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from edge.driver import Emitter, ticks
from edge.drivers.ble.decode import Heard
from wire.layouts import make_layout
from wire.messages import Event, Layout, PointDeclaration, Poll, Scalar
from wire.settings.ble import BleSensor
from wire.status import GapCause, Status

PERIODS_SILENT = 3
TOLD_AGAIN_NS = 600 * 10**9
MS = 1_000_000


class RadioState(Protocol):
    """What a sensor has to know of the radio."""

    trouble: str
    """Why nobody is heard; empty while all is well."""
    heard_ns: int
    """When anybody was heard last."""


class Stream:
    """Points that are read together: when they are due, and whether they are silent."""

    def __init__(self, points: Sequence[PointDeclaration], due_ms: int | None) -> None:
        """`due_ms` None: readings come by themselves."""
        self.points = points
        self.names = [point.name for point in points]
        self.layout: Layout = make_layout(self.names, [point.exponent for point in points])
        self._due_ms = due_ms
        self._due_ns: int | None = None
        self._read_ns = 0
        self._tick = -1
        self.silent = False
        self.before: Sequence[int | None] | None = None
        """The counts of the last reading of this run."""

    def begin(self, now_ns: int) -> None:
        """A run begins."""
        self._due_ns, self._read_ns, self.silent, self.before = None, now_ns, False, None

    def is_due(self, now_ns: int) -> bool:
        """Whether a new measurement is taken now."""
        return self._due_ns is None or now_ns >= self._due_ns

    async def emit(self, counts: Sequence[int | None], at_ns: int, emit: Emitter) -> None:
        """Emit a reading; None becomes absent, with the device's invalid pattern as the reason."""
        tick = ticks(at_ns)
        if tick <= self._tick:
            return  # two readings of one tick could not be told apart
        self._tick, self._read_ns, self.silent, self.before = tick, at_ns, False, counts
        if self._due_ms is not None:
            period_ns = self._due_ms * MS
            due_ns = self._due_ns
            on_time = due_ns is not None and at_ns - due_ns < period_ns
            self._due_ns = period_ns + (due_ns if due_ns is not None and on_time else at_ns)
        flags = [(place, int(Status.INVALID)) for place, count in enumerate(counts) if count is None]
        await emit.poll(Poll(self.layout.id, tick, list(counts), flags))

    def overdue_s(self, now_ns: int) -> float | None:
        """Return after how long without a reading it counts as silent, when it does now."""
        if self._due_ms is None or self.silent:
            return None
        limit_ns = PERIODS_SILENT * self._due_ms * MS
        return limit_ns / 1e9 if now_ns - self._read_ns > limit_ns else None


class Sensor(ABC):
    """One configured sensor."""

    def __init__(self, settings: BleSensor, device: str) -> None:
        """`device` is the name of the device in the settings."""
        self.settings = settings
        self._device = device
        self._heard_ns: int | None = None
        self._refused = ""
        self._told: dict[str, int] = {}
        self.streams: Sequence[Stream] = ()

    @property
    def points(self) -> list[PointDeclaration]:
        """Everything that it feeds."""
        return [point for stream in self.streams for point in stream.points]

    def begin(self, emit: Emitter, now_ns: int) -> None:
        """A run begins: what was heard in the last one is forgotten."""
        self._heard_ns, self._refused = None, ""
        for stream in self.streams:
            stream.begin(now_ns)

    @abstractmethod
    async def _take(self, heard: Heard, emit: Emitter) -> None:
        """Read an advertisement of this sensor."""

    async def heard(self, heard: Heard, emit: Emitter) -> None:
        """Take an advertisement from this sensor's address."""
        self._heard_ns = heard.at_ns
        await self._take(heard, emit)

    async def look(self, now_ns: int, radio: RadioState, emit: Emitter) -> None:
        """Say which points are silent."""
        for stream in self.streams:
            limit_s = stream.overdue_s(now_ns)
            if limit_s is None:
                continue
            stream.silent = True
            cause, reason = self._why(now_ns, limit_s, radio)
            await emit.silent(stream.names, cause=cause, reason=reason, tick=ticks(now_ns))

    def _why(self, now_ns: int, limit_s: float, radio: RadioState) -> tuple[GapCause, str]:
        if radio.trouble:
            return GapCause.RADIO, radio.trouble
        if now_ns - radio.heard_ns > limit_s * 1e9:
            return GapCause.RADIO, f"nothing was heard for {limit_s:.1f} s"
        if self._heard_ns is None or now_ns - self._heard_ns > limit_s * 1e9:
            return GapCause.RADIO, f"the sensor was not heard for {limit_s:.1f} s"
        if self._refused:
            return GapCause.SENSOR, self._refused
        return GapCause.SENSOR, f"the sensor sent nothing new for {limit_s:.1f} s"

    async def _refuse(self, refusal: str, reason: str, *, at_ns: int, emit: Emitter) -> None:
        """Tell that an advertisement was not believed: at once, and then every ten minutes at most.

        `refusal` is one word for the kind. A sensor that never was believed in this run is silent at once.
        """
        told_ns = self._told.get(refusal)
        if told_ns is None or at_ns - told_ns >= TOLD_AGAIN_NS:
            self._told[refusal] = at_ns
            await self._tell("sensor_refused", {"refusal": refusal, "reason": reason}, at_ns=at_ns, emit=emit)
        self._refused = reason
        for stream in self.streams:
            if stream.before is None and not stream.silent:
                stream.silent = True
                await emit.silent(stream.names, cause=GapCause.SENSOR, reason=reason, tick=ticks(at_ns))

    async def _tell(self, kind: str, data: dict[str, Scalar], *, at_ns: int, emit: Emitter) -> None:
        where: dict[str, Scalar] = {"device": self._device}
        await emit.event(Event(kind, self.settings.prefix, ticks(at_ns), where | data))

    def _believed(self) -> None:
        """An advertisement was good."""
        self._refused = ""
