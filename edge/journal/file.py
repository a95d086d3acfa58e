"""One journal file: appends groups, seals them into batches, forgets what is acknowledged.

Everything here is synchronous and each call is one transaction; nothing here knows the network or waits.
Its owner calls it from one thread at a time.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from edge.backlog import Waiting
from edge.journal import rows
from edge.journal.declared import Declared
from edge.journal.errors import JournalDamagedError, JournalError
from edge.journal.group import (
    WEIGHT_MAX,
    Group,
    is_empty,
    last_tick,
    merge,
    mergeable,
    split,
    without_readings,
)
from edge.journal.memory import Hole, Lost, LostEvents, Memory
from edge.journal.room import REACHED, Limits, Moment, Thinner
from edge.journal.schema import (
    SCHEMA_VERSION,
    VERSION_KEY,
    connect,
    is_sound,
    transaction,
    translated,
    used_bytes,
)
from edge.journal.sealer import Head, Sealed, Sealer
from edge.journal.sieve import Part, all_later, all_now, without_urgent
from edge.journal.state import State
from wire.errors import FrameError

NOTHING: Mapping[str, bytes] = MappingProxyType({})
PACK_ROWS = 64
"""So many single groups are packed into one row while nobody takes them."""
LOOKED_THROUGH_BYTES_MAX = 64 * 2**20
"""A larger file is not looked through as a whole when it is opened: that would take too long."""
SIFTED_ROWS = 16
"""So many rows are looked through at once for what may not wait."""
LOST_STRETCHES_MAX = 200
RUNNING = b"1"
STOPPED = b"0"
CLOSED = b"2"
_NOT_ADOPTED = ("journal", "head", "running", "clock_found", VERSION_KEY, *REACHED)


class BatchKey(NamedTuple):
    """By what a sealed batch is known."""

    epoch: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class SealedRef:
    """A sealed batch that stands in the file."""

    id: int
    hash: bytes
    readings: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a journal file is given from outside."""

    sealer: Sealer
    random_id: Callable[[], bytes]
    """16 random bytes."""
    utc_s: Callable[[], int | None]
    """UTC in seconds, None while it is not known."""
    limits: Limits


