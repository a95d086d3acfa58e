"""Lets a person look at what a running gateway reads: a JSON object a line over the local socket.

It shows; it is no part of the evidence. Whoever reads too slowly misses lines and is told how many.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from edge.local.server import Caller, Line
from wire.messages import TICK_MS, Clock, Event, Gap, Layout, PointDeclaration, Poll, Position
from wire.quantities import QUANTITIES
from wire.status import Status

WAITING_BYTES_MAX = 256 * 1024
"""So much waits for one who reads slowly."""

Seen = Poll | Position | Event | Gap


class Describe:
    """Turns what drivers emit into lines; it knows points, layouts and the clock, and keeps nothing."""

    def __init__(
        self,
        points: Callable[[], Sequence[PointDeclaration]],
        layouts: Callable[[], Sequence[Layout]],
        clock: Callable[[], Clock],
    ) -> None:
        self._points = points
        self._layouts = layouts
        self._clock = clock

    def lines(self, item: Seen) -> Iterator[Line]:
        """Yield a line for each reading, fix, event or gap."""
        if isinstance(item, Poll):
            yield from self._poll(item)
        elif isinstance(item, Position):
            place = {"latitude": _scaled(item.latitude_e9, -9), "longitude": _scaled(item.longitude_e9, -9)}
            yield {"at": self._at(item.tick), "position": item.point, "mode": item.mode, **place}
        elif isinstance(item, Event):
            yield {"at": self._at(item.tick), "event": item.kind, "subject": item.subject, "data": item.data}
        else:
            span = {"from": self._at(item.from_tick), "to": self._at(item.to_tick)}
            at = item.from_tick if item.to_tick is None else item.to_tick
            yield {"at": self._at(at), "gap": item.point, "cause": item.cause, "reason": item.reason, **span}

    def _poll(self, poll: Poll) -> Iterator[Line]:
        layout = next((layout for layout in self._layouts() if layout.id == poll.layout), None)
        if layout is None:
            return
        points = {point.name: point for point in self._points()}
        statuses = dict(poll.flags)
        rows = zip(layout.points, layout.exponents, poll.counts, strict=True)
        for place, (name, exponent, count) in enumerate(rows):
            point = points.get(name)
            yield {
                "at": self._at(poll.tick),
                "point": name,
                "value": _value(point, count, exponent),
                "unit": QUANTITIES[point.quantity].unit if point else "",
                "status": Status(statuses.get(place, 0)).name.lower(),
            }

    def _at(self, tick: int | None) -> str | None:
        """Return UTC, or the monotonic time while UTC is not known."""
        if tick is None:
            return None
        offset = self._clock().offset_ticks
        if offset is None:
            return f"boot+{tick * TICK_MS / 1000:.2f}s"
        seconds, ms = divmod((tick + offset) * TICK_MS, 1000)
        return f"{_utc(seconds)}.{ms // 10:02d}Z"


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _value(point: PointDeclaration | None, count: int | None, exponent: int) -> str | None:
    if count is None:
        return None
    if point and str(count) in point.states:
        return point.states[str(count)]
    return _scaled(count, exponent)


def _scaled(count: int | None, exponent: int) -> str | None:
    return None if count is None else f"{Decimal(count).scaleb(exponent):f}"


class Tap:
    """Shows lines to whoever looks; costs nothing while nobody does."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._missed: dict[Caller, int] = {}
        """Who looks, and how many lines each has missed since the last one."""

    def __call__(self, item: Seen) -> None:
        """Show an item to all who look."""
        if not self._missed:
            return
        for line in self._describe.lines(item):
            for caller, missed in self._missed.items():
                if caller.waiting_bytes > WAITING_BYTES_MAX:
                    self._missed[caller] = missed + 1
                    continue
                caller.say(*([{"missed": missed}] if missed else ()), line)
                self._missed[caller] = 0

    async def show_to(self, caller: Caller) -> None:
        """Show everything to a caller until cancelled."""
        self._missed[caller] = 0
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            del self._missed[caller]
