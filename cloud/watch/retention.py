"""Deletes personal data that are kept no longer, class by class, and writes down what it did."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from cloud.store import audit_log, retention
from cloud.store.audit_log import Entry
from cloud.store.connection import Connection

EVERY_S = 300.0
PARTS_MAX = 200
"""Transactions of one pass at most; the next pass goes on."""


async def keep_forgetting(connection: Connection, now: Callable[[], datetime]) -> None:
    """Look through everything at once and then so often, until cancelled. Raises psycopg's errors."""
    while True:
        await forget(connection, now())
        await asyncio.sleep(EVERY_S)


async def forget(connection: Connection, now: datetime) -> None:
    """Delete what is too old; each transaction is bounded, and so are their number."""
    left = PARTS_MAX
    for duty in await retention.list_duties(connection):
        sweep = await retention.begin_sweep(connection, duty.site_id, now=now)
        while sweep is not None and left:
            left -= 1
            async with connection.transaction():
                positions, bodies, sweep = await retention.forget_positions(connection, sweep, now=now)
                thing = f"positions off duty of site {duty.site}"
                counts = {"positions": positions, "batches_without_bytes": bodies}
                await _note(connection, duty.organisation_id, thing, counts, at=now)
    for organisation_id in dict.fromkeys(
        one.organisation_id for one in await retention.list_kept(connection)
    ):
        left = await _forget_old(connection, organisation_id, left=left, at=now)


async def _forget_old(connection: Connection, organisation_id: int, *, left: int, at: datetime) -> int:
    more = True
    while more and left:
        left -= 1
        async with connection.transaction():
            events, bodies = await retention.forget_access_events(connection, organisation_id)
            counts = {"events": events, "batches_without_bytes": bodies}
            await _note(connection, organisation_id, "events of access", counts, at=at)
        more = events == retention.ROWS_MAX
    return left


async def _note(
    connection: Connection, organisation_id: int, thing: str, counts: dict[str, int], *, at: datetime
) -> None:
    if any(counts.values()):
        entry = Entry(
            actor_kind="rule",
            actor="retention",
            action="retention.delete",
            object=thing,
            organisation_id=organisation_id,
            new=counts,
            why="kept no longer",
        )
        await audit_log.append(connection, [entry], at=at)
