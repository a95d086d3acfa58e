"""A rule replayed over stored history: when it would have tripped, before it is enabled.

The same machine runs; a person who resets as soon as it is allowed is played. History may come in any order.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec
from msgspec import Struct

from rules.interlock.acts import act
from rules.interlock.inputs import Acknowledge, Enable, Moment, Person, Reset, Right, Seen
from rules.interlock.plan import Plan
from rules.interlock.restart import begin
from rules.interlock.state import ChangeKind, Phase, State, Stepped
from rules.interlock.step import next_due, step

BOOT = "rehearsal"
PERSON = Person("rehearsal", frozenset(Right))


class Observation(Struct, frozen=True):
    """Something that was observed, and when (UTC tick)."""

    tick: int
    what: Seen


class WouldTrip(Struct, frozen=True):
    """One trip that would have been."""

    at: int
    """UTC tick."""
    until: int | None
    """When it could have been reset at the earliest; None: not within the history."""
    first_out: tuple[str, ...]


class Rehearsal(Struct, frozen=True):
    """What the rule would have done."""

    from_tick: int
    to_tick: int
    judged_from: int | None
    """When every cause was first normal and the rule began to judge; None: never."""
    trips: tuple[WouldTrip, ...]

    @property
    def tripped_ticks(self) -> int:
        """For how long it would have been tripped."""
        return sum((self.to_tick if one.until is None else one.until) - one.at for one in self.trips)


def rehearse(plan: Plan, history: Iterable[Observation], *, from_tick: int, to_tick: int) -> Rehearsal:
    """Return when the rule would have tripped between two UTC ticks; history outside is left out."""
    run = Rehearsing(plan, from_tick=from_tick, to_tick=to_tick)
    run.take(history)
    return run.end()


class Rehearsing:
    """A rehearsal stretch by stretch, for one who tells how far it has come."""

    def __init__(self, plan: Plan, *, from_tick: int, to_tick: int) -> None:
        """Between two UTC ticks."""
        self._span = from_tick, to_tick
        self._run = _Run(plan, from_tick)

    def take(self, history: Iterable[Observation]) -> None:
        """Go on with everything that was observed in a stretch, which begins after the one before."""
        from_tick, to_tick = self._span
        heard = sorted((one for one in history if from_tick <= one.tick <= to_tick), key=_order)
        for tick, same in groupby(heard, key=lambda one: one.tick):
            self._run.pass_to(tick)
            self._run.see(tick, [one.what for one in same])

    def end(self) -> Rehearsal:
        """Let the rest of the time pass, and return what the rule would have done."""
        from_tick, to_tick = self._span
        self._run.pass_to(to_tick)
        self._run.see(to_tick, [])
        return Rehearsal(from_tick, to_tick, self._run.judged_from, tuple(self._run.trips))


def _order(one: Observation) -> tuple[int, bytes]:
    return one.tick, msgspec.json.encode(one.what)


class _Run:
    """A rehearsal under way."""

    def __init__(self, plan: Plan, tick: int) -> None:
        self.plan = plan
        self.judged_from: int | None = None
        self.trips: list[WouldTrip] = []
        self._state: State = begin(plan, Moment(BOOT, tick, tick)).state
        self._reset()

    def pass_to(self, tick: int) -> None:
        """Let time pass until before `tick`, stopping wherever something changes by itself."""
        while (due := next_due(self._state, self.plan, self._state.kept.at)) is not None and due < tick:
            self.see(due, [])

    def see(self, tick: int, inputs: Sequence[Seen]) -> None:
        """Take what was observed at an instant, and reset where it is allowed."""
        self._note(step(self._state, self.plan, Moment(BOOT, tick, tick), inputs=inputs))
        self._reset()

    def _note(self, stepped: Stepped) -> None:
        self._state = stepped.state
        for change in stepped.changes:
            if change.kind is ChangeKind.TRIPPED:
                self.trips.append(WouldTrip(change.at.tick, None, change.causes))

    def _reset(self) -> None:
        state = self._state
        if state.phase is not Phase.READY_TO_RESET:
            return
        at = state.kept.at
        if self.judged_from is None:
            self.judged_from = at.tick
        else:
            self.trips[-1] = msgspec.structs.replace(self.trips[-1], until=at.tick)
        for asked in (Acknowledge, Reset, Enable):
            breach = self._state.kept.breach
            self._note(act(self._state, self.plan, asked(by=PERSON, breach=breach), at=at))
