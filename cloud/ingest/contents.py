"""Stores what batches contain, inside the caller's transaction."""

from cloud.ingest.group import Ready
from cloud.store import events, gaps, readings_write
from cloud.store.connection import Connection


async def store_contents(connection: Connection, ready: Ready, *, compare: bool) -> None:
    """Store readings, positions, events and gaps, and raise what is newest.

    With `compare`, what is stored already is left out, one by one; of events, which are few, always.
    """
    if len(ready.readings):
        if compare:
            await readings_write.insert_missing(connection, ready.readings)
        else:
            await readings_write.copy_readings(connection, ready.stream)
        await readings_write.update_latest(connection, ready.newest)
    positions = [row for item in ready.contents for row in item.positions]
    if positions:
        store = readings_write.insert_missing_positions if compare else readings_write.copy_positions
        await store(connection, positions)
        await readings_write.update_latest_positions(connection, positions)
    happened = [row for item in ready.contents for row in item.events]
    if happened:
        await events.insert_missing(connection, happened)
    missing = [row for item in ready.contents for row in item.gaps]
    if missing:
        await gaps.upsert(connection, missing)
