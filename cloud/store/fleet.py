"""Gateways as their administrator sees them: registered, claimed, enrolled, revoked, replaced."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One gateway with its identity."""

    id: int
    organisation_id: int
    name: str
    site: str | None
    """Name of the site that it serves now."""
    online: bool
    last_batch_at: datetime | None
    certificate_until: datetime | None
    """Of the certificate that lasts longest and is not revoked."""
    keys: int
    """Batch keys that it proved and that are not refused."""
    claim_until: datetime | None
    """Of a claim that can still be used."""
    recovery_asked_at: datetime | None
    """Since when it waits for a person's word."""
    revoked_at: datetime | None
    replaces: str | None


_FLEET = """
SELECT g.id, g.organisation_id, g.name, g.online, g.last_batch_at, g.revoked_at,
       (SELECT s.name FROM gateway_bindings b JOIN sites s ON s.id = b.site_id
         WHERE b.gateway_id = g.id AND b.valid @> %(now)s::timestamptz) AS site,
       (SELECT max(c.not_after) FROM certificates c
         WHERE c.gateway_id = g.id AND c.revoked_at IS NULL) AS certificate_until,
       (SELECT count(*) FROM gateway_keys k WHERE k.gateway_id = g.id AND k.refused_at IS NULL) AS keys,
       (SELECT c.expires_at FROM claims c WHERE c.gateway_id = g.id AND c.withdrawn_at IS NULL
           AND c.used_at IS NULL AND c.expires_at > %(now)s) AS claim_until,
       (SELECT r.asked_at FROM recoveries r WHERE r.gateway_id = g.id AND r.closed_at IS NULL
           AND r.approved_at IS NULL) AS recovery_asked_at,
       (SELECT o.name FROM gateways o WHERE o.id = g.replaces_id) AS replaces
  FROM gateways g
"""


async def fleet(connection: Connection, now: datetime) -> list[FleetRow]:
    """Return all gateways by name."""
    async with connection.cursor(row_factory=class_row(FleetRow)) as cursor:
        await cursor.execute(_FLEET + " ORDER BY g.name", {"now": now})
        return await cursor.fetchall()


async def find(connection: Connection, name: str, now: datetime) -> FleetRow | None:
    """Return one gateway."""
    async with connection.cursor(row_factory=class_row(FleetRow)) as cursor:
        await cursor.execute(_FLEET + " WHERE g.name = %(name)s", {"now": now, "name": name})
        return await cursor.fetchone()


async def hold(connection: Connection, name: str, now: datetime) -> FleetRow | None:
    """Return one gateway and keep its row as it is until this transaction ends."""
    await connection.execute("SELECT 1 FROM gateways WHERE name = %s FOR NO KEY UPDATE", (name,))
    return await find(connection, name, now)


async def site_ids(connection: Connection, name: str) -> list[tuple[int, int]]:
    """Return (site, organisation) of every site of this name; organisations may use the same names."""
    cursor = await connection.execute("SELECT id, organisation_id FROM sites WHERE name = %s", (name,))
    return [(int(row[0]), int(row[1])) for row in await cursor.fetchall()]


async def organisation_id(connection: Connection, name: str) -> int | None:
    """Return the id of an organisation."""
    cursor = await connection.execute("SELECT id FROM organisations WHERE name = %s", (name,))
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def stands_in(connection: Connection, name: str) -> bool:
    """Whether a gateway stands in for another one."""
    cursor = await connection.execute(
        "SELECT 1 FROM gateways WHERE name = %s AND replaces_id IS NOT NULL", (name,)
    )
    return await cursor.fetchone() is not None


async def replaced_id(connection: Connection, gateway_id: int) -> int | None:
    """Return the gateway that this one replaces."""
    cursor = await connection.execute("SELECT replaces_id FROM gateways WHERE id = %s", (gateway_id,))
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])


async def register_replacement(
    connection: Connection, *, organisation_id: int, name: str, replaces_id: int
) -> int | None:
    """Register a gateway that stands in for another one; None when name or place is taken."""
    cursor = await connection.execute(
        """
        INSERT INTO gateways (organisation_id, name, replaces_id) VALUES (%s, %s, %s)
            ON CONFLICT DO NOTHING RETURNING id
        """,
        (organisation_id, name, replaces_id),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def hand_over(connection: Connection, *, old_id: int, new_id: int, at: datetime) -> int:
    """Let a gateway serve from `at` on what another one served till then; return how many sites that is.

    Evidence of the two never mixes: what either of them measured is placed by the time it was measured.
    """
    cursor = await connection.execute(
        """
        INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id, valid)
        SELECT organisation_id, %s, site_id, tstzrange(%s, NULL)
          FROM gateway_bindings WHERE gateway_id = %s AND upper_inf(valid)
        """,
        (new_id, at, old_id),
    )
    handed = cursor.rowcount
    for statement in _ENDS:
        await connection.execute(statement, {"at": at, "gateway": old_id})
    return handed


_ENDS = (
    """
UPDATE gateway_bindings SET valid = valid * tstzrange(NULL, %(at)s)
 WHERE gateway_id = %(gateway)s AND upper_inf(valid)
""",
    """
UPDATE channel_bindings SET valid = valid * tstzrange(NULL, %(at)s)
 WHERE gateway_id = %(gateway)s AND upper_inf(valid)
""",
    """
UPDATE devices SET valid = valid * tstzrange(NULL, %(at)s)
 WHERE gateway_id = %(gateway)s AND upper_inf(valid)
""",
)
