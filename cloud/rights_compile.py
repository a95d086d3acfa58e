"""Rows of the store become the rights of one gateway: a pure function, and what ended from one to the next.

Only the people, rights, zones and portals that the gateway's site needs go along. What makes no sense is told
to who administers it (`Compiled.faults`) and is never sent. What only lets somebody in and does not fit, a
visit, a card, a member of a group, is left out with a note and hinders nobody else. A deny never is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from cloud.shapes import Misshapen, misshapen
from cloud.store.rights_rows import ItemRow, PersonRow, PortalRow, Rows, VisitRow
from rules.access.document import (
    ENTRY,
    EXIT,
    OPEN,
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
from rules.access.faults import STAFF, faults_of, stretch
from rules.access.schedules import offsets_of
from rules.access.words import CredentialState, Escort, FactorKind, PersonKind, PersonState, Subject
from wire.messages import Message
from wire.shadow import Revision

MAX_AGE_S = 7 * 86_400
YEARS_AHEAD = 5
"""So far the table of offsets of the site's time zone goes."""
VISITS_STAY = timedelta(days=7)
"""So long after its end a visit goes along, so that a door can say that it is over."""
NUMBER = "a number of 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-'"
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
    misfits: tuple[str, ...] = ()
    """Those of the notes that nobody may add by an act: `place: value: expected …`."""


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
    return msgspec.convert(_named(kind, name, {**body, **more}), ITEM_TYPES[kind])


def item_fault(error: msgspec.ValidationError, kind: str, name: str, *, body: Mapping[str, Any]) -> Misshapen:
    """Return in words what is wrong with an item that `item_of` did not take."""
    return misshapen(error, _named(kind, name, body), ITEM_TYPES[kind])


