"""Who is inside: the roll-call of now, and afterwards whether work had enough people all along."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise

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


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody was in a zone, UTC in ms; `to_ms` None: still is."""

    person: str
    from_ms: int
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """A stretch in which fewer people than needed were there."""

    from_ms: int
    to_ms: int
    people: int
    """How many there were."""


def shortages(
    stays: Iterable[Stay], people: Collection[str], *, least: int, from_ms: int, to_ms: int
) -> list[Shortage]:
    """Return every stretch between two instants in which fewer than `least` of some people were present.

    Nothing returned says: it was enough all the time. Stays may come in any order, overlap and repeat.
    """
    spans = [
        (one.person, max(one.from_ms, from_ms), to_ms if one.to_ms is None else min(one.to_ms, to_ms))
        for one in stays
        if one.person in people
    ]
    edges = sorted({from_ms, to_ms, *(at for _, start, end in spans if start < end for at in (start, end))})
    found: list[Shortage] = []
    for start, end in pairwise(edges):
        count = len({person for person, first, last in spans if first <= start and end <= last})
        if count >= least:
            continue
        if found and found[-1].to_ms == start and found[-1].people == count:
            found[-1] = Shortage(found[-1].from_ms, end, count)
        else:
            found.append(Shortage(start, end, count))
    return found
