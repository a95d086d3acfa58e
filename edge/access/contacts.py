"""What contacts and exit buttons say, out of everything that the gateway sees."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from edge.control.given import Seen
from rules.access.words import Contact
from wire.messages import Event, Gap, Layout, PointDeclaration, Poll

PRESSED = "exit_requested"
_WORDS: Mapping[str, Contact] = {"open": Contact.OPEN, "closed": Contact.CLOSED}
Said = tuple[str, Contact, int]
"""Point, what it says, tick."""


def contact_states(point: PointDeclaration) -> Mapping[int, Contact]:
    """Return count -> what it means; empty for a point that is no contact of a door."""
    found = {int(count): _WORDS[word] for count, word in point.states.items() if word in _WORDS}
    return found if set(found.values()) == set(_WORDS.values()) else {}


class Contacts:
    """Watches some points."""

    def __init__(
        self,
        watched: Sequence[str],
        *,
        points: Callable[[], Sequence[PointDeclaration]],
        layouts: Callable[[], Sequence[Layout]],
    ) -> None:
        self._watched = frozenset(watched)
        self._points = points
        self._layouts = layouts
        self._places: dict[str, list[tuple[int, str, Mapping[int, Contact]]]] = {}

    def look(self, item: Seen) -> Iterator[Said]:
        """Yield what a reading, or its absence, says of them."""
        if isinstance(item, Poll):
            if item.layout not in self._places:
                self._places = self._found()
            flagged = {place for place, _ in item.flags}
            for place, point, states in self._places.get(item.layout, ()):
                count = None if place in flagged else item.counts[place]
                said = Contact.UNKNOWN if count is None else states.get(count, Contact.UNKNOWN)
                yield point, said, item.tick
        elif isinstance(item, Gap) and item.point in self._watched and item.to_tick is None:
            yield item.point, Contact.UNKNOWN, item.from_tick or 0

    def _found(self) -> dict[str, list[tuple[int, str, Mapping[int, Contact]]]]:
        states = {one.name: contact_states(one) for one in self._points() if one.name in self._watched}
        return {
            layout.id: [
                (place, name, states[name]) for place, name in enumerate(layout.points) if name in states
            ]
            for layout in self._layouts()
        }


def pressed(item: Seen) -> str | None:
    """Return the exit button that somebody presses now, if it says so; not one that may have waited."""
    if not isinstance(item, Event) or item.kind != PRESSED:
        return None
    waited = item.data.get("late", False) or item.data.get("away", False)
    return None if waited else item.subject
