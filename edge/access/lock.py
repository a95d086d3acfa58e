"""One lock: opened for a time when somebody may pass, else in its safe state; shut comes before open.

It opens through `Outputs.set`, so that what lets somebody in is on the disk before the lock moves.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from edge.access.owning import as_owner
from edge.control.offers import NotDoneError
from edge.control.outputs import Outputs
from rules.access.words import Lock
from wire.settings.portal import PortalSettings

LOG = logging.getLogger(__name__)
FIRST_S = 1.0
"""Drivers open their devices meanwhile."""
RETRY_S, RETRY_MAX_S = 0.5, 30.0
BY = "access"
SHUT = "it was shut meanwhile"
LATE = "the time to pass was over before the lock could move"
STOPPED = "what keeps the lock was stopped"
Opened = Callable[[str], None]
"""Told how an opening ended: empty, or why it was not done."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One time that the lock is to open."""

    until_ms: int
    """Steady: it never opens after that, however long the disk or others were waited for."""
    by: str
    opened: Opened


class LockKeeper:
    """The lock of one portal."""

    def __init__(
        self,
        portal: PortalSettings,
        outputs: Outputs,
        *,
        now_ms: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        """`now_ms` is steady; `changed` is told when `state` is another one."""
        assert portal.lock_output is not None
        self._output = portal.lock_output
        self._unlocks = int(portal.lock_unlocks == "on")
        self._pulse_ms = int(portal.lock_pulse_s * 1000) if portal.lock_mode == "pulse" else None
        self._outputs = outputs
        self._now_ms = now_ms
        self._changed = changed
        self._openings: asyncio.Queue[Opening] = asyncio.Queue()
        self._until_ms = -1
        self._opens = False
        """Whether an opening is under way."""
        self._look = asyncio.Event()
        self.state = Lock.UNKNOWN

    def open(self, opening: Opening) -> None:
        """Open the lock, or hold it open for longer."""
        self._openings.put_nowait(opening)

    def shut(self) -> None:
        """Have it locked again at once; openings that were asked for before come to nothing."""
        active = self._opens or self._until_ms >= 0
        self._until_ms = -1
        self._come_to_nothing(SHUT)
        if active or self.state is not Lock.LOCKED:
            self._look.set()

    def is_now(self, count: int | None) -> None:
        """Take what the output is: others may set it too, and its driver begins with it locked."""
        if count is None:
            self._said(Lock.UNKNOWN)
        elif not self._opens:
            self._said(Lock.UNLOCKED if count == self._unlocks else Lock.LOCKED)

    async def run(self) -> None:
        """Keep it until cancelled, and leave it locked; what waited then comes to nothing."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._open_them())
                tasks.create_task(self._shut_them())
        finally:
            self._come_to_nothing(STOPPED)
            if self.state is not Lock.LOCKED or self._until_ms >= 0:  # Perhaps written, not confirmed.
                await self._lock()

    def _come_to_nothing(self, reason: str) -> None:
        while not self._openings.empty():
            self._openings.get_nowait().opened(reason)

    async def _open_them(self) -> None:
        while True:
            opening = await self._openings.get()
            failure = STOPPED
            self._opens = True
            try:
                failure = await self._open_once(opening)
            finally:
                self._opens = False
                opening.opened(failure)
            if self._pulse_ms is not None and not failure and self._until_ms >= 0:
                self._until_ms = self._now_ms() + self._pulse_ms
            self._look.set()

    async def _open_once(self, opening: Opening) -> str:
        """Open for one opening, and return why that was not done."""
        if opening.until_ms <= self._now_ms():
            return LATE
        self._until_ms = max(self._until_ms, opening.until_ms)
        return await self._unlock(opening)

    async def _unlock(self, opening: Opening) -> str:
        if self.state is Lock.UNLOCKED:
            return ""
        try:
            with as_owner():
                await self._outputs.set(
                    self._output,
                    self._unlocks,
                    by=opening.by,
                    still_wanted=lambda: opening.until_ms > self._now_ms(),
                )
        except NotDoneError as error:
            self._until_ms = -1
            self._said(Lock.UNKNOWN)
            return str(error) if opening.until_ms > self._now_ms() else LATE
        self._said(Lock.UNLOCKED)
        return "" if self._until_ms >= 0 else SHUT

    async def _shut_them(self) -> None:
        wait_s: float | None = FIRST_S
        failed_s = RETRY_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._look.wait()
            self._look.clear()
            left_ms = self._until_ms - self._now_ms()
            if left_ms > 0:
                wait_s = left_ms / 1000
            elif await self._lock():
                wait_s, failed_s = None, RETRY_S
            else:
                wait_s, failed_s = failed_s, min(2 * failed_s, RETRY_MAX_S)

    async def _lock(self) -> bool:
        self._until_ms = -1
        self._said(Lock.UNKNOWN)  # Who is let in meanwhile has it opened again.
        try:
            await self._outputs.make_safe(self._output, by=BY)
        except NotDoneError as error:
            LOG.warning("lock %s: %s", self._output, error)
            return False
        self._said(Lock.LOCKED)
        return True

    def _said(self, state: Lock) -> None:
        if state is not self.state:
            self.state = state
            self._changed()
