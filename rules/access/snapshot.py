"""Rights made ready for decisions: looked up by token, person and side, so that a decision costs little.

Making it takes a while for large documents; a revocation is laid over it at once.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from rules.access.document import (
    AccessRights,
    Authorisation,
    Credential,
    Equipment,
    Mantrap,
    Person,
    Portal,
    Revocation,
    Right,
    Side,
    Visit,
    Zone,
    key_of,
)
from rules.access.faults import PART_NAMES, items_of
from rules.access.schedules import Spans, Wall, holds, spans_of, wall_of
from rules.access.words import CredentialState, Effect, PersonKind, PersonState, SideKind
from wire.shadow import Revision

EVERYONE = "*"
K = TypeVar("K")
V = TypeVar("V")
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Plan:
    """One side of a portal with what lies behind it."""

    id: str
    portal: Portal
    side: Side
    from_zone: str | None
    to_zone: str | None
    around: tuple[Zone, ...]
    """The zone it leads to and those around that, inside out; empty: outside."""

    @property
    def is_exit(self) -> bool:
        """Whether it is a way out, which is never refused."""
        return self.side.kind is SideKind.EXIT


@dataclass(frozen=True, slots=True)
class Placed:
    """A right with the sides for which it counts."""

    right: Right
    sides: frozenset[str]


@dataclass(frozen=True, slots=True)
class Index:
    """Everything by what it is asked for."""

    wall: Wall
    schedules: Mapping[str, Spans]
    people: Mapping[str, Person]
    credentials: Mapping[str, Credential]
    groups: Mapping[str, tuple[str, ...]]
    """Person -> groups."""
    zones: Mapping[str, tuple[Zone, ...]]
    """Zone -> itself and those around it, inside out."""
    within: Mapping[str, frozenset[str]]
    """Zone -> itself and those within it."""
    forget_ms: Mapping[str, int]
    """Zone of timed anti-passback -> after how long who is there counts as gone."""
    plans: Mapping[str, Plan]
    rights: Mapping[tuple[Effect, str], tuple[Placed, ...]]
    """Effect and `p:` person, `g:` group or `EVERYONE` -> rights by id."""
    visits: Mapping[str, tuple[Visit, ...]]
    authorisations: Mapping[str, tuple[Authorisation, ...]]
    """Person -> authorisations by id."""
    mantraps: Mapping[str, tuple[Mantrap, ...]]
    """Portal -> groups that it is in."""
    equipment: Mapping[str, Equipment]


@dataclass(frozen=True, slots=True)
class Revoked:
    """What revocations newer than the document ended."""

    credentials: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    rights: frozenset[str] = frozenset()
    visits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rights in force."""

    document: AccessRights
    digest: bytes
    index: Index
    revocations: tuple[Revocation, ...] = ()
    """Newer than the document, by revision."""
    revoked: Revoked = field(default_factory=Revoked)

    @property
    def revision(self) -> Revision:
        """Of the document."""
        return self.document.revision

    def credential(self, token: str) -> Credential | None:
        """Return a credential as it is now."""
        found = self.index.credentials.get(token)
        if found is not None and token in self.revoked.credentials:
            return msgspec.structs.replace(found, state=CredentialState.REVOKED)
        return found

    def person(self, person_id: str) -> Person | None:
        """Return a person as they are now."""
        found = self.index.people.get(person_id)
        if found is not None and person_id in self.revoked.people:
            return msgspec.structs.replace(found, state=PersonState.REVOKED)
        return found

    def rights(self, person: Person, side: str, effect: Effect) -> list[Right]:
        """Return the rights of one effect that a person has at a side, whenever they hold."""
        owners = [f"p:{person.id}", *(f"g:{one}" for one in self.index.groups.get(person.id, ()))]
        if person.kind is PersonKind.STAFF or effect is Effect.DENY:
            owners.append(EVERYONE)
        found: list[Right] = []
        for owner in owners:
            found += [one.right for one in self.index.rights.get((effect, owner), ()) if side in one.sides]
        gone = self.revoked.rights
        # To take a right away that denies would let somebody in.
        if not gone or effect is Effect.DENY:
            return found
        return [one for one in found if one.id not in gone]

    def visits(self, person_id: str) -> list[Visit]:
        """Return the visits of a person that were not revoked, by id."""
        return [
            visit for visit in self.index.visits.get(person_id, ()) if visit.id not in self.revoked.visits
        ]

    def within(self, schedule: str | None, at_ms: int) -> bool:
        """Whether a schedule holds at an instant; None always does."""
        return schedule is None or holds(self.index.schedules[schedule], self.index.wall, at_ms)

    def around(self, zone: str | None) -> tuple[Zone, ...]:
        """Return a zone and those around it, inside out; nothing for outside and for what is no more."""
        return () if zone is None else self.index.zones.get(zone, ())


