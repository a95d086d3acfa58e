"""The roll-call: who came in and was not seen to leave."""

from rules.access.case import is_forgotten
from rules.access.snapshot import Snapshot
from rules.access.state import State
from rules.access.words import PersonKind
from wire.messages import Message


class Called(Message, frozen=True, forbid_unknown_fields=True):
    """One person of a roll-call."""

    person: str
    name: str
    zone: str
    since_ms: int
    """UTC of the proven entry."""
    visitor: bool = False
    hosts: tuple[str, ...] = ()
    """Of a visitor: who to ask."""
    safe: bool = False
    """At a place of assembly."""
    doubtful: bool = False
    """Timed anti-passback takes them for gone; nobody saw them leave."""


def roll_call(snapshot: Snapshot | None, state: State, *, steady_ms: int) -> list[Called]:
    """Return everybody who came in and was not seen to leave: who is not safe first, by zone and id.

    It takes nobody for gone, and works without any rights.
    """
    found = []
    for person, inside in state.inside.items():
        known = None if snapshot is None else snapshot.person(person)
        around = () if snapshot is None else snapshot.around(inside.zone)
        visits = [] if snapshot is None else snapshot.visits(person)
        found.append(
            Called(
                person=person,
                name="" if known is None else known.name,
                zone=inside.zone,
                since_ms=inside.at_ms,
                visitor=known is not None and known.kind is PersonKind.VISITOR,
                hosts=tuple(sorted({visit.host for visit in visits})),
                safe=any(zone.muster for zone in around),
                doubtful=snapshot is not None and is_forgotten(snapshot, inside, steady_ms),
            )
        )
    return sorted(found, key=lambda one: (one.safe, one.zone, one.person))
