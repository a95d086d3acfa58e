"""One transaction: ledger, bodies, readings, everything derived, and what waited for it.

Either all of a group is committed or nothing. The caller acknowledges afterwards; a group that is committed
twice changes nothing the second time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cloud.ingest.contents import store_contents
from cloud.ingest.directory import Directory
from cloud.ingest.group import Group, Sealed, make_ready, settle
from cloud.ingest.placing import clock_of, place_waiting
from cloud.ingest.verdict import Judge, Verdict
from cloud.store import batches, clocks, directory, ledger
from cloud.store.batches import BatchRow, State
from cloud.store.clocks import ClockRow, TombstoneRow
from cloud.store.connection import Connection
from cloud.store.ledger import Received


class DirectoryChangedError(Exception):
    """The group was resolved under a directory that is no longer the newest."""


@dataclass(slots=True)
class Committed:
    """What one commit did, for acknowledgements and counters."""

    acks: dict[str, list[tuple[bytes, int, bytes]]] = field(default_factory=lambda: defaultdict(list))
    """gateway -> (epoch, seq, hash) of all its batches that are stored, now or before."""
    new_epochs: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    """gateway -> epochs to give up, because numbers of them came with two hashes."""
    batches: int = 0
    readings: int = 0
    known: int = 0
    conflicts: int = 0
    unplaced: int = 0


async def commit(connection: Connection, group: Group) -> Committed:
    """Store a group in one transaction. `DirectoryChangedError` before anything is stored."""
    done = Committed()
    async with connection.transaction():
        if await directory.hold(connection) != group.directory.version:
            raise DirectoryChangedError
        verdicts, judge = await _judged(connection, group)
        entering = [(item, verdict) for item, verdict in verdicts if verdict is not Verdict.KNOWN]
        if entering:
            await _enter(connection, entering, group)
            for gateway_id, epoch in sorted(judge.closed):
                await ledger.close(connection, gateway_id, epoch)
    for item, verdict in verdicts:
        _account(done, item, verdict, judge=judge)
    return done


async def _judged(connection: Connection, group: Group) -> tuple[list[tuple[Sealed, Verdict]], Judge]:
    gateways = sorted({item.gateway.id for item in group.batches})
    await ledger.lock_gateways(connection, gateways)
    judge = Judge(await ledger.epochs(connection, gateways))
    doubtful = judge.doubtful(group.batches)
    known = await batches.known(connection, doubtful) if doubtful else []
    return judge.judge(group.batches, known), judge


async def _enter(connection: Connection, entering: Sequence[tuple[Sealed, Verdict]], group: Group) -> None:
    items = [item for item, _ in entering]
    found = await _note_clocks(connection, items, group.directory)
    await _store_new(connection, entering, group)
    await batches.insert(connection, [_row(item, verdict) for item, verdict in entering])
    await ledger.enter(connection, [_received(item) for item in items])
    tombstones = [row for item in items for row in _tombstones(item)]
    if tombstones:
        await clocks.insert_tombstones(connection, tombstones)
    if found:
        await place_waiting(connection, found, group.directory)
    await batches.notify(connection)


async def _note_clocks(connection: Connection, items: Sequence[Sealed], known: Directory) -> list[ClockRow]:
    """Keep clock records, and give batches with an open offset the clock that was found for their boot."""
    records = [row for item in items for row in _clock_rows(item)]
    if records:
        await clocks.insert_found(connection, records)
    waiting = [item for item in items if item.clock.offset_ticks is None]
    if waiting:
        found = await clocks.found(connection, sorted({item.boot for item in waiting}))
        for item in waiting:
            row = found.get(item.boot)
            if row is not None:
                item.clock = clock_of(row)
                settle(item, known)
    return records


async def _store_new(
    connection: Connection, entering: Sequence[tuple[Sealed, Verdict]], group: Group
) -> None:
    sure = [item.contents for item, verdict in entering if item.contents and verdict is Verdict.EXTENDS]
    unsure = [item.contents for item, verdict in entering if item.contents and verdict is not Verdict.EXTENDS]
    if sure:
        ready = group.ready if group.ready.holds(sure) else make_ready(sure)
        await store_contents(connection, ready, compare=False)
    if unsure:
        await store_contents(connection, make_ready(unsure), compare=True)


def _received(item: Sealed) -> Received:
    return Received(
        gateway_id=item.gateway.id,
        organisation_id=item.gateway.organisation_id,
        epoch=item.batch.epoch,
        seq=item.batch.seq,
        hash=item.hash,
        last_us=None if item.contents is None else item.contents.last_us,
    )


def _row(item: Sealed, verdict: Verdict) -> BatchRow:
    batch, clock, contents = item.batch, item.clock, item.contents
    return BatchRow(
        organisation_id=item.gateway.organisation_id,
        gateway_id=item.gateway.id,
        epoch=batch.epoch,
        seq=batch.seq,
        hash=item.hash,
        previous=batch.previous,
        key_id=item.key_id,
        signature=item.signature,
        boot=batch.boot,
        boot_number=batch.boot_number,
        clock_state=clock.state.value,
        offset_ticks=clock.offset_ticks,
        bound_ms=clock.bound_ms,
        clock_source=clock.source,
        state=_state(item, verdict),
        reason=item.reason,
        readings=item.readings,
        first_us=None if contents is None else contents.first_us,
        last_us=None if contents is None else contents.last_us,
        received_us=item.received_us,
        body=item.body,
    )


def _state(item: Sealed, verdict: Verdict) -> State:
    if item.clock.offset_ticks is None:
        return "waiting"
    if item.contents is None:
        return "quarantined"
    return "conflict" if verdict is Verdict.CONFLICT else "placed"


def _clock_rows(item: Sealed) -> Iterable[ClockRow]:
    for clock in item.batch.clocks:
        yield ClockRow(
            gateway_id=item.gateway.id,
            organisation_id=item.gateway.organisation_id,
            boot=clock.boot,
            offset_ticks=clock.offset_ticks,
            bound_ms=clock.bound_ms,
            source=clock.source,
        )


def _tombstones(item: Sealed) -> Iterable[TombstoneRow]:
    for stone in item.batch.tombstones:
        yield TombstoneRow(
            gateway_id=item.gateway.id,
            organisation_id=item.gateway.organisation_id,
            epoch=stone.epoch,
            seq=stone.seq,
            hash=stone.hash,
            reason=stone.reason,
        )


def _account(done: Committed, item: Sealed, verdict: Verdict, *, judge: Judge) -> None:
    gateway = item.gateway.name
    done.acks[gateway].append((item.batch.epoch, item.batch.seq, item.hash))
    if judge.is_clash(item):
        done.new_epochs[gateway].add(item.batch.epoch)
    if verdict is Verdict.KNOWN:
        done.known += 1
        return
    done.batches += 1
    done.readings += item.readings
    done.conflicts += verdict is Verdict.CONFLICT
    done.unplaced += item.contents is None
