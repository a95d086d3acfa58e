"""What gateways say of everything that they control, as they said it last; wakes the pages that show it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cloud.store.connection import Connection
from cloud.store.shadow import Owner
from wire.codec import decode_body, encode_body
from wire.control import ControlStatus
from wire.errors import MessageError
from wire.messages import TICKS_PER_S

CHANNEL = "heng_control"
"""The NOTIFY channel of what is new of a gateway's control; the payload is its id."""
KNOWN_FOR = timedelta(seconds=30)
"""It is told every ten seconds: what was not heard for longer is not known."""


@dataclass(frozen=True, slots=True)
class Held:
    """The state of one gateway's control, and when it was so."""

    gateway_id: int
    organisation_id: int
    gateway: str
    site_id: int | None
    site: str | None
    site_title: str
    time_zone: str
    status: ControlStatus
    received_at: datetime
    heard_at: datetime | None
    """None: a broker had kept it, and nobody knows for how long."""

    def is_known(self, now: datetime) -> bool:
        """Whether it may be taken for how things stand now."""
        return self.heard_at is not None and now - self.heard_at <= KNOWN_FOR

    def tick_at(self, at: datetime) -> int | None:
        """Return the tick of the gateway's boot at a moment, rather too small; None: it is not known.

        What came at once was said before it was heard. What a broker had kept says nothing of its clock now.
        """
        if self.heard_at != self.received_at:
            return None
        return self.status.tick + int((at - self.received_at).total_seconds() * TICKS_PER_S)


_HELD = """
SELECT c.gateway_id, c.organisation_id, g.name, s.id, s.name, coalesce(s.title, ''),
       coalesce(s.time_zone, 'UTC'), c.body, c.received_at, c.heard_at
  FROM control_status c
  JOIN gateways g ON g.id = c.gateway_id
  LEFT JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> %(at)s::timestamptz
  LEFT JOIN sites s ON s.id = b.site_id
 WHERE g.revoked_at IS NULL
   AND (%(gateway)s::text IS NULL OR g.name = %(gateway)s)
   AND (%(site)s::int IS NULL OR s.id = %(site)s)
   AND (%(ids)s::int[] IS NULL OR g.id = ANY (%(ids)s))
 ORDER BY s.name, g.name
"""


async def list_held(
    connection: Connection,
    at: datetime,
    *,
    gateway: str | None = None,
    site: int | None = None,
    ids: Collection[int] | None = None,
) -> list[Held]:
    """Return the state of every gateway that ever told one, by site; of one by name, of a site, of ids."""
    given = {"at": at, "gateway": gateway, "site": site, "ids": None if ids is None else list(ids)}
    cursor = await connection.execute(_HELD, given)
    return [_held(row) for row in await cursor.fetchall()]


async def get_held(connection: Connection, gateway: str, at: datetime) -> Held | None:
    """Return the state of one gateway; None: it never told one."""
    rows = await list_held(connection, at, gateway=gateway)
    return rows[0] if rows else None


@lru_cache(maxsize=256)
def _decoded(body: bytes) -> ControlStatus | None:
    """Return a state; None for one of a version that had other fields.

    The first page asks for the same ones each second.
    """
    try:
        return decode_body(body, ControlStatus)
    except MessageError:
        return None


def _held(row: Sequence[Any]) -> Held:
    gateway_id, organisation_id, gateway, site_id, site, title, zone, body, received_at, heard_at = row
    status = _decoded(bytes(body))
    if status is None:  # Nothing is known of it, which is something else than that nothing is there.
        status, heard_at = ControlStatus(gateway=gateway, boot=b"", tick=0), None
    return Held(
        gateway_id=gateway_id,
        organisation_id=organisation_id,
        gateway=gateway,
        site_id=site_id,
        site=site,
        site_title=title,
        time_zone=zone,
        status=status,
        received_at=received_at,
        heard_at=heard_at,
    )


async def keep(
    connection: Connection,
    owner: Owner,
    status: ControlStatus,
    *,
    received_at: datetime,
    heard_at: datetime | None,
) -> bool:
    """Keep a state in the place of the one before; return False for one that is not newer.

    Within a boot ticks tell which is newer. What a broker had kept (`heard_at` None) is newer only if it is
    of another boot.
    """
    cursor = await connection.execute(
        """
        INSERT INTO control_status AS c (organisation_id, gateway_id, boot, tick, body, received_at, heard_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (gateway_id) DO UPDATE
               SET boot = excluded.boot, tick = excluded.tick, body = excluded.body,
                   received_at = excluded.received_at, heard_at = excluded.heard_at
             WHERE c.boot <> excluded.boot OR c.tick < excluded.tick
        RETURNING 1
        """,
        (
            *(owner.organisation_id, owner.id, status.boot, status.tick, encode_body(status)),
            *(received_at, heard_at),
        ),
    )
    if await cursor.fetchone() is None:
        return False
    await wake(connection, owner.id)
    return True


async def wake(connection: Connection, gateway_id: int) -> None:
    """Wake the pages that show the control of a gateway, when this transaction commits."""
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(gateway_id)))
