"""What the journal remembers about readings: last ticks, open gaps, lost stretches, layouts, boots.

All of it lives in the `state` table and changes in the same transaction as the rows it tells about.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from edge.journal.declared import Declared, declare
from edge.journal.group import Group, Span, last_tick, spans
from edge.journal.state import State
from wire.messages import TICKS_PER_S, Clock, Event, Gap
from wire.status import ClockState, GapCause

CLOCK_AGAIN_TICKS = 60 * TICKS_PER_S
"""So old may the clock be that is kept; its bound grows by the drift from then on."""
CLOCK_WIDER_MS = 10
"""More than drift widens a bound by in that time; what is wider is a doubt that a restart must not forget."""
BOOTS_KEPT = 1000
"""So many boots keep their number; batches of older ones say that it is not known."""
_DECLARED = "declared"
_LOST = "lost/"
_NOTES = "note/"
_EVENTS = "lost_events/"
_BOOTS = "boot_number/"
_BACKLOG = "backlog/"
_DAMAGE = "damage"
_DAMAGE_OWED = "damage_owed/"
_DAMAGED = "journal_damaged"


@dataclass(frozen=True, slots=True)
class LastTick:
    """When a layout or position point (`@` in front) was last read."""

    boot: bytes
    tick: int


@dataclass(frozen=True, slots=True)
class KnownClock:
    """The clock of a boot as it was at a tick or a little later."""

    boot: bytes
    clock: Clock
    tick: int


@dataclass(frozen=True, slots=True)
class OpenGap:
    """A gap that was journalled open."""

    boot: bytes
    gap: Gap


@dataclass(frozen=True, slots=True)
class Lost:
    """A stretch of readings that is gone."""

    boot: bytes
    clock: Clock
    span: Span


@dataclass(frozen=True, slots=True)
class LostEvents:
    """How many events of a boot are gone, and when the last of them was."""

    boot: bytes
    clock: Clock
    count: int
    tick: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Where rows of a damaged journal could not be read; `first` is None when nothing was read before."""

    boot: bytes
    clock: Clock
    key: str
    first: int | None
    last: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """From which tick on readings of a boot may be waiting; `last` is known once another boot began."""

    clock: Clock
    first: int
    last: int | None


class _Lost(msgspec.Struct, frozen=True, array_like=True):
    first: int | None
    last: int
    clock: Clock


class _LostEvents(msgspec.Struct, frozen=True, array_like=True):
    count: int
    tick: int
    clock: Clock


