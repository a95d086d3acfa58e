"""When an instrument was in use, from its power draw: sessions with start, end and the energy they took.

A reading in, what it means out; no clock and no memory but the state that is handed in and back. Two
thresholds keep a power that hovers from making many sessions, a shortest use keeps out what only switches on,
and a shortest rest keeps a cycling heater within one session. Where readings are missing a session says so:
what happened between two readings is not made up.
"""

from dataclasses import dataclass, replace
from typing import Literal

from wire.messages import TICKS_PER_S


@dataclass(frozen=True, slots=True)
class Limits:
    """Powers in counts of the power point, times in ticks."""

    on: int
    """From this power on it is in use."""
    off: int
    """Below this power it is not; between the two it is what it was."""
    least: int
    rest: int
    gap: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meter said at a tick; None for what it did not say."""

    tick: int
    power: int | None
    energy: int | None = None
    """The meter's counter, in counts of its point."""


@dataclass(frozen=True, slots=True)
class Session:
    """One stretch of use, as far as it is known."""

    number: int
    start: int | None
    """Tick of the first reading in use; None when that was before a restart."""
    start_known: bool
    """False when it was in use already at the first reading after a gap."""
    energy: int | None
    """The counter at the start."""
    gap: int = 0
    """Ticks within it for which there is no reading."""
    restarted: bool = False
    """The gateway was away within it, for a time that is not known here."""
    energy_lost: str = ""
    """Why the energy cannot be told."""


@dataclass(frozen=True, slots=True)
class State:
    """What is carried from one reading to the next."""

    phase: Literal["idle", "rising", "running", "falling"] = "idle"
    session: Session | None = None
    last: int | None = None
    """Tick of the last reading."""
    counter: int | None = None
    """The last counter."""
    fell: int | None = None
    """While falling: the tick of the end, if it stays an end."""
    fell_seen: int = 0
    """While falling: the tick of the first reading that was not in use."""
    fell_known: bool = True
    fell_counter: int | None = None
    numbers: int = 0
    """How many sessions were begun."""


@dataclass(frozen=True, slots=True)
class Started:
    """A session that lasted long enough to be one."""

    session: Session
    tick: int
    """Of the reading that showed it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A session whose rest lasted long enough to be its end."""

    session: Session
    tick: int
    end: int
    """The first reading that was not in use; before a gap the last one that was."""
    end_known: bool
    """False when it ended while there were no readings."""
    energy: int | None
    """Counts of the energy point that it took; None with `session.energy_lost`."""

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; None when the start was before a restart."""
        return None if self.session.start is None else (self.end - self.session.start) / TICKS_PER_S


Happened = Started | Ended


def resume(state: State) -> State:
    """Return the state for the first reading after a restart: its ticks mean nothing any more."""
    if state.session is None or state.phase in ("idle", "rising"):
        return State(numbers=state.numbers)
    session = replace(state.session, start=None, restarted=True)
    return State(phase="running", session=session, counter=state.counter, numbers=state.numbers)


def see(state: State, reading: Reading, limits: Limits) -> tuple[State, tuple[Happened, ...]]:
    """Return the state after a reading, and what it showed. A reading without power shows nothing."""
    if reading.power is None:
        return state, ()
    state = _counted(state, reading)
    missing = 0 if state.last is None else reading.tick - state.last
    gap = missing if missing > limits.gap else 0
    happened: tuple[Happened, ...] = ()
    if state.phase == "falling" and gap and reading.tick - _fell(state) >= limits.rest:
        state, happened = _ended(state, reading)
    step = _used if _in_use(state, reading.power, limits) else _unused
    state, more = step(state, reading, limits, gap=gap)
    return replace(state, last=reading.tick), (*happened, *more)


def _in_use(state: State, power: int, limits: Limits) -> bool:
    if power >= limits.on:
        return True
    return power >= limits.off and state.phase in ("rising", "running")


def _used(state: State, reading: Reading, limits: Limits, *, gap: int) -> tuple[State, tuple[Happened, ...]]:
    session = state.session
    if session is None:
        seen = state.last is not None and not gap
        session = Session(state.numbers + 1, reading.tick, start_known=seen, energy=reading.energy)
        state = replace(state, phase="rising")
    else:
        session = replace(session, gap=session.gap + gap)
        state = replace(state, phase="running" if state.phase == "falling" else state.phase)
    if state.phase == "rising" and reading.tick - (session.start or 0) >= limits.least:
        state = replace(state, phase="running", session=session, numbers=session.number)
        return state, (Started(session, reading.tick),)
    return replace(state, session=session), ()


def _unused(
    state: State, reading: Reading, limits: Limits, *, gap: int
) -> tuple[State, tuple[Happened, ...]]:
    if state.phase == "rising":
        return replace(state, phase="idle", session=None), ()
    if state.phase == "running":
        seen = state.last is not None and not gap
        state = replace(
            state,
            phase="falling",
            fell=reading.tick if seen or state.last is None else state.last,
            fell_seen=reading.tick,
            fell_known=seen,
            fell_counter=reading.energy,
        )
    if state.phase == "falling" and reading.tick - state.fell_seen >= limits.rest:
        return _ended(state, reading)
    return state, ()


def _fell(state: State) -> int:
    return state.fell_seen if state.fell is None else state.fell


def _counted(state: State, reading: Reading) -> State:
    """Follow the meter's counter; one that goes back tells no energy of the session it does so in."""
    if reading.energy is None:
        return state
    session = state.session
    if session is not None and state.counter is not None and reading.energy < state.counter:
        session = replace(session, energy_lost="the meter's counter went back")
    return replace(state, session=session, counter=reading.energy)


def _ended(state: State, reading: Reading) -> tuple[State, tuple[Happened, ...]]:
    session = state.session
    assert session is not None
    energy = None
    if not session.energy_lost:
        if session.energy is None or state.fell_counter is None:
            session = replace(session, energy_lost="the meter told no counter at the start or at the end")
        else:
            energy = state.fell_counter - session.energy
    ended = Ended(session, reading.tick, _fell(state), state.fell_known, energy)
    return State(last=state.last, counter=state.counter, numbers=state.numbers), (ended,)
