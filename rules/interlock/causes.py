"""One cause: from what was observed to whether it votes. The table "cause" of the documentation.

Staleness counts from when a reading was taken, delays from when it was judged.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec.structs import replace

from rules.interlock import votes
from rules.interlock.guard import is_out, uncertainty, verdict
from rules.interlock.inputs import Happening, Lost, Moment, ReadBack, Reading, Seen
from rules.interlock.model import (
    Alive,
    CalibrationDue,
    CheckDue,
    Confirmed,
    Happened,
    InState,
    Limit,
    Rate,
    ticks,
)
from rules.interlock.plan import Watched
from rules.interlock.state import CauseState, Verdict, Watch
from wire.status import Status

GOOD = frozenset({Status.GOOD, Status.TIME_BRACKETED})
"""An implausible value is none that could end a breach, nor keep a sensor fresh."""
BEYOND = frozenset({Status.OVER_RANGE, Status.UNDER_RANGE})
"""At the end of what the sensor can tell, which is outside of any limit it is asked for."""
_OUT = frozenset({CauseState.PENDING, CauseState.VOTING})


def begin(watched: Watched, tick: int) -> Watch:
    """Return what is known of a cause at the start: nothing, unless it needs no device to be known."""
    told = isinstance(watched.condition, Happened | CheckDue | CalibrationDue)
    return Watch(watched.name, CauseState.NORMAL if told else CauseState.UNKNOWN, since=tick, fresh=tick)


def take(watched: Watched, watch: Watch, inputs: Sequence[Seen], *, now: Moment) -> Watch:
    """Return what is known after what was observed at one instant, in whatever order it is listed."""
    match watched.condition:
        case Limit() | Rate() | InState() | Alive() as condition:
            readings = [i for i in inputs if isinstance(i, Reading) and i.point == condition.point]
            for reading in sorted(readings, key=_order):
                watch = _read(watched, watch, reading, now=now)
            gone = [i.cause for i in inputs if isinstance(i, Lost) and i.point == condition.point]
            if gone:
                watch = replace(watch, gap=min(gone))
            return _lost(watched, watch, now.tick) if gone and watched.stale is None else watch
        case Happened() as condition:
            return _happened(condition, watch, inputs, tick=now.tick)
        case Confirmed() as condition:
            said = [i.agrees for i in inputs if isinstance(i, ReadBack) and i.output == condition.output]
            return turn(_heard(watch, now.tick), now.tick, out=not all(said)) if said else watch
        case _:
            return watch


def turn(watch: Watch, tick: int, *, out: bool) -> Watch:
    """Return the watch after its condition was found out or in."""
    match watch.state, out:
        case ((CauseState.UNKNOWN | CauseState.NORMAL), True):
            return replace(watch, state=CauseState.PENDING, since=tick)
        case ((CauseState.UNKNOWN | CauseState.PENDING), False):
            return replace(watch, state=CauseState.NORMAL, since=tick)
        case CauseState.VOTING, False:
            return replace(watch, state=CauseState.CLEARING, since=tick)
        case CauseState.CLEARING, True:
            return replace(watch, state=CauseState.VOTING, since=tick)
        case _:
            return watch


def settle(watched: Watched, watch: Watch, tick: int) -> Watch:
    """Return the watch after time has passed up to `tick`."""
    if watch.until is not None and tick >= watch.until:
        watch = turn(replace(watch, until=None), tick, out=False)
    if watch.state is CauseState.PENDING and tick >= watch.since + watched.on:
        because, words = votes.out(watched, watch.value, watch.uncertainty)
        watch = replace(
            watch, state=CauseState.VOTING, since=watch.since + watched.on, because=because, words=words
        )
    elif watch.state is CauseState.CLEARING and tick >= watch.since + watched.off:
        watch = replace(watch, state=CauseState.NORMAL, because=None, words="")
    stale = _stale_at(watched, watch)
    return _lost(watched, watch, stale) if stale is not None and tick >= stale else watch


def dues(watched: Watched, watch: Watch) -> Iterable[int]:
    """Yield the ticks at which something may change although nothing is observed."""
    if watch.until is not None:
        yield watch.until
    if watch.state is CauseState.PENDING:
        yield watch.since + watched.on
    elif watch.state in (CauseState.CLEARING, CauseState.NORMAL):
        yield watch.since + watched.off
    stale = _stale_at(watched, watch)
    if stale is not None:
        yield stale


def is_normal(watched: Watched, watch: Watch, tick: int) -> bool:
    """Whether a cause has been in for its off-delay."""
    return watch.state is CauseState.NORMAL and tick >= watch.since + watched.off


def _order(reading: Reading) -> tuple[int, int, int, int]:
    count = reading.count
    return reading.tick, reading.status, count is None, 0 if count is None else count


def _stale_at(watched: Watched, watch: Watch) -> int | None:
    """Return the first tick at which the newest good reading is too old; None when it counts as stale."""
    if watched.stale is None or watch.stale or watch.fresh is None:
        return None
    return watch.fresh + watched.stale + 1


def _lost(watched: Watched, watch: Watch, tick: int) -> Watch:
    """A cause that is not heard votes at once: staleness was its delay. Why one voted before stays."""
    if not watch.votes:
        passed = None if watch.fresh is None else tick - watch.fresh
        because, words = votes.silent(watched, ticks=passed, gap=watch.gap)
        watch = replace(watch, because=because, words=words)
    since = watch.since if watch.state is CauseState.VOTING else tick
    return replace(watch, state=CauseState.VOTING, since=since, stale=True, window=(), covered_from=None)


def _heard(watch: Watch, tick: int) -> Watch:
    return replace(watch, seen=tick, fresh=tick, stale=False, gap="")


def _read(watched: Watched, watch: Watch, reading: Reading, *, now: Moment) -> Watch:
    taken = min(reading.tick, now.tick)
    if watch.seen is not None and taken <= watch.seen:
        return watch
    watch = replace(watch, seen=taken)
    if reading.count is None or reading.status not in GOOD:
        if reading.status in BEYOND and isinstance(watched.condition, Limit):
            return turn(replace(watch, value=None, verdict=Verdict.OUT), now.tick, out=True)
        return _lost(watched, watch, now.tick) if watched.stale is None else watch
    if watched.stale is not None and now.tick > taken + watched.stale:
        return watch
    return _judged(watched, _heard(watch, taken), reading.count, now=now)


def _judged(watched: Watched, watch: Watch, count: int, *, now: Moment) -> Watch:
    match watched.condition:
        case Limit() as limit:
            value, u = _value(watched, count), _uncertainty(watched, now)
            found = verdict(value, u if limit.guarded else Decimal(0), limit)
            out = is_out(value, u, limit, was_out=watch.state in _OUT)
            watch = replace(watch, value=value, uncertainty=u, verdict=found)
            return turn(watch, now.tick, out=out)
        case Rate() as rate:
            return _rate(rate, watched, watch, value=_value(watched, count), tick=now.tick)
        case InState() as state:
            watch = replace(watch, value=Decimal(count))
            return turn(watch, now.tick, out=count not in state.normal)
        case _:
            return turn(watch, now.tick, out=False)


def _value(watched: Watched, count: int) -> Decimal:
    assert watched.read is not None
    return watched.read(count)


def _uncertainty(watched: Watched, now: Moment) -> Decimal | None:
    return uncertainty(None if watched.sensor is None else watched.sensor.calibration, now.utc)


def _rate(rate: Rate, watched: Watched, watch: Watch, *, value: Decimal, tick: int) -> Watch:
    """Compare with every value of the window; a window that is not filled yet can say out, but not in."""
    kept = tuple(one for one in watch.window if one[0] >= tick - watched.window)
    change = max((abs(value - other) for _, other in kept), default=Decimal(0))
    covered = tick if watch.covered_from is None else watch.covered_from
    watch = replace(watch, value=value, window=(*kept, (tick, value)), covered_from=covered)
    was_out = watch.state in _OUT
    if change > rate.change_max - (rate.deadband if was_out else Decimal(0)):
        return turn(watch, tick, out=True)
    return turn(watch, tick, out=False) if tick - covered >= watched.window else watch


def _happened(condition: Happened, watch: Watch, inputs: Sequence[Seen], *, tick: int) -> Watch:
    mine = [i.kind for i in inputs if isinstance(i, Happening) and condition.subject in ("", i.subject)]
    if condition.kind in mine:
        return turn(replace(watch, until=tick + ticks(condition.lasts_s)), tick, out=True)
    if condition.ends and condition.ends in mine:
        return turn(replace(watch, until=None), tick, out=False)
    return watch
