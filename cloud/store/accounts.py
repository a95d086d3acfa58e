"""Accounts, the roles that they were granted, and invitations; it judges no password and no right."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Account:
    """One account as sign-in sees it."""

    id: int
    organisation_id: int
    person_id: int
    name: str
    login: str
    password: str | None
    totp_seed: bytes | None
    totp_step: int
    closed: bool
    """Disabled, or the person left."""


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role that an account has."""

    id: int
    organisation_id: int
    organisation: str
    account_id: int
    login: str
    role: str
    site_id: int | None
    """None: in the whole organisation."""
    site: str | None
    granted_at: datetime


_ACCOUNT = """
SELECT a.id, a.organisation_id, a.person_id, p.name, a.login, a.password, a.totp_seed, a.totp_step,
       a.disabled_at IS NOT NULL OR p.left_at <= now() AS closed
FROM accounts a JOIN people p ON p.id = a.person_id
"""


async def any_account(connection: Connection) -> bool:
    """Whether there is an account that can be signed in to: from then on sign-in is required."""
    cursor = await connection.execute("SELECT EXISTS (SELECT 1 FROM public.accounts)")
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def find_account(connection: Connection, login: str) -> Account | None:
    """Return the account of a login."""
    return await _account(connection, " WHERE a.login = %s", login)


async def get_account(connection: Connection, account_id: int) -> Account | None:
    """Return one account."""
    return await _account(connection, " WHERE a.id = %s", account_id)


async def _account(connection: Connection, where: str, value: object) -> Account | None:
    async with connection.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute((_ACCOUNT + where).encode(), (value,))
        return await cursor.fetchone()


async def add_account(
    connection: Connection, organisation_id: int, *, person_id: int, login: str
) -> int | None:
    """Open an account without a password; None when the login is taken or the person has an account."""
    cursor = await connection.execute(
        """
        INSERT INTO accounts (organisation_id, person_id, login) VALUES (%s, %s, %s)
            ON CONFLICT DO NOTHING RETURNING id
        """,
        (organisation_id, person_id, login),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def set_password(connection: Connection, account_id: int, password: str, *, at: datetime) -> None:
    """Keep a password's hash."""
    await connection.execute(
        "UPDATE accounts SET password = %s, password_at = %s WHERE id = %s", (password, at, account_id)
    )


async def set_totp(connection: Connection, account_id: int, seed: bytes | None) -> None:
    """Ask for a second factor from now on, or (None) no longer."""
    await connection.execute(
        "UPDATE accounts SET totp_seed = %s, totp_step = 0 WHERE id = %s", (seed, account_id)
    )


async def use_totp_step(connection: Connection, account_id: int, step: int) -> bool:
    """Use a time step up; return whether it was not used before, so that no code counts twice."""
    cursor = await connection.execute(
        "UPDATE accounts SET totp_step = %s WHERE id = %s AND totp_step < %s", (step, account_id, step)
    )
    return cursor.rowcount == 1


async def set_disabled(connection: Connection, account_id: int, at: datetime | None) -> bool:
    """Close an account from now on, or (None) open it again; return whether there is one."""
    cursor = await connection.execute("UPDATE accounts SET disabled_at = %s WHERE id = %s", (at, account_id))
    return cursor.rowcount == 1


_GRANTS = """
SELECT r.id, r.organisation_id, o.name AS organisation, r.account_id, a.login, r.role,
       r.at_site_id AS site_id, s.name AS site, r.granted_at
FROM role_grants r
JOIN organisations o ON o.id = r.organisation_id
JOIN accounts a ON a.id = r.account_id
LEFT JOIN sites s ON s.id = r.at_site_id
WHERE r.ended_at IS NULL AND r.id > %(after)s
  AND (%(account_id)s::int IS NULL OR r.account_id = %(account_id)s)
  AND (%(id)s::int IS NULL OR r.id = %(id)s)
ORDER BY r.id
LIMIT %(limit)s
"""


async def list_grants(
    connection: Connection,
    *,
    account_id: int | None = None,
    grant_id: int | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[RoleGrant]:
    """Return the roles in force, by id."""
    values = {"account_id": account_id, "id": grant_id, "after": after, "limit": limit}
    async with connection.cursor(row_factory=class_row(RoleGrant)) as cursor:
        await cursor.execute(_GRANTS, values)
        return await cursor.fetchall()


async def add_grant(
    connection: Connection, organisation_id: int, *, account_id: int, role: str, site_id: int | None
) -> int | None:
    """Grant a role and return the grant's id; None when the account has it there already."""
    cursor = await connection.execute(
        """
        INSERT INTO role_grants (organisation_id, account_id, role, at_site_id) VALUES (%s, %s, %s, %s)
            ON CONFLICT DO NOTHING RETURNING id
        """,
        (organisation_id, account_id, role, site_id),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def end_grant(connection: Connection, grant_id: int, *, at: datetime) -> bool:
    """Take a role; return whether it was in force."""
    cursor = await connection.execute(
        "UPDATE role_grants SET ended_at = %s WHERE id = %s AND ended_at IS NULL", (at, grant_id)
    )
    return cursor.rowcount == 1


async def add_invitation(
    connection: Connection, account: Account, token_hash: bytes, *, expires_at: datetime
) -> None:
    """Keep an invitation by the hash of its code; earlier ones of the account expire with it."""
    await connection.execute(
        """
        UPDATE invitations SET expires_at = least(expires_at, now()) WHERE account_id = %s AND used_at IS NULL
        """,
        (account.id,),
    )
    await connection.execute(
        """
        INSERT INTO invitations (token_hash, organisation_id, account_id, expires_at) VALUES (%s, %s, %s, %s)
        """,
        (token_hash, account.organisation_id, account.id, expires_at),
    )


async def use_invitation(connection: Connection, token_hash: bytes, *, at: datetime) -> int | None:
    """Use an invitation up and return its account; None when it is unknown, used or expired."""
    cursor = await connection.execute(
        """
        UPDATE invitations SET used_at = %(at)s
         WHERE token_hash = %(hash)s AND used_at IS NULL AND expires_at > %(at)s RETURNING account_id
        """,
        {"hash": token_hash, "at": at},
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def organisation_id_of(connection: Connection, name: str) -> int | None:
    """Return the id of an organisation."""
    cursor = await connection.execute("SELECT id FROM organisations WHERE name = %s", (name,))
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def all_organisations(connection: Connection) -> dict[int, str]:
    """Return every organisation of the hub, by id."""
    cursor = await connection.execute("SELECT id, name FROM public.organisations ORDER BY id")
    return {int(number): str(name) for number, name in await cursor.fetchall()}
