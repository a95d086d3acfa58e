"""What the journal remembers about readings: last ticks, open gaps, lost stretches, layouts.

All of it lives in the `state` table and changes in the same transaction as the rows it tells about.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from edge.journal.group import Group, Span, spans
from edge.journal.state import State
from wire.messages import Clock, Gap, Layout
from wire.status import ClockState, GapCause


@dataclass(frozen=True, slots=True)
class LastTick:
    """When a layout or position point (`@` in front) was last read."""

    boot: bytes
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


class _Lost(msgspec.Struct, frozen=True, array_like=True):
    first: int
    last: int
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
        for found in group.clocks:
            self._state.put("clock_found", found.boot)
        if group.clock.state is ClockState.UNSYNCHRONISED:
            self._state.put("clock_open", group.boot)

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

    def forget_open_gap(self, point: str) -> None:
        """Drop an open gap that can no longer be closed (its boot is over)."""
        self._state.delete("gap/" + point)

    def clock_owed(self, boot: bytes) -> bool:
        """Whether this boot journalled under an open clock and no clock record was journalled since."""
        return self._state.get("clock_open") == boot and self._state.get("clock_found") != boot

    def declare(self, layouts: Iterable[Layout]) -> None:
        """Remember the points of layouts, so that a lost poll can be named by point."""
        for layout in layouts:
            self._state.put("layout/" + layout.id, msgspec.msgpack.encode(layout.points))

    def points_of(self, key: str) -> list[str]:
        """Return the points of a layout id or `@point`; none when the layout was never declared."""
        if key.startswith("@"):
            return [key[1:]]
        value = self._state.get("layout/" + key)
        return msgspec.msgpack.decode(value, type=list[str]) if value else []

    def lose(self, group: Group) -> None:
        """Remember that the readings of a group are gone; stretches of one boot grow together."""
        for span in spans(group):
            self.lose_span(group.boot, group.clock, span)

    def lose_span(self, boot: bytes, clock: Clock, span: Span) -> None:
        """Remember one lost stretch."""
        key = f"lost/{boot.hex()}/{span.key}"
        value = self._state.get(key)
        first, last = span.first, span.last
        if value:
            before = msgspec.msgpack.decode(value, type=_Lost)
            first, last = min(first, before.first), max(last, before.last)
        self._state.put(key, msgspec.msgpack.encode(_Lost(first, last, clock)))

    def take_lost(self, limit: int) -> Iterator[Group]:
        """Yield groups of gap rows for what was lost, and forget it; at most `limit` stretches."""
        for key, value in list(self._state.items("lost/"))[:limit]:
            boot, _, span_key = key.partition("/")
            lost = msgspec.msgpack.decode(value, type=_Lost)
            gaps = [
                Gap(point, GapCause.STORAGE, lost.first, lost.last, "journal full or damaged")
                for point in self.points_of(span_key)
            ]
            self._state.delete("lost/" + key)
            if gaps:
                yield Group(boot=bytes.fromhex(boot), clock=lost.clock, gaps=gaps)
