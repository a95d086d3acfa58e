"""What a workbook would add and change, and everything that is wrong with it; writes nothing."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from cloud.identity.viewer import Viewer
from cloud.imports.cards import Card, card_of, format_fault
from cloud.imports.known import Known
from cloud.imports.sheets import Record
from cloud.imports.workbook import Fault
from cloud.store.imports import Fields
from rules.permissions import Grant, Permission, Role

NEEDS: Mapping[str, Permission] = {
    "people": Permission.PEOPLE_MANAGE,
    "cards": Permission.PEOPLE_MANAGE,
    "points": Permission.CALIBRATIONS_WRITE,
    "instruments": Permission.ZONES_MANAGE,
}
"""What the asker needs in the whole organisation for a sheet."""
THINGS: Mapping[str, str] = {
    "people": "person",
    "accounts": "account",
    "role_grants": "role",
    "credentials": "credential",
    "points": "point",
    "assets": "asset",
}
"""Table -> what its rows are called in the audit log."""
ASSET_KINDS = ("instrument", "standard", "sample", "equipment")
CARD_STATES = ("active", "blocked", "lost", "returned")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,60}\.[^@\s.]{2,20}")
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,62}")
_HIDDEN = frozenset({"token", "key_id"})


@dataclass(frozen=True, slots=True)
class Ref:
    """The id of a row that this import adds."""

    key: str


@dataclass(frozen=True, slots=True)
class Step:
    """One row to add (`old` None), to change, or that is as it should be (`new` equal to `old`)."""

    sheet: str
    row: int
    table: str
    key: str
    """What it is, for people: person 1001."""
    id: int | None
    old: Fields | None
    new: Fields
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What an id means, before and after: the name of a zone."""

    @property
    def action(self) -> str:
        """`add`, `change` or `unchanged`."""
        if self.old is None:
            return "add"
        return "unchanged" if self.old == self.new else "change"

    def shown(self) -> dict[str, tuple[str, str]]:
        """Return what may be shown: column -> before, after; ids are named, hashes are left out."""
        before = visible(self.old or {})
        found = {name: (before.get(name, ""), text) for name, text in visible(self.new).items()}
        found.update(self.named)
        return {name: (old, new) for name, (old, new) in found.items() if old != new}


def visible(fields: Fields) -> dict[str, str]:
    """Return what may be shown of a row: no hash and no id."""
    return {
        name: "" if value is None else str(value)
        for name, value in fields.items()
        if name not in _HIDDEN and not name.endswith("_id")
    }


