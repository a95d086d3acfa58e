"""The newest good readings of some points, as corrected values; a silent point has none."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from edge.control.given import Given, Seen
from rules.interlock.guard import Reader, reader
from rules.interlock.model import Calibration, Sensor
from wire.messages import Poll
from wire.status import Status

_GOOD = frozenset({Status.GOOD, Status.TIME_BRACKETED})


@dataclass(frozen=True, slots=True)
class Newest:
    """One reading."""

    value: Decimal
    tick: int


class Readings:
    """Takes note of polls as they come."""

    def __init__(
        self, given: Given, points: Collection[str], calibrations: Callable[[], Mapping[str, Calibration]]
    ) -> None:
        """`points` are those that somebody wants to know."""
        self._given = given
        self._points = frozenset(points)
        self._calibrations = calibrations
        self._newest: dict[str, Newest] = {}
        self._layouts: dict[str, list[tuple[int, str, int]]] = {}
        self._readers: dict[str, tuple[Calibration | None, int, Reader]] = {}

    def look(self, item: Seen) -> bool:
        """Take note; whether a point that somebody wants to know was read."""
        if not isinstance(item, Poll) or not self._points:
            return False
        places = self._places(item.layout)
        flags = dict(item.flags)
        for place, point, exponent in places:
            count = item.counts[place]
            if count is not None and flags.get(place, Status.GOOD) in _GOOD:
                before = self._newest.get(point)
                if before is None or item.tick > before.tick:
                    self._newest[point] = Newest(self._value(point, count, exponent), item.tick)
        return bool(places)

    def newest(self, point: str, *, within: int) -> Newest | None:
        """Return the newest reading that is no older than so many ticks."""
        found = self._newest.get(point)
        if found is None or self._given.now_tick() - found.tick > within:
            return None
        return found

    def _places(self, layout_id: str) -> list[tuple[int, str, int]]:
        known = self._layouts.get(layout_id)
        if known is None:
            layout = next((one for one in self._given.layouts() if one.id == layout_id), None)
            if layout is None:
                return []
            pairs = zip(layout.points, layout.exponents, strict=True)
            known = [
                (place, name, power) for place, (name, power) in enumerate(pairs) if name in self._points
            ]
            self._layouts[layout_id] = known
        return known

    def _value(self, point: str, count: int, exponent: int) -> Decimal:
        calibration = self._calibrations().get(point)
        kept = self._readers.get(point)
        if kept is None or kept[0] is not calibration or kept[1] != exponent:
            kept = (
                calibration,
                exponent,
                reader(Sensor(point=point, exponent=exponent, calibration=calibration)),
            )
            self._readers[point] = kept
        return kept[2](count)
