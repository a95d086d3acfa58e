"""The interlock machine: time passes, something is observed, the latch moves (table "latch" of its page).

Every timer is played out at the very tick at which it is due, so that looking more often changes nothing.
What is observed at one instant is given together and counts together. Timers that are due at an instant come
before what is observed at it.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from rules.interlock import causes, fitness
from rules.interlock.inputs import Happening, Moment, Seen
from rules.interlock.model import CalibrationDue, CheckDue
from rules.interlock.plan import Plan, Watched
from rules.interlock.reasons import Reason
from rules.interlock.state import (
    LATCHED,
    CauseState,
    Change,
    ChangeKind,
    Kept,
    Phase,
    State,
    Stepped,
    Vote,
    Watch,
    Why,
)
from rules.interlock.status import ballots, unsettled

Changes = list[Change]


def step(state: State, plan: Plan, at: Moment, *, inputs: Sequence[Seen] = ()) -> Stepped:
    """Return the state at `at`, after what was observed then, and what changed.

    A moment before the last one counts as the last one. `ValueError` for a moment of another boot: after a
    restart comes `restart`.
    """
    if at.boot != state.kept.at.boot:
        raise ValueError(f"moment of boot {at.boot}: the state is of boot {state.kept.at.boot}")
    at = at.on(max(at.tick, state.kept.at.tick))
    changes: Changes = []
    while (due := next_due(state, plan, at)) is not None and due <= at.tick:
        state = settle(state, plan, at.on(due), changes=changes)
    state = _taken(state, plan, at, inputs=inputs, changes=changes)
    state = settle(state, plan, at, changes=changes)
    return Stepped(state, tuple(changes))


def next_due(state: State, plan: Plan, now: Moment) -> int | None:
    """Return the next tick at which something may change although nothing is observed; None for never.

    `now` tells how ticks and UTC lie to each other.
    """
    found = [tick for tick in _dues(state, plan, now) if tick > state.kept.at.tick]
    return min(found, default=None)


def settle(state: State, plan: Plan, at: Moment, *, changes: Changes) -> State:
    """Return the state after everything that is due at `at`; what changed is appended to `changes`."""
    state = replace(state, kept=_aged(state.kept, at, changes))
    watches = tuple(
        causes.settle(watched, _told(watched, watch, state.kept), at.tick)
        for watched, watch in zip(plan.watched, state.watches, strict=True)
    )
    changes += _turned(state, watches, at)
    fits = tuple(fitness.settle(one, fit, at.tick) for one, fit in zip(plan.fits, state.fits, strict=False))
    return _moved(replace(state, watches=watches, fits=fits), plan, changes)


def trip(state: State, plan: Plan, first_out: Sequence[Vote], *, changes: Changes) -> State:
    """Return the state after a trip from a phase that is not latched."""
    kept = state.kept
    names = tuple(vote.cause for vote in first_out)
    changes.append(Change(ChangeKind.TRIPPED, kept.at, kept.breach + 1, causes=names, words=said(first_out)))
    kept = replace(
        kept,
        phase=Phase.TRIPPED,
        breach=kept.breach + 1,
        tripped_at=kept.at,
        first_out=tuple(first_out),
        acknowledged=None,
    )
    fits = tuple(fitness.begin(one) for one in plan.fits)
    return readied(replace(state, kept=kept, fits=fits, resume_until=None), plan, changes)


def breach(state: State, plan: Plan, names: Sequence[str], *, changes: Changes) -> State:
    """Return the state after another breach while latched: acknowledgement and steadiness begin anew."""
    kept = replace(state.kept, breach=state.kept.breach + 1, acknowledged=None)
    votes = [_vote(watch) for watch in state.watches if watch.cause in names]
    changes.append(Change(ChangeKind.BREACHED, kept.at, kept.breach, causes=tuple(names), words=said(votes)))
    return replace(state, kept=kept, fits=tuple(fitness.begin(one) for one in plan.fits))


def said(votes: Iterable[Vote]) -> str:
    """Return why causes voted, one sentence after the other; empty where none of them is of the rule."""
    return "; ".join(vote.words for vote in votes if vote.words)


def readied(state: State, plan: Plan, changes: Changes) -> State:
    """Return a latched state as ready or not ready to be reset."""
    ready = next(unsettled(state, plan), None) is None
    if ready is (state.phase is Phase.READY_TO_RESET):
        return state
    kind = ChangeKind.READY if ready else ChangeKind.NOT_READY
    changes.append(Change(kind, state.kept.at, state.kept.breach))
    phase = Phase.READY_TO_RESET if ready else Phase.TRIPPED
    return replace(state, kept=replace(state.kept, phase=phase))


# --- time and observations ----------------------------------------------------------------------------


def _dues(state: State, plan: Plan, now: Moment) -> Iterator[int]:
    for watched, watch in zip(plan.watched, state.watches, strict=True):
        yield from causes.dues(watched, watch)
        overdue = _overdue_utc(watched)
        if overdue is not None and now.utc is not None:
            yield now.tick + overdue - now.utc
    for fitting, fit in zip(plan.fits, state.fits, strict=False):
        yield from fitness.dues(fitting, fit)
    for bypass in state.kept.bypasses:
        yield bypass.until
    if state.resume_until is not None:
        yield state.resume_until


def _aged(kept: Kept, at: Moment, changes: Changes) -> Kept:
    """Return what is kept at a later moment, without the bypasses that are over by then."""
    utc_seen = kept.utc_seen if at.utc is None else max(at.utc, kept.utc_seen or at.utc)
    over = tuple(bypass for bypass in kept.bypasses if bypass.until <= at.tick)
    changes += [
        Change(ChangeKind.BYPASS_ENDED, at, kept.breach, causes=(one.cause,), reason=Reason.EXPIRED)
        for one in over
    ]
    left = tuple(bypass for bypass in kept.bypasses if bypass not in over)
    return replace(kept, at=at, utc_seen=utc_seen, bypasses=left)


def _taken(state: State, plan: Plan, at: Moment, *, inputs: Sequence[Seen], changes: Changes) -> State:
    if not inputs:
        return state
    kept = state.kept
    happened = [one for one in inputs if isinstance(one, Happening)]
    for watched in plan.watched:
        check = watched.condition
        if not isinstance(check, CheckDue) or watched.name in kept.checks:
            continue
        if any(one.kind in check.after and one.subject == check.device for one in happened):
            kept = replace(kept, checks=(*kept.checks, watched.name))
            changes.append(Change(ChangeKind.CHECK_DUE, at, kept.breach, causes=(watched.name,)))
    watches = tuple(
        causes.take(watched, watch, inputs, now=at)
        for watched, watch in zip(plan.watched, state.watches, strict=True)
    )
    changes += _turned(state, watches, at)
    fits = tuple(
        fitness.take(one, fit, inputs, now=at) for one, fit in zip(plan.fits, state.fits, strict=False)
    )
    return replace(state, kept=kept, watches=watches, fits=fits)


def _overdue_utc(watched: Watched) -> int | None:
    if not isinstance(watched.condition, CalibrationDue):
        return None
    calibration = None if watched.sensor is None else watched.sensor.calibration
    return None if calibration is None else calibration.due_utc


def _told(watched: Watched, watch: Watch, kept: Kept) -> Watch:
    """Return the watch of a cause that no device tells: a check, a calibration."""
    match watched.condition:
        case CheckDue():
            return causes.turn(watch, kept.at.tick, out=watched.name in kept.checks)
        case CalibrationDue():
            missing = watched.sensor is None or watched.sensor.calibration is None
            due = _overdue_utc(watched)
            overdue = due is not None and kept.utc_seen is not None and kept.utc_seen >= due
            return causes.turn(watch, kept.at.tick, out=missing or overdue)
        case _:
            return watch


def _turned(state: State, watches: Sequence[Watch], at: Moment) -> Iterator[Change]:
    for before, after in zip(state.watches, watches, strict=True):
        if before.votes is not after.votes:
            kind = ChangeKind.VOTED if after.votes else ChangeKind.CLEARED
            change = Change(kind, at, state.kept.breach, causes=(after.cause,))
            yield replace(change, because=after.because, words=after.words)


# --- the latch ----------------------------------------------------------------------------------------


def _moved(state: State, plan: Plan, changes: Changes) -> State:
    found = ballots(state, plan)
    before, now = state.votes, tuple(name for ballot in found for name in ballot.votes)
    new = [name for name in now if name not in before]
    cast = {watch.cause: _vote(watch) for watch in state.watches}
    guilty = [cast[name] for ballot in found if ballot.reached for name in ballot.votes]
    state = replace(state, votes=now)
    if state.phase in LATCHED:
        if new:
            state = _again(state, plan, new, guilty=guilty, changes=changes)
        return readied(state, plan, changes)
    if guilty:
        first_out = sorted(guilty, key=lambda vote: (vote.since, vote.cause))
        return trip(state, plan, first_out, changes=changes)
    if state.phase is Phase.STARTING:
        return _started(state, plan, changes)
    if state.phase is Phase.HEALTHY:
        return replace(state, kept=replace(state.kept, healthy_at=state.kept.at))
    return state


def _vote(watch: Watch) -> Vote:
    return Vote(watch.cause, watch.since, str(watch.because or ""), watch.words)


def _again(
    state: State, plan: Plan, new: Sequence[str], *, guilty: Sequence[Vote], changes: Changes
) -> State:
    """Return a latched state after another cause voted; at the instant of the trip that is part of it."""
    kept = state.kept
    if kept.tripped_at is None or kept.tripped_at != kept.at:
        return breach(state, plan, new, changes=changes)
    cast = {vote.cause: vote for vote in (*guilty, *kept.first_out)}
    first_out = tuple(sorted(cast.values(), key=lambda vote: (vote.since, vote.cause)))
    return replace(state, kept=replace(kept, first_out=first_out, acknowledged=None))


def _started(state: State, plan: Plan, changes: Changes) -> State:
    """Go on by itself when every cause was heard to be normal in time, or trip when the time is over."""
    kept = state.kept
    if state.resume_until is None or kept.at.tick >= state.resume_until:
        return trip(state, plan, [Vote(Why.RESTART, kept.at.tick)], changes=changes)
    aside = {bypass.cause for bypass in kept.bypasses}
    waiting = [one for one in state.watches if one.state is not CauseState.NORMAL and one.cause not in aside]
    if waiting:
        return state
    changes.append(Change(ChangeKind.RESUMED, kept.at, kept.breach))
    kept = replace(kept, phase=Phase.HEALTHY, healthy_at=kept.at, first_out=(), acknowledged=None)
    return replace(state, kept=kept, resume_until=None)
