"""What an interlock says of itself: votes, what is missing before a reset, what each effect has to be."""

from collections.abc import Iterator

from msgspec import Struct

from rules.interlock import causes, fitness
from rules.interlock.inputs import seconds
from rules.interlock.model import Effect
from rules.interlock.plan import Plan, Watched
from rules.interlock.reasons import Reason
from rules.interlock.state import LATCHED, CauseState, State, Watch


class Ballot(Struct, frozen=True):
    """How one group votes."""

    group: str
    needed: int
    """With a bypass never more than there are causes left to vote."""
    of: int
    """Causes that may vote."""
    votes: tuple[str, ...]
    bypassed: tuple[str, ...]

    @property
    def reached(self) -> bool:
        """Whether the group trips; one without a cause left cannot, and shows it."""
        return bool(self.votes) and len(self.votes) >= self.needed


class Unmet(Struct, frozen=True):
    """One thing that is missing before a reset."""

    reason: Reason
    cause: str = ""
    """A cause, or the point that is not steady; empty for the acknowledgement."""
    remaining_s: float | None = None
    """How long it takes at least, once it is steady; None where time alone does not do it."""
    words: str = ""
    """Of what is not steady: what was outside last, with value and limit."""


class Demand(Struct, frozen=True):
    """What an effect has to be."""

    effect: Effect
    safe: bool
    """False: released, as far as this interlock is concerned."""


def ballots(state: State, plan: Plan) -> tuple[Ballot, ...]:
    """Return the votes of every group."""
    voting = {watch.cause for watch in state.watches if watch.votes}
    aside = {bypass.cause for bypass in state.kept.bypasses}
    found = []
    for group in plan.groups:
        bypassed = tuple(name for name in group.causes if name in aside)
        of = len(group.causes) - len(bypassed)
        votes = tuple(name for name in group.causes if name in voting and name not in aside)
        found.append(Ballot(group.name, min(group.needed, of), of, votes, bypassed))
    return tuple(found)


def demands(state: State, plan: Plan) -> tuple[Demand, ...]:
    """Return what every effect has to be."""
    return tuple(Demand(effect, state.safe) for effect in plan.rule.effects)


def unsettled(state: State, plan: Plan) -> Iterator[Unmet]:
    """Yield every cause that is not normal for its off-delay, and every point that is not steady.

    A bypassed cause is asked for nothing. Nor is a point steady or not while nothing tripped.
    """
    tick = state.kept.at.tick
    aside = {bypass.cause for bypass in state.kept.bypasses}
    for watched, watch in zip(plan.watched, state.watches, strict=True):
        if watched.name not in aside and not causes.is_normal(watched, watch, tick):
            yield _unsettled(watched, watch, tick)
    for fitting, fit in zip(plan.fits, state.fits, strict=False):
        if (left := fitness.remaining(fitting, fit, tick)) > 0:
            steady = fit.inside_since is not None
            reason = Reason.STEADYING if steady else Reason.NOT_STEADY
            yield Unmet(reason, fit.point, seconds(left), words=fit.words)


def unmet(state: State, plan: Plan) -> tuple[Unmet, ...]:
    """Return what is missing before a reset of a latched interlock; of another, before it is enabled."""
    missing = tuple(unsettled(state, plan))
    if state.phase in LATCHED and state.kept.acknowledged is None:
        return (*missing, Unmet(Reason.NOT_ACKNOWLEDGED))
    return missing


def _unsettled(watched: Watched, watch: Watch, tick: int) -> Unmet:
    if watch.stale:
        return Unmet(Reason.STALE, watch.cause)
    match watch.state:
        case CauseState.UNKNOWN if watch.covered_from is not None:
            left = watch.covered_from + watched.window - tick
            return Unmet(Reason.WINDOW, watch.cause, seconds(max(0, left)))
        case CauseState.UNKNOWN:
            return Unmet(Reason.NOT_HEARD, watch.cause)
        case CauseState.PENDING | CauseState.VOTING:
            return Unmet(Reason.OUT, watch.cause)
        case _:
            return Unmet(Reason.OFF_DELAY, watch.cause, seconds(watch.since + watched.off - tick))
