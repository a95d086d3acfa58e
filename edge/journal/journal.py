"""The journal as the gateway uses it: commits what was accepted, hands sealed batches to the uplink.

It owns the one thread that touches the file. What the disk refuses stays in bounded memory and is tried
again; a damaged file is set aside and a new one begins. What the thread has begun is always waited for: a
cancelled caller must not leave behind what was written and is not known.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, TypeVar

from edge.backlog import Waiting
from edge.journal.declared import Declared, declare
from edge.journal.errors import JournalDamagedError, JournalError, JournalFullError
from edge.journal.file import BatchKey, JournalFile, Surroundings
from edge.journal.group import Group, gather
from edge.journal.held import Held
from edge.journal.intake import Intake
from edge.journal.lock import FolderLock
from edge.journal.memory import KnownClock, LastTick, OpenGap
from edge.journal.salvage import begin_run, salvage
from edge.journal.sealer import Sealed
from edge.journal.sieve import FULL, Pace, Sieve
from edge.journal.spare import keep_clock, newest_clock
from wire.messages import TICKS_PER_S, Clock, DeviceDeclaration, Layout, PointDeclaration

LOG = logging.getLogger(__name__)
RETRY_S = 1.0
FLUSH_S = 5.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Past:
    """What the journal knew when it was opened."""

    boot: bytes | None
    stopped_cleanly: bool
    last_ticks: dict[str, LastTick]
    open_gaps: dict[str, OpenGap]
    layouts: dict[str, list[str]]
    clock: KnownClock | None = None
    gone: Sequence[str] = ()
    """Points that the last run fed and this one does not."""
    notes: Mapping[str, bytes] = field(default_factory=dict)
    """What drivers had kept."""
    damage: str | None = None
    """Why a file before was set aside, as long as that was not told."""
    owed: Mapping[str, str] = field(default_factory=dict)
    """Points whose gap for a file that was set aside was not told, and why it was: a run that was killed
    may have owed it."""
    blocked: bool = False
    """Whether the disk did not let it be opened at first."""


class Journal:
    """Use as an async context manager; `run` commits until cancelled."""

    def __init__(
        self,
        folder: Path,
        given: Surroundings,
        *,
        boot: bytes,
        clock: Callable[[], Clock],
        now: Callable[[], float],
        memory_bytes_max: int,
        pace: Callable[[], Pace] = lambda: FULL,
    ) -> None:
        """`clock` gives the clock of the moment, `now` monotonic seconds, `pace` what may be sealed now."""
        self._folder = folder
        self._given = given
        self._boot = boot
        self._clock = clock
        self._fed = Declared()
        """What drivers feed now."""
        self._undeclared = False
        """Whether the disk has yet to take what they feed."""
        self._now = now
        self._held = Held(memory_bytes_max)
        self._file: JournalFile | None = None
        """None while the disk does not let it be opened."""
        self._lock: FolderLock | None = None
        """Held from before the file is first opened until after it is closed."""
        self._acks: deque[BatchKey] = deque()
        self._notes: dict[str, bytes] = {}
        """What drivers want kept and is not durable yet."""
        self._kept: dict[str, bytes] = {}
        self._scan: tuple[int, int] | None = None
        """From which row to which sealed batches are still to be handed out; None: from the first."""
        self._clock_kept: KnownClock | None = None
        self.failing = False
        """Whether the disk refused what was tried last."""
        self.taken_at = now()
        """When the disk took something that was written, in monotonic seconds."""
        self._committing = asyncio.Lock()
        self._sieve = Sieve()
        self.pace = pace
        self.intake = Intake(now)
        self.room = 0
        """How many fresh batches the uplink takes now; it is set there."""
        self.ready: deque[Sealed] = deque()
        """Fresh batches, sealed and durable, for the uplink."""
        self.wake = asyncio.Event()
        """Set when there is something for the uplink to do."""
        self.waiting = False
        """Whether there is backlog to be sealed."""
        self.urgent = False
        """Whether there may be backlog other than readings."""
        self.damages: list[str] = []
        """Why files were set aside while running; the recorder takes them."""

    async def __aenter__(self) -> Self:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        clean = kind is None and not self._held.groups
        try:
            await self._in_thread(lambda: self._close(clean=clean))
        except JournalFullError as error:
            LOG.error("journal: the clean stop could not be written: %s", error)
        finally:
            self._thread.shutdown()
            if self._lock:
                self._lock.release()
                self._lock = None

    async def open(
        self,
        layouts: Sequence[Layout],
        stop: asyncio.Event | None = None,
        *,
        points: Sequence[PointDeclaration] = (),
        devices: Sequence[DeviceDeclaration] = (),
    ) -> Past | None:
        """Open the file, or salvage it and begin a new one; wait while the disk lets neither happen.

        None when `stop` was set before the disk let it; `JournalInUseError` when another process has it.
        """
        self._fed = self._feeding(points, layouts, devices)
        stop = stop or asyncio.Event()
        while not stop.is_set():
            try:
                past, _ = await self._in_thread(self._open)
            except JournalFullError as error:
                self._refused(error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await stop.wait()
                continue
            past = replace(past, blocked=self.failing)
            self._kept = {**past.notes, **self._kept}
            self._accepted()
            return past
        return None

    def _open(self) -> tuple[Past, str | None]:
        """Return what was known, and why the file before was set aside, if it was."""
        self._lock = self._lock or FolderLock.take(self._folder)
        self._file, salvaged, past = begin_run(self._folder, self._given, self._start)
        self._scan = None
        self._look_at(self._file)
        return past, salvaged.reason if salvaged else None

    def _start(self, file: JournalFile) -> Past:
        fed = {point.name for point in self._fed.points}
        gone = [point.name for point in file.memory.declared().points if point.name not in fed]
        past = _past(file)
        past = replace(past, gone=gone, clock=newest_clock(self._folder, past.clock, self._boot))
        file.start(self._boot, self._fed)
        return replace(past, damage=file.memory.untold_damage(), owed=file.memory.owed_damage())

    def _close(self, *, clean: bool) -> None:
        file, self._file = self._file, None
        if file:
            self._take_acks(file)
            file.close(clean=clean)

    async def declare(
        self,
        points: Sequence[PointDeclaration],
        layouts: Sequence[Layout],
        devices: Sequence[DeviceDeclaration] = (),
    ) -> None:
        """Remember what is fed from now on; what the disk refuses is tried again before anything else."""
        self._fed = self._feeding(points, layouts, devices)
        self._undeclared = True
        await self._declare()

    async def _declare(self) -> None:
        def done(_: None) -> None:
            self._undeclared = False

        await self._call(lambda file: file.declare(self._fed), then=done)

    def _feeding(
        self,
        points: Sequence[PointDeclaration],
        layouts: Sequence[Layout],
        devices: Sequence[DeviceDeclaration],
    ) -> Declared:
        self._sieve.feed(points, layouts)
        since = (self._boot, int(self._now() * TICKS_PER_S))
        return Declared(list(points), list(layouts), since, devices=list(devices))

    def declared(self) -> Declared:
        """Return what has to be declared: what is fed now, and what a backlog may still hold."""
        file = self._file
        if file is None:
            return self._fed
        return declare(self._fed, file.memory.declared(), backlog=file.has_backlog)

    async def run(self) -> None:
        """Commit what is accepted, whenever it is due, until cancelled."""
        while True:
            due = await self.intake.due(RETRY_S if self._held.groups else FLUSH_S)
            if due or self._held.groups or self._notes:
                await self.commit()
            elif self._acks:
                await self._call(lambda file: file.flush())

    async def commit(self) -> bool:
        """Journal what is there and return whether it is; what the disk refuses stays in memory."""
        async with self._committing:
            return await self._commit()

    async def _commit(self) -> bool:
        if self._undeclared:
            await self._declare()
        self._held.add(gather(self.intake.take(), self._boot, self._clock()))
        if not self._held.groups:
            if not self._notes:
                return True
            notes = dict(self._notes)
            await self._call(lambda file: file.flush(notes), then=lambda _: self._noted(notes))
            return not self.failing
        groups, lost, room = list(self._held.groups), self._held.lost(), self.room
        notes, pace = dict(self._notes), self.pace()

        def append(file: JournalFile) -> tuple[list[Sealed], Sieve]:
            sieve = self._sieve.trial()

            def part(group: Group) -> tuple[Group, Group]:
                return sieve.part(group, pace)

            return file.append(groups, seal=room, part=part, lost=lost, notes=notes), sieve

        def journalled(done: tuple[list[Sealed], Sieve]) -> None:
            sealed, sieve = done
            self._sieve.adopt(sieve)
            self._noted(notes)
            self._journalled(sealed)

        await self._call(append, then=journalled)
        return not self.failing

    def _noted(self, notes: Mapping[str, bytes]) -> None:
        self.taken_at = self._now()
        for key, value in notes.items():
            if self._notes.get(key) == value:
                del self._notes[key]

    def _journalled(self, sealed: Sequence[Sealed]) -> None:
        self._held.written()
        self.ready.extend(sealed)
        self.wake.set()

    async def seal_backlog(self, count: int) -> list[Sealed]:
        """Return at most about `count` batches of what waited and may go now, sealed and durable."""
        if self.pace().backlog:
            return await self._call(lambda file: file.seal_backlog(count) if file.has_pending else []) or []
        return await self._call(lambda file: file.seal_urgent(count) if file.has_urgent else []) or []

    async def unsent_now(self, but: Collection[BatchKey]) -> Waiting | None:
        """Return what waits besides these batches; None when the disk does not let it be read now."""
        with suppress(JournalFullError):
            return await self._in_thread(lambda: self._work(lambda file: file.waiting(but)))
        return None

    @property
    def may_seal(self) -> bool:
        """Whether there is backlog that may go now."""
        return self.waiting if self.pace().backlog else self.urgent

    def rewind(self) -> None:
        """Let `unsent` begin anew, with all batches that are sealed by then."""
        self._scan = None

    async def unsent(self, limit: int) -> list[Sealed]:
        """Return the next sealed batches, in flight or not; none once all since `rewind` were returned."""
        if self._scan and self._scan[0] >= self._scan[1]:
            return []
        return await self._call(lambda file: self._unsent(file, limit)) or []

    def _unsent(self, file: JournalFile, limit: int) -> list[Sealed]:
        after, upto = self._scan or (0, file.last_sealed)
        reached, found = file.unsent(after, limit)
        self._scan = (upto if reached == after else reached, upto)
        return found

    async def frame_of(self, key: BatchKey) -> bytes | None:
        """Return the bytes of a batch that is not acknowledged; None when it is gone.

        `JournalFullError` when the disk does not let it be read now.
        """
        return await self._in_thread(lambda: self._work(lambda file: file.frame_of(key)))

    def acknowledge(self, key: BatchKey) -> None:
        """Forget a batch; its row goes with the next commit."""
        self._acks.append(key)

    async def new_epoch(self, epochs: Sequence[bytes]) -> bool:
        """Begin a new epoch if the current one is named; return whether it was."""
        return await self._call(lambda file: file.new_epoch(epochs)) or False

    def remember(self, key: str, value: bytes) -> None:
        """Keep a small value; it becomes durable with the next commit, or within `FLUSH_S` without one."""
        if self._kept.get(key) != value:
            self._kept[key] = self._notes[key] = value

    def recall(self, key: str) -> bytes | None:
        """Return what was kept, in this run or an earlier one."""
        return self._kept.get(key)

    def clock_owed(self) -> bool:
        """Whether a clock record has to follow for this boot."""
        file = self._file
        return file is not None and file.memory.clock_owed(self._boot)

    async def _call(
        self, work: Callable[[JournalFile], _T], *, then: Callable[[_T], None] | None = None
    ) -> _T | None:
        """Run one piece of work in the journal's thread; None when the disk refused it.

        `then` gets the result even when the caller was cancelled meanwhile.
        """

        def done(result: _T) -> None:
            self._accepted()
            if then:
                then(result)

        try:
            return await self._in_thread(lambda: self._work(work), then=done)
        except JournalFullError as error:
            self._refused(error)
            return None

    async def _in_thread(self, work: Callable[[], _T], *, then: Callable[[_T], None] | None = None) -> _T:
        """Run work in the journal's thread and wait to its end, although the caller may be cancelled."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as request:
                cancelled = request
        error = future.exception()
        if then and error is None:
            then(future.result())
        if cancelled:
            raise cancelled
        return future.result()

    def _refused(self, error: JournalFullError) -> None:
        if not self.failing:
            LOG.error("journal: the disk takes nothing more: %s", error)
        self.failing = True

    def _accepted(self) -> None:
        if self.failing:
            LOG.warning("journal: the disk takes data again")
        self.failing = False

    def _work(self, work: Callable[[JournalFile], _T]) -> _T:
        file = self._file or self._opened_again()
        self._take_acks(file)
        try:
            result = work(file)
        except JournalDamagedError as error:
            file = self._replaced(str(error))
            result = work(file)
        self._look_at(file)
        return result

    def _look_at(self, file: JournalFile) -> None:
        self.waiting, self.urgent = file.has_pending, file.has_urgent
        clock = file.memory.clock()
        if clock and clock.boot == self._boot and clock != self._clock_kept:
            keep_clock(self._folder, clock)
            self._clock_kept = clock

    def _take_acks(self, file: JournalFile) -> None:
        while self._acks:
            file.acknowledge(self._acks.popleft())

    def _replaced(self, reason: str) -> JournalFile:
        """Salvage the file; when the disk does not let that be finished, the next call goes on with it."""
        with suppress(JournalError):
            self._close(clean=False)
        salvage(self._folder, self._given, reason)[0].close(clean=False)
        self.damages.append(reason)
        self._notes = {**self._kept}  # the file that begins may know none of them
        return self._opened_again()

    def _opened_again(self) -> JournalFile:
        _, reason = self._open()
        if reason:
            self.damages.append(reason)
        assert self._file
        return self._file


def _past(file: JournalFile) -> Past:
    last = file.memory.last_ticks()
    return Past(
        boot=file.last_boot,
        stopped_cleanly=file.stopped_cleanly,
        last_ticks=last,
        open_gaps=file.memory.open_gaps(),
        layouts={key: file.memory.points_of(key) for key in last},
        clock=file.memory.clock(),
        notes=file.memory.notes(),
    )