def normalised(document: AccessRights) -> AccessRights:
    """Return the same rights with every list in order, so that equal rights are equal."""
    changes = {name: tuple(sorted(items_of(document, name), key=key_of)) for name in PART_NAMES}
    return msgspec.structs.replace(document, **changes)


def digest_of(document: AccessRights) -> bytes:
    """Return the SHA-256 by which two normalised documents are compared."""
    return hashlib.sha256(_encoder.encode(document)).digest()


def snapshot_of(document: AccessRights) -> Snapshot:
    """Return a document (see `faults_of`) made ready for decisions."""
    return prepared(normalised(document))


def prepared(document: AccessRights) -> Snapshot:
    """Return the same for a document that is normalised already."""
    return Snapshot(document, digest_of(document), _index(document))


def with_revocations(snapshot: Snapshot, revocations: Iterable[Revocation]) -> Snapshot:
    """Return the snapshot with those revocations laid over it that it does not contain by its revision."""
    found = {one.revision.order: one for one in (*snapshot.revocations, *revocations)}
    newer = tuple(found[order] for order in sorted(found) if order > snapshot.revision.order)
    revoked = Revoked(
        frozenset(one for each in newer for one in each.credentials),
        frozenset(one for each in newer for one in each.people),
        frozenset(one for each in newer for one in each.rights),
        frozenset(one for each in newer for one in each.visits),
    )
    return replace(snapshot, revocations=newer, revoked=revoked)


def _index(document: AccessRights) -> Index:
    zones = _zones(document)
    plans = _plans(document, zones)
    return Index(
        wall=wall_of(document.offsets, document.calendar),
        schedules={schedule.id: spans_of(schedule) for schedule in document.schedules},
        people={person.id: person for person in document.people},
        credentials={credential.token: credential for credential in document.credentials},
        groups=_gathered((person, group.id) for group in document.groups for person in group.people),
        zones=zones,
        within={
            one: frozenset(other for other, around in zones.items() if any(zone.id == one for zone in around))
            for one in zones
        },
        forget_ms={zone.id: zone.forget_s * 1000 for zone in document.zones if zone.forget_s is not None},
        plans=plans,
        rights=_rights(document, plans),
        visits=_gathered((visit.person, visit) for visit in document.visits),
        authorisations=_gathered((one.person, one) for one in document.authorisations),
        mantraps=_gathered((portal, trap) for trap in document.mantraps for portal in trap.portals),
        equipment={equipment.id: equipment for equipment in document.equipment},
    )


def _zones(document: AccessRights) -> dict[str, tuple[Zone, ...]]:
    zones = {zone.id: zone for zone in document.zones}
    found: dict[str, tuple[Zone, ...]] = {}
    for zone in document.zones:
        chain = [zone]
        while chain[-1].parent is not None:
            chain.append(zones[chain[-1].parent])
        found[zone.id] = tuple(chain)
    return found


def _plans(document: AccessRights, zones: Mapping[str, tuple[Zone, ...]]) -> dict[str, Plan]:
    plans = []
    for portal in document.portals:
        for name, side, start, end in (
            ("in", portal.inward, portal.from_zone, portal.to_zone),
            ("out", portal.outward, portal.to_zone, portal.from_zone),
        ):
            around = () if end is None else zones[end]
            plans.append(Plan(f"{portal.id}/{name}", portal, side, start, end, around))
    return {plan.id: plan for plan in plans}


def _rights(
    document: AccessRights, plans: Mapping[str, Plan]
) -> dict[tuple[Effect, str], tuple[Placed, ...]]:
    into: dict[str | None, list[str]] = {}
    for plan in plans.values():
        if not plan.is_exit:
            into.setdefault(plan.to_zone, []).append(plan.id)
    pairs = []
    for right in document.rights:
        sides = frozenset((*right.sides, *(side for zone in right.zones for side in into.get(zone, ()))))
        placed = Placed(right, sides)
        owners = [f"p:{one}" for one in right.people] + [f"g:{one}" for one in right.groups]
        pairs += [((right.effect, owner), placed) for owner in owners + [EVERYONE] * right.everyone]
    return _gathered(pairs)


def _gathered(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    found: dict[K, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}
