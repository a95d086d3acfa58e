"""Sessions of browsers, tokens of programs, attempts to sign in: by hashes, never by what the asker has."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class WebSession:
    """One session of one browser."""

    id: int
    account_id: int
    proven: bool
    """Whether all factors were shown."""
    tries: int
    created_at: datetime
    used_at: datetime
    ends_at: datetime
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class NewSession:
    """What is entered of a session that begins."""

    token_hash: bytes
    organisation_id: int
    account_id: int
    proven: bool
    at: datetime
    ends_at: datetime
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token with which a program asks in its owner's name."""

    id: int
    account_id: int
    login: str
    name: str
    scopes: list[str]
    """Permissions; it never has more than its owner."""
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tries:
    """Failed attempts of the time that counts."""

    pair: int
    """For this login from this address."""
    login: int
    """For this login from anywhere."""
    address: int
    """From this address for any login."""
    logins: int
    """Different logins from this address."""


_SESSION = """
SELECT id, account_id, proven, tries, created_at, used_at, ends_at, address, agent
FROM web_sessions WHERE ended_at IS NULL AND ends_at > %(at)s AND used_at > %(idle)s
"""


async def begin(connection: Connection, new: NewSession) -> int:
    """Enter a session and return its id."""
    cursor = await connection.execute(
        """
        INSERT INTO web_sessions (token_hash, organisation_id, account_id, proven, created_at, used_at,
                                  ends_at, address, agent)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (
            *(new.token_hash, new.organisation_id, new.account_id, new.proven, new.at, new.at, new.ends_at),
            *(new.address, new.agent),
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def forget_sessions(connection: Connection, before: datetime, *, most: int) -> int:
    """Remove at most so many sessions that ended before a time; return how many there were."""
    cursor = await connection.execute(
        """
        DELETE FROM web_sessions WHERE id IN (
            SELECT id FROM web_sessions WHERE least(ends_at, ended_at) < %s
             ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        (before, most),
    )
    return cursor.rowcount


async def find(
    connection: Connection, token_hash: bytes, *, at: datetime, idle_since: datetime
) -> WebSession | None:
    """Return a session that lives at a time and was used after `idle_since`."""
    async with connection.cursor(row_factory=class_row(WebSession)) as cursor:
        await cursor.execute(
            _SESSION + " AND token_hash = %(hash)s", {"hash": token_hash, "at": at, "idle": idle_since}
        )
        return await cursor.fetchone()


async def list_sessions(
    connection: Connection, account_id: int, *, at: datetime, idle_since: datetime
) -> list[WebSession]:
    """Return the sessions of an account that live at a time."""
    async with connection.cursor(row_factory=class_row(WebSession)) as cursor:
        await cursor.execute(
            _SESSION + " AND account_id = %(account)s AND proven ORDER BY id",
            {"account": account_id, "at": at, "idle": idle_since},
        )
        return await cursor.fetchall()


async def note_use(connection: Connection, session_id: int, *, at: datetime) -> None:
    """Note that a session was used."""
    await connection.execute(
        "UPDATE web_sessions SET used_at = greatest(used_at, %s) WHERE id = %s", (at, session_id)
    )


async def count_try(connection: Connection, session_id: int) -> int:
    """Count a code that was tried in a session; return how many there are now."""
    cursor = await connection.execute(
        "UPDATE web_sessions SET tries = tries + 1 WHERE id = %s RETURNING tries", (session_id,)
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def end(connection: Connection, session_id: int, *, account_id: int, at: datetime) -> bool:
    """End a session of an account; return whether it lived."""
    cursor = await connection.execute(
        "UPDATE web_sessions SET ended_at = %s WHERE id = %s AND account_id = %s AND ended_at IS NULL",
        (at, session_id, account_id),
    )
    return cursor.rowcount == 1


async def end_all(connection: Connection, account_id: int, *, at: datetime, but: int | None = None) -> int:
    """End every session of an account except `but`; return how many lived."""
    cursor = await connection.execute(
        """
        UPDATE web_sessions SET ended_at = %s
         WHERE account_id = %s AND ended_at IS NULL AND id IS DISTINCT FROM %s
        """,
        (at, account_id, but),
    )
    return cursor.rowcount


_TOKENS = """
SELECT t.id, t.account_id, a.login, t.name, t.scopes, t.created_at, t.expires_at, t.used_at
FROM api_tokens t JOIN accounts a ON a.id = t.account_id
WHERE t.ended_at IS NULL
"""


async def add_token(
    connection: Connection,
    *,
    organisation_id: int,
    account_id: int,
    name: str,
    token_hash: bytes,
    scopes: list[str],
    expires_at: datetime,
) -> int:
    """Keep a token by its hash and return its id."""
    cursor = await connection.execute(
        """
        INSERT INTO api_tokens (organisation_id, account_id, name, token_hash, scopes, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (organisation_id, account_id, name, token_hash, scopes, expires_at),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def find_token(connection: Connection, token_hash: bytes, *, at: datetime) -> ApiToken | None:
    """Return a token that is valid at a time."""
    async with connection.cursor(row_factory=class_row(ApiToken)) as cursor:
        await cursor.execute(
            _TOKENS + " AND t.token_hash = %(hash)s AND t.expires_at > %(at)s", {"hash": token_hash, "at": at}
        )
        return await cursor.fetchone()


async def list_tokens(
    connection: Connection, *, account_id: int | None = None, token_id: int | None = None
) -> list[ApiToken]:
    """Return the tokens that were not ended, by id; expired ones too."""
    async with connection.cursor(row_factory=class_row(ApiToken)) as cursor:
        await cursor.execute(
            _TOKENS
            + " AND (%(account)s::int IS NULL OR t.account_id = %(account)s)"
            + " AND (%(id)s::int IS NULL OR t.id = %(id)s) ORDER BY t.id LIMIT 1000",
            {"account": account_id, "id": token_id},
        )
        return await cursor.fetchall()


async def note_token_use(connection: Connection, token_id: int, *, at: datetime) -> None:
    """Note that a token was used."""
    await connection.execute("UPDATE api_tokens SET used_at = %s WHERE id = %s", (at, token_id))


async def end_token(connection: Connection, token_id: int, *, at: datetime) -> bool:
    """End a token; return whether it was there."""
    cursor = await connection.execute(
        "UPDATE api_tokens SET ended_at = %s WHERE id = %s AND ended_at IS NULL", (at, token_id)
    )
    return cursor.rowcount == 1


async def note_attempt(
    connection: Connection, login_hash: bytes, address: str, *, at: datetime, since: datetime
) -> tuple[int, Tries]:
    """Enter an attempt as failed and return its id with all that failed since; parallel ones wait in line."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 9))", (address,))
    cursor = await connection.execute(
        "INSERT INTO sign_in_attempts (at, login_hash, address) VALUES (%s, %s, %s) RETURNING id",
        (at, login_hash, address),
    )
    row = await cursor.fetchone()
    assert row is not None
    counted = await connection.execute(
        """
        SELECT count(*) FILTER (WHERE login_hash = %(login)s AND address = %(address)s),
               count(*) FILTER (WHERE login_hash = %(login)s), count(*) FILTER (WHERE address = %(address)s),
               count(DISTINCT login_hash) FILTER (WHERE address = %(address)s)
          FROM sign_in_attempts
         WHERE NOT good AND at > %(since)s AND id <> %(id)s
           AND (login_hash = %(login)s OR address = %(address)s)
        """,
        {"login": login_hash, "address": address, "since": since, "id": row[0]},
    )
    tries = await counted.fetchone()
    assert tries is not None
    return int(row[0]), Tries(*(int(one) for one in tries))


async def forgive(connection: Connection, attempt_id: int) -> None:
    """Count an attempt as a good one."""
    await connection.execute("UPDATE sign_in_attempts SET good = true WHERE id = %s", (attempt_id,))


async def forget_attempts(connection: Connection, before: datetime) -> None:
    """Remove attempts that no longer count."""
    await connection.execute("DELETE FROM sign_in_attempts WHERE at < %s", (before,))
