"""The people file: who works here, with which accounts, roles and authorisations, as TOML.

Applying it again changes nothing. A password in it is for demonstrations: anywhere else people are invited.
"""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from cloud.identity import acts
from cloud.identity.acts import Act, ActError
from cloud.identity.secrets import Passwords, password_fault
from cloud.store import accounts, people
from cloud.store.people import Person as PersonRow
from cloud.store.sites import find_site
from cloud.store.sites_write import organisation
from rules.permissions import Grant, Role
from wire.settings.base import Fault, Settings
from wire.settings.check import check

Text = Annotated[str, Meta(min_length=1, max_length=100, description="a text of 1 to 100 characters")]
Login = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9._@-]{1,62}$(?!\n)",
        description="2 to 63 characters of a-z, 0-9, '.', '_', '@', '-'",
    ),
]
RoleAt = Annotated[
    str,
    Meta(
        pattern=rf"^({'|'.join(Role)})(@[a-z0-9-]{{1,63}})?$(?!\n)",
        description=f"one of {', '.join(Role)}, in the whole organisation, or with @site at one of its sites",
    ),
]


class Person(Settings, frozen=True, kw_only=True):
    """`[[person]]`; with `login` an account is opened."""

    number: Text
    name: Text
    department: str = ""
    login: Login | None = None
    password: str | None = None
    roles: tuple[RoleAt, ...] = ()


class Authorisation(Settings, frozen=True, kw_only=True):
    """`[[authorisation]]`: what a person may do from `from_at` until `to_at`."""

    person: Text
    """Number of the person."""
    kind: Literal["activity", "equipment"]
    subject: Text
    from_at: str
    to_at: str | None = None
    basis: Text


class PeopleFile(Settings, frozen=True, kw_only=True):
    """The whole file."""

    organisation: Text
    person: tuple[Person, ...] = ()
    authorisation: tuple[Authorisation, ...] = ()


def read_people_file(path: Path) -> tuple[PeopleFile | None, list[Fault]]:
    """Return the file's content, or every fault of it; raises `OSError` when it cannot be read."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        return None, [Fault("(file)", str(error), "TOML in UTF-8")]
    file, faults = check(data, PeopleFile)
    if file is None or faults:
        return None, faults
    faults = [*_doubles(file), *_hubs(file), *_time_faults(file), *_password_faults(file)]
    return (None, faults) if faults else (file, [])


def _doubles(file: PeopleFile) -> list[Fault]:
    faults = []
    for field in ("number", "login"):
        seen: set[str] = set()
        for place, person in enumerate(file.person):
            value = getattr(person, field)
            if value is not None and value in seen:
                faults.append(Fault(f"person[{place}].{field}", value, "a value that no other person has"))
            seen.add(value or "")
    return faults


def _hubs(file: PeopleFile) -> list[Fault]:
    return [
        Fault(f"person[{place}].number", person.number, acts.NOT_THE_HUB)
        for place, person in enumerate(file.person)
        if acts.names_the_hub(person.number)
    ]


def _time_faults(file: PeopleFile) -> list[Fault]:
    known = {person.number for person in file.person}
    faults = []
    for place, one in enumerate(file.authorisation):
        if one.person not in known:
            faults.append(Fault(f"authorisation[{place}].person", one.person, "a person of this file"))
        for field in ("from_at", "to_at"):
            text = getattr(one, field)
            if text is not None and _time(text) is None:
                fault = Fault(
                    f"authorisation[{place}].{field}", text, "a time with its zone, 2026-01-01T08:00:00+08:00"
                )
                faults.append(fault)
    return faults


def _password_faults(file: PeopleFile) -> list[Fault]:
    """Name what is wrong with a password, never the password."""
    faults = []
    for place, person in enumerate(file.person):
        if person.password is None:
            continue
        wanted = (
            "a login beside it" if person.login is None else password_fault(person.password, person.login)
        )
        if wanted:
            faults.append(Fault(f"person[{place}].password", "(not shown)", wanted))
    return faults


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


async def apply(act: Act, file: PeopleFile, passwords: Passwords) -> list[str]:
    """Enter what is not there yet and return what changed, in words; raises `ActError`."""
    body = await organisation(act.connection, file.organisation)
    changes: list[str] = []
    for person in file.person:
        changes += await _person(act, body, person, passwords=passwords)
    for one in file.authorisation:
        changes += await _authorise(act, body, one)
    return changes


async def _person(act: Act, body: int, person: Person, *, passwords: Passwords) -> list[str]:
    changes = []
    row = await _row(act, body, person.number)
    if row is None:
        await acts.add_person(act, body, number=person.number, name=person.name, department=person.department)
        changes.append(f"person {person.number}")
        row = await _row(act, body, person.number)
    assert row is not None
    if person.login is None:
        return changes
    if row.login not in (None, person.login):
        raise ActError("login", person.login, f"{row.login}, which person {person.number} has already")
    account_id = row.account_id
    if account_id is None:
        await acts.invite(act, row.id, person.login)
        account = await accounts.find_account(act.connection, person.login)
        assert account is not None
        account_id = account.id
        changes.append(f"account {person.login}")
    if person.password is not None:
        changes += await _set_password(act, account_id, person.password, passwords=passwords)
    return changes + await _grant(act, body, person, account_id=account_id)


async def _set_password(act: Act, account_id: int, password: str, *, passwords: Passwords) -> list[str]:
    account = await accounts.get_account(act.connection, account_id)
    if account is None or await passwords.fits(password, account.password):
        return []
    await accounts.set_password(act.connection, account_id, await passwords.hash(password), at=act.at)
    await act.note("password.set", f"account {account.login}", organisation_id=account.organisation_id)
    return [f"password of {account.login}"]


async def _grant(act: Act, body: int, person: Person, *, account_id: int) -> list[str]:
    held = await accounts.held_roles(act.connection, account_id)
    name = (await accounts.all_organisations(act.connection))[body]
    changes = []
    for text in person.roles:
        role, _, site_name = text.partition("@")
        site_id = None
        if site_name:
            site = await find_site(act.connection, site_name, organisation=name)
            if site is None:
                raise ActError("roles", text, "an existing site behind the @")
            site_id = site.id
        if (role, body, site_id) not in held:
            await acts.grant_role(act, account_id, Grant(Role(role), body, site_id))
            changes.append(f"role {text} of {person.login}")
    return changes


async def _authorise(act: Act, body: int, one: Authorisation) -> list[str]:
    row = await _row(act, body, one.person)
    from_at, to_at = _time(one.from_at), None if one.to_at is None else _time(one.to_at)
    assert row is not None
    assert from_at is not None
    known = await people.list_authorisations(
        act.connection, person_id=row.id, kind=one.kind, subject=one.subject
    )
    if any((entry.from_at, entry.to_at) == (from_at, to_at) for entry in known):
        return []
    await acts.authorise(
        act,
        row.id,
        kind=one.kind,
        subject=one.subject,
        from_at=from_at,
        to_at=to_at,
        basis=one.basis,
    )
    return [f"authorisation of {one.person}: {one.subject}"]


async def _row(act: Act, body: int, number: str) -> PersonRow | None:
    rows = await people.list_people(act.connection, organisation_id=body, number=number, limit=1)
    return rows[0] if rows else None
