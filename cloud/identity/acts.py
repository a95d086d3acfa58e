"""What administrators do to people, accounts, roles, tokens and authorisations.

Each act checks, changes, is audited.

The same functions serve pages, API and command line. A thing that the asker may not see is `MissingError`,
as if it were not there; an act that the asker may not do there is `ForbiddenError`. Call them inside
`changing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud.identity.doors import PROGRAM
from cloud.identity.secrets import new_token, token_hash
from cloud.identity.viewer import Viewer
from cloud.store import accounts, audit_log, people, web_sessions
from cloud.store.accounts import Account
from cloud.store.connection import Connection
from cloud.store.people import Person
from cloud.store.sites import get_site
from rules.command import HUB
from rules.permissions import Grant, Permission, Role

INVITED = timedelta(days=3)
NOT_THE_HUB = f"a number that does not begin with the word {HUB}"
"""What the hub asks of gateways by itself begins so where a person's number stands otherwise."""
TOKEN_DAYS_MAX = 366


class ActError(Exception):
    """An act that is not done; `field`, `value` and `expected` say why."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(f"{field} {str(value)[:200]!r}: expected {expected}")
        self.field = field
        self.value = str(value)[:200]
        self.expected = expected


class MissingError(ActError):
    """There is no such thing, as far as the asker may know."""


class ForbiddenError(ActError):
    """The asker may see it and may not do this."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act on a connection in a transaction: by whom and when."""

    connection: Connection
    viewer: Viewer
    at: datetime

    async def note(self, action: str, thing: str, **given: Any) -> None:
        """Write down that it was done."""
        await audit_log.append(self.connection, [self.viewer.entry(action, thing, **given)], at=self.at)

    def need(self, permission: Permission, organisation_id: int, *, thing: str) -> None:
        """Raise `ForbiddenError` unless the permission holds in the whole organisation."""
        if not self.viewer.may(permission, organisation_id):
            raise ForbiddenError(thing, "", f"the permission {permission} in this organisation")


def names_the_hub(number: str) -> bool:
    """Whether a number would be taken for the hub itself."""
    return number.split()[:1] == [HUB]


async def add_person(act: Act, organisation_id: int, *, number: str, name: str, department: str) -> int:
    """Enter a person and return the id."""
    act.need(Permission.PEOPLE_MANAGE, organisation_id, thing="person")
    if organisation_id not in await accounts.all_organisations(act.connection):
        raise MissingError("organisation_id", organisation_id, "an existing organisation")
    number, name = _text("number", number, 40), _text("name", name, 100)
    department = _text("department", department, 100, least=0)
    if names_the_hub(number):
        raise ActError("number", number, NOT_THE_HUB)
    made = await people.add_person(
        act.connection, organisation_id, number=number, name=name, department=department
    )
    if made is None:
        raise ActError("number", number, "a number that nobody of this organisation has")
    new = {"number": number, "name": name, "department": department}
    await act.note("person.add", f"person {number}", organisation_id=organisation_id, new=new)
    return made


async def change_person(
    act: Act, person_id: int, *, name: str, department: str, left_at: datetime | None
) -> None:
    """Change name, department, and whether the person left; whoever left is signed out everywhere.

    Who left can sign in no more: so nobody says it of themselves, or of an account with more rights.
    """
    person = await _person(act, person_id, Permission.PEOPLE_MANAGE)
    name, department = _text("name", name, 100), _text("department", department, 100, least=0)
    account = (
        None if person.account_id is None else await accounts.get_account(act.connection, person.account_id)
    )
    if account is not None and left_at != person.left_at:
        await _only_over_less(act, account)
        if left_at is not None:
            await _may_go(act, account)
    await people.change_person(act.connection, person.id, name=name, department=department, left_at=left_at)
    if left_at is not None and account is not None:
        await web_sessions.end_all(act.connection, account.id, at=act.at)
    old = {"name": person.name, "department": person.department, "left_at": person.left_at}
    new = {"name": name, "department": department, "left_at": left_at}
    await act.note(
        "person.change",
        f"person {person.number}",
        organisation_id=person.organisation_id,
        old=old,
        new=new,
    )


async def invite(act: Act, person_id: int, login: str = "") -> tuple[str, str]:
    """Open an account for a person, or renew its invitation; return login and one-use code.

    The code is shown once and kept as a hash. Whoever follows it sets a new password.
    """
    person = await _person(act, person_id, Permission.PEOPLE_MANAGE)
    account_id = person.account_id
    if account_id is None:
        login = login.strip().lower()
        if not _is_login(login):
            raise ActError("login", login, "2 to 63 of a-z, 0-9, '.', '_', '-', '@'")
        account_id = await accounts.add_account(
            act.connection, person.organisation_id, person_id=person.id, login=login
        )
        if account_id is None:
            raise ActError("login", login, "a login that is not taken")
    account = await _account(act, account_id)
    await _only_over_less(act, account)
    code = new_token()
    await accounts.add_invitation(act.connection, account, token_hash(code), expires_at=act.at + INVITED)
    await act.note("account.invite", f"account {account.login}", organisation_id=account.organisation_id)
    return account.login, code


