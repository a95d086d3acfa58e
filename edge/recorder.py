"""Takes what drivers emit to the journal: marks the implausible, keeps account of silence.

It decides nothing about devices and does not know the network.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec import structs

from edge.driver import TimeHint
from edge.journal.journal import Journal, Past
from edge.journal.memory import OpenGap
from edge.lateness import Stalls, Stretch, blame, some_missing
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
_NEVER_MS = 2**40
LATE = "the next reading came late"
GONE = "no longer in the settings"
NOT_RUNNING = "gateway was not running"


@dataclass(frozen=True, slots=True)
class Silence:
    """A point that gives nothing: the gap that will be told, or was told open."""

    gap: Gap
    journalled: bool
    excused_ms: int | None = None
    """A stretch in which no reading of this period was due is not told (after a clean stop)."""


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
        late: Mapping[str, GapCause] | None = None,
        look: Callable[[Poll | Position | Event | Gap], None] = lambda _: None,
        doubt_ms: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        """`points` and `layouts` are all that the drivers may use.

        `late` says what readings of a point that were left out are put down to when nobody tells more. `look`
        is shown everything that was accepted. `doubt_ms` is that of `edge.wakes`.
        """
        self._doubt_ms = doubt_ms
        self._look = look
        self._journal = journal
        self._timekeeper = timekeeper
        self._gateway = gateway
        self._boot = boot
        self._now_tick = now_tick
        self._silences: dict[str, Silence] = {}
        self._feed(points, layouts, late or {})
        self._stalls = Stalls()
        self._last: dict[str, int] = {}
        self._polled: dict[str, Poll] = {}
        self._clock_told = False

    def _feed(
        self,
        points: Sequence[PointDeclaration],
        layouts: Sequence[Layout],
        late: Mapping[str, GapCause],
    ) -> None:
        self._points = {point.name: point for point in points}
        self._columns = {layout.id: _columns(layout, self._points) for layout in layouts}
        self._shortest_ms = {key: self._shortest(columns.points) for key, columns in self._columns.items()}
        self._shortest_ms |= {"@" + point.name: point.period_ms or _NEVER_MS for point in points}
        self._late = late

    def _shortest(self, points: Iterable[str]) -> int:
        return min(self._points[point].period_ms or _NEVER_MS for point in points)

    def _take(self, item: Poll | Position | Event | Gap) -> None:
        self._journal.intake.add(item)
        self._look(item)

    # --- what drivers call -----------------------------------------------------------------------

    async def poll(self, poll: Poll) -> None:
        """Accept one poll; its points stop being silent.

        No point has two readings at one instant: of polls that a late gateway made within a tick, the next
        tick takes the second; the same once more is the same reading.
        """
        await self._journal.intake.space()
        before = self._polled.get(poll.layout)
        if before is not None and poll.tick == before.tick and poll.counts == before.counts:
            return
        self._polled[poll.layout] = poll
        taken = self._last.get(poll.layout)
        if before is not None and taken is not None and before.tick <= poll.tick <= taken:
            self._polled[poll.layout] = structs.replace(poll, tick=before.tick)
            poll = structs.replace(poll, tick=taken + 1)
        self._look_at_journal(poll.tick)
        columns = self._columns[poll.layout]
        self._missed(poll.layout, columns.points, poll.tick)
        self._heard(columns.points, poll.tick)
        self._last[poll.layout] = poll.tick
        self._take(_judged(poll, columns.bounds))

    async def position(self, position: Position) -> None:
        """Accept one fix."""
        await self._journal.intake.space()
        self._look_at_journal(position.tick)
        self._missed("@" + position.point, (position.point,), position.tick)
        self._heard((position.point,), position.tick)
        self._last["@" + position.point] = position.tick
        self._take(position)

    async def event(self, event: Event) -> None:
        """Accept one event of a device.

        One that may have waited while the gateway stood still says so: `late`, and `between_ms` is how long
        before its time it may have happened.
        """
        doubt_ms = self._doubt_ms(event.tick)
        if doubt_ms is not None:
            event = structs.replace(event, data={**event.data, "late": True, "between_ms": doubt_ms})
        await self._journal.intake.space()
        self._take(_storable(event))

    async def silent(self, points: Sequence[str], *, cause: GapCause, reason: str, tick: int) -> None:
        """Say that these points give nothing since `tick`; repeated calls change nothing."""
        await self._journal.intake.space()
        self._stalls.look(self._now_tick())
        for point in points:
            self._silence(point, cause, reason, tick=tick)

    def time(self, hint: TimeHint) -> None:
        """Pass on what a receiver knows about time."""
        self._timekeeper.hint(hint)

    def remember(self, key: str, value: bytes) -> None:
        """Keep a small value for the next run."""
        self._journal.remember(key, value)

    def recall(self, key: str) -> bytes | None:
        """Return what was kept."""
        return self._journal.recall(key)

    def feed(
        self,
        points: Sequence[PointDeclaration],
        layouts: Sequence[Layout],
        late: Mapping[str, GapCause],
    ) -> None:
        """Go on with other points and layouts; what is no longer fed stays as silent as it was told to be."""
        self._feed(points, layouts, late)
        self._last = {key: tick for key, tick in self._last.items() if key in self._shortest_ms}

    # --- what the gateway itself tells ---------------------------------------------------------------

    def tell(self, kind: str, data: Mapping[str, Scalar], *, subject: str = "") -> None:
        """Journal an event of the gateway itself."""
        event = Event(kind, subject or self._gateway, self._now_tick(), dict(data))
        self._take(_storable(event))

    def resume(self, past: Past) -> None:
        """Take over the silence that the last run left: what was open, and the time nobody was there."""
        if past.damage:
            self.tell("journal_damaged", {"reason": past.damage})
        same_boot = past.boot == self._boot
        last = _last_by_point(past) if same_boot else {}
        known = {point for points in past.layouts.values() for point in points}
        cause = _absence(past, same_boot=same_boot)
        for point in self._points.values():
            earlier = past.open_gaps.get(point.name)
            damage = past.owed.get(point.name)
            if damage is not None:
                gap = Gap(point.name, GapCause.STORAGE, None, None, as_text(damage))
                self._silences[point.name] = Silence(gap, journalled=False)
            elif earlier and earlier.boot == self._boot:
                self._silences[point.name] = self._went_on(
                    earlier.gap, max(last.values(), default=None), cause
                )
            elif point.name in known:
                gap = Gap(point.name, cause, last.get(point.name), None, NOT_RUNNING)
                excused = point.period_ms if past.stopped_cleanly and same_boot else None
                self._silences[point.name] = Silence(gap, journalled=False, excused_ms=excused)
        for name in [*past.gone, *(past.open_gaps.keys() - self._points.keys() - set(past.gone))]:
            since = None if past.owed else last.get(name)
            self._resume_gone(name, past.open_gaps.get(name), since)

    def _went_on(self, gap: Gap, until: int | None, cause: GapCause) -> Silence:
        """Part a silence from the time when nobody was there to hear its end.

        It is known to have lasted until the last reading of any other point.
        """
        if until is None or gap.from_tick is None or until <= gap.from_tick:
            return Silence(gap, journalled=True)
        self._take(Gap(gap.point, gap.cause, gap.from_tick, until, gap.reason))
        return Silence(Gap(gap.point, cause, until, None, NOT_RUNNING), journalled=False)

    def _resume_gone(self, name: str, earlier: OpenGap | None, last: int | None) -> None:
        """Tell once that a point is no longer fed; should it be fed again, its next reading ends the gap."""
        if earlier and earlier.boot == self._boot:
            self._silences[name] = Silence(earlier.gap, journalled=True)
        elif earlier is None:
            gap = Gap(name, GapCause.MAINTENANCE, last, None, GONE)
            self._silences[name] = Silence(gap, journalled=True)
            self._take(gap)

    def tick(self) -> None:
        """Look after what nobody emits: changes of the clock, the clock record; call once a second.

        A call that comes late shows that the whole gateway stood still.
        """
        self._stalls.beat(self._now_tick())
        self._look_at_journal(self._now_tick())
        for change in self._timekeeper.take_changes():
            self.tell(change.kind, change.data)
        clock = self._timekeeper.reading()
        known = clock.state is not ClockState.UNSYNCHRONISED
        if known and self._journal.clock_owed() and not self._clock_told:
            self._tell_clock(clock)

    def _tell_clock(self, clock: Clock) -> None:
        assert clock.offset_ticks is not None
        assert clock.bound_ms is not None
        self._clock_told = True
        self._journal.intake.add(ClockFound(self._boot, clock.offset_ticks, clock.bound_ms, clock.source))

    # --- readings that were left out -----------------------------------------------------------------

    def _missed(self, key: str, points: Iterable[str], tick: int) -> None:
        """Tell what was due since the last reading of points that nobody called silent."""
        last = self._last.get(key)
        if last is None or not some_missing(last, tick, self._shortest_ms[key]):
            return
        for point in points:
            period_ms = self._points[point].period_ms
            if period_ms and point not in self._silences and some_missing(last, tick, period_ms):
                self._stalls.look(self._now_tick())
                late = Stretch(last, tick, self._late.get(point, GapCause.BUS), LATE)
                for part in blame(late, self._stalls.within(last, tick), period_ms):
                    gap = Gap(point, part.cause, part.start, part.end, part.reason)
                    self._take(gap)

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
        excused_ms = silence.excused_ms
        if excused_ms and gap.from_tick is not None and not some_missing(gap.from_tick, tick, excused_ms):
            return
        self._take(Gap(gap.point, gap.cause, gap.from_tick, tick, gap.reason))

    def _silence(self, point: str, cause: GapCause, reason: str, *, tick: int) -> None:
        silence = self._silences.get(point)
        if silence and silence.journalled and silence.gap.cause is cause:
            return
        start = tick
        if silence:
            self._close(silence, tick)
        else:
            start, cause, reason = self._silent_since(point, cause, reason, tick=tick)
        gap = Gap(point, cause, start, None, as_text(reason))
        self._silences[point] = Silence(gap, journalled=True)
        self._take(gap)

    def _silent_since(
        self, point: str, cause: GapCause, reason: str, *, tick: int
    ) -> tuple[int, GapCause, str]:
        """Return from when, why and in what words a point is silent; what a stall took is told apart."""
        start = min(tick, self._last_tick(point, tick))
        stall = self._stalls.just_over(start, tick)
        if stall:
            return start, stall.cause, stall.reason
        period_ms = self._points[point].period_ms or 1
        *before, rest = blame(
            Stretch(start, tick, cause, reason), self._stalls.within(start, tick), period_ms
        )
        if rest.cause is not cause:
            before.append(rest)
        for part in before:
            self._take(Gap(point, part.cause, part.start, part.end, as_text(part.reason)))
        return start if rest.cause is cause and not before else before[-1].end, cause, reason

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
                self._take(Gap(point, GapCause.STORAGE, None, tick, reason))


def _storable(event: Event) -> Event:
    """Return the event with texts that the wire carries: a hub must never refuse a batch for one of them."""
    data = {key: as_text(value) if isinstance(value, str) else value for key, value in event.data.items()}
    return Event(event.kind, as_text(event.subject), event.tick, data)


def _absence(past: Past, *, same_boot: bool) -> GapCause:
    if past.blocked:
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
