"""Accounts, the roles that they were granted, and invitations; it judges no password and no right."""

from collections.abc import Sequence
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


async def hold_account(connection: Connection, account_id: int) -> Account | None:
    """Return one account; until the transaction ends password, second factor and closing stay as they are."""
    await connection.execute("SELECT 1 FROM accounts WHERE id = %s FOR NO KEY UPDATE", (account_id,))
    return await get_account(connection, account_id)


async def held_roles(connection: Connection, account_id: int) -> list[tuple[str, int, int | None]]:
    """Return every role in force of an account as role, organisation, site: wherever it is, whoever asks."""
    cursor = await connection.execute(
        """
        SELECT role, organisation_id, at_site_id FROM public.role_grants
         WHERE account_id = %s AND ended_at IS NULL ORDER BY id
        """,
        (account_id,),
    )
    return [(str(role), int(body), site) for role, body, site in await cursor.fetchall()]


async def hold_administrators(connection: Connection, organisation_id: int) -> set[int]:
    """Return the accounts that administer a whole organisation and can be signed in to.

    Who asks next waits until this transaction ends, so that two who go at once do not leave nobody behind.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, organisation_id))
    cursor = await connection.execute(
        """
        SELECT a.id FROM public.role_grants r
          JOIN public.accounts a ON a.id = r.account_id JOIN public.people p ON p.id = a.person_id
         WHERE r.organisation_id = %s AND r.role = 'administrator' AND r.at_site_id IS NULL
           AND r.ended_at IS NULL AND a.password IS NOT NULL AND a.disabled_at IS NULL
           AND (p.left_at IS NULL OR p.left_at > now())
        """,
        (organisation_id,),
    )
    return {int(row[0]) for row in await cursor.fetchall()}


_LOCK = 0x41444D4E
_GRANTS = """
SELECT r.id, r.organisation_id, o.name AS organisation, r.account_id, a.login, r.role,
       r.at_site_id AS site_id, s.name AS site, r.granted_at
FROM role_grants r
JOIN organisations o ON o.id = r.organisation_id
JOIN accounts a ON a.id = r.account_id
LEFT JOIN sites s ON s.id = r.at_site_id
WHERE r.ended_at IS NULL AND r.id > %(after)s
  AND (%(accounts)s::int[] IS NULL OR r.account_id = ANY(%(accounts)s))
  AND (%(id)s::int IS NULL OR r.id = %(id)s)
ORDER BY r.id
LIMIT %(limit)s
"""


async def list_grants(
    connection: Connection,
    *,
    account_ids: Sequence[int] | None = None,
    grant_id: int | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[RoleGrant]:
    """Return the roles in force, by id; with `account_ids` those of some accounts."""
    accounts = None if account_ids is None else list(account_ids)
    values = {"accounts": accounts, "id": grant_id, "after": after, "limit": limit}
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


async def all_organisations(connection: Connection) -> dict[int, str]:
    """Return every organisation of the hub, by id."""
    cursor = await connection.execute("SELECT id, name FROM public.organisations ORDER BY id")
    return {int(number): str(name) for number, name in await cursor.fetchall()}