async def set_disabled(act: Act, account_id: int, *, disabled: bool, why: str) -> None:
    """Close an account and end its sessions, or open it again."""
    account = await _account(act, account_id)
    act.need(Permission.PEOPLE_MANAGE, account.organisation_id, thing="account")
    await _only_over_less(act, account)
    if disabled:
        await _may_go(act, account)
    await accounts.set_disabled(act.connection, account.id, act.at if disabled else None)
    if disabled:
        await web_sessions.end_all(act.connection, account.id, at=act.at)
    await act.note(
        "account.disable" if disabled else "account.enable",
        f"account {account.login}",
        organisation_id=account.organisation_id,
        why=_text("why", why, 500),
    )


async def reset_second_factor(act: Act, account_id: int, *, why: str) -> None:
    """Ask for no second factor any more, until the owner sets a new one up."""
    account = await _account(act, account_id)
    act.need(Permission.PEOPLE_MANAGE, account.organisation_id, thing="account")
    await _only_over_less(act, account)
    await accounts.set_totp(act.connection, account.id, None)
    await web_sessions.end_all(act.connection, account.id, at=act.at)
    await act.note(
        "second-factor.reset",
        f"account {account.login}",
        organisation_id=account.organisation_id,
        why=_text("why", why, 500),
    )


async def grant_role(act: Act, account_id: int, grant: Grant) -> None:
    """Give an account a role; nobody gives more than they have there."""
    account = await _account(act, account_id)
    site = None if grant.site_id is None else await get_site(act.connection, grant.site_id)
    organisations = await accounts.all_organisations(act.connection)
    if grant.site_id is not None and (
        site is None or site.organisation != organisations.get(grant.organisation_id)
    ):
        raise MissingError("site", grant.site_id, "an existing site of this organisation")
    if not act.viewer.unbound and not act.viewer.rights.may_grant(grant):
        raise ForbiddenError("role", grant.role, "a role that you have there yourself")
    made = await accounts.add_grant(
        act.connection,
        grant.organisation_id,
        account_id=account.id,
        role=grant.role,
        site_id=grant.site_id,
    )
    if made is None:
        raise ActError("role", grant.role, "a role that the account does not have there")
    await act.note(
        "role.grant",
        f"account {account.login}",
        organisation_id=grant.organisation_id,
        new={"role": grant.role, "site": None if site is None else site.name},
    )


async def take_role(act: Act, grant_id: int) -> None:
    """Take a role; the last administrator of an organisation keeps it."""
    rows = await accounts.list_grants(act.connection, grant_id=grant_id, limit=1)
    if not rows:
        raise MissingError("role", grant_id, "a role in force")
    row = rows[0]
    grant = Grant(Role(row.role), row.organisation_id, row.site_id)
    if not act.viewer.unbound and not act.viewer.rights.may_grant(grant):
        raise ForbiddenError("role", row.role, "a role that you have there yourself")
    if grant.role is Role.ADMINISTRATOR and grant.site_id is None:
        await _stays_administered(act, row.organisation_id, but=row.account_id, field="role")
    await accounts.end_grant(act.connection, row.id, at=act.at)
    old = {"role": row.role, "site": row.site}
    await act.note("role.take", f"account {row.login}", organisation_id=row.organisation_id, old=old)


async def authorise(
    act: Act,
    person_id: int,
    *,
    kind: str,
    subject: str,
    from_at: datetime,
    to_at: datetime | None,
    basis: str,
) -> int:
    """Enter that a person may do something from a moment until another; return the id."""
    person = await _person(act, person_id, Permission.AUTHORISATIONS_MANAGE)
    if kind not in ("activity", "equipment"):
        raise ActError("kind", kind, "activity or equipment")
    if to_at is not None and to_at <= from_at:
        raise ActError("to", to_at.isoformat(), f"a time after {from_at.isoformat()}")
    subject, basis = _text("subject", subject, 200), _text("basis", basis, 500)
    made = await people.add_authorisation(
        act.connection,
        person,
        kind=kind,
        subject=subject,
        from_at=from_at,
        to_at=to_at,
        basis=basis,
    )
    new = {"kind": kind, "subject": subject, "from": from_at, "to": to_at, "basis": basis}
    await act.note(
        "authorisation.add",
        f"person {person.number}",
        organisation_id=person.organisation_id,
        new=new,
    )
    return made


