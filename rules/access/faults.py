"""Whether rights make sense in themselves: every fault with its place, its value and what was expected.

Rights with a single fault are refused whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from rules.access.document import (
    AccessRights,
    Approval,
    Item,
    Parts,
    Portal,
    Right,
    Schedule,
    Side,
    Span,
    Visit,
    Zone,
    key_of,
)
from rules.access.schedules import DAY_MIN, day_number
from rules.access.words import DayKind, DayName, Effect, FactorKind, Passback, PersonKind, SideKind

STAFF = "the number of somebody of the staff"
PART_NAMES: tuple[str, ...] = Parts.__struct_fields__
"""Names of the lists that deltas change."""
_YEAR_10000_MS = 253_402_300_800_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, what stands there, what was expected."""

    place: str
    value: str
    expectation: str

    def __str__(self) -> str:
        return f"{self.place}: {self.value}: expected {self.expectation}"


def items_of(parts: Parts, name: str) -> Sequence[Item]:
    """Return one list of parts by its name."""
    found: Sequence[Item] = getattr(parts, name)
    return found


def faults_of(rights: AccessRights) -> list[Fault]:
    """Return everything that is wrong with a document whose shape is right."""
    twice = list(_twice(rights))
    return twice or list(_Book(rights).faults())


def _twice(rights: AccessRights) -> Iterator[Fault]:
    for name in PART_NAMES:
        seen: set[str] = set()
        for item in items_of(rights, name):
            key = key_of(item)
            if key in seen:
                yield Fault(name, key, "each once")
            seen.add(key)


