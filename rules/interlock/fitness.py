"""Whether a room is steady again after a breach: mean, spread and rate of change over a moving window.

They have to stay inside for the whole stabilisation time. Nothing is divided, so that nothing is rounded.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rules.interlock.causes import GOOD
from rules.interlock.guard import uncertainty
from rules.interlock.inputs import Moment, Reading, Seen
from rules.interlock.plan import Fitting
from rules.interlock.state import FitWatch
from wire.messages import TICKS_PER_S

TICKS_PER_H = 3600 * TICKS_PER_S
Window = tuple[tuple[int, Decimal], ...]


def begin(fitting: Fitting) -> FitWatch:
    """Return what is known after a breach: nothing."""
    return FitWatch(fitting.fit.point)


def take(fitting: Fitting, watch: FitWatch, inputs: Sequence[Seen], *, now: Moment) -> FitWatch:
    """Return what is known after what was observed at one instant."""
    readings = [i for i in inputs if isinstance(i, Reading) and i.point == fitting.fit.point]
    for reading in sorted(readings, key=lambda one: (one.tick, one.status, one.count or 0)):
        watch = _read(fitting, watch, reading, now=now)
    return watch


def settle(fitting: Fitting, watch: FitWatch, tick: int) -> FitWatch:
    """Return the watch after time has passed: what is not heard is not steady."""
    lost = _lost_at(fitting, watch)
    return begin(fitting) if lost is not None and tick >= lost else watch


def dues(fitting: Fitting, watch: FitWatch) -> Iterable[int]:
    """Yield the ticks at which something may change although nothing is observed."""
    if watch.inside_since is not None:
        yield watch.inside_since + fitting.time
    lost = _lost_at(fitting, watch)
    if lost is not None:
        yield lost


def remaining(fitting: Fitting, watch: FitWatch, tick: int) -> int:
    """Return for how many ticks all three still have to stay inside: the whole time while they are not."""
    if watch.inside_since is None:
        return fitting.time
    return max(0, watch.inside_since + fitting.time - tick)


def _lost_at(fitting: Fitting, watch: FitWatch) -> int | None:
    if fitting.stale is None or watch.seen is None:
        return None
    return watch.seen + fitting.stale + 1


def _read(fitting: Fitting, watch: FitWatch, reading: Reading, *, now: Moment) -> FitWatch:
    tick = min(reading.tick, now.tick)
    old = watch.seen is not None and tick <= watch.seen
    if old or reading.count is None or reading.status not in GOOD:
        return watch
    if fitting.stale is not None and now.tick > tick + fitting.stale:
        return watch
    kept = tuple(one for one in watch.window if one[0] > tick - fitting.window)
    window = (*kept, (tick, fitting.read(reading.count)))
    mean, spread, rate = _mean(fitting, window, now), _spread(fitting, window), _rate(fitting, window)
    since = watch.inside_since if watch.inside_since is not None else tick
    inside = since if mean and spread and rate else None
    return FitWatch(
        watch.point, window=window, seen=tick, inside_since=inside, mean=mean, spread=spread, rate=rate
    )


def _mean(fitting: Fitting, window: Window, now: Moment) -> bool:
    fit = fitting.fit
    u = uncertainty(fitting.sensor.calibration, now.utc) if fit.guarded else Decimal(0)
    if u is None:
        return False
    n, total = len(window), sum((value for _, value in window), Decimal(0))
    return n * (fit.low + u) <= total <= n * (fit.high - u)


def _spread(fitting: Fitting, window: Window) -> bool:
    values = [value for _, value in window]
    return max(values) - min(values) <= fitting.fit.spread_max


def _rate(fitting: Fitting, window: Window) -> bool:
    """Compare the means of both halves of the window; a half that is empty yet shows no change."""
    half = fitting.window // 2
    middle = window[-1][0] - half
    older = [value for tick, value in window if tick < middle]
    newer = [value for tick, value in window if tick >= middle]
    if not older:
        return True
    change = abs(sum(newer, Decimal(0)) * len(older) - sum(older, Decimal(0)) * len(newer))
    return change * TICKS_PER_H <= fitting.fit.rate_max_per_h * half * len(older) * len(newer)