async def withdraw(act: Act, authorisation_id: int, *, from_at: datetime, why: str) -> None:
    """End an authorisation from a moment on."""
    row = await people.get_authorisation(act.connection, authorisation_id)
    if row is None or not act.viewer.may(Permission.AUTHORISATIONS_READ, row.organisation_id):
        raise MissingError("authorisation", authorisation_id, "an existing authorisation")
    act.need(Permission.AUTHORISATIONS_MANAGE, row.organisation_id, thing="authorisation")
    why = _text("why", why, 500)
    if not await people.withdraw(act.connection, row.id, at=from_at, why=why):
        raise ActError("authorisation", row.id, "one that is not withdrawn")
    old = {"kind": row.kind, "subject": row.subject, "from": row.from_at, "to": row.to_at}
    await act.note(
        "authorisation.withdraw",
        f"person {row.number}",
        organisation_id=row.organisation_id,
        old=old,
        new={"withdrawn_at": from_at},
        why=why,
    )


async def make_token(act: Act, *, name: str, scopes: Sequence[str], days: int) -> tuple[int, str]:
    """Make a token in the asker's own name and return id and token; it is shown once."""
    viewer = act.viewer
    if viewer.kind != "account" or viewer.organisation_id is None:
        raise ForbiddenError("token", name, "a person who is signed in")
    if not 1 <= days <= TOKEN_DAYS_MAX:
        raise ActError("days", days, f"1 to {TOKEN_DAYS_MAX}")
    held = viewer.rights.permissions()
    if not scopes or any(one not in held for one in scopes):
        raise ActError("scopes", ", ".join(scopes), f"some of {', '.join(sorted(held))}")
    token = new_token(PROGRAM)
    name = _text("name", name, 60)
    made = await web_sessions.add_token(
        act.connection,
        organisation_id=viewer.organisation_id,
        account_id=viewer.account_id,
        name=name,
        token_hash=token_hash(token),
        scopes=sorted(set(scopes)),
        expires_at=act.at + timedelta(days=days),
    )
    new = {"name": name, "scopes": sorted(set(scopes)), "days": days}
    await act.note("token.make", f"account {viewer.login}", new=new)
    return made, token


async def end_token(act: Act, token_id: int) -> None:
    """End a token: one's own, or as an administrator that of somebody of the organisation."""
    rows = await web_sessions.list_tokens(act.connection, token_id=token_id)
    found = rows[0] if rows else None
    account = None if found is None else await accounts.get_account(act.connection, found.account_id)
    if found is None or account is None:
        raise MissingError("token", token_id, "an existing token")
    if found.account_id != act.viewer.account_id and not act.viewer.may(
        Permission.PEOPLE_MANAGE, account.organisation_id
    ):
        raise MissingError("token", token_id, "an existing token")
    await web_sessions.end_token(act.connection, found.id, at=act.at)
    await act.note(
        "token.end",
        f"account {found.login}",
        organisation_id=account.organisation_id,
        old={"name": found.name, "scopes": found.scopes},
    )


async def _person(act: Act, person_id: int, permission: Permission) -> Person:
    found = await people.get_person(act.connection, person_id)
    if found is None or not (
        act.viewer.may(Permission.PEOPLE_READ, found.organisation_id)
        or act.viewer.may(permission, found.organisation_id)
    ):
        raise MissingError("person", person_id, "an existing person")
    act.need(permission, found.organisation_id, thing="person")
    return found


async def _account(act: Act, account_id: int) -> Account:
    found = await accounts.get_account(act.connection, account_id)
    if found is None or not act.viewer.may(Permission.PEOPLE_READ, found.organisation_id):
        raise MissingError("account", account_id, "an existing account")
    return found


async def _only_over_less(act: Act, account: Account) -> None:
    """Refuse to take over an account with more rights than one's own, in any organisation."""
    if act.viewer.unbound:
        return
    held = await accounts.held_roles(act.connection, account.id)
    if not all(act.viewer.rights.may_grant(Grant(Role(role), body, site)) for role, body, site in held):
        raise ForbiddenError("account", account.login, "an account with no more rights than one's own")


async def _may_go(act: Act, account: Account) -> None:
    """Refuse to shut oneself out, and an organisation's last administrator."""
    if account.id == act.viewer.account_id:
        raise ActError("account", account.login, "another account than one's own")
    for role, body, site in await accounts.held_roles(act.connection, account.id):
        if role == Role.ADMINISTRATOR and site is None:
            await _stays_administered(act, body, but=account.id, field="account")


async def _stays_administered(act: Act, organisation_id: int, *, but: int, field: str) -> None:
    """Refuse what leaves an organisation without an administrator who can sign in."""
    if not await accounts.hold_administrators(act.connection, organisation_id) - {but}:
        raise ActError(field, Role.ADMINISTRATOR, "an organisation that keeps an administrator")


def _text(field: str, value: str, longest: int, *, least: int = 1) -> str:
    value = " ".join(value.split())
    if not least <= len(value) <= longest or "\0" in value:
        raise ActError(field, value, f"a text of {least} to {longest} characters")
    return value


def _is_login(text: str) -> bool:
    allowed = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._@-")
    return 2 <= len(text) <= 63 and set(text) <= allowed and text[0].isalnum()
