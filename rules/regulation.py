"""What an output of the climate is to be, and whether an adjustment has done what it was for.

Pure: time is passed in as ticks of 10 ms of one boot, values of the point as exact decimals, values of the
output as counts. Specified as tables in `docs/explanation/regulation.md`. It writes nothing: `next_write`
says what is to be written, `written` is told what became of it.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

DAY_MIN = 1440
RETRY_S = 30.0
"""So long after a failed write the next one is tried."""


# --- what is wished for -------------------------------------------------------------------------------


class Range(Struct, frozen=True):
    """Where the point is to be; a limit is in."""

    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def given(self) -> bool:
        """Whether anything is asked of the point."""
        return self.low is not None or self.high is not None

    def side(self, value: Decimal) -> int:
        """Return -1 below, 0 inside, 1 above."""
        if self.low is not None and value < self.low:
            return -1
        return 1 if self.high is not None and value > self.high else 0


class Window(Struct, frozen=True):
    """A stretch of the local day, on the weekdays (0 is Monday) on which it begins."""

    days: frozenset[int]
    start_min: int
    end_min: int
    """Later than the start by at most a day."""

    def holds(self, weekday: int, minute: int) -> bool:
        """Whether it holds at a local minute."""
        today = weekday in self.days and self.start_min <= minute < self.end_min
        yesterday = (weekday - 1) % 7 in self.days and minute < self.end_min - DAY_MIN
        return today or yesterday


class Wish(Struct, frozen=True, kw_only=True):
    """A value and what it is wished for by: a window, or a fact of that name that is true."""

    value: int
    window: Window | None = None
    fact: str = ""
    """`job:room-2`, `present:room-2`, `count:room-2/people`."""
    range: Range = Range()


class Correction(Struct, frozen=True):
    """By how much the value moves on while the point stays out of its range."""

    step: int
    every: int
    """Ticks."""
    most: int
    opposite: bool = False


class Rule(Struct, frozen=True, kw_only=True):
    """One regulation."""

    name: str
    wishes: tuple[Wish, ...] = ()
    otherwise: int | None = None
    low: int
    high: int
    """What the output can be."""
    step_max: int | None = None
    apart: int = 0
    """Ticks that it rests between two writes."""
    call_after: int
    """Ticks."""
    correction: Correction | None = None


class Manual(Struct, frozen=True):
    """What a person set by hand, and until which tick."""

    value: int
    until: int
    by: str


class Demand(Struct, frozen=True):
    """What the output is to be, why, and where the point belongs then."""

    value: int | None
    """None: nothing is asked of it."""
    why: str
    range: Range = Range()


UNKNOWN = Demand(None, "unknown")
"""It cannot be told what is wished for: what is set stays."""
NOTHING = Demand(None, "nothing")


def demand(
    rule: Rule,
    facts: Mapping[str, bool | None],
    local: tuple[int, int] | None,
    *,
    manual: Manual | None,
    tick: int,
) -> Demand:
    """Return what is wished for: by hand, else the first wish that holds, else `otherwise`.

    `facts` by name, None for what is not known; `local` is weekday and minute, None while time is not known.
    A wish of which it is not known whether it holds leaves everything behind it undecided.
    """
    if manual is not None and tick < manual.until:
        # What was asked of the point under the first wish is asked of it under a hand's value too.
        return Demand(manual.value, f"manual:{manual.by}", _widest(rule))
    for wish in rule.wishes:
        if wish.window is not None:
            holds = None if local is None else wish.window.holds(*local)
            why = "schedule"
        else:
            holds = facts.get(wish.fact)
            why = wish.fact
        if holds is None:
            return UNKNOWN
        if holds:
            return Demand(wish.value, why, wish.range)
    return NOTHING if rule.otherwise is None else Demand(rule.otherwise, "otherwise")


def _widest(rule: Rule) -> Range:
    return next((wish.range for wish in rule.wishes if wish.range.given), Range())


# --- one adjustment -----------------------------------------------------------------------------------


class Phase(StrEnum):
    """Where an adjustment stands."""

    IDLE = "idle"
    """Nothing is asked of the output."""
    SETTING = "setting"
    WAITING = "waiting"
    """An interlock does not release the output."""
    OPEN = "open"
    """Set and confirmed; the point is not back in its range yet."""
    SETTLED = "settled"


class Told(StrEnum):
    """What is told as an event, behind `regulation_`."""

    ADJUSTED = "adjusted"
    IN_RANGE = "in_range"
    CLOSED = "closed"
    """Nothing is asked of the point any more."""
    CALLED = "called"
    WAITING = "waiting"
    FAILED = "failed"
    DEVIATES = "deviates"


class State(Struct, frozen=True):
    """One regulation as it stands."""

    phase: Phase = Phase.IDLE
    demand: Demand = NOTHING
    trim: int = 0
    """What was added to the wish to bring the point back."""
    trimmed_at: int = 0
    is_set: int | None = None
    """The last value that the device confirmed; None: not known."""
    since: int = 0
    """When this adjustment began."""
    confirmed_at: int = 0
    called: bool = False
    """A person was called for this adjustment."""
    reason: str = ""
    """Why it is not done yet, in words."""
    not_before: int = 0
    """Tick before which nothing is written."""

    @property
    def closed(self) -> bool:
        """Whether nothing is open: the point is back, or a person was called."""
        return self.phase in (Phase.SETTLED, Phase.IDLE) or self.called

    def wanted(self, rule: Rule) -> int | None:
        """Return what the output is to be, within what it can be."""
        if self.demand.value is None:
            return None
        return max(rule.low, min(rule.high, self.demand.value + self.trim))


class View(Struct, frozen=True, kw_only=True):
    """What is seen at one moment."""

    demand: Demand
    released: bool
    """Whether no interlock holds the output."""
    value: Decimal | None = None
    """Of the point; None: there is no good reading that is fresh."""
    taken: int = 0
    """When it was read."""


class Stepped(Struct, frozen=True):
    """The state afterwards, and what is to be told of it, in order."""

    state: State
    told: tuple[Told, ...] = ()


def look(state: State, rule: Rule, view: View, *, tick: int) -> Stepped:
    """Return the state after a look; looking more often changes nothing."""
    told: list[Told] = []
    state = _demanded(state, view, tick, told=told)
    if state.phase is Phase.IDLE:
        return Stepped(state, tuple(told))
    state = _released(state, view, tick, told=told)
    state = _corrected(state, rule, view, tick=tick)
    state = _ranged(state, view, tick, told=told)
    if not state.closed and tick - state.since >= rule.call_after:
        state = replace(state, called=True)
        told.append(Told.CALLED)
    return Stepped(state, tuple(told))


def _demanded(state: State, view: View, tick: int, *, told: list[Told]) -> State:
    wished = view.demand
    if wished == UNKNOWN or wished == state.demand:
        return state
    if wished.value is None:
        told += [] if state.phase in (Phase.SETTLED, Phase.IDLE) else [Told.CLOSED]
        return State(demand=wished, is_set=state.is_set, not_before=state.not_before)
    same = wished.value == state.demand.value and state.phase is not Phase.IDLE
    begun = replace(state, demand=wished, reason="")
    if same:
        return begun
    return replace(begun, phase=Phase.SETTING, trim=0, trimmed_at=tick, since=tick, called=False)


def _released(state: State, view: View, tick: int, *, told: list[Told]) -> State:
    if not view.released and state.phase is not Phase.WAITING:
        told.append(Told.WAITING)
        began = tick if state.phase is Phase.SETTLED else state.since
        # What an interlock does to the output meanwhile is its own affair: it is not known afterwards.
        return replace(
            state, phase=Phase.WAITING, since=began, is_set=None, reason="an interlock holds the output"
        )
    if view.released and state.phase is Phase.WAITING:
        return replace(state, phase=Phase.SETTING, reason="")
    return state


def _corrected(state: State, rule: Rule, view: View, *, tick: int) -> State:
    how, side = rule.correction, 0 if view.value is None else state.demand.range.side(view.value)
    if how is None or state.phase is not Phase.OPEN or side == 0 or tick - state.trimmed_at < how.every:
        return state
    move = how.step if (side < 0) != how.opposite else -how.step
    moved = replace(state, trim=max(-how.most, min(how.most, state.trim + move)), trimmed_at=tick)
    if moved.wanted(rule) == state.wanted(rule):
        return replace(state, trimmed_at=tick)
    return replace(moved, phase=Phase.SETTING)


def _ranged(state: State, view: View, tick: int, *, told: list[Told]) -> State:
    asked = state.demand.range
    inside = not asked.given or (view.value is not None and asked.side(view.value) == 0)
    if state.phase is Phase.OPEN and inside and (not asked.given or view.taken >= state.confirmed_at):
        told.append(Told.IN_RANGE if asked.given else Told.CLOSED)
        return replace(state, phase=Phase.SETTLED, called=False, reason="")
    if state.phase is Phase.SETTLED and not inside:
        told.append(Told.DEVIATES)
        return replace(state, phase=Phase.OPEN, since=tick, trimmed_at=tick, confirmed_at=tick, called=False)
    return state


def next_write(state: State, rule: Rule, tick: int) -> int | None:
    """Return what is to be written now, at most a step further; None when nothing is."""
    wanted = state.wanted(rule)
    if state.phase is not Phase.SETTING or wanted is None or tick < state.not_before:
        return None
    if rule.step_max is None or state.is_set is None:
        return wanted
    return max(state.is_set - rule.step_max, min(state.is_set + rule.step_max, wanted))


def written(
    state: State, rule: Rule, counts: int, *, tick: int, failed: str = "", was_there: bool = False
) -> Stepped:
    """Return the state after a write that was confirmed, or failed for a reason.

    `was_there`: the device said that it is there already, and nothing was written.
    """
    if failed:
        later = tick + max(rule.apart, round(RETRY_S * 100))
        told = () if failed == state.reason else (Told.FAILED,)
        return Stepped(replace(state, is_set=None, reason=failed, not_before=later), told)
    rest = state.not_before if was_there else tick + rule.apart
    state = replace(state, is_set=counts, reason="", not_before=rest)
    if state.phase is not Phase.SETTING or counts != state.wanted(rule):
        return Stepped(state)
    return Stepped(replace(state, phase=Phase.OPEN, confirmed_at=tick, trimmed_at=tick), (Told.ADJUSTED,))
