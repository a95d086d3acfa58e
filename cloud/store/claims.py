"""Claims of new gateways: made by a person, bound to a site and a gateway id, used once."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """The one claim of a gateway that was not withdrawn."""

    id: int
    organisation_id: int
    site_id: int
    gateway_id: int
    salt: bytes
    digest: bytes
    expires_at: datetime
    wrong_codes: int
    used_at: datetime | None
    used_key_sha256: bytes | None


@dataclass(frozen=True, slots=True)
class NewClaim:
    """What is kept of a claim."""

    organisation_id: int
    site_id: int
    gateway_id: int
    salt: bytes
    digest: bytes
    made_by: str
    made_at: datetime
    expires_at: datetime


_COLUMNS = """
SELECT c.id, c.organisation_id, c.site_id, c.gateway_id, c.salt, c.digest, c.expires_at, c.wrong_codes,
       c.used_at, c.used_key_sha256
  FROM claims c JOIN gateways g ON g.id = c.gateway_id
 WHERE g.name = %s AND c.withdrawn_at IS NULL
"""


async def newest(connection: Connection) -> int:
    """Return the number of the claim that was made last; 0 before the first."""
    cursor = await connection.execute("SELECT coalesce(max(id), 0) FROM claims")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def made_since(connection: Connection, gateway: str, number: int) -> bool:
    """Whether a claim of a gateway was made after the claim of this number."""
    cursor = await connection.execute(
        "SELECT 1 FROM claims c JOIN gateways g ON g.id = c.gateway_id WHERE g.name = %s AND c.id > %s",
        (gateway, number),
    )
    return await cursor.fetchone() is not None


async def find(connection: Connection, gateway: str) -> ClaimRow | None:
    """Return the claim of a gateway by its name."""
    async with connection.cursor(row_factory=class_row(ClaimRow)) as cursor:
        await cursor.execute(_COLUMNS, (gateway,))
        return await cursor.fetchone()


async def hold(connection: Connection, gateway: str) -> ClaimRow | None:
    """Return the claim of a gateway and keep it as it is until this transaction ends."""
    async with connection.cursor(row_factory=class_row(ClaimRow)) as cursor:
        await cursor.execute(_COLUMNS + " FOR UPDATE OF c", (gateway,))
        return await cursor.fetchone()


async def add(connection: Connection, claim: NewClaim) -> int:
    """Keep a claim in the place of one that was not used, and return its id."""
    await connection.execute(
        """
        UPDATE claims SET withdrawn_at = %s
         WHERE gateway_id = %s AND withdrawn_at IS NULL AND used_at IS NULL
        """,
        (claim.made_at, claim.gateway_id),
    )
    cursor = await connection.execute(
        """
        INSERT INTO claims (organisation_id, site_id, gateway_id, salt, digest, made_by, made_at, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (
            *(claim.organisation_id, claim.site_id, claim.gateway_id, claim.salt, claim.digest),
            *(claim.made_by, claim.made_at, claim.expires_at),
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def note_wrong_code(connection: Connection, claim_id: int) -> int:
    """Count a wrong code and return how many there were."""
    cursor = await connection.execute(
        "UPDATE claims SET wrong_codes = wrong_codes + 1 WHERE id = %s RETURNING wrong_codes", (claim_id,)
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def use(connection: Connection, claim_id: int, *, key_sha256: bytes, at: datetime) -> None:
    """Use a claim up for a key."""
    await connection.execute(
        "UPDATE claims SET used_at = %s, used_key_sha256 = %s WHERE id = %s AND used_at IS NULL",
        (at, key_sha256, claim_id),
    )


async def withdraw(connection: Connection, gateway_id: int, at: datetime) -> None:
    """Let the claim of a gateway buy nothing any more."""
    await connection.execute(
        "UPDATE claims SET withdrawn_at = %s WHERE gateway_id = %s AND withdrawn_at IS NULL", (at, gateway_id)
    )


@dataclass(frozen=True, slots=True)
class Listener:
    """Where new gateways find this hub."""

    url: str
    ca_sha256: bytes
    broker: str


async def listener(connection: Connection) -> Listener | None:
    """Return where the EST listener said that it is; None when there never was one."""
    async with connection.cursor(row_factory=class_row(Listener)) as cursor:
        await cursor.execute("SELECT url, ca_sha256, broker FROM enrolment")
        return await cursor.fetchone()


async def set_listener(connection: Connection, found: Listener, at: datetime) -> None:
    """Say where the EST listener is."""
    await connection.execute(
        """
        INSERT INTO enrolment (url, ca_sha256, broker, updated_at) VALUES (%s, %s, %s, %s)
            ON CONFLICT (only_row) DO UPDATE SET url = excluded.url, ca_sha256 = excluded.ca_sha256,
               broker = excluded.broker, updated_at = excluded.updated_at
        """,
        (found.url, found.ca_sha256, found.broker, at),
    )
