"""Whether gateways are alive: births, wills, and silence. Each change is kept as an event of the hub."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from cloud.opening import Opened
from cloud.store import events, gateways
from cloud.store.backlog import TOLD_WITHIN, newest_backlog
from cloud.store.connection import Connection
from cloud.store.events import EventRow
from cloud.store.gateways import Liveness
from cloud.store.ticks import us_of_datetime
from cloud.watch.presence import Presence
from rules.silence import is_suspected
from wire.messages import GatewayStatus

_log = logging.getLogger(__name__)

ONLINE, OFFLINE, SUSPECTED = "gateway_online", "gateway_offline", "gateway_suspected_offline"
BACKLOG = "gateway_backlog"


async def hear(connection: Connection, item: Opened, at: datetime) -> None:
    """Take in a birth or a will; what was told before changes nothing, save how much waits on the gateway."""
    status = item.message
    if not isinstance(status, GatewayStatus):
        return
    async with connection.transaction():
        if status.online:
            news = await gateways.born(
                connection, gateway=status.gateway, session=status.session, software=status.software, at=at
            )
        else:
            news = await gateways.lost(connection, gateway=status.gateway, session=status.session, at=at)
        row = next((g for g in await gateways.liveness(connection) if g.name == status.gateway), None)
        if row is None:
            return
        if news:
            await _record(connection, row, ONLINE if status.online else OFFLINE, at=at)
        if status.online:
            await _hear_backlog(connection, row, status, at=at)


async def _hear_backlog(
    connection: Connection, row: Liveness, status: GatewayStatus, *, at: datetime
) -> None:
    """Keep how much waits on a gateway when that is not what it told before."""
    if status.readings_waiting is None or status.batches_waiting is None:
        return
    waiting = {"readings": status.readings_waiting, "batches": status.batches_waiting}
    told = await newest_backlog(connection, [row.gateway_id], since=at - TOLD_WITHIN)
    before = told[row.gateway_id].data if row.gateway_id in told else {"readings": 0, "batches": 0}
    if waiting != before:
        await _record(connection, row, BACKLOG, at=at, data=waiting)


async def look(connection: Connection, now: datetime, longest: timedelta, *, presence: Presence) -> None:
    """Suspect gateways that were not heard for `longest`; take back what a batch disproves.

    A session that is known to live is not suspected, however long it has nothing to send; nor is any while
    the hub itself does not hear, and for `longest` after it hears again.
    """
    for row in await gateways.liveness(connection):
        heard_at = max(filter(None, (row.online_since, row.last_batch_at)), default=None)
        if heard_at is None:
            continue
        if row.online and _is_missed(row, heard_at, now, longest=longest, presence=presence):
            async with connection.transaction():
                if await gateways.set_suspected(connection, row.gateway_id, heard_at=heard_at):
                    await _record(connection, row, SUSPECTED, at=now)
        elif _disproved(row):
            async with connection.transaction():
                if await gateways.set_heard(connection, row.gateway_id, at=now):
                    await _record(connection, row, ONLINE, at=now)


def _is_missed(
    row: Liveness, heard_at: datetime, now: datetime, *, longest: timedelta, presence: Presence
) -> bool:
    if presence.since is None or presence.lives(row.name, row.last_batch_at):
        return False
    return is_suspected(max(heard_at, presence.since), now, longest)


def _disproved(row: Liveness) -> bool:
    if row.online or row.session is None or row.last_batch_at is None or row.online_since is None:
        return False
    return row.last_batch_at > row.online_since


async def _record(
    connection: Connection,
    row: Liveness,
    kind: str,
    *,
    at: datetime,
    data: Mapping[str, int] | None = None,
) -> None:
    _log.info("gateway %s: %s", row.name, kind)
    event = EventRow(
        organisation_id=row.organisation_id,
        gateway_id=row.gateway_id,
        site_id=await gateways.site_of(connection, row.gateway_id, at),
        observed_us=us_of_datetime(at),
        kind=kind,
        subject=row.name,
        data=dict(data or {}),
    )
    await events.insert(connection, [event])
