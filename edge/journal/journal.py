"""The journal as the gateway uses it: commits what was accepted, hands sealed batches to the uplink.

It owns the one thread that touches the file. What the disk refuses stays in bounded memory and is tried
again; a damaged file is set aside and a new one begins.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from edge.journal.errors import JournalDamagedError, JournalError, JournalFullError
from edge.journal.file import BatchKey, JournalFile, Surroundings
from edge.journal.group import gather
from edge.journal.held import Held
from edge.journal.intake import Intake
from edge.journal.memory import LastTick, OpenGap
from edge.journal.salvage import begin_run, salvage
from edge.journal.sealer import Sealed
from wire.messages import Clock, Layout

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
    damage: str | None = None
    """Why the file before was set aside."""
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
    ) -> None:
        """`clock` gives the clock of the moment, `now` monotonic seconds."""
        self._folder = folder
        self._given = given
        self._boot = boot
        self._clock = clock
        self._layouts: Sequence[Layout] = ()
        self._held = Held(memory_bytes_max)
        self._acks: list[BatchKey] = []
        self._failing = False
        self._committing = asyncio.Lock()
        self.intake = Intake(now)
        self.room = 0
        """How many fresh batches the uplink takes now; it is set there."""
        self.ready: deque[Sealed] = deque()
        """Fresh batches, sealed and durable, for the uplink."""
        self.wake = asyncio.Event()
        """Set when there is something for the uplink to do."""
        self.waiting = False
        """Whether there is backlog to be sealed."""
        self.file_count = 0
        """Grows with every file opened."""
        self.damages: list[str] = []
        """Why files were set aside while running; the recorder takes them."""

    async def __aenter__(self) -> Self:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if hasattr(self, "_file"):
            clean = kind is None and not self._held.groups
            close = partial(self._file.close, clean=clean)
            await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown()

    async def open(self, layouts: Sequence[Layout]) -> Past:
        """Open the file, or salvage it and begin a new one; wait while the disk lets neither happen."""
        self._layouts = layouts
        loop = asyncio.get_running_loop()
        while True:
            try:
                past = await loop.run_in_executor(self._thread, self._open)
            except JournalFullError as error:
                self._refused(error)
                await asyncio.sleep(RETRY_S)
                continue
            past = replace(past, blocked=self._failing)
            self._accepted()
            return past

    def _open(self) -> Past:
        self._file, salvaged, past = begin_run(self._folder, self._given, self._start)
        self.file_count += 1
        self.waiting = self._file.has_pending
        return replace(past, damage=salvaged.reason) if salvaged else past

    def _start(self, file: JournalFile) -> Past:
        past = _past(file)
        file.start(self._boot, self._layouts)
        return past

    async def run(self) -> None:
        """Commit what is accepted, whenever it is due, until cancelled."""
        while True:
            due = await self.intake.due(RETRY_S if self._held.groups else FLUSH_S)
            if due or self._held.groups:
                await self.commit()
            elif self._acks:
                await self._call(lambda file: file.flush())

    async def commit(self) -> None:
        """Journal what is there; what the disk refuses stays in memory."""
        async with self._committing:
            await self._commit()

    async def _commit(self) -> None:
        self._held.add(gather(self.intake.take(), self._boot, self._clock()))
        if not self._held.groups:
            return
        groups, lost, room = list(self._held.groups), self._held.lost(), self.room
        sealed = await self._call(lambda file: file.append(groups, seal=room, lost=lost))
        if sealed is None:
            return
        self._held.written()
        self.ready.extend(sealed)
        self.wake.set()

    async def seal_backlog(self, count: int) -> list[Sealed]:
        """Return at most about `count` batches of what waited, sealed and durable."""
        return await self._call(lambda file: file.seal_backlog(count) if file.has_pending else []) or []

    async def unsent(self, after: int, limit: int) -> tuple[int, list[Sealed]]:
        """Return batches that were sealed earlier, and from where to go on."""
        return await self._call(lambda file: file.unsent(after, limit)) or (after, [])

    async def frame_of(self, key: BatchKey) -> bytes | None:
        """Return the bytes of a batch that is not acknowledged; None when it is gone."""
        return await self._call(lambda file: file.frame_of(key))

    def acknowledge(self, key: BatchKey) -> None:
        """Forget a batch; its row goes with the next commit."""
        self._acks.append(key)

    async def new_epoch(self, epochs: Sequence[bytes]) -> bool:
        """Begin a new epoch if the current one is named; return whether it was."""
        return await self._call(lambda file: file.new_epoch(epochs)) or False

    def clock_owed(self) -> bool:
        """Whether a clock record has to follow for this boot."""
        return self._file.memory.clock_owed(self._boot)

    async def _call(self, work: Callable[[JournalFile], _T]) -> _T | None:
        """Run one piece of work in the journal's thread; None when the disk refused it."""
        acks, self._acks = self._acks, []
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(self._thread, self._work, acks, work)
        except JournalFullError as error:
            self._refused(error)
            return None
        self._accepted()
        return result

    def _refused(self, error: JournalFullError) -> None:
        if not self._failing:
            LOG.error("journal: the disk takes nothing more: %s", error)
        self._failing = True

    def _accepted(self) -> None:
        if self._failing:
            LOG.warning("journal: the disk takes data again")
        self._failing = False

    def _work(self, acks: Sequence[BatchKey], work: Callable[[JournalFile], _T]) -> _T:
        for key in acks:
            self._file.acknowledge(key)
        try:
            result = work(self._file)
        except JournalDamagedError as error:
            self._replace_file(str(error))
            result = work(self._file)
        self.waiting = self._file.has_pending
        return result

    def _replace_file(self, reason: str) -> None:
        with suppress(JournalError):
            self._file.close(clean=False)
        self._file, _ = salvage(self._folder, self._given, reason)
        self._file.start(self._boot, self._layouts)
        self.file_count += 1
        self.damages.append(reason)


def _past(file: JournalFile) -> Past:
    last = file.memory.last_ticks()
    return Past(
        boot=file.last_boot,
        stopped_cleanly=file.stopped_cleanly,
        last_ticks=last,
        open_gaps=file.memory.open_gaps(),
        layouts={key: file.memory.points_of(key) for key in last},
    )
