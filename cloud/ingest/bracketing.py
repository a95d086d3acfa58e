"""Places boots that never found time between the boots before and after them.

The gateway's own order of boots decides who the neighbours are. All batches of the boot get one clock, so
that their order among each other is kept; every reading says `TIME_BRACKETED`, and the bound is the width
of the bracket. A boot with no earlier or no later neighbour goes on waiting.
"""

import logging
from collections.abc import Iterable
from datetime import datetime

from cloud.ingest.directory import Directory
from cloud.ingest.placing import place_waiting
from cloud.store import batches, boots, clocks, directory, ledger
from cloud.store.boots import Neighbours, TimelessBoot
from cloud.store.clocks import BRACKET, ClockRow
from cloud.store.connection import Connection
from cloud.store.ticks import tick_of_datetime
from wire.codec import decode_body
from wire.messages import TICK_MS, Batch

_log = logging.getLogger(__name__)


async def bracket_boots(connection: Connection, known: Directory, quiet_since: datetime) -> int:
    """Place what can be bracketed, each boot in one transaction; return how many boots."""
    placed = 0
    for boot in await boots.list_timeless(connection, quiet_since):
        async with connection.transaction():
            if await directory.hold(connection) != known.version:
                return placed
            await ledger.lock_gateways(connection, [boot.gateway_id])
            clock = await _bracket(connection, boot)
            if clock is None:
                continue
            await clocks.insert_found(connection, [clock])
            count = await place_waiting(connection, [clock], known)
            await batches.notify(connection)
        _log.info("%d batches of a boot without time are bracketed within %d ms", count, clock.bound_ms)
        placed += 1
    return placed


async def _bracket(connection: Connection, boot: TimelessBoot) -> ClockRow | None:
    around = await boots.neighbours(connection, boot)
    if around.after is None or around.before is None:
        return None
    if (boot.gateway_id, boot.boot) in await clocks.found(connection, [(boot.gateway_id, boot.boot)]):
        return None
    ticks = sorted(_ticks(await boots.bodies(connection, boot)))
    return bracket(boot, around, first_tick=ticks[0], last_tick=ticks[-1]) if ticks else None


def bracket(boot: TimelessBoot, around: Neighbours, *, first_tick: int, last_tick: int) -> ClockRow | None:
    """Return the clock that puts a boot into the middle of its bracket; None when it does not fit in."""
    assert around.after is not None
    assert around.before is not None
    low, high = tick_of_datetime(around.after), tick_of_datetime(around.before)
    slack = (high - low) - (last_tick - first_tick)
    if slack < 0:
        return None
    return ClockRow(
        gateway_id=boot.gateway_id,
        organisation_id=boot.organisation_id,
        boot=boot.boot,
        offset_ticks=low + slack // 2 - first_tick,
        bound_ms=(high - low) * TICK_MS,
        source=BRACKET,
    )


def _ticks(found: Iterable[bytes]) -> Iterable[int]:
    """Yield all monotonic ticks of batches, their first and last at least."""
    for body in found:
        batch = decode_body(body, Batch)
        for records in (batch.polls, batch.positions, batch.events):
            yield from (batch.base_tick + record.tick for record in records)
