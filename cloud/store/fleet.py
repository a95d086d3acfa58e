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
    site_id: int | None
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
    proved_pem: str | None
    """Of the newest certificate that it proved a key with, be it issued here or by hand."""

    def state(self, now: datetime) -> str:
        """Return `revoked`, `waiting` (for approval), `claimed`, `ended`, `bare`, `online` or `offline`.

        `ended`: its certificate has; `bare`: it never had one, and no claim of it can still be used.
        """
        if self.revoked_at is not None:
            return "revoked"
        if self.recovery_asked_at is not None:
            return "waiting"
        if self.claim_until is not None:
            return "claimed"
        if self.certificate_until is not None and self.certificate_until <= now:
            return "ended"
        if self.certificate_until is None and not self.keys:
            return "bare"
        return "online" if self.online else "offline"


_FLEET = """
SELECT g.id, g.organisation_id, g.name, g.online, g.last_batch_at, g.revoked_at,
       s.name AS site, s.id AS site_id,
       (SELECT max(c.not_after) FROM certificates c
         WHERE c.gateway_id = g.id AND c.revoked_at IS NULL) AS certificate_until,
       (SELECT count(*) FROM gateway_keys k WHERE k.gateway_id = g.id AND k.refused_at IS NULL) AS keys,
       (SELECT c.expires_at FROM claims c WHERE c.gateway_id = g.id AND c.withdrawn_at IS NULL
           AND c.used_at IS NULL AND c.expires_at > %(now)s) AS claim_until,
       (SELECT r.asked_at FROM recoveries r WHERE r.gateway_id = g.id AND r.closed_at IS NULL
           AND r.approved_at IS NULL) AS recovery_asked_at,
       (SELECT o.name FROM gateways o WHERE o.id = g.replaces_id) AS replaces,
       (SELECT k.certificate_pem FROM gateway_keys k WHERE k.gateway_id = g.id AND k.refused_at IS NULL
         ORDER BY k.first_seen_at DESC LIMIT 1) AS proved_pem
  FROM gateways g
  LEFT JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> %(now)s::timestamptz
  LEFT JOIN sites s ON s.id = b.site_id
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


@dataclass(frozen=True, slots=True)
class Steps:
    """How far a new gateway has come; None: not yet."""

    enrolled_at: datetime | None
    """When it got its first certificate."""
    heard_at: datetime | None
    """When its first batch was stored, be it in quarantine."""
    stored_at: datetime | None
    """When its first reading was stored at a point."""


_STEPS = """
SELECT (SELECT min(c.issued_at) FROM certificates c WHERE c.gateway_id = g.id) AS enrolled_at,
       (SELECT min(first.stored_at) FROM ledger l CROSS JOIN LATERAL (
               SELECT b.stored_at FROM batches b WHERE b.gateway_id = l.gateway_id AND b.epoch = l.epoch
                ORDER BY b.seq LIMIT 1) first
         WHERE l.gateway_id = g.id) AS heard_at,
       (SELECT min(first.stored_at) FROM ledger l CROSS JOIN LATERAL (
               SELECT b.stored_at FROM batches b WHERE b.gateway_id = l.gateway_id AND b.epoch = l.epoch
                  AND b.state = 'placed' AND b.readings > 0
                ORDER BY b.seq LIMIT 1) first
         WHERE l.gateway_id = g.id) AS stored_at
  FROM gateways g WHERE g.id = %s
"""


async def steps(connection: Connection, gateway_id: int) -> Steps:
    """Return how far a gateway has come."""
    async with connection.cursor(row_factory=class_row(Steps)) as cursor:
        await cursor.execute(_STEPS, (gateway_id,))
        return await cursor.fetchone() or Steps(None, None, None)


@dataclass(frozen=True, slots=True)
class Revocation:
    """Who revoked a gateway, and why."""

    by: str
    why: str


async def revocation(connection: Connection, gateway: FleetRow) -> Revocation | None:
    """Return what the audit log says of the revocation of a gateway; None when it says nothing."""
    async with connection.cursor(row_factory=class_row(Revocation)) as cursor:
        await cursor.execute(
            """
            SELECT actor AS by, why FROM audit_log
             WHERE object = %s AND organisation_id = %s AND action = 'gateway.revoke' AND outcome = 'done'
             ORDER BY id DESC LIMIT 1
            """,
            (f"gateway {gateway.name}", gateway.organisation_id),
        )
        return await cursor.fetchone()


async def hold(connection: Connection, name: str, now: datetime) -> FleetRow | None:
    """Return one gateway and keep its row as it is until this transaction ends."""
    await connection.execute("SELECT 1 FROM gateways WHERE name = %s FOR NO KEY UPDATE", (name,))
    return await find(connection, name, now)


async def site_ids(connection: Connection, name: str) -> list[tuple[int, int]]:
    """Return (site, organisation) of every site of this name; organisations may use the same names."""
    cursor = await connection.execute("SELECT id, organisation_id FROM sites WHERE name = %s", (name,))
    return [(int(row[0]), int(row[1])) for row in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class ClaimSite:
    """A site at which a gateway may be claimed."""

    id: int
    organisation_id: int
    name: str
    title: str
    kind: str


async def claim_sites(connection: Connection) -> list[ClaimSite]:
    """Return all sites by title."""
    async with connection.cursor(row_factory=class_row(ClaimSite)) as cursor:
        await cursor.execute("SELECT id, organisation_id, name, title, kind FROM sites ORDER BY title, id")
        return await cursor.fetchall()


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
