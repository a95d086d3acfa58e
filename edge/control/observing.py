"""From what the gateway takes in to what interlocks observe: readings by point, events by kind, gaps.

It keeps which places of a layout anybody listens to, so that what nobody asks for costs nothing.
"""

from collections.abc import Callable, Iterator, Sequence

from edge.control.given import Seen
from edge.control.runner import Runner
from rules.interlock.inputs import Lost, Reading
from rules.interlock.inputs import Seen as Observed
from wire.messages import Event, Gap, Layout, Poll

Places = Sequence[tuple[int, str]]
_NOBODY: Places = ()


class Observing:
    """What the interlocks of a gateway hear."""

    def __init__(self, runners: Sequence[Runner], layouts: Callable[[], Sequence[Layout]]) -> None:
        self._runners = runners
        self._layouts = layouts
        self._places: dict[str, Places] = {}

    def listen(self) -> None:
        """Points, layouts or what interlocks listen to changed."""
        self._places.clear()

    def of(self, item: Seen) -> Iterator[tuple[Runner, Sequence[Observed]]]:
        """Yield each interlock that something is said to, and what."""
        if isinstance(item, Poll):
            readings = self._readings(item)
            for runner in self._runners if readings else ():
                if mine := [one for one in readings if one.point in runner.points]:
                    yield runner, mine
        elif isinstance(item, Event):
            for runner in self._runners:
                if happened := runner.hears(item):
                    yield runner, happened
        elif isinstance(item, Gap) and item.to_tick is None:
            for runner in self._runners:
                if item.point in runner.points:
                    yield runner, [Lost(item.point, str(item.cause))]

    def _readings(self, poll: Poll) -> Sequence[Reading]:
        places = self._places.get(poll.layout)
        if places is None:
            places = self._places[poll.layout] = self._look_up(poll.layout)
        if not places:
            return ()
        flags = dict(poll.flags)
        return [Reading(point, poll.tick, poll.counts[place], flags.get(place, 0)) for place, point in places]

    def _look_up(self, layout: str) -> Places:
        wanted = {point for runner in self._runners for point in runner.points}
        points = next((one.points for one in self._layouts() if one.id == layout), ())
        return [(place, point) for place, point in enumerate(points) if point in wanted] or _NOBODY
