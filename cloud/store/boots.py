"""Boots without time, and the boots before and after them."""

from dataclasses import dataclass
from datetime import datetime

from cloud.store.clocks import BRACKET
from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class TimelessBoot:
    """A boot whose batches wait for a time that has not come."""

    gateway_id: int
    organisation_id: int
    epoch: bytes
    boot: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The newest time of earlier boots and the oldest of later ones, each widened by its bound."""

    after: datetime | None
    before: datetime | None


async def list_timeless(connection: Connection, quiet_since: datetime) -> list[TimelessBoot]:
    """Return boots whose last batch came before `quiet_since`: nothing of them is on its way any more."""
    cursor = await connection.execute(
        """
        SELECT gateway_id, min(organisation_id), epoch, boot, min(boot_number)
          FROM batches WHERE state = 'waiting' AND boot_number > 0
         GROUP BY gateway_id, epoch, boot HAVING max(received_at) < %s
         ORDER BY gateway_id, epoch, 5
        """,
        (quiet_since,),
    )
    return [TimelessBoot(*row) for row in await cursor.fetchall()]


async def neighbours(connection: Connection, boot: TimelessBoot) -> Neighbours:
    """Return what lies around a boot in its journal; boots that were bracketed themselves prove nothing."""
    cursor = await connection.execute(
        """
        SELECT max(last_at - coalesce(bound_ms, 0) * interval '1 ms') FILTER (WHERE boot_number < %(number)s),
               min(first_at + coalesce(bound_ms, 0) * interval '1 ms') FILTER (WHERE boot_number > %(number)s)
          FROM batches
         WHERE gateway_id = %(gateway)s AND epoch = %(epoch)s AND state IN ('placed', 'conflict')
           AND boot_number > 0 AND clock_source <> %(bracket)s
        """,
        {"number": boot.number, "gateway": boot.gateway_id, "epoch": boot.epoch, "bracket": BRACKET},
    )
    row = await cursor.fetchone()
    assert row is not None
    return Neighbours(*row)


async def bodies(connection: Connection, boot: TimelessBoot) -> list[bytes]:
    """Return the bodies of a boot's batches that wait."""
    cursor = await connection.execute(
        """
        SELECT d.body FROM batches b JOIN batch_bodies d ON d.batch_id = b.id
         WHERE b.gateway_id = %s AND b.epoch = %s AND b.boot = %s AND b.state = 'waiting'
        """,
        (boot.gateway_id, boot.epoch, boot.boot),
    )
    return [bytes(row[0]) for row in await cursor.fetchall()]
