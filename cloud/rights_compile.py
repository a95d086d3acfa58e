"""Rows of the store become the rights of one gateway: a pure function, and what ended from one to the next.

Only the people, rights, zones and portals that the gateway's site needs go along. What makes no sense is told
to who administers it (`Compiled.faults`) and is never sent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from cloud.store.rights_rows import ItemRow, PersonRow, PortalRow, Rows
from rules.access.document import (
    ENTRY,
    EXIT,
    AccessRights,
    Approval,
    Authorisation,
    Credential,
    Day,
    Equipment,
    Group,
    Id,
    Mantrap,
    Person,
    Portal,
    Right,
    Schedule,
    Seconds,
    Span,
    Visit,
    Zone,
)
from rules.access.faults import faults_of
from rules.access.schedules import offsets_of
from rules.access.words import CredentialState, Escort, FactorKind, PersonKind, PersonState, Subject
from wire.messages import Message
from wire.shadow import Revision

MAX_AGE_S = 7 * 86_400
YEARS_AHEAD = 5
"""So far the table of offsets of the site's time zone goes."""
VISITS_STAY = timedelta(days=7)
"""So long after its end a visit goes along, so that a door can say that it is over."""
_AUTHORISATIONS_STAY = timedelta(days=90)


class SiteRules(Message, frozen=True, forbid_unknown_fields=True):
    """What holds for all rights of a site."""

    max_age_s: Seconds = MAX_AGE_S


class _Numbered(Message, frozen=True):
    """To see whether a number can be sent."""

    id: Id


ITEM_TYPES: Mapping[str, type[Message]] = {
    "site": SiteRules,
    "day": Day,
    "schedule": Schedule,
    "group": Group,
    "zone": Zone,
    "portal": Portal,
    "mantrap": Mantrap,
    "right": Right,
    "equipment": Equipment,
}
NOT_TYPED: Mapping[str, frozenset[str]] = {"portal": frozenset({"from_zone", "to_zone"})}
"""Fields of items that come from elsewhere: the site file says where a portal leads."""
_M = TypeVar("_M", bound=Message)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AccessRights)


@dataclass(frozen=True, slots=True)
class Compiled:
    """The rights of a gateway without revision and time, or why there are none."""

    rights: AccessRights | None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out and hinders nobody else."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What held before and does not hold any more."""

    credentials: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.credentials or self.people or self.rights or self.visits)


NOTHING = Ended()


def key_field(kind: str) -> str:
    """Return the field of an item's type that its name stands for; empty where it has none."""
    return {"day": "date", "site": ""}.get(kind, "id")


def item_of(kind: str, name: str, body: Mapping[str, Any], **more: Any) -> Message:
    """Return an item of the rights; `msgspec.ValidationError` names place and expectation."""
    key = key_field(kind)
    named = {key: name} if key else {}
    return msgspec.convert({**body, **more, **named}, ITEM_TYPES[kind])


def compile_rights(rows: Rows, gateway: str, *, now: datetime) -> Compiled:
    """Return the rights of a gateway that serves the site of these rows."""
    return _Compiler(rows, gateway, now).compiled()


