"""Places what was kept: batches that waited for time, and batches whose points were not declared.

Their readings are compared one by one with what is stored, because nothing is known of their place in the
chain any more; so placing twice changes nothing.
"""

from collections.abc import Sequence

from cloud.ingest.contents import store_contents
from cloud.ingest.directory import Directory
from cloud.ingest.group import make_ready
from cloud.ingest.resolve import Contents, UnplaceableError, resolve
from cloud.store import batches, clocks, directory, ledger
from cloud.store.batches import OpenRow, Placement
from cloud.store.clocks import BRACKET, ClockRow
from cloud.store.connection import Connection
from cloud.store.directory import GatewayRow
from wire.codec import decode_body
from wire.messages import Batch, Clock
from wire.status import ClockState

_CHUNK = 500


def clock_of(row: ClockRow) -> Clock:
    """Return the clock by which a found clock places a batch."""
    state = ClockState.UNSYNCHRONISED if row.source == BRACKET else ClockState.SYNCHRONISED
    return Clock(state, row.offset_ticks, row.bound_ms, row.source)


async def place_waiting(connection: Connection, found: Sequence[ClockRow], known: Directory) -> int:
    """Place everything that waited for these clocks, in the caller's transaction; return how many."""
    boots = sorted({(row.gateway_id, row.boot) for row in found})
    total = 0
    while rows := await batches.waiting(connection, boots, _CHUNK):
        await _place(connection, rows, known)
        total += len(rows)
    return total


async def place_quarantined(connection: Connection, known: Directory) -> int:
    """Try everything in quarantine under this directory, a part in each transaction; return how many."""
    after = total = 0
    while True:
        rows = await batches.quarantined(connection, after, _CHUNK)
        if not rows:
            return total
        async with connection.transaction():
            if await directory.hold(connection) != known.version:
                return total
            await ledger.lock_gateways(connection, sorted({row.gateway_id for row in rows}))
            still = await batches.still_open(connection, [row.id for row in rows])
            total += await _place(connection, [row for row in rows if row.id in still], known)
            await batches.notify(connection)
        after = rows[-1].id


async def _place(connection: Connection, rows: Sequence[OpenRow], known: Directory) -> int:
    found = await clocks.found(connection, sorted({(row.gateway_id, row.boot) for row in rows}))
    gateways = {gateway.id: gateway for gateway in known.gateways.values()}
    placements: list[Placement] = []
    contents: list[Contents] = []
    for row in rows:
        held, placement = _placement(row, gateways[row.gateway_id], found=found, known=known)
        placements.append(placement)
        if held is not None:
            contents.append(held)
            await ledger.note_last(
                connection, gateway_id=row.gateway_id, epoch=row.epoch, last_us=held.last_us
            )
    if contents:
        await store_contents(connection, make_ready(contents), compare=True)
    changed = [p for p, row in zip(placements, rows, strict=True) if p.state != row.state]
    await batches.place(connection, changed)
    return len(contents)


def _placement(
    row: OpenRow, gateway: GatewayRow, *, found: dict[tuple[int, bytes], ClockRow], known: Directory
) -> tuple[Contents | None, Placement]:
    batch = decode_body(row.body, Batch)
    clock = batch.clock
    if clock.offset_ticks is None:
        clock = clock_of(found[row.gateway_id, row.boot])
    contents: Contents | None = None
    reason = ""
    try:
        contents = resolve(batch, clock, gateway, directory=known)
    except UnplaceableError as error:
        reason = str(error)
    return contents, Placement(
        id=row.id,
        state="quarantined" if contents is None else "conflict" if row.clashes else "placed",
        reason=reason,
        offset_ticks=clock.offset_ticks,
        bound_ms=clock.bound_ms,
        clock_source=clock.source,
        first_us=None if contents is None else contents.first_us,
        last_us=None if contents is None else contents.last_us,
    )
