"""Takes what drivers emit to the journal: marks the implausible, keeps account of silence.

It decides nothing about devices and does not know the network.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from edge.driver import TimeHint
from edge.journal.journal import Journal, Past
from edge.timekeeper import Timekeeper
from wire.messages import (
    Clock,
    ClockFound,
    Event,
    Gap,
    Layout,
    PointDeclaration,
    Poll,
    Position,
    Scalar,
    as_text,
)
from wire.quantities import QUANTITIES
from wire.status import ClockState, GapCause, Status

LOG = logging.getLogger(__name__)
_PERIODS_WITHOUT_GAP = 1.5


@dataclass(frozen=True, slots=True)
class Silence:
    """A point that gives nothing: the gap that will be told, or was told open."""

    gap: Gap
    journalled: bool
    excused_ticks: int = 0
    """A stretch as short as this lost nothing and is not told (after a clean stop)."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """A layout as the recorder needs it."""

    points: Sequence[str]
    bounds: Sequence[tuple[int, int]]


class Recorder:
    """Implements `edge.driver.Emitter`."""

    def __init__(
        self,
        journal: Journal,
        timekeeper: Timekeeper,
        *,
        gateway: str,
        boot: bytes,
        now_tick: Callable[[], int],
        points: Sequence[PointDeclaration],
        layouts: Sequence[Layout],
    ) -> None:
        """`points` and `layouts` are all that the drivers may use."""
        self._journal = journal
        self._timekeeper = timekeeper
        self._gateway = gateway
        self._boot = boot
        self._now_tick = now_tick
        self._points = {point.name: point for point in points}
        self._columns = {layout.id: _columns(layout, self._points) for layout in layouts}
        self._silences: dict[str, Silence] = {}
        self._last: dict[str, int] = {}
        self._clock_told = False

    # --- what drivers call -----------------------------------------------------------------------

    async def poll(self, poll: Poll) -> None:
        """Accept one poll; its points stop being silent."""
        await self._journal.intake.space()
        self._look_at_journal(poll.tick)
        columns = self._columns[poll.layout]
        self._heard(columns.points, poll.tick)
        self._last[poll.layout] = poll.tick
        self._journal.intake.add(_judged(poll, columns.bounds))

    async def position(self, position: Position) -> None:
        """Accept one fix."""
        await self._journal.intake.space()
        self._look_at_journal(position.tick)
        self._heard((position.point,), position.tick)
        self._last["@" + position.point] = position.tick
        self._journal.intake.add(position)

    async def event(self, event: Event) -> None:
        """Accept one event."""
        await self._journal.intake.space()
        self._journal.intake.add(_storable(event))

    async def silent(self, points: Sequence[str], *, cause: GapCause, reason: str, tick: int) -> None:
        """Say that these points give nothing since `tick`; repeated calls change nothing."""
        await self._journal.intake.space()
        for point in points:
            self._silence(point, cause, reason, tick=tick)

    def time(self, hint: TimeHint) -> None:
        """Pass on what a receiver knows about time."""
        self._timekeeper.hint(hint)

    # --- what the gateway itself tells ---------------------------------------------------------------

    def tell(self, kind: str, data: Mapping[str, Scalar], *, subject: str = "") -> None:
        """Journal an event of the gateway itself."""
        event = Event(kind, subject or self._gateway, self._now_tick(), dict(data))
        self._journal.intake.add(_storable(event))

    def resume(self, past: Past) -> None:
        """Take over the silence that the last run left: what was open, and the time nobody was there."""
        if past.damage:
            self.tell("journal_damaged", {"reason": past.damage})
        same_boot = past.boot == self._boot
        last = _last_by_point(past) if same_boot and not past.damage else {}
        known = {point for points in past.layouts.values() for point in points}
        cause = _absence(past, same_boot=same_boot)
        for point in self._points.values():
            earlier = past.open_gaps.get(point.name)
            if earlier and earlier.boot == self._boot and not past.damage:
                self._silences[point.name] = Silence(earlier.gap, journalled=True)
            elif past.damage or point.name in known:
                gap = Gap(
                    point.name,
                    cause,
                    last.get(point.name),
                    None,
                    as_text(past.damage or "gateway was not running"),
                )
                excused = self._excused(point) if past.stopped_cleanly and same_boot else 0
                self._silences[point.name] = Silence(gap, journalled=False, excused_ticks=excused)

    @staticmethod
    def _excused(point: PointDeclaration) -> int:
        return int((point.period_ms or 0) * _PERIODS_WITHOUT_GAP) // 10

    def tick(self) -> None:
        """Look after what nobody emits: changes of the clock, the clock record; call once a second."""
        self._look_at_journal(self._now_tick())
        for change in self._timekeeper.take_changes():
            self.tell(change.kind, change.data)
        clock = self._timekeeper.reading()
        if clock.state is ClockState.SYNCHRONISED and self._journal.clock_owed() and not self._clock_told:
            self._tell_clock(clock)

    def _tell_clock(self, clock: Clock) -> None:
        assert clock.offset_ticks is not None
        assert clock.bound_ms is not None
        self._clock_told = True
        self._journal.intake.add(ClockFound(self._boot, clock.offset_ticks, clock.bound_ms, clock.source))

    # --- silence -----------------------------------------------------------------------------------

    def _heard(self, points: Iterable[str], tick: int) -> None:
        if not self._silences:
            return
        for point in points:
            silence = self._silences.pop(point, None)
            if silence:
                self._close(silence, tick)

    def _close(self, silence: Silence, tick: int) -> None:
        gap = silence.gap
        if gap.from_tick is not None and tick - gap.from_tick < silence.excused_ticks:
            return
        self._journal.intake.add(Gap(gap.point, gap.cause, gap.from_tick, tick, gap.reason))

    def _silence(self, point: str, cause: GapCause, reason: str, *, tick: int) -> None:
        silence = self._silences.get(point)
        if silence and silence.journalled and silence.gap.cause is cause:
            return
        start = tick
        if silence:
            self._close(silence, tick)
        else:
            start = min(tick, self._last_tick(point, tick))
        gap = Gap(point, cause, start, None, as_text(reason))
        self._silences[point] = Silence(gap, journalled=True)
        self._journal.intake.add(gap)

    def _last_tick(self, point: str, otherwise: int) -> int:
        ticks = [tick for key, tick in self._last.items() if self._feeds(key, point)]
        return max(ticks, default=otherwise)

    def _feeds(self, key: str, point: str) -> bool:
        return key[1:] == point if key.startswith("@") else point in self._columns[key].points

    def _look_at_journal(self, tick: int) -> None:
        """After a file had to be set aside, say that any reading before may be missing."""
        while self._journal.damages:
            reason = as_text(self._journal.damages.pop(0))
            self.tell("journal_damaged", {"reason": reason})
            self._clock_told = False
            for point in self._points:
                self._journal.intake.add(Gap(point, GapCause.STORAGE, None, tick, reason))


def _storable(event: Event) -> Event:
    """Return the event with texts that the wire carries: a hub must never refuse a batch for one of them."""
    data = {key: as_text(value) if isinstance(value, str) else value for key, value in event.data.items()}
    return Event(event.kind, as_text(event.subject), event.tick, data)


def _absence(past: Past, *, same_boot: bool) -> GapCause:
    if past.damage or past.blocked:
        return GapCause.STORAGE
    return GapCause.GATEWAY if same_boot or past.stopped_cleanly else GapCause.POWER


def _last_by_point(past: Past) -> Mapping[str, int]:
    last: dict[str, int] = {}
    for key, seen in past.last_ticks.items():
        if seen.boot == past.boot:
            for point in past.layouts[key]:
                last[point] = max(seen.tick, last.get(point, seen.tick))
    return last


def _columns(layout: Layout, points: Mapping[str, PointDeclaration]) -> _Columns:
    pairs = zip(layout.points, layout.exponents, strict=True)
    return _Columns(layout.points, [_bounds(points[name].quantity, exponent) for name, exponent in pairs])


def _bounds(quantity: str, exponent: int) -> tuple[int, int]:
    """Return the lowest and highest plausible count."""
    row = QUANTITIES[quantity]
    step = Decimal(1).scaleb(exponent)
    low = (row.low / step).to_integral_value(ROUND_CEILING)
    high = (row.high / step).to_integral_value(ROUND_FLOOR)
    return int(low), int(high)


def _judged(poll: Poll, bounds: Sequence[tuple[int, int]]) -> Poll:
    """Return the poll with implausible values marked; the values stay."""
    strange = [
        place
        for place, (count, (low, high)) in enumerate(zip(poll.counts, bounds, strict=True))
        if count is not None and not low <= count <= high
    ]
    if not strange:
        return poll
    flagged = {place for place, _ in poll.flags}
    more = [(place, int(Status.IMPLAUSIBLE)) for place in strange if place not in flagged]
    return Poll(poll.layout, poll.tick, poll.counts, sorted([*poll.flags, *more]))