class Planner:
    """Compares the rows of one workbook with what an organisation has."""

    def __init__(self, known: Known, viewer: Viewer) -> None:
        self._known = known
        self._viewer = viewer
        self._seen: dict[tuple[str, str], Record] = {}
        self._added: set[str] = set()
        self._tags: dict[str, str] = {row["tag"]: row["name"] for row in known.assets.values() if row["tag"]}
        self._logins: dict[str, Record] = {}
        self._wrong: set[tuple[str, int]] = set()
        self.faults: list[Fault] = []

    def plan(self, records: Sequence[Record]) -> list[Step]:
        """Return the steps in the order in which they have to be written; `faults` grows."""
        makers: Mapping[str, Callable[[Record], Iterator[Step]]] = {
            "people": self._person,
            "cards": self._card,
            "points": self._point,
            "instruments": self._asset,
        }
        for kind in dict.fromkeys(record.kind for record in records):
            if not self._viewer.may(NEEDS[kind], self._known.organisation_id):
                sheet = next(record.sheet for record in records if record.kind == kind)
                self.faults.append(Fault(sheet, 0, "", "", f"the permission {NEEDS[kind]} of who imports it"))
        return [step for record in records for step in makers[record.kind](record)]

    def _person(self, record: Record) -> Iterator[Step]:
        number, email = record.fields["number"], record.fields.get("email", "")
        once = self._once(record, "number", number)
        self._lengths(record, number=40, name=100, department=100, email=100)
        grants = dict(self._grants(record)) if record.fields.get("role") else {}
        key = f"person {number}"
        person_id = self._known.person(number)
        if email and not _EMAIL.fullmatch(email):
            self._fault(record, "email", "an address such as li.na@lab.example")
        elif once and record.fields.get("role"):
            self._login(record, person_id, email.lower())
        # Also with faults: a card of this person is not wrong because of them.
        self._added.add(key)
        if not self._sound(record):
            return
        given = {name: record.fields.get(name, "") for name in ("number", "name", "department", "email")}
        blank: Fields = {"department": "", "email": "", "left_at": None}
        yield self._step(record, "people", key, row_id=person_id, given=given, blank=blank)
        if grants:
            yield from self._rights(record, key, person_id, grants=grants)

    def _login(self, record: Record, person_id: int | None, login: str) -> None:
        """Check what would be the login of somebody who has none."""
        if person_id is not None and self._known.account_of(person_id) is not None:
            return
        if not _LOGIN.fullmatch(login):
            expected = "beside a role an address of a-z, 0-9, '.', '_', '-', '@', which is the login"
            self._fault(record, "email", expected)
        elif login in self._known.logins or self._logins.setdefault(login, record) is not record:
            self._fault(record, "email", "an address that is nobody's login yet")

    def _rights(
        self, record: Record, key: str, person_id: int | None, *, grants: Mapping[Grant, str]
    ) -> Iterator[Step]:
        account_id = None if person_id is None else self._known.account_of(person_id)
        account_key = f"account of {key}"
        if account_id is None:
            login = record.fields["email"].lower()
            fields: Fields = {"login": login, "password_at": None, "disabled_at": None}
            new = {**fields, "person_id": person_id if person_id is not None else Ref(key)}
            yield Step(record.sheet, record.row, "accounts", account_key, None, None, new)
        for grant, where in grants.items():
            held = (
                account_id is not None and (account_id, str(grant.role), grant.site_id) in self._known.grants
            )
            name = f"role {grant.role} of {key} {where}"
            new = {
                "account_id": account_id if account_id is not None else Ref(account_key),
                "role": str(grant.role),
                "at_site_id": grant.site_id,
                "ended_at": None,
            }
            yield Step(record.sheet, record.row, "role_grants", name, None, new if held else None, new)

    def _grants(self, record: Record) -> Iterator[tuple[Grant, str]]:
        wrong: dict[str, None] = {}
        for text in re.split(r"[,;，；、\s]+", record.fields["role"].strip()):
            role, _, site = text.partition("@")
            if role not in set(Role):
                wrong[f"some of {', '.join(Role)}, in the whole organisation, or with @site"] = None
            if site and site not in self._known.sites:
                wrong["an existing site behind the @"] = None
            elif role in set(Role):
                grant = Grant(
                    Role(role), self._known.organisation_id, self._known.sites[site] if site else None
                )
                if not self._viewer.unbound and not self._viewer.rights.may_grant(grant):
                    wrong["a role that you have there yourself"] = None
                yield grant, f"at {site}" if site else "in the whole organisation"
        for expected in wrong:
            self._fault(record, "role", expected)

    def _card(self, record: Record) -> Iterator[Step]:
        fields = record.fields
        card = self._read_card(record)
        person = self._person_of(record)
        state = fields.get("state", "").lower()
        if state and state not in CARD_STATES:
            self._fault(record, "state", f"one of {', '.join(CARD_STATES)}")
        if card is None:
            self._days(record)
            return
        tokens = {name: card.token(key) for name, key in self._known.key_ids().items()}
        newest, token = next(iter(tokens.items()))
        known = self._known.credential(tokens)
        old = None if known is None else self._known.credentials[known]
        self._once(record, "number", token)
        if old is not None and person is not None and old["person_id"] != person:
            self._fault(record, "number", "a card that nobody else has")
        valid = self._valid(record, old)
        if valid is not None and self._sound(record):
            form = fields["format"].lower()
            made = {"kind": "card", "format": form, "key_id": newest, "token": token, "ending": card.ending}
            state = state or (old["state"] if old else "active")
            new = {**(old or made), "person_id": person, "valid": valid, "state": state}
            key = f"card …{card.ending} of person {fields['person']}"
            yield Step(record.sheet, record.row, "credentials", key, known, old, new)

    def _read_card(self, record: Record) -> Card | None:
        fields = record.fields
        form = fields["format"].lower()
        if not form:
            return None
        if expected := format_fault(form):
            self._fault(record, "format", expected)
            return None
        if not fields["number"]:
            return None
        card, wrong, expected = card_of(form, fields.get("facility", ""), fields["number"])
        if card is None:
            self._fault(record, wrong, expected)
        return card

    def _person_of(self, record: Record) -> int | Ref | None:
        number = record.fields["person"]
        if not number:
            return None
        found = self._known.person(number)
        if found is not None:
            return found
        if f"person {number}" in self._added:
            return Ref(f"person {number}")
        self._fault(record, "person", "the staff number of a person who is here or in this file")
        return None

    def _valid(self, record: Record, old: Fields | None) -> str | None:
        """Return the validity as the database writes it; days that are left out stay as they are."""
        days = self._days(record)
        if days is None:
            return None
        first, last = days
        lower, upper = _ends(old["valid"]) if old else (_stamp(self._known.now.replace(microsecond=0)), "")
        if first is not None:
            lower = self._midnight(first)
        if last is not None:
            upper = self._midnight(last + timedelta(days=1))
        if lower and upper and upper <= lower:
            self._fault(record, "to_on", _ORDER)
            return None
        return f"[{lower},{upper})" if lower else f"(,{upper})"

    def _days(self, record: Record) -> tuple[date | None, date | None] | None:
        """Return the first and the last day of a card, None where one is wrong or they are in no order."""
        first, last = self._day(record, "from_on"), self._day(record, "to_on")
        if first is _WRONG or last is _WRONG:
            return None
        days = (first if isinstance(first, date) else None, last if isinstance(last, date) else None)
        if days[0] is not None and days[1] is not None and days[1] < days[0]:
            self._fault(record, "to_on", _ORDER)
            return None
        return days

    def _midnight(self, day: date) -> str:
        return _stamp(datetime.combine(day, time(), self._known.zone))

    def _point(self, record: Record) -> Iterator[Step]:
        site, name = record.fields["site"], record.fields["point"]
        found = self._point_of(record)
        due = self._day(record, "calibration_due")
        self._lengths(record, title=200)
        if found is None:
            return
        self._once(record, "point", f"{site}/{name}")
        point_id, own_due = found
        if isinstance(due, date) and own_due is not None and due.isoformat() != own_due:
            expected = f"nothing or {own_due}, which the calibration in force says; enter the new calibration"
            self._fault(record, "calibration_due", expected)
        if self._sound(record):
            given = {"title": record.fields.get("title", "")}
            given["calibration_due"] = due.isoformat() if isinstance(due, date) and own_due is None else ""
            blank: Fields = {"title": "", "calibration_due": None}
            yield self._step(
                record, "points", f"point {site}/{name}", row_id=point_id, given=given, blank=blank
            )

    def _point_of(self, record: Record) -> tuple[int, str | None] | None:
        site, name = record.fields["site"], record.fields["point"]
        if site and site not in self._known.sites:
            self._fault(record, "site", "the name of a site of this organisation")
            return None
        found = self._known.points.get((site, name))
        if site and name and found is None:
            self._fault(record, "point", f"the name of a point of {site}")
        return found

    def _asset(self, record: Record) -> Iterator[Step]:
        fields = record.fields
        name, kind, tag = fields["name"], fields["kind"].lower(), fields.get("tag", "")
        self._once(record, "name", name)
        self._lengths(record, name=200, model=200, serial=100, tag=100)
        if kind and kind not in ASSET_KINDS:
            self._fault(record, "kind", f"one of {', '.join(ASSET_KINDS)}")
        if tag and name and self._tags.setdefault(tag, name) != name:
            self._fault(record, "tag", f"a label that nothing else has; it is that of {self._tags[tag]}")
        zone = self._zone(record)
        if not self._sound(record):
            return
        given: Fields = {"name": name, "kind": kind, "model": fields.get("model", "")}
        given |= {"serial": fields.get("serial", ""), "tag": tag, "home_zone_id": zone or ""}
        blank: Fields = {"model": "", "serial": "", "tag": None, "home_zone_id": None}
        step = self._step(
            record, "assets", f"asset {name}", row_id=self._known.asset(name), given=given, blank=blank
        )
        zones = [None if row is None else row["home_zone_id"] for row in (step.old, step.new)]
        before, after = (self._known.zone_name(one) for one in zones)
        yield replace(step, named={"home_zone": (before, after)})

    def _zone(self, record: Record) -> int | None:
        site, zone = record.fields.get("site", ""), record.fields.get("zone", "")
        if not zone:
            return None
        if site not in self._known.sites:
            self._fault(record, "site", "beside a home zone the name of its site")
            return None
        if (site, zone) not in self._known.zones:
            self._fault(record, "zone", f"the name of a zone of {site}")
            return None
        return self._known.zones[site, zone]

    def _step(
        self, record: Record, table: str, key: str, *, row_id: int | None, given: Fields, blank: Fields
    ) -> Step:
        rows = {"people": self._known.people, "points": self._known.point_rows, "assets": self._known.assets}
        old = None if row_id is None else rows[table][row_id]
        said = {name: value for name, value in given.items() if value != ""}
        return Step(record.sheet, record.row, table, key, row_id, old, {**(old or blank), **said})

    def _once(self, record: Record, column: str, key: str) -> bool:
        if not key:
            return False
        first = self._seen.setdefault((record.kind, key), record)
        if first is not record:
            self._fault(record, column, f"each once; it stands in {first.sheet} row {first.row} already")
        return first is record

    def _lengths(self, record: Record, **longest: int) -> None:
        for name, most in longest.items():
            if len(record.fields.get(name, "")) > most:
                self._fault(record, name, f"at most {most} characters")

    def _sound(self, record: Record) -> bool:
        """Whether nothing of a row is missing or wrong: only then it is a step."""
        return record.whole and (record.sheet, record.row) not in self._wrong

    def _day(self, record: Record, column: str) -> date | object | None:
        text = record.fields.get(column, "")
        if not text:
            return None
        try:
            found = date.fromisoformat(text.replace("/", "-"))
        except ValueError:
            found = date.min
        if not 2000 <= found.year <= 2199:
            self._fault(record, column, "a day such as 2026-01-31")
            return _WRONG
        return found

    def _fault(self, record: Record, column: str, expected: str) -> None:
        self._wrong.add((record.sheet, record.row))
        self.faults.append(record.fault(column, expected))


_WRONG = object()
_ORDER = "a day that is not before the first"


def _stamp(at: datetime) -> str:
    """Return a moment as PostgreSQL writes it within a range, in UTC."""
    return f'"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00"'


def _ends(valid: str) -> tuple[str, str]:
    lower, _, upper = valid[1:-1].partition(",")
    return lower, upper


def resolved(fields: Fields, made: Mapping[str, int]) -> dict[str, Any]:
    """Return fields with the ids of rows that were added in place of their names."""
    return {name: made[value.key] if isinstance(value, Ref) else value for name, value in fields.items()}