def _named(kind: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    key = key_field(kind)
    return {**body, key: name} if key else dict(body)


def compile_rights(rows: Rows, gateway: str, *, now: datetime) -> Compiled:
    """Return the rights of a gateway that serves the site of these rows."""
    return _Compiler(rows, gateway, now).compiled()


class _Compiler:
    def __init__(self, rows: Rows, gateway: str, now: datetime) -> None:
        self._rows, self._gateway, self._now = rows, gateway, now
        self._faults: list[str] = []
        self._notes: list[str] = []
        self._misfits: list[str] = []
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
        groups_sent = self._groups(groups, known)
        credentials = self._credentials(known)
        if self._faults or zone is None or rows.key_id is None:
            return self._told(None, self._faults)
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
            credentials=credentials,
            groups=groups_sent,
            zones=zones,
            portals=tuple(self._portal(row) for row in rows.portals),
            mantraps=tuple(self._items("mantrap", Mantrap)),
            rights=tuple(rights),
            visits=visits,
            authorisations=self._authorisations(known),
            equipment=tuple(self._items("equipment", Equipment)),
        )
        faults = [*self._faults, *_shape_faults(made), *(str(fault) for fault in faults_of(made))]
        return self._told(None if faults else made, faults)

    def _told(self, made: AccessRights | None, faults: Iterable[str]) -> Compiled:
        notes = (*self._notes, *(f"left out: {one}" for one in self._misfits))
        return Compiled(made, tuple(faults), notes, tuple(self._misfits))

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
                self._notes.append(f"person {row.number[:80]}: left out: expected {NUMBER}")
        return tuple(found)

    def _person(self, row: PersonRow) -> Person:
        left = row.left_at is not None and row.left_at <= self._now
        ends = [one for one in (row.to_at, None if left else row.left_at) if one is not None]
        same_key = row.key_id == self._rows.key_id
        valid = _span(row.from_at, min(ends, default=None))
        never = _is_empty(valid)  # Such as who leaves before they begin; they are known, and let in nowhere.
        return Person(
            id=row.number,
            name=row.name[:200],
            kind=PersonKind(row.kind),
            state=PersonState.LEFT if left or never else PersonState(row.state),
            valid=OPEN if never else valid,
            pin=row.pin if same_key else None,
            duress_pin=row.duress_pin if same_key else None,
            escorts=row.escorts,
            slow=row.slow,
        )

    def _credentials(self, known: set[str]) -> tuple[Credential, ...]:
        found = []
        for row in self._rows.credentials:
            person = self._people.get(row.person_id)
            if person is None or row.key_id != self._rows.key_id or person.number not in known:
                continue
            valid = _span(row.from_at, row.to_at)
            if _is_empty(valid):
                place = f"credentials {row.token[:6]}… valid"
                self._misfit(f"{place}: {stretch(valid)}: expected an end after its start")
                continue
            made = Credential(
                token=row.token,
                person=person.number,
                kind=FactorKind(row.kind),
                state=CredentialState(row.state),
                valid=valid,
            )
            found.append(made)
        return tuple(found)

    def _authorisations(self, known: set[str]) -> tuple[Authorisation, ...]:
        since = self._now.replace(hour=0, minute=0, second=0, microsecond=0) - _AUTHORISATIONS_STAY
        found = []
        for row in self._rows.authorisations:
            person, valid = self._people.get(row.person_id), _span(row.from_at, row.to_at)
            over = row.to_at is not None and row.to_at <= since
            if person is None or person.number not in known or over or _is_empty(valid):
                continue
            made = Authorisation(
                id=str(row.id),
                person=person.number,
                kind=Subject(row.kind),
                subject=row.subject[:200],
                valid=valid,
            )
            found.append(made)
        return tuple(found)

    def _groups(self, wanted: set[str], known: set[str]) -> tuple[Group, ...]:
        """Return groups without members whom nobody knows: no door could tell who they are.

        A visitor in a group stays where it is, and is a fault: a deny could be lifted by leaving them out.
        """
        found = []
        for group in self._items("group", Group):
            if group.id not in wanted:
                continue
            people = tuple(one for one in group.people if one in known)
            for one in sorted(set(group.people) - known):
                self._misfit(f"groups {group.id} people: {one}: expected {STAFF}")
            found.append(Group(id=group.id, people=people))
        return tuple(found)

    # --- where and when ---------------------------------------------------------------------------------

    def _items(self, kind: str, of: type[_M]) -> list[_M]:
        """Return items of a kind; one of the site stands for that of its organisation with the same name."""
        rows = {row.name: row for row in self._rows.items if row.kind == kind}
        return [made for row in rows.values() if (made := self._made(row, of)) is not None]

    def _made(self, row: ItemRow, of: type[_M], **more: Any) -> _M | None:
        try:
            made = item_of(row.kind, row.name, row.body, **more)
        except msgspec.ValidationError as error:
            wrong = item_fault(error, row.kind, row.name, body={**row.body, **more})
            self._fault(f"{row.kind} {row.name} {wrong}")
            return None
        assert isinstance(made, of)
        return made

    def _fault(self, text: str) -> None:
        if text not in self._faults:
            self._faults.append(text)

    def _misfit(self, text: str) -> None:
        if text not in self._misfits:
            self._misfits.append(text)

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
        """Return the visits that fit: one that does not must not take the rights of all others along."""
        found = []
        for row in self._rows.visits:
            visitor, host = self._people.get(row.person_id), self._people.get(row.host_id)
            if visitor is None or host is None:
                continue
            visit = self._visit(row, visitor, host)
            if visit is not None:
                found.append(visit)
        return tuple(found)

    def _visit(self, row: VisitRow, visitor: PersonRow, host: PersonRow) -> Visit | None:
        place = f"visits visit-{row.id}"
        if visitor.kind != PersonKind.VISITOR or not _fits(visitor.number):
            self._misfit(f"{place} person: {visitor.number[:80]}: expected a visitor")
            return None
        if host.kind != PersonKind.STAFF or not _fits(host.number):
            self._misfit(f"{place} host: {host.number[:80]}: expected staff with {NUMBER}")
            return None
        for zone in row.zones:
            if zone not in self._rows.zones:
                self._misfit(f"{place} zones: {zone}: expected a zone that the site file names")
        zones = tuple(one for one in row.zones if one in self._rows.zones)
        valid = _span(row.from_at, row.to_at)
        if not zones or _is_empty(valid):
            return None
        approved = self._people.get(row.approved_by or 0)
        approval = None
        if approved is not None and row.approved_at is not None:
            if approved.kind == PersonKind.STAFF and _fits(approved.number):
                approval = Approval(by=approved.number, at_ms=_ms(row.approved_at))
            else:
                self._misfit(f"{place} approval: {approved.number[:80]}: expected staff with {NUMBER}")
        return Visit(
            id=f"visit-{row.id}",
            person=visitor.number,
            host=host.number,
            zones=zones,
            valid=valid,
            escort=Escort(row.escort),
            approval=approval,
        )


def _shape_faults(rights: AccessRights) -> list[str]:
    """Return what a gateway could not read: names from elsewhere have to be such as it takes."""
    try:
        _decoder.decode(_encoder.encode(rights))
    except msgspec.ValidationError as error:
        return [f"rights: {misshapen(error, msgspec.to_builtins(rights), AccessRights)}"]
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


def _is_empty(span: Span) -> bool:
    return span.from_ms is not None and span.to_ms is not None and span.to_ms <= span.from_ms


def _span(from_at: datetime | None, to_at: datetime | None) -> Span:
    return Span(None if from_at is None else _ms(from_at), None if to_at is None else _ms(to_at))


def _ms(at: datetime) -> int:
    return max(round(at.timestamp() * 1000), 0)


def _year(year: int) -> int:
    return _ms(datetime(year, 1, 1, tzinfo=UTC))