class _Compiler:
    def __init__(self, rows: Rows, gateway: str, now: datetime) -> None:
        self._rows, self._gateway, self._now = rows, gateway, now
        self._faults: list[str] = []
        self._notes: list[str] = []
        self._people = {row.id: row for row in rows.people}

    def compiled(self) -> Compiled:
        rows = self._rows
        zone = self._time_zone()
        if rows.key_id is None:
            self._faults.append("credential key: none: expected one; import cards, or `heng rights key`")
        rights = self._items("right", Right)
        visits = self._visits()
        zones = self._zones()
        wanted = self._wanted(rights, visits, zones)
        groups = {name for right in rights for name in right.groups}
        people = self._persons(wanted, {visit.person for visit in visits})
        known = {person.id for person in people}
        schedules = {one.schedule for one in rights} | {one.schedule for one in visits}
        if self._faults or zone is None or rows.key_id is None:
            return Compiled(None, tuple(self._faults), tuple(self._notes))
        made = AccessRights(
            gateway=self._gateway,
            revision=Revision(),
            issued_at_ms=0,
            max_age_s=self._site().max_age_s,
            key_id=rows.key_id,
            time_zone=rows.site.time_zone,
            offsets=offsets_of(zone, _year(self._now.year - 1), _year(self._now.year + YEARS_AHEAD)),
            calendar=tuple(self._items("day", Day)),
            schedules=tuple(one for one in self._items("schedule", Schedule) if one.id in schedules),
            people=people,
            credentials=self._credentials(known),
            groups=tuple(one for one in self._items("group", Group) if one.id in groups),
            zones=zones,
            portals=tuple(self._portal(row) for row in rows.portals),
            mantraps=tuple(self._items("mantrap", Mantrap)),
            rights=tuple(rights),
            visits=visits,
            authorisations=self._authorisations(known),
            equipment=tuple(self._items("equipment", Equipment)),
        )
        faults = [*self._faults, *_shape_faults(made), *(str(fault) for fault in faults_of(made))]
        return Compiled(None if faults else made, tuple(faults), tuple(self._notes))

    # --- who ------------------------------------------------------------------------------------------

    def _wanted(
        self, rights: Iterable[Right], visits: Iterable[Visit], zones: Iterable[Zone]
    ) -> set[str] | None:
        """Return the numbers of people who have to be known; None: all staff."""
        groups = {one.id: one.people for one in self._items("group", Group)}
        found: set[str] = set()
        everyone = False
        for right in rights:
            everyone = everyone or right.everyone
            found.update(right.people)
            for name in right.groups:
                found.update(groups.get(name, ()))
            found.update(() if right.approval is None else (right.approval.by,))
        for visit in visits:
            found.update((visit.person, visit.host))
            found.update(() if visit.approval is None else (visit.approval.by,))
        found.update(head.person for zone in zones for head in zone.heads)
        return None if everyone else found

    def _persons(self, wanted: set[str] | None, visitors: set[str]) -> tuple[Person, ...]:
        found = []
        for row in self._rows.people:
            staff = row.kind == PersonKind.STAFF
            if row.number not in visitors and not (staff if wanted is None else row.number in wanted):
                continue
            if _fits(row.number):
                found.append(self._person(row))
            else:
                expected = "1 to 64 of A-Z, a-z, 0-9, '.', '_', '-'"
                self._notes.append(f"person {row.number[:80]}: left out: expected a number of {expected}")
        return tuple(found)

    def _person(self, row: PersonRow) -> Person:
        left = row.left_at is not None and row.left_at <= self._now
        ends = [one for one in (row.to_at, None if left else row.left_at) if one is not None]
        same_key = row.key_id == self._rows.key_id
        return Person(
            id=row.number,
            name=row.name[:200],
            kind=PersonKind(row.kind),
            state=PersonState.LEFT if left else PersonState(row.state),
            valid=_span(row.from_at, min(ends, default=None)),
            pin=row.pin if same_key else None,
            duress_pin=row.duress_pin if same_key else None,
            escorts=row.escorts,
            slow=row.slow,
        )

    def _credentials(self, known: set[str]) -> tuple[Credential, ...]:
        found = []
        for row in self._rows.credentials:
            number = self._people[row.person_id].number
            if row.key_id == self._rows.key_id and number in known:
                made = Credential(
                    token=row.token,
                    person=number,
                    kind=FactorKind(row.kind),
                    state=CredentialState(row.state),
                    valid=_span(row.from_at, row.to_at),
                )
                found.append(made)
        return tuple(found)

    def _authorisations(self, known: set[str]) -> tuple[Authorisation, ...]:
        since = self._now.replace(hour=0, minute=0, second=0, microsecond=0) - _AUTHORISATIONS_STAY
        return tuple(
            Authorisation(
                id=str(row.id),
                person=self._people[row.person_id].number,
                kind=Subject(row.kind),
                subject=row.subject[:200],
                valid=_span(row.from_at, row.to_at),
            )
            for row in self._rows.authorisations
            if self._people[row.person_id].number in known and (row.to_at is None or row.to_at > since)
        )

    # --- where and when ---------------------------------------------------------------------------------

    def _items(self, kind: str, of: type[_M]) -> list[_M]:
        """Return items of a kind; one of the site stands for that of its organisation with the same name."""
        rows = {row.name: row for row in self._rows.items if row.kind == kind}
        return [made for row in rows.values() if (made := self._made(row, of)) is not None]

    def _made(self, row: ItemRow, of: type[_M], **more: Any) -> _M | None:
        try:
            made = item_of(row.kind, row.name, row.body, **more)
        except msgspec.ValidationError as error:
            self._fault(f"{row.kind} {row.name}: {error}")
            return None
        assert isinstance(made, of)
        return made

    def _fault(self, text: str) -> None:
        if text not in self._faults:
            self._faults.append(text)

    def _site(self) -> SiteRules:
        return next(iter(self._items("site", SiteRules)), SiteRules())

    def _time_zone(self) -> ZoneInfo | None:
        name = self._rows.site.time_zone
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            self._faults.append(f"time zone: {name}: expected one that is known, such as Asia/Shanghai")
            return None

    def _zones(self) -> tuple[Zone, ...]:
        rows = {row.name: row for row in self._rows.items if row.kind == "zone"}
        for name in sorted(rows.keys() - set(self._rows.zones)):
            self._notes.append(f"zone {name}: left out: expected a zone that the site file names")
        made = (self._made(rows[one], Zone) if one in rows else Zone(id=one) for one in self._rows.zones)
        return tuple(one for one in made if one is not None)

    def _portal(self, row: PortalRow) -> Portal:
        """Return a portal; unless told otherwise one is asked on the way in and never on the way out."""
        sides = {
            "inward": ENTRY if row.to_zone is not None else EXIT,
            "outward": EXIT if row.to_zone is not None or row.from_zone is None else ENTRY,
        }
        leads = {"from_zone": row.from_zone, "to_zone": row.to_zone}
        found = next((one for one in self._rows.items if (one.kind, one.name) == ("portal", row.name)), None)
        if found is not None:
            plain = {
                name: msgspec.to_builtins(side) for name, side in sides.items() if name not in found.body
            }
            made = self._made(found, Portal, **leads, **plain)
            if made is not None:
                return made
        return Portal(
            id=row.name,
            from_zone=row.from_zone,
            to_zone=row.to_zone,
            inward=sides["inward"],
            outward=sides["outward"],
        )

    def _visits(self) -> tuple[Visit, ...]:
        found = []
        for row in self._rows.visits:
            approved = self._people.get(row.approved_by or 0)
            approval = None
            if approved is not None and row.approved_at is not None:
                approval = Approval(by=approved.number, at_ms=_ms(row.approved_at))
            visit = Visit(
                id=f"visit-{row.id}",
                person=self._people[row.person_id].number,
                host=self._people[row.host_id].number,
                zones=tuple(row.zones),
                valid=_span(row.from_at, row.to_at),
                escort=Escort(row.escort),
                approval=approval,
            )
            found.append(visit)
        return tuple(found)


