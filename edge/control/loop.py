"""What keeps the interlocks of a gateway going: the control loop, permits, and the watch over the journal."""

import asyncio

from edge.control.engine import Engine
from edge.control.given import Given
from edge.control.pulse import Pulse
from edge.control.runner import Runner
from rules.interlock.state import Phase
from wire.messages import TICKS_PER_S

LOOK_EVERY_S = 0.1
"""So often does the control loop turn at least."""
ALIVE_S = 2.0
"""A control loop that did not turn for longer is none."""
ASK_JOURNAL_S = 3.0
"""Where nothing else is written for so long, something is."""
ASK_AGAIN_S = 1.0


class ControlLoop:
    """Lets time pass, and shows that it does."""

    def __init__(self, given: Given, engine: Engine, pulse: Pulse | None) -> None:
        self._given = given
        self._engine = engine
        self._pulse = pulse
        self._turned_at = self._now()
        self._soon = asyncio.Event()
        self._next: int | None = None
        """The tick for which it waits."""

    @property
    def alive(self) -> bool:
        """Whether it turns."""
        return self._now() - self._turned_at <= ALIVE_S

    def wake_for(self, runner: Runner) -> None:
        """Something is due for this interlock, perhaps earlier than what is waited for."""
        if runner.due is not None and (self._next is None or runner.due < self._next):
            self._soon.set()

    async def turn(self) -> None:
        """Let time pass, again and again; each turn asks for the next edge of the enable output."""
        while True:
            self._turned_at = self._now()
            self._soon.clear()
            self._engine.pass_time()
            wait_s = LOOK_EVERY_S
            if self._pulse is not None:
                self._pulse.beat(self._turned_at)
                wait_s = min(wait_s, self._pulse.due_s(self._turned_at))
            self._next = self._engine.next_due()
            if self._next is not None:
                wait_s = min(wait_s, max(0.0, (self._next - self._given.now_tick()) / TICKS_PER_S))
            try:
                async with asyncio.timeout(max(wait_s, 0.001)):
                    await self._soon.wait()
            except TimeoutError:
                continue

    async def permit(self) -> None:
        """Release what goes on by itself, once the disk knows it."""
        while True:
            await self._engine.permits.wait()
            self._engine.permits.clear()
            for runner in self._engine.runners:
                if runner.state.phase is Phase.HEALTHY and not runner.released:
                    await self._engine.permit(runner)

    async def watch_journal(self) -> None:
        """Take note of what the journal takes; have it take something where nothing else comes."""
        while True:
            at, taken = self._given.taken_at(), True
            if at is not None:
                self._engine.journal_took(int(at * TICKS_PER_S))
            if at is None or self._now() - at > ASK_JOURNAL_S:
                self._given.remember("@interlocks/asked", str(self._given.now_tick()).encode())
                taken = await self._given.settle()
                if taken:
                    self._engine.journal_took()
            await asyncio.sleep(ASK_JOURNAL_S if taken else ASK_AGAIN_S)

    def _now(self) -> float:
        return self._given.now_tick() / TICKS_PER_S