class JournalFile:
    """An open journal."""

    def __init__(self, file: Path, given: Surroundings) -> None:
        """Open or create; `JournalDamagedError` when what is there is not what was written."""
        self._given = given
        self._connection = connect(file)
        try:
            self._load(file)
        except BaseException:
            self._connection.close()
            raise

    def _load(self, file: Path) -> None:
        with translated():
            if file.stat().st_size <= LOOKED_THROUGH_BYTES_MAX and not is_sound(self._connection):
                raise JournalDamagedError("a page is not as it was written")
        self.state = State(self._connection)
        self.memory = Memory(self.state)
        self.running = self.state.get("running")
        self.stopped_cleanly = self.running in (None, STOPPED)
        self.last_boot = self.state.get("boot")
        self._thinner = Thinner(self._connection, self.state, self._given.limits)
        self._acked: list[int] = []
        self._staged: dict[BatchKey, SealedRef] = {}
        self._unpacked: deque[int] = deque()
        self._sifted = 0
        """Rows up to this id hold nothing but readings."""
        self.sealed: dict[BatchKey, SealedRef] = {}
        if self.state.get("journal") is None:
            with self._transaction():
                self.state.put("journal", self._given.random_id())
                self.state.put(VERSION_KEY, str(SCHEMA_VERSION).encode())
                self.state.put("head", Head(self._given.random_id()).pack())
        reached = [int(self.state.get(key) or b"0") for key in REACHED]
        self._next_pending = max(rows.largest_id(self._connection, "pending"), *reached) + 1
        self._next_sealed = rows.largest_id(self._connection, "sealed") + 1
        self._newest_tick = 0
        self._unpacked.extend(self._unpacked_ids())
        for row in self._all_sealed():
            self.sealed[BatchKey(row.epoch, row.seq)] = SealedRef(row.id, row.hash, row.readings)

    def _unpacked_ids(self) -> list[int]:
        """Single groups stand at the end only."""
        query = "SELECT id, packed FROM pending ORDER BY id DESC LIMIT ?"
        with translated():
            found = self._connection.execute(query, (4 * PACK_ROWS,)).fetchall()
        singles: list[int] = []
        for row_id, packed in found:
            if packed:
                break
            singles.insert(0, row_id)
        return singles

    def _all_sealed(self) -> list[rows.SealedRow]:
        found: list[rows.SealedRow] = []
        after = 0
        while chunk := list(rows.read_sealed(self._connection, after, 100)):
            found += [replace(row, frame=b"") for row in chunk]
            after = chunk[-1].id
        return found

    @property
    def head(self) -> Head:
        """Where the chain stands."""
        return Head.unpack(self.state.get("head") or b"")

    @property
    def has_pending(self) -> bool:
        """Whether groups wait to be sealed, or lost stretches to be told."""
        return self._any_pending() or self.memory.has_lost

    def _any_pending(self) -> bool:
        with translated():
            return self._connection.execute("SELECT 1 FROM pending LIMIT 1").fetchone() is not None

    @property
    def has_urgent(self) -> bool:
        """Whether anything but readings may wait to be sealed: it is not known of rows never looked at."""
        return self._sifted < self._next_pending - 1 or self.memory.has_lost

    @property
    def used_bytes(self) -> int:
        """How many bytes of the file hold rows."""
        with translated():
            return used_bytes(self._connection)

    def start(self, boot: bytes, fed: Declared) -> None:
        """Begin a run: remember the boot, and what is fed."""
        with self._transaction():
            self.state.put("boot", boot)
            self.state.put("running", RUNNING)
            self.memory.number_boot(boot)
            self.memory.end_backlogs(boot)
            self.memory.declare(fed, backlog=self.has_backlog)
            self.memory.owe_damage(point.name for point in fed.points)
        with translated():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def append(
        self,
        groups: Sequence[Group],
        *,
        seal: int,
        part: Part = all_now,
        lost: Iterable[Lost | LostEvents] = (),
        notes: Mapping[str, bytes] = NOTHING,
    ) -> list[Sealed]:
        """Journal groups; what `part` lets go of the first `seal` of them is sealed at once and returned."""
        sealed: list[Sealed] = []
        with self._transaction():
            self.memory.keep(notes)
            for gone in lost:
                if isinstance(gone, Lost):
                    self.memory.lose_span(gone)
                else:
                    self.memory.lose_events(gone)
            for index, group in enumerate(groups):
                self.memory.note(group)
                self._newest_tick = max(self._newest_tick, last_tick(group) or 0)
                now, later = (part if index < seal else all_later)(group)
                if not is_empty(now):
                    sealed.extend(self._seal(now))
                if not is_empty(later):
                    self._keep(later, packed=False)
            self._pack_singles()
            self._make_room()
        return sealed

    def seal_backlog(self, count: int) -> list[Sealed]:
        """Seal what waits, oldest first, into at most `count` batches as full as can be."""
        sealed: list[Sealed] = []
        with self._transaction():
            for group in self.memory.take_lost(LOST_STRETCHES_MAX, self._given.sealer.gateway):
                sealed.extend(self._seal(group))
            while len(sealed) < count and (run := self._oldest_run()):
                sealed.extend(self._seal(merge([row.group for row in run])))
                rows.delete_pending(self._connection, [row.id for row in run])
                self._forget_singles(run[-1].id)
            if not self._any_pending():
                self.memory.nothing_waits()
        return sealed

    def seal_urgent(self, count: int) -> list[Sealed]:
        """Seal what is no reading out of the oldest rows not looked through yet, into about `count` batches.

        Their readings stay where they are. Nothing may be found although more rows are to be looked through.
        """
        sealed: list[Sealed] = []
        reached = self._sifted
        with self._transaction():
            for group in self.memory.take_lost(LOST_STRETCHES_MAX, self._given.sealer.gateway):
                sealed.extend(self._seal(group))
            runs: list[list[Group]] = []
            found = list(rows.read_pending(self._connection, reached, SIFTED_ROWS))
            for row in found:
                urgent = without_readings(row.group)
                if not is_empty(urgent):
                    if not (runs and _fits(runs[-1], urgent)):
                        if len(runs) == count:
                            break
                        runs.append([])
                    runs[-1].append(urgent)
                    self._leave(row, without_urgent(row.group))
                reached = row.id
            else:
                reached = reached if len(found) == SIFTED_ROWS else self._next_pending - 1
            for run in runs:
                sealed.extend(self._seal(merge(run)))
        self._sifted = reached
        return sealed

    def _leave(self, row: rows.PendingRow, rest: Group) -> None:
        """Let the rest of a row take its place."""
        rows.delete_pending(self._connection, [row.id])
        if not is_empty(rest):
            rows.insert_pending(self._connection, replace(row, group=rest))
        elif row.id in self._unpacked:
            self._unpacked.remove(row.id)

    def _oldest_run(self) -> list[rows.PendingRow]:
        run: list[rows.PendingRow] = []
        weight = 0
        for row in rows.read_pending(self._connection, 0, 2 * PACK_ROWS):
            weight += row.group.weight
            if run and (weight > WEIGHT_MAX or not mergeable(run[0].group, row.group)):
                break
            run.append(row)
        return run

    @property
    def last_sealed(self) -> int:
        """The row id that the youngest sealed batch has or had."""
        return self._next_sealed - 1

    def unsent(self, after: int, limit: int) -> tuple[int, list[Sealed]]:
        """Return at most `limit` sealed batches behind a row id, and the id to go on from."""
        found: list[Sealed] = []
        for row in rows.read_sealed(self._connection, after, limit):
            after = row.id
            if BatchKey(row.epoch, row.seq) in self.sealed:
                found.append(Sealed(row.epoch, row.seq, row.hash, row.frame, row.readings))
        return after, found

    def frame_of(self, key: BatchKey) -> bytes | None:
        """Return the bytes of a sealed batch that is not acknowledged."""
        ref = self.sealed.get(key)
        if ref is None:
            return None
        row = next(rows.read_sealed(self._connection, ref.id - 1, 1), None)
        return row.frame if row and row.id == ref.id else None

    def acknowledge(self, key: BatchKey) -> None:
        """Forget a batch; its row goes with the next transaction."""
        ref = self.sealed.pop(key, None)
        if ref is not None:
            self._acked.append(ref.id)

    def new_epoch(self, epochs: Sequence[bytes]) -> bool:
        """Start a new epoch if the current one is named; return whether it was.

        Batches sealed before keep their epoch, number and bytes: the hub compares what is in them with what
        it has.
        """
        if self.head.epoch not in epochs:
            return False
        with self._transaction():
            self.state.put("head", Head(self._given.random_id()).pack())
        return True

    def adopt(self, *, sealed: Sequence[rows.SealedRow], pending: Sequence[rows.PendingRow]) -> None:
        """Take over what was read of a damaged file; sealed batches keep their bytes."""
        with self._transaction():
            for batch in sealed:
                self._insert(replace(batch, id=self._next_sealed))
            for row in pending:
                self._keep(row.group, packed=True, at=row.at)

    def adopt_holes(self, holes: Sequence[Hole]) -> None:
        """Remember what could not be read of a damaged file, to be told as gaps."""
        with self._transaction():
            for number, hole in enumerate(holes):
                self.memory.lose_hole(hole, number)

    def adopt_state(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """Take over what a damaged file remembered, but for its own identity and chain.

        Whether the clock was told is forgotten: the row that told it may be among those that are gone.
        """
        with self._transaction():
            for key, value in entries:
                if key not in _NOT_ADOPTED:
                    self.state.put(key, value)

    def adopt_damage(self, reason: str) -> None:
        """Remember that a damaged file was set aside until that is told."""
        with self._transaction():
            self.memory.damage(reason)

    def declare(self, fed: Declared) -> None:
        """Remember what is fed from now on."""
        with self._transaction():
            self.memory.declare(fed, backlog=self.has_backlog)

    @property
    def has_backlog(self) -> bool:
        """Whether anything is there that the hub has not acknowledged."""
        return bool(self.sealed) or self.has_pending

    def waiting(self, but: Collection[BatchKey]) -> Waiting:
        """Return what is not acknowledged, without these batches."""
        sealed = [ref for key, ref in self.sealed.items() if key not in but]
        with translated():
            query = "SELECT coalesce(sum(readings), 0) FROM pending"
            (pending,) = self._connection.execute(query).fetchone()
        return Waiting(pending + sum(ref.readings for ref in sealed), len(sealed))

    def flush(self, notes: Mapping[str, bytes] = NOTHING) -> None:
        """Delete what is acknowledged, and keep what drivers want kept."""
        if self._acked or notes:
            with self._transaction():
                self.memory.keep(notes)

    def close(self, *, clean: bool) -> None:
        """Close; a clean stop is remembered, and so is that the log was folded in, clean or not."""
        try:
            with self._transaction():
                self.state.put("running", STOPPED if clean else CLOSED)
        except JournalError:
            if clean:
                raise
        finally:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit rows, state and acknowledged deletes together; memory follows what was committed."""
        singles = self._unpacked.copy()
        try:
            with transaction(self._connection):
                yield
                rows.delete_sealed(self._connection, self._acked)
                self.state.write()
        except BaseException:
            self.state.discard()
            self._staged, self._unpacked = {}, singles
            raise
        self.state.committed()
        self.sealed.update(self._staged)
        self._staged, self._acked = {}, []

    def _make_room(self) -> None:
        moment = Moment(self._given.utc_s(), self.state.get("boot") or b"", self._newest_tick)
        thinned = self._thinner.run(moment)
        for row in thinned.sealed:
            self.sealed.pop(BatchKey(row.epoch, row.seq), None)
        for group in thinned.kept:
            self._keep(group, packed=False)

    def _forget_singles(self, upto: int) -> None:
        while self._unpacked and self._unpacked[0] <= upto:
            self._unpacked.popleft()

    def _seal(self, group: Group) -> list[Sealed]:
        """Seal a group; one that no frame can carry is sealed in parts."""
        number = self.memory.boot_number(group.boot)
        try:
            sealed, head = self._given.sealer.seal(group, self.head, number)
        except FrameError:
            parts = split(group)
            if not parts:
                raise
            return [one for part in parts for one in self._seal(part)]
        self.state.put("head", head.pack())
        at = self._given.utc_s()
        self._insert(
            rows.SealedRow(
                self._next_sealed, sealed.epoch, sealed.seq, sealed.hash, at, sealed.readings, sealed.frame
            )
        )
        return [sealed]

    def _insert(self, row: rows.SealedRow) -> None:
        rows.insert_sealed(self._connection, row)
        self._staged[BatchKey(row.epoch, row.seq)] = SealedRef(row.id, row.hash, row.readings)
        self._next_sealed += 1

    def _keep(self, group: Group, *, packed: bool, at: int | None = None) -> None:
        row_id = self._next_pending
        if self._sifted == row_id - 1 and is_empty(without_readings(group)):
            self._sifted = row_id
        self._next_pending += 1
        self.memory.wait(group)
        at = self._given.utc_s() if at is None else at
        rows.insert_pending(self._connection, rows.PendingRow(row_id, at, packed, group))
        if not packed:
            self._unpacked.append(row_id)

    def _pack_singles(self) -> None:
        """Pack single groups into full rows, each under its run's last id, so that ids stay in order."""
        if len(self._unpacked) < PACK_ROWS:
            return
        found = list(rows.read_pending(self._connection, self._unpacked[0] - 1, len(self._unpacked)))
        if not found:  # all of them were dropped meanwhile to make room
            self._unpacked.clear()
            return
        run: list[rows.PendingRow] = []
        for row in found:
            weight = sum(one.group.weight for one in run) + row.group.weight
            if run and (weight > WEIGHT_MAX or not mergeable(run[0].group, row.group)):
                self._replace(run)
                run = []
            run.append(row)
        self._replace(run)
        self._unpacked.clear()

    def _replace(self, run: Sequence[rows.PendingRow]) -> None:
        rows.delete_pending(self._connection, [row.id for row in run])
        merged = merge([row.group for row in run])
        row = replace(run[-1], at=run[0].at, packed=True, group=merged)
        rows.insert_pending(self._connection, row)


def _fits(run: Sequence[Group], group: Group) -> bool:
    weight = sum(one.weight for one in run) + group.weight
    return weight <= WEIGHT_MAX and mergeable(run[0], group)