class Memory:
    """Reads and stages entries of the journal's state."""

    def __init__(self, state: State) -> None:
        """The state is shared with the file, which commits it."""
        self._state = state

    def note(self, group: Group) -> None:
        """Take in what a group says, as it is journalled."""
        for span in spans(group):
            self._state.put("last/" + span.key, group.boot + span.last.to_bytes(8, "big", signed=True))
        for gap in group.gaps:
            if gap.to_tick is None:
                self._state.put("gap/" + gap.point, group.boot + msgspec.msgpack.encode(gap))
            else:
                self._close(group.boot, gap)
            if gap.cause is GapCause.STORAGE and gap.from_tick is None and gap.to_tick is not None:
                self._state.delete(_DAMAGE_OWED + gap.point)
        if any(event.kind == _DAMAGED for event in group.events):
            self._state.delete(_DAMAGE)
        for found in group.clocks:
            self._state.put("clock_found", found.boot)
        if group.clock.state is ClockState.UNSYNCHRONISED:
            self._state.put("clock_open", group.boot)
        elif (tick := last_tick(group)) is not None and self._tells_more(group, tick):
            self._state.put("clock", group.boot + msgspec.msgpack.encode((group.clock, tick)))

    def _close(self, boot: bytes, gap: Gap) -> None:
        open_gap = self._open_gap(self._state.get("gap/" + gap.point))
        if open_gap and open_gap.boot == boot and open_gap.gap.from_tick == gap.from_tick:
            self._state.delete("gap/" + gap.point)

    @staticmethod
    def _open_gap(value: bytes | None) -> OpenGap | None:
        return OpenGap(value[:16], msgspec.msgpack.decode(value[16:], type=Gap)) if value else None

    def last_ticks(self) -> dict[str, LastTick]:
        """Return the last journalled tick by layout id or `@point`."""
        return {
            key: LastTick(value[:16], int.from_bytes(value[16:], "big", signed=True))
            for key, value in self._state.items("last/")
        }

    def open_gaps(self) -> dict[str, OpenGap]:
        """Return the gaps that were journalled open and not closed, by point."""
        found = {key: self._open_gap(value) for key, value in self._state.items("gap/")}
        return {key: gap for key, gap in found.items() if gap}

    def _tells_more(self, group: Group, tick: int) -> bool:
        """Whether the clock of a group is worth being written: a card wears by what is."""
        known, clock = self.clock(), group.clock
        if known is None or (known.boot, known.clock.state) != (group.boot, clock.state):
            return True
        if (known.clock.offset_ticks, known.clock.source) != (clock.offset_ticks, clock.source):
            return True
        wider_ms = (clock.bound_ms or 0) - (known.clock.bound_ms or 0)
        return not 0 <= wider_ms <= CLOCK_WIDER_MS or tick - known.tick >= CLOCK_AGAIN_TICKS

    def clock(self) -> KnownClock | None:
        """Return the newest clock that had an offset."""
        value = self._state.get("clock")
        if value is None:
            return None
        clock, tick = msgspec.msgpack.decode(value[16:], type=tuple[Clock, int])
        return KnownClock(value[:16], clock, tick)

    def keep(self, notes: Mapping[str, bytes]) -> None:
        """Keep what drivers want to know in the next run."""
        for key, value in notes.items():
            self._state.put(_NOTES + key, value)

    def notes(self) -> dict[str, bytes]:
        """Return what drivers had kept."""
        return dict(self._state.items(_NOTES))

    def clock_owed(self, boot: bytes) -> bool:
        """Whether this boot journalled under an open clock and no clock record was journalled since."""
        return self._state.get("clock_open") == boot and self._state.get("clock_found") != boot

    # --- backlog -------------------------------------------------------------------------------------

    def wait(self, group: Group) -> None:
        """Remember since when readings wait, should the rows that hold them become unreadable."""
        ticks = [span.first for span in spans(group)]
        key = _BACKLOG + group.boot.hex()
        if ticks and self._state.get(key) is None:
            self._state.put(key, msgspec.msgpack.encode((group.clock, min(ticks), None)))

    def nothing_waits(self) -> None:
        """Forget since when readings waited."""
        for boot in list(self.backlogs()):
            self._state.delete(_BACKLOG + boot.hex())

    def end_backlogs(self, boot: bytes) -> None:
        """Keep when the last readings of earlier boots were before those of a new boot take their place."""
        last = self.last_ticks().values()
        for earlier, backlog in self.backlogs().items():
            ticks = [seen.tick for seen in last if seen.boot == earlier]
            if earlier != boot and backlog.last is None and ticks:
                ended = msgspec.msgpack.encode((backlog.clock, backlog.first, max(ticks)))
                self._state.put(_BACKLOG + earlier.hex(), ended)

    def backlogs(self) -> dict[bytes, Backlog]:
        """Return by boot since when readings may wait."""
        found = {
            boot: msgspec.msgpack.decode(value, type=tuple[Clock, int, int | None])
            for boot, value in self._state.items(_BACKLOG)
        }
        return {bytes.fromhex(boot): Backlog(*values) for boot, values in found.items()}

    # --- damage --------------------------------------------------------------------------------------

    def damage(self, reason: str) -> None:
        """Remember that the file before was set aside, until that is told."""
        self._state.put(_DAMAGE, reason.encode("utf-8", "replace"))
        self._state.put(_DAMAGE_OWED, b"")

    def owe_damage(self, points: Iterable[str]) -> None:
        """Note which points' gaps are owed for a file that was set aside since they were last noted.

        What is told then covers a gap that was open: it is not to be taken up again by a later run.
        """
        if self._state.get(_DAMAGE_OWED) is None:
            return
        self._state.delete(_DAMAGE_OWED)
        for point in points:
            self._state.put(_DAMAGE_OWED + point, self._state.get(_DAMAGE) or b"")
            self._state.delete("gap/" + point)

    def untold_damage(self) -> str | None:
        """Return why a file was set aside, until the event that tells it is journalled."""
        value = self._state.get(_DAMAGE)
        return None if value is None else value.decode()

    def owed_damage(self) -> dict[str, str]:
        """Return the points whose gap for a file that was set aside is not journalled, and why it was."""
        return {point: value.decode() for point, value in self._state.items(_DAMAGE_OWED) if point}

    # --- boots and layouts -------------------------------------------------------------------------

    def number_boot(self, boot: bytes) -> None:
        """Give a boot the next number, unless it has one; very old boots are forgotten."""
        numbers = {key: int(value) for key, value in self._state.items(_BOOTS)}
        if boot.hex() in numbers:
            return
        number = max(numbers.values(), default=0) + 1
        self._state.put(_BOOTS + boot.hex(), str(number).encode())
        for key, old in numbers.items():
            if old <= number - BOOTS_KEPT:
                self._state.delete(_BOOTS + key)

    def boot_number(self, boot: bytes) -> int:
        """Return the place of a boot among the boots of the journal, from 1; 0 when it is not known."""
        return int(self._state.get(_BOOTS + boot.hex()) or b"0")

    def declare(self, fed: Declared, *, backlog: bool) -> None:
        """Remember what is fed, with what was fed before, and the points of layouts.

        So a lost poll can be named by point, and the hub can be told of all that a backlog may hold.
        """
        declared = declare(fed, self.declared(), backlog=backlog)
        self._state.put(_DECLARED, msgspec.msgpack.encode(declared))
        for layout in fed.layouts:
            self._state.put("layout/" + layout.id, msgspec.msgpack.encode(layout.points))

    def declared(self) -> Declared:
        """Return what has to be declared."""
        value = self._state.get(_DECLARED)
        return msgspec.msgpack.decode(value, type=Declared) if value else Declared()

    def points_of(self, key: str) -> list[str]:
        """Return the points of a layout id or `@point`; none when the layout was never declared."""
        if key.startswith("@"):
            return [key[1:]]
        value = self._state.get("layout/" + key)
        return msgspec.msgpack.decode(value, type=list[str]) if value else []

    # --- what is gone --------------------------------------------------------------------------------

    def lose(self, group: Group) -> None:
        """Remember that the readings of a group are gone; stretches of one boot grow together."""
        for span in spans(group):
            self.lose_span(Lost(group.boot, group.clock, span))

    def lose_span(self, lost: Lost) -> None:
        """Remember one lost stretch."""
        key = f"{_LOST}{lost.boot.hex()}/{lost.span.key}"
        value = self._state.get(key)
        first, last = lost.span.first, lost.span.last
        if value:
            before = msgspec.msgpack.decode(value, type=_Lost)
            first = first if before.first is None else min(first, before.first)
            last = max(last, before.last)
        self._state.put(key, msgspec.msgpack.encode(_Lost(first, last, lost.clock)))

    def lose_hole(self, hole: Hole, number: int) -> None:
        """Remember a hole in a damaged file; holes stay apart by their number."""
        key = f"{_LOST}{hole.boot.hex()}.{number}/{hole.key}"
        self._state.put(key, msgspec.msgpack.encode(_Lost(hole.first, hole.last, hole.clock)))

    def lose_events(self, lost: LostEvents) -> None:
        """Remember that events are gone."""
        key = _EVENTS + lost.boot.hex()
        value = self._state.get(key)
        count, tick = lost.count, lost.tick
        if value:
            before = msgspec.msgpack.decode(value, type=_LostEvents)
            count, tick = count + before.count, max(tick, before.tick)
        self._state.put(key, msgspec.msgpack.encode(_LostEvents(count, tick, lost.clock)))

    @property
    def has_lost(self) -> bool:
        """Whether something is gone that was not told yet."""
        return any(True for prefix in (_LOST, _EVENTS) for _ in self._state.items(prefix))

    def take_lost(self, limit: int, gateway: str) -> Iterator[Group]:
        """Yield groups that tell what was lost, and forget it; at most `limit` stretches."""
        for key, value in list(self._state.items(_LOST))[:limit]:
            run, _, span_key = key.partition("/")
            lost = msgspec.msgpack.decode(value, type=_Lost)
            gaps = [
                Gap(point, GapCause.STORAGE, lost.first, lost.last, "journal full or damaged")
                for point in self.points_of(span_key)
            ]
            self._state.delete(_LOST + key)
            if gaps:
                yield Group(boot=bytes.fromhex(run.partition(".")[0]), clock=lost.clock, gaps=gaps)
        for key, value in list(self._state.items(_EVENTS)):
            gone = msgspec.msgpack.decode(value, type=_LostEvents)
            event = Event("events_lost", gateway, gone.tick, {"count": gone.count})
            self._state.delete(_EVENTS + key)
            yield Group(boot=bytes.fromhex(key), clock=gone.clock, events=[event])


def events_of(group: Group) -> LostEvents | None:
    """Return what has to be remembered when a group's events go, None when it holds none."""
    if not group.events:
        return None
    return LostEvents(group.boot, group.clock, len(group.events), last_tick(group) or 0)
