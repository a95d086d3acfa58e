"""What contacts, exit buttons and outputs say, out of everything that the gateway sees."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge.control.given import Seen
from rules.access.words import Contact
from wire.messages import Event, Gap, Layout, PointDeclaration, Poll

PRESSED = "exit_requested"
_WORDS: Mapping[str, Contact] = {"open": Contact.OPEN, "closed": Contact.CLOSED}


@dataclass(frozen=True, slots=True)
class Said:
    """What one point says."""

    point: str
    contact: Contact | None
    """Of a contact."""
    count: int | None
    """None: it cannot be known."""
    tick: int


def contact_states(point: PointDeclaration) -> Mapping[int, Contact]:
    """Return count -> what it means; empty for a point that is no contact of a door."""
    found = {int(count): _WORDS[word] for count, word in point.states.items() if word in _WORDS}
    return found if set(found.values()) == set(_WORDS.values()) else {}


class Points:
    """Watches contacts, and the points that tell what outputs are."""

    def __init__(
        self,
        contacts: Iterable[str],
        outputs: Iterable[str],
        *,
        points: Callable[[], Sequence[PointDeclaration]],
        layouts: Callable[[], Sequence[Layout]],
    ) -> None:
        """An output's point has the output's name; not every output has one."""
        self._contacts = frozenset(contacts)
        self._watched = self._contacts | frozenset(outputs)
        self._points = points
        self._layouts = layouts
        self._places: dict[str, list[tuple[int, str]]] = {}
        self._states: dict[str, tuple[PointDeclaration, Mapping[int, Contact]]] = {}
        """What a contact's counts mean, by the declaration that says so."""

    def look(self, item: Seen) -> Iterator[Said]:
        """Yield what a reading, or its absence, says of them."""
        if isinstance(item, Poll):
            if item.layout not in self._places:
                self._find()
            places = self._places.get(item.layout, ())
            flagged = {place for place, _ in item.flags} if places else ()
            for place, point in places:
                yield self._said(point, None if place in flagged else item.counts[place], item.tick)
        elif isinstance(item, Gap) and item.point in self._watched and item.to_tick is None:
            yield self._said(item.point, None, item.from_tick or 0)

    def _said(self, point: str, count: int | None, tick: int) -> Said:
        if point not in self._contacts:
            return Said(point, None, count, tick)
        contact = Contact.UNKNOWN if count is None else self._meaning(point).get(count, Contact.UNKNOWN)
        return Said(point, contact, count, tick)

    def _meaning(self, point: str) -> Mapping[int, Contact]:
        """Return it by the declaration of now: a layout stays the same where states were exchanged."""
        declared = next((one for one in self._points() if one.name == point), None)
        if declared is None:
            return {}
        known = self._states.get(point)
        if known is None or known[0] is not declared:
            known = self._states[point] = declared, contact_states(declared)
        return known[1]

    def _find(self) -> None:
        self._places = {
            layout.id: [(place, name) for place, name in enumerate(layout.points) if name in self._watched]
            for layout in self._layouts()
        }


def pressed(item: Seen) -> str | None:
    """Return the exit button that somebody presses now, if it says so; not one that may have waited."""
    if not isinstance(item, Event) or item.kind != PRESSED:
        return None
    waited = item.data.get("late", False) or item.data.get("away", False)
    return None if waited else item.subject
