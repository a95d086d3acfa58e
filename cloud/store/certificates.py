"""Certificates of gateways: which were issued, which are revoked, and who waits for a person's word."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate."""

    serial: str
    organisation_id: int
    gateway_id: int
    key_sha256: bytes
    certificate_pem: str
    not_before: datetime
    not_after: datetime
    way: str
    """`claim`, `renewal`, `recovery` or `folder`."""
    claim_id: int | None
    issued_at: datetime
    revoked_at: datetime | None = None


async def add(connection: Connection, one: Certificate) -> bool:
    """Keep a certificate; return whether it is new."""
    cursor = await connection.execute(
        """
        INSERT INTO certificates (serial, organisation_id, gateway_id, key_sha256, certificate_pem,
        not_before,
                                  not_after, way, claim_id, issued_at, revoked_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (serial) DO NOTHING
        """,
        (
            *(one.serial, one.organisation_id, one.gateway_id, one.key_sha256, one.certificate_pem),
            *(one.not_before, one.not_after, one.way, one.claim_id, one.issued_at, one.revoked_at),
        ),
    )
    return cursor.rowcount == 1


_COLUMNS = """
SELECT serial, organisation_id, gateway_id, key_sha256, certificate_pem, not_before, not_after, way, claim_id,
       issued_at, revoked_at
  FROM certificates
"""


async def of_claim(connection: Connection, claim_id: int, key_sha256: bytes) -> Certificate | None:
    """Return what a claim was used for, when it was for this key."""
    async with connection.cursor(row_factory=class_row(Certificate)) as cursor:
        await cursor.execute(
            _COLUMNS + " WHERE claim_id = %s AND key_sha256 = %s ORDER BY issued_at LIMIT 1",
            (claim_id, key_sha256),
        )
        return await cursor.fetchone()


async def find(connection: Connection, serial: str) -> Certificate | None:
    """Return a certificate by its serial number."""
    async with connection.cursor(row_factory=class_row(Certificate)) as cursor:
        await cursor.execute(_COLUMNS + " WHERE serial = %s", (serial,))
        return await cursor.fetchone()


async def issued_since(connection: Connection, gateway_id: int, since: datetime) -> int:
    """Return how many certificates a gateway got since then."""
    cursor = await connection.execute(
        "SELECT count(*) FROM certificates WHERE gateway_id = %s AND issued_at >= %s AND way <> 'folder'",
        (gateway_id, since),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def known_pems(connection: Connection, gateway_id: int) -> list[str]:
    """Return the chains that a gateway proved its batch keys with, issued over the network or not."""
    cursor = await connection.execute(
        "SELECT certificate_pem FROM gateway_keys WHERE gateway_id = %s", (gateway_id,)
    )
    return [str(row[0]) for row in await cursor.fetchall()]


async def revoke(connection: Connection, gateway_id: int, at: datetime) -> int:
    """Revoke all certificates of a gateway and refuse its batch keys; return how many certificates it were.

    Announce the change to the directory first.
    """
    cursor = await connection.execute(
        "UPDATE certificates SET revoked_at = %s WHERE gateway_id = %s AND revoked_at IS NULL",
        (at, gateway_id),
    )
    await connection.execute(
        "UPDATE gateway_keys SET refused_at = %s WHERE gateway_id = %s AND refused_at IS NULL",
        (at, gateway_id),
    )
    await connection.execute(
        "UPDATE gateways SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL", (at, gateway_id)
    )
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class Revoked:
    """What the broker has to refuse."""

    serials: Sequence[str]
    gateways: Sequence[str]
    """Names of gateways that are revoked."""
    online: Sequence[str]
    """Those of them that are taken for online."""


async def revoked(connection: Connection) -> Revoked:
    """Return all that is revoked."""
    serials = await connection.execute(
        "SELECT serial FROM certificates WHERE revoked_at IS NOT NULL ORDER BY 1"
    )
    named = await connection.execute(
        "SELECT name, online FROM gateways WHERE revoked_at IS NOT NULL ORDER BY 1"
    )
    gateways = await named.fetchall()
    return Revoked(
        [str(row[0]) for row in await serials.fetchall()],
        [str(row[0]) for row in gateways],
        [str(row[0]) for row in gateways if row[1]],
    )


# --- gateways that were away for long ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recovery:
    """A gateway asks for a certificate after its last one ended too long ago."""

    organisation_id: int
    gateway_id: int
    serial: str
    expired_at: datetime
    origin: str
    asked_at: datetime


async def ask_recovery(connection: Connection, one: Recovery) -> tuple[bool, bool]:
    """Keep a request, if none is open; return whether it is new, and whether a person approved it."""
    cursor = await connection.execute(
        """
        INSERT INTO recoveries (organisation_id, gateway_id, serial, expired_at, origin, asked_at)
        VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (gateway_id) WHERE closed_at IS NULL DO NOTHING
        """,
        (
            *(one.organisation_id, one.gateway_id, one.serial, one.expired_at),
            *(one.origin, one.asked_at),
        ),
    )
    found = await connection.execute(
        "SELECT approved_at IS NOT NULL FROM recoveries WHERE gateway_id = %s AND closed_at IS NULL",
        (one.gateway_id,),
    )
    row = await found.fetchone()
    return cursor.rowcount == 1, row is not None and bool(row[0])


async def approve(connection: Connection, gateway_id: int, *, by: str, at: datetime) -> bool:
    """Approve what a gateway asks for; return whether it asked."""
    cursor = await connection.execute(
        """
        UPDATE recoveries SET approved_at = %s, approved_by = %s
         WHERE gateway_id = %s AND closed_at IS NULL AND approved_at IS NULL
        """,
        (at, by, gateway_id),
    )
    return cursor.rowcount == 1


async def close_recovery(connection: Connection, gateway_id: int, at: datetime) -> None:
    """A request was answered, or there is nothing to ask for any more."""
    await connection.execute(
        "UPDATE recoveries SET closed_at = %s WHERE gateway_id = %s AND closed_at IS NULL", (at, gateway_id)
    )
