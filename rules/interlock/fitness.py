"""Whether a room is steady again after a breach: mean, spread and rate of change over a moving window.

They have to stay inside for the whole stabilisation time. Nothing that is judged is divided or rounded.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec.structs import replace

from rules.interlock.causes import GOOD
from rules.interlock.guard import uncertainty
from rules.interlock.inputs import Moment, Reading, Seen, seconds
from rules.interlock.matrix import number, unit_of
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
    if lost is None or watch.seen is None or tick < lost:
        return watch
    return replace(begin(fitting), words=f"no good reading for {seconds(lost - watch.seen):g} s")


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
    outside = [words for words in (mean, spread, rate) if words]
    return FitWatch(
        watch.point,
        window=window,
        seen=tick,
        inside_since=None if outside else since,
        mean=not mean,
        spread=not spread,
        rate=not rate,
        words="; ".join(outside) or watch.words,
    )


def _mean(fitting: Fitting, window: Window, now: Moment) -> str:
    """Return how the mean is outside, in words; empty when it is inside. So do the others."""
    fit, unit = fitting.fit, unit_of(fitting.sensor)
    u = uncertainty(fitting.sensor.calibration, now.utc) if fit.guarded else Decimal(0)
    if u is None:
        return "its uncertainty is not known"
    n, total = len(window), sum((value for _, value in window), Decimal(0))
    if n * (fit.low + u) <= total <= n * (fit.high - u):
        return ""
    mean = f"mean {_shown(total / n, window)}{unit}" + (f" ± {u:f}{unit}" if u else "")
    return f"{mean} is not within {number(fit.low)} to {number(fit.high)}{unit}"


def _spread(fitting: Fitting, window: Window) -> str:
    values = [value for _, value in window]
    spread, unit = max(values) - min(values), unit_of(fitting.sensor)
    if spread <= fitting.fit.spread_max:
        return ""
    return f"spread {spread:f}{unit} is above {number(fitting.fit.spread_max)}{unit}"


def _rate(fitting: Fitting, window: Window) -> str:
    """Compare the means of both halves of the window; a half that is empty yet shows no change."""
    half = fitting.window // 2
    middle = window[-1][0] - half
    older = [value for tick, value in window if tick < middle]
    newer = [value for tick, value in window if tick >= middle]
    if not older:
        return ""
    most, unit = fitting.fit.rate_max_per_h, unit_of(fitting.sensor)
    change = abs(sum(newer, Decimal(0)) * len(older) - sum(older, Decimal(0)) * len(newer)) * TICKS_PER_H
    hours = half * len(older) * len(newer)
    if change <= most * hours:
        return ""
    return f"rate of change {_shown(change / hours, window)}{unit}/h is above {number(most)}{unit}/h"


def _shown(value: Decimal, window: Window) -> str:
    """Return a computed value with a digit more than the readings have; what is judged is not rounded."""
    exponent = window[-1][1].as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{value.quantize(Decimal(1).scaleb(exponent - 1)):f}"
