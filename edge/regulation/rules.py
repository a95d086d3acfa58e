"""Makes rules of regulation out of settings and of what the devices declare; every fault at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from edge.control.outputs import Output, OutputDriver
from edge.driver import Driver
from rules.interlock.model import ticks
from rules.regulation import Correction, Range, Rule, Window, Wish
from wire.messages import PointDeclaration
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings
from wire.settings.regulation import DAYS, MINUTES, RegulationSettings, minute_of
from wire.settings.regulation import Correction as CorrectionSettings
from wire.settings.regulation import Wish as WishSettings


class ValueFault(ValueError):
    """A value that an output cannot be; the text is what was expected."""


def counts_of(value: Decimal, output: Output) -> int:
    """Return a value of the output's unit as counts; `ValueFault` says what was expected."""
    counts = _steps(value, output)
    if not output.low <= counts <= output.high:
        raise ValueFault(output.range)
    return counts


def _steps(value: Decimal, output: Output) -> int:
    """Return a value, or how far one is from another, as counts."""
    if not value.is_finite() or abs(value.adjusted()) > 15:
        raise ValueFault("a number")
    counts = value.scaleb(-output.exponent)
    if counts != int(counts):
        raise ValueFault(f"at most {max(0, -output.exponent)} places, as the device has them")
    return int(counts)


def make_rule(settings: RegulationSettings, output: Output) -> Rule:
    """Return the rule; `ValueFault` where `regulation_problems` would have found one."""
    how = settings.correction
    return Rule(
        name=settings.name,
        wishes=tuple(_wish(settings, one, output) for one in settings.when),
        otherwise=None if settings.otherwise is None else counts_of(settings.otherwise, output),
        low=output.low,
        high=output.high,
        step_max=output.step_max,
        apart=ticks(output.apart_s),
        call_after=ticks(settings.call_after_s),
        correction=None if how is None else _correction(how, output),
    )


def _correction(how: CorrectionSettings, output: Output) -> Correction:
    return Correction(_steps(how.step, output), ticks(how.every_s), _steps(how.most, output), how.opposite)


def _wish(settings: RegulationSettings, wish: WishSettings, output: Output) -> Wish:
    own = wish.low is not None or wish.high is not None
    room = Range(wish.low, wish.high) if own else Range(settings.low, settings.high)
    return Wish(value=counts_of(wish.value, output), window=_window(wish), fact=fact_of(wish), range=room)


def _window(wish: WishSettings) -> Window | None:
    if wish.start is None or wish.end is None:
        return None
    start, end = minute_of(wish.start), minute_of(wish.end)
    days = frozenset(DAYS.index(day) for day in wish.days or DAYS)
    return Window(days, start, end if end > start else end + MINUTES)


def fact_of(wish: WishSettings) -> str:
    """Return by what name it is known whether a wish holds; empty for a time of day."""
    if wish.job is not None:
        return f"job:{wish.job}"
    if wish.present is not None:
        return f"present:{wish.present}"
    return "" if wish.count is None else f"count:{wish.count}"


def regulation_problems(settings: GatewaySettings, drivers: Iterable[Driver]) -> list[Fault]:
    """Return outputs and points that no device has, and values that an output cannot be."""
    drivers = list(drivers)
    outputs = {
        output.name: output
        for driver in drivers
        if isinstance(driver, OutputDriver)
        for output in driver.outputs
    }
    points = {point.name: point for driver in drivers for point in driver.points}
    faults: list[Fault] = []
    for index, one in enumerate(settings.regulation):
        faults += _problems(one, f"regulation[{index}]", outputs=outputs, points=points)
    return faults


def _problems(
    one: RegulationSettings,
    place: str,
    *,
    outputs: Mapping[str, Output],
    points: Mapping[str, PointDeclaration],
) -> Iterator[Fault]:
    counts = [(f"{place}.when[{index}].count", wish.count) for index, wish in enumerate(one.when)]
    for path, point in ((f"{place}.point", one.point), *counts):
        if point is not None and point not in points:
            yield Fault(path, point, "a point that a device of this gateway feeds")
    output = outputs.get(one.output)
    if output is None:
        yield Fault(f"{place}.output", one.output, f"one of {', '.join(sorted(outputs)) or 'none'}")
        return
    values: list[tuple[str, Decimal | None]] = [(f"{place}.otherwise", one.otherwise)]
    values += [(f"{place}.when[{index}].value", wish.value) for index, wish in enumerate(one.when)]
    for path, value in values:
        yield from _fault(path, value, output, whole=True)
    if one.correction is not None:
        yield from _fault(f"{place}.correction.step", one.correction.step, output, whole=False)
        yield from _fault(f"{place}.correction.most", one.correction.most, output, whole=False)


def _fault(path: str, value: Decimal | None, output: Output, *, whole: bool) -> Sequence[Fault]:
    try:
        if value is not None:
            counts_of(value, output) if whole else _steps(value, output)
    except ValueFault as error:
        return [Fault(path, value, str(error))]
    return []
