"""Runs the interlocks of a gateway: steps them, has outputs follow, keeps and tells what changed.

What makes safe takes effect first and is told then; what permits is on the disk before it counts. Whatever
goes wrong in here itself leaves every output in its safe state.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from edge.control.given import Given
from edge.control.hearers import Hearers
from edge.control.runner import Runner, moment
from edge.control.telling import told_of, work_told
from rules.interlock.acts import act
from rules.interlock.inputs import Person, Seen, Trip
from rules.interlock.model import ticks
from rules.interlock.state import LATCHED, Kept, Phase, Stepped, encode_kept, needs_keeping
from rules.interlock.step import step

KEEP_EVERY_S = 10.0
"""So often is the state of an interlock written down at least; `hold_work` may resume within 60 s of it."""
JOURNAL_S = 10.0
"""So long may the journal take nothing; then every interlock trips."""
ITSELF = Person("@gateway")
"""Who trips where no person does."""


class Engine:
    """All interlocks, as they run."""

    def __init__(self, given: Given, runners: Sequence[Runner], changed: Hearers) -> None:
        self._given = given
        self.runners = runners
        self._changed = changed
        self.broken = False
        """Whether something in here failed; the next turn of the control loop trips everything."""
        self._journal_tick = given.now_tick()
        """When the journal took something last."""
        self._journal_out = False
        self.permits = asyncio.Event()
        """Set when something went on by itself and is not released yet."""

    # --- what happens ------------------------------------------------------------------------------------

    def feed(self, runner: Runner, inputs: Sequence[Seen] = ()) -> None:
        """Let time pass for one interlock, and show it what was observed."""
        with self._failing_safe():
            self._adopt(runner, step(runner.state, runner.plan, moment(self._given), inputs=inputs))

    def pass_time(self) -> None:
        """Let time pass for those for which something is due; trip what the gateway itself demands."""
        now = self._given.now_tick()
        if self.broken:
            self.trip_all("control failed and began again")
            self.broken = False
        for runner in self.runners:
            if runner.due is not None and runner.due <= now:
                self.feed(runner)
            if runner.kept_tick is None or now - runner.kept_tick >= ticks(KEEP_EVERY_S):
                self.feed(runner)
                self.keep(runner)
        if now - self._journal_tick > ticks(JOURNAL_S) and not self._journal_out:
            self._journal_out = True
            self.trip_all(f"the journal took nothing for {JOURNAL_S:g} s")

    def journal_took(self, tick: int | None = None) -> None:
        """The journal took something, now or at a tick."""
        tick = self._given.now_tick() if tick is None else tick
        if tick > self._journal_tick:
            self._journal_tick, self._journal_out = tick, False

    def trip(self, runner: Runner, reason: str) -> None:
        """Trip one interlock for a reason of the gateway itself."""
        with self._failing_safe():
            asked = Trip(by=ITSELF, reason=reason)
            self._adopt(runner, act(runner.state, runner.plan, asked, at=moment(self._given)))

    def trip_all(self, reason: str) -> None:
        """Trip every interlock that is not latched."""
        for runner in self.runners:
            if runner.state.phase not in LATCHED:
                self.trip(runner, reason)

    def adopt(self, runner: Runner, stepped: Stepped, *, durable: bool = False) -> None:
        """Go on with a new state; `durable`: the disk knows what it permits."""
        with self._failing_safe():
            self._adopt(runner, stepped, durable=durable)

    def next_due(self) -> int | None:
        """Return the tick at which something is due."""
        return min((runner.due for runner in self.runners if runner.due is not None), default=None)

    # --- what follows ------------------------------------------------------------------------------------

    def _adopt(self, runner: Runner, stepped: Stepped, *, durable: bool = False) -> None:
        before, runner.state = runner.state, stepped.state
        if stepped.state.safe:
            self._hold(runner)
        elif durable:
            self.release(runner)
        if stepped.state.phase is Phase.HEALTHY and not runner.released:
            self.permits.set()
        runner.look_again(moment(self._given))
        if needs_keeping(before.kept, stepped.state.kept):
            self.keep(runner)
        self.tell(runner, stepped)
        if stepped.changes or before.votes != stepped.state.votes:
            self._changed.tell()

    def tell(self, runner: Runner, stepped: Stepped) -> None:
        """Journal what changed."""
        for change in stepped.changes:
            kind, data = told_of(change, runner.state)
            self._given.tell(kind, data, runner.name)

    def keep(self, runner: Runner, kept: Kept | None = None) -> None:
        """Have the state written down with the next commit, or one that is not in force yet."""
        runner.overtaken = kept is None
        runner.kept_tick = self._given.now_tick()
        self._given.remember(runner.key, encode_kept(runner.state.kept if kept is None else kept))

    def release(self, runner: Runner) -> None:
        """Let its effects go: it is healthy, and the disk knows it."""
        if runner.released or self.broken:
            return
        runner.released = True
        for holder in runner.holders:
            holder.release()
        self._tell_work(runner, held=False)

    def _hold(self, runner: Runner) -> None:
        if not runner.released:
            return
        runner.released = False
        for holder in runner.holders:
            holder.demand_safe()
        self._tell_work(runner, held=True)

    def _tell_work(self, runner: Runner, *, held: bool) -> None:
        for zone, kind, data in work_told(runner.plan.rule, runner.state, held=held):
            self._given.tell(kind, data, zone)

    @contextmanager
    def _failing_safe(self) -> Iterator[None]:
        """Whatever was not expected makes everything safe before it is raised."""
        fine = False
        try:
            yield
            fine = True
        finally:
            if not fine:
                self.broken = True
                for runner in self.runners:
                    runner.released = False
                    for holder in runner.holders:
                        holder.demand_safe()

    async def permit(self, runner: Runner) -> None:
        """Release an interlock that went on by itself, once the disk knows it; trip it when that refuses."""
        breach = runner.state.kept.breach
        self.keep(runner)
        durable = await self._given.settle()
        kept = runner.state.kept
        if kept.phase is not Phase.HEALTHY or kept.breach != breach:
            return
        if durable:
            self.journal_took()
            self.release(runner)
            self._changed.tell()
        else:
            self.trip(runner, "the journal does not take that it may go on")