class _Book:
    """One document, looked up by id."""

    def __init__(self, rights: AccessRights) -> None:
        self._rights = rights
        self._people = {person.id: person for person in rights.people}
        self._groups = {group.id for group in rights.groups}
        self._zones = {zone.id: zone for zone in rights.zones}
        self._portals = {portal.id: portal for portal in rights.portals}
        self._schedules = {schedule.id for schedule in rights.schedules}
        self._sides: dict[str, tuple[Side, str | None]] = {}
        for portal in rights.portals:
            self._sides[f"{portal.id}/in"] = portal.inward, portal.to_zone
            self._sides[f"{portal.id}/out"] = portal.outward, portal.from_zone

    def faults(self) -> Iterator[Fault]:
        yield from self._times()
        yield from self._persons()
        for zone in self._rights.zones:
            yield from self._zone(zone)
        for portal in self._rights.portals:
            yield from self._portal(portal)
        yield from self._ways_out()
        yield from self._groupings()
        for right in self._rights.rights:
            yield from self._right(right)
        for visit in self._rights.visits:
            yield from self._visit(visit)

    def _times(self) -> Iterator[Fault]:
        starts = [offset.from_ms for offset in self._rights.offsets]
        if any(later <= earlier for earlier, later in pairwise(starts)):
            yield Fault("offsets", str(starts)[:100], "ascending instants")
        for day in self._rights.calendar:
            try:
                day_number(day.date)
            except ValueError:
                yield Fault("calendar", day.date, "a date that exists")
            if day.kind is DayKind.WORKDAY and day.like is DayName.HOLIDAY:
                yield Fault(f"calendar {day.date}", day.like, "a day of the week for a make-up workday")
        for schedule in self._rights.schedules:
            yield from _windows(schedule)

    def _persons(self) -> Iterator[Fault]:
        for person in self._rights.people:
            yield from _span(f"people {person.id} valid", person.valid)
            if person.duress_pin is not None and person.duress_pin == person.pin:
                yield Fault(f"people {person.id} duress_pin", "the PIN", "another than the PIN")
            if person.duress_pin is not None and person.pin is None:
                yield Fault(f"people {person.id} duress_pin", "no PIN beside it", "a PIN too")
            if person.escorts and person.kind is PersonKind.VISITOR:
                yield Fault(f"people {person.id} escorts", "a visitor", "staff")
        for credential in self._rights.credentials:
            place = f"credentials {credential.token[:6]}…"
            yield from _span(f"{place} valid", credential.valid)
            if credential.person is not None:
                yield from _known(f"{place} person", (credential.person,), self._people, a="person")
            if credential.kind is FactorKind.PIN:
                yield Fault(f"{place} kind", "pin", "a factor that identifies; PINs stand with people")
        for authorisation in self._rights.authorisations:
            place = f"authorisations {authorisation.id}"
            yield from _span(f"{place} valid", authorisation.valid)
            yield from _known(f"{place} person", (authorisation.person,), self._people, a="person")

    def _zone(self, zone: Zone) -> Iterator[Fault]:
        place = f"zones {zone.id}"
        seen, parent = {zone.id}, zone.parent
        while parent is not None:
            if parent not in self._zones:
                yield Fault(f"{place} parent", parent, "a zone of this document")
                break
            if parent in seen:
                yield Fault(f"{place} parent", parent, "no zone around itself")
                break
            seen.add(parent)
            parent = self._zones[parent].parent
        if zone.capacity is not None and zone.capacity < zone.min_people:
            yield Fault(f"{place} capacity", str(zone.capacity), f"at least min_people, {zone.min_people}")
        if (zone.passback is Passback.TIMED) != (zone.forget_s is not None):
            yield Fault(
                f"{place} forget_s", str(zone.forget_s), "a time for timed anti-passback, and none else"
            )
        for head in zone.heads:
            yield from self._staff(f"{place} heads", (head.person,))
            yield from _span(f"{place} heads {head.person}", head.valid)

    def _portal(self, portal: Portal) -> Iterator[Fault]:
        place = f"portals {portal.id}"
        for name, zone in (("from_zone", portal.from_zone), ("to_zone", portal.to_zone)):
            if zone is not None:
                yield from _known(f"{place} {name}", (zone,), self._zones, a="zone")
        if portal.from_zone == portal.to_zone:
            yield Fault(place, portal.from_zone or "outside", "two different sides")
        for side_id in (f"{portal.id}/in", f"{portal.id}/out"):
            side, leads_to = self._sides[side_id]
            if side.kind is SideKind.ENTRY and leads_to is None:
                yield Fault(f"sides {side_id}", "an entry to outside", "an exit: the way out is free")
            if not side.identify or FactorKind.PIN in side.identify:
                value = ", ".join(side.identify) or "nothing"
                yield Fault(f"sides {side_id} identify", value, "factors that identify, without pin")

    def _ways_out(self) -> Iterator[Fault]:
        """A zone that one may enter and not leave without being asked is a trap."""
        entered, left = set(), set()
        for portal in self._rights.portals:
            for side, back_to in ((portal.inward, portal.from_zone), (portal.outward, portal.to_zone)):
                if side.kind is SideKind.EXIT and back_to is not None:
                    left.add(back_to)
            entered |= {portal.from_zone, portal.to_zone}
        for zone in sorted(one for one in entered - left if one is not None):
            yield Fault(f"zones {zone}", "no way out", "a portal with an exit side that leads out of it")

    def _groupings(self) -> Iterator[Fault]:
        for group in self._rights.groups:
            yield from self._staff(f"groups {group.id} people", group.people)
        for trap in self._rights.mantraps:
            yield from _known(f"mantraps {trap.id} portals", trap.portals, self._portals, a="portal")
            if len(set(trap.portals)) != len(trap.portals):
                yield Fault(f"mantraps {trap.id} portals", ", ".join(trap.portals), "each once")
        for equipment in self._rights.equipment:
            yield from _known(f"equipment {equipment.id} zone", (equipment.zone,), self._zones, a="zone")

    def _right(self, right: Right) -> Iterator[Fault]:
        place = f"rights {right.id}"
        yield from self._when(place, right)
        if right.effect is Effect.DENY:
            yield from _known(f"{place} people", right.people, self._people, a="person")
        else:
            yield from self._staff(f"{place} people", right.people)
        yield from _known(f"{place} groups", right.groups, self._groups, a="group")
        yield from _known(f"{place} sides", right.sides, self._sides, a="side")
        yield from _known(f"{place} zones", right.zones, self._zones, a="zone")
        for side_id in right.sides:
            if side_id in self._sides and self._sides[side_id][0].kind is SideKind.EXIT:
                yield Fault(f"{place} sides", side_id, "an entry side: an exit asks for no right")
        if not (right.people or right.groups or right.everyone):
            yield Fault(place, "nobody", "people, groups or everyone")
        if not (right.sides or right.zones):
            yield Fault(place, "nowhere", "sides or zones")

    def _visit(self, visit: Visit) -> Iterator[Fault]:
        place = f"visits {visit.id}"
        yield from self._when(place, visit)
        yield from self._staff(f"{place} host", (visit.host,))
        yield from _known(f"{place} person", (visit.person,), self._people, a="person")
        yield from _known(f"{place} zones", visit.zones, self._zones, a="zone")
        if visit.person in self._people and self._people[visit.person].kind is PersonKind.STAFF:
            yield Fault(f"{place} person", visit.person, "a visitor")
        if visit.valid.to_ms is None:
            yield Fault(f"{place} valid", "no end", "an instant at which it is over")

    def _when(self, place: str, item: Right | Visit) -> Iterator[Fault]:
        yield from _span(f"{place} valid", item.valid)
        if item.schedule is not None:
            yield from _known(f"{place} schedule", (item.schedule,), self._schedules, a="schedule")
        approval: Approval | None = item.approval
        if approval is not None:
            yield from self._staff(f"{place} approval", (approval.by,))

    def _staff(self, place: str, ids: Iterable[str]) -> Iterator[Fault]:
        for one in ids:
            person = self._people.get(one)
            if person is None or person.kind is not PersonKind.STAFF:
                yield Fault(place, one, STAFF)


def _known(
    place: str, ids: Iterable[str], known: Mapping[str, object] | set[str], *, a: str
) -> Iterator[Fault]:
    for one in ids:
        if one not in known:
            yield Fault(place, one, f"a {a} of this document")


def _span(place: str, span: Span) -> Iterator[Fault]:
    if span.from_ms is not None and span.to_ms is not None and span.to_ms <= span.from_ms:
        yield Fault(place, stretch(span), "an end after its start")


def stretch(span: Span) -> str:
    """Return from when to when something holds, as dates and times in UTC."""
    return f"{_utc(span.from_ms)} to {_utc(span.to_ms)}"


def _utc(at_ms: int | None) -> str:
    if at_ms is None:
        return "any time"
    if not 0 <= at_ms < _YEAR_10000_MS:
        return f"{at_ms} ms"
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _windows(schedule: Schedule) -> Iterator[Fault]:
    for window in schedule.windows:
        if not window.start_min < window.end_min <= window.start_min + DAY_MIN:
            value = f"{window.start_min} to {window.end_min}"
            yield Fault(f"schedules {schedule.id}", value, "an end after its start, by a day at most")