def _shape_faults(rights: AccessRights) -> list[str]:
    """Return what a gateway could not read: names from elsewhere have to be such as it takes."""
    try:
        _decoder.decode(_encoder.encode(rights))
    except msgspec.ValidationError as error:
        return [f"rights: {error}"]
    return []


def ended_between(old: AccessRights, new: AccessRights, *, at_ms: int) -> Ended:
    """Return what lets somebody in by `old` at an instant, and by `new` no more."""
    credentials = {
        one.token: one
        for one in new.credentials
        if one.state is CredentialState.ACTIVE and _on(one.valid, at_ms)
    }
    people = {one.id for one in new.people if one.state is PersonState.ACTIVE and _on(one.valid, at_ms)}
    rights = {one.id for one in new.rights if _on(one.valid, at_ms)}
    visits = {one.id for one in new.visits if _on(one.valid, at_ms)}
    return Ended(
        tuple(
            one.token
            for one in old.credentials
            if one.state is CredentialState.ACTIVE
            and (one.token not in credentials or credentials[one.token].person != one.person)
            and _on(one.valid, at_ms)
        ),
        tuple(
            one.id
            for one in old.people
            if one.state is PersonState.ACTIVE and one.id not in people and _on(one.valid, at_ms)
        ),
        tuple(
            one.id
            for one in old.rights
            if one.effect != "deny" and one.id not in rights and _on(one.valid, at_ms)
        ),
        tuple(one.id for one in old.visits if one.id not in visits and _on(one.valid, at_ms)),
    )


def same_rights(one: AccessRights, other: AccessRights) -> bool:
    """Whether two normalised documents say the same, whenever they were issued."""
    plain = {"revision": Revision(), "issued_at_ms": 0}
    return msgspec.structs.replace(one, **plain) == msgspec.structs.replace(other, **plain)


def _on(span: Span, at_ms: int) -> bool:
    return not span.after(at_ms)


def _fits(number: str) -> bool:
    try:
        msgspec.convert({"id": number}, _Numbered)
    except msgspec.ValidationError:
        return False
    return True


def _span(from_at: datetime | None, to_at: datetime | None) -> Span:
    return Span(None if from_at is None else _ms(from_at), None if to_at is None else _ms(to_at))


def _ms(at: datetime) -> int:
    return max(round(at.timestamp() * 1000), 0)


def _year(year: int) -> int:
    return _ms(datetime(year, 1, 1, tzinfo=UTC))
