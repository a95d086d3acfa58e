"""What a point's counts mean over time: exponent and calibration valid in event time, corrected exactly.

`corrected = indicated + correction(indicated)`, with the correction piecewise linear between the nodes and
constant outside them. All arithmetic is on integers, rounded half-even once, to the calibration's own
exponent. The view `reading_values` says the same in SQL. Nothing stored is ever rewritten here.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any

from psycopg.types.range import Range

from cloud.store.connection import Connection
from cloud.store.exact import decimal_text, rescale, round_half_even

MEAN_DIGITS = 2
"""A mean is given this many places finer than the values that it is made of."""

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Curve:
    """One calibration: nodes as exact decimals in the point's unit, result in counts of `10**exponent`."""

    id: int
    indicated: tuple[Decimal, ...]
    correction: tuple[Decimal, ...]
    exponent: int
    certificate: str

    @cached_property
    def grid(self) -> int:
        """The exponent on which every node is an integer."""
        places = [node.as_tuple().exponent for node in (*self.indicated, *self.correction)]
        return min(self.exponent, *(place for place in places if isinstance(place, int)))

    def correct(self, numerator: int, denominator: int = 1, *, exponent: int, digits: int = 0) -> int:
        """Return the corrected count of `10**(self.exponent - digits)`.

        The indicated value is `numerator / denominator * 10**exponent`.
        """
        grid = min(self.grid, exponent)
        if grid not in self._tables:
            self._tables[grid] = self._table(grid)
        indicated, corrected = self._tables[grid]
        value = numerator * 10 ** (exponent - grid)
        place = _segment(indicated, value, denominator)
        if place in (0, len(indicated)):
            end = max(place - 1, 0)
            top, bottom = value + (corrected[end] - indicated[end]) * denominator, denominator
        else:
            low, step = indicated[place - 1], indicated[place] - indicated[place - 1]
            rise = corrected[place] - corrected[place - 1]
            top = corrected[place - 1] * step * denominator + rise * (value - low * denominator)
            bottom = step * denominator
        return rescale(top, bottom, exponent=grid, to_exponent=self.exponent - digits)

    @cached_property
    def _tables(self) -> dict[int, tuple[list[int], list[int]]]:
        return {}

    def _table(self, grid: int) -> tuple[list[int], list[int]]:
        """Return indicated and corrected nodes as counts of `10**grid`."""
        indicated = [_on_grid(node, grid) for node in self.indicated]
        corrected = [x + _on_grid(node, grid) for x, node in zip(indicated, self.correction, strict=True)]
        return indicated, corrected

    def straight(self, low: int, high: int, *, exponent: int) -> bool:
        """Whether the correction is one straight line from count `low` to count `high`."""
        ends = [Decimal(low).scaleb(exponent), Decimal(high).scaleb(exponent)]
        inner = self.indicated if len(self.indicated) > 1 else ()
        return not any(ends[0] < node < ends[1] for node in inner)


def make_curve(row: Sequence[Any]) -> Curve:
    """Return a curve from columns of `calibrations`: id, indicated, correction, exponent, certificate."""
    id_, indicated, correction, exponent, certificate = row
    return Curve(id_, tuple(indicated), tuple(correction), exponent, certificate)


def corrected_text(count: int, exponent: int, curve: Curve | None) -> str:
    """Return `count * 10**exponent`, corrected by the curve if there is one, as an exact decimal."""
    if curve is None:
        return decimal_text(count, exponent)
    return decimal_text(curve.correct(count, exponent=exponent), curve.exponent)


def curve_faults(indicated: Sequence[Decimal], correction: Sequence[Decimal]) -> list[str]:
    """Return what is wrong with these nodes, in words; an empty list when they are a monotone curve."""
    if not indicated or len(indicated) != len(correction):
        return ["indicated and correction must have the same number of nodes, at least one"]
    corrected = [x + c for x, c in zip(indicated, correction, strict=True)]
    faults = [f"indicated must grow: {b} follows {a}" for a, b in pairwise(indicated) if b <= a]
    faults += [f"indicated + correction must grow: {b} follows {a}" for a, b in pairwise(corrected) if b <= a]
    return faults


@dataclass(frozen=True, slots=True)
class Scale:
    """What counts mean from `from_at` until before `to_at`."""

    from_at: datetime
    to_at: datetime
    exponent: int
    period_ms: int | None
    curve: Curve | None

    def indicated(self, count: int) -> str:
        """Return the value as the device gave it, as an exact decimal."""
        return decimal_text(count, self.exponent)

    def value(self, count: int) -> str:
        """Return the corrected value as an exact decimal."""
        return corrected_text(count, self.exponent, self.curve)

    def mean(self, total: int, n: int, *, low: int, high: int) -> str | None:
        """Return the corrected mean of `n` counts with this sum, `MEAN_DIGITS` places finer.

        None when the correction is not one straight line between `low` and `high`, the smallest and the
        greatest of them: the mean of the corrected values cannot be known from the sum then.
        """
        if self.curve is None:
            return decimal_text(round_half_even(total * 10**MEAN_DIGITS, n), self.exponent - MEAN_DIGITS)
        if not self.curve.straight(low, high, exponent=self.exponent):
            return None
        count = self.curve.correct(total, n, exponent=self.exponent, digits=MEAN_DIGITS)
        return decimal_text(count, self.curve.exponent - MEAN_DIGITS)

    def uncorrected(self) -> "Scale":
        """Return the same scale without its calibration."""
        return Scale(self.from_at, self.to_at, self.exponent, self.period_ms, None)


class Scales:
    """The scales of one point over an interval, in order and without overlap."""

    def __init__(self, scales: Sequence[Scale]) -> None:
        """`scales` are sorted by time and do not overlap; there may be none for a stretch."""
        self.all = tuple(scales)
        self._starts = [scale.from_at for scale in scales]

    def at(self, time: datetime) -> Scale | None:
        """Return the scale valid at this time, or None when nothing was declared for it."""
        place = bisect_right(self._starts, time) - 1
        if place < 0 or time >= self.all[place].to_at:
            return None
        return self.all[place]

    @property
    def edges(self) -> list[datetime]:
        """Times at which the meaning of counts changes."""
        times = {scale.from_at for scale in self.all} | {scale.to_at for scale in self.all}
        return sorted(times - {BEGINNING, END})

    def uncorrected(self) -> "Scales":
        """Return the same scales without calibrations."""
        return Scales([scale.uncorrected() for scale in self.all])


_VERSIONS = """
SELECT valid, exponent, period_ms FROM point_versions
WHERE point_id = %s AND valid && tstzrange(%s, %s) ORDER BY valid
"""
_CALIBRATIONS = """
SELECT valid, id, indicated, correction, exponent, certificate FROM calibrations
WHERE point_id = %s AND valid && tstzrange(%s, %s) ORDER BY valid
"""


async def load_scales(connection: Connection, point_id: int, from_at: datetime, to_at: datetime) -> Scales:
    """Return what the point's counts mean between two times."""
    versions = await (await connection.execute(_VERSIONS, (point_id, from_at, to_at))).fetchall()
    rows = await (await connection.execute(_CALIBRATIONS, (point_id, from_at, to_at))).fetchall()
    curves = [(*_ends(valid), make_curve(rest)) for valid, *rest in rows]
    scales: list[Scale] = []
    for valid, exponent, period_ms in versions:
        start, end = _ends(valid)
        scales += _split(Scale(start, end, exponent, period_ms, None), curves)
    return Scales(scales)


async def load_scales_of(connection: Connection, point_ids: Sequence[int]) -> dict[int, Scales]:
    """Return for each of many points what its counts meant at any time."""
    ids = list(point_ids)
    versions = await connection.execute(
        "SELECT point_id, valid, exponent, period_ms FROM point_versions WHERE point_id = ANY(%s)"
        " ORDER BY point_id, valid",
        (ids,),
    )
    rows = await connection.execute(
        "SELECT point_id, valid, id, indicated, correction, exponent, certificate FROM calibrations"
        " WHERE point_id = ANY(%s) AND NOT isempty(valid) ORDER BY point_id, valid",
        (ids,),
    )
    curves: dict[int, list[tuple[datetime, datetime, Curve]]] = {}
    async for point_id, valid, *rest in rows:
        curves.setdefault(point_id, []).append((*_ends(valid), make_curve(rest)))
    scales: dict[int, list[Scale]] = {one: [] for one in ids}
    async for point_id, valid, exponent, period_ms in versions:
        start, end = _ends(valid)
        scales[point_id] += _split(Scale(start, end, exponent, period_ms, None), curves.get(point_id, []))
    return {one: Scales(found) for one, found in scales.items()}


def _split(scale: Scale, curves: Sequence[tuple[datetime, datetime, Curve]]) -> list[Scale]:
    """Cut one uncorrected scale at the ends of the calibrations that overlap it."""
    pieces: list[Scale] = []
    start = scale.from_at
    for low, high, curve in curves:
        low, high = max(low, start), min(high, scale.to_at)
        if low >= high:
            continue
        if start < low:
            pieces.append(Scale(start, low, scale.exponent, scale.period_ms, None))
        pieces.append(Scale(low, high, scale.exponent, scale.period_ms, curve))
        start = high
    if start < scale.to_at:
        pieces.append(Scale(start, scale.to_at, scale.exponent, scale.period_ms, None))
    return pieces


def _ends(valid: Range[datetime]) -> tuple[datetime, datetime]:
    return valid.lower or BEGINNING, valid.upper or END


def _on_grid(value: Decimal, grid: int) -> int:
    """Return a decimal as a count of `10**grid`; exact, for grid is not above its exponent."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"a node of a calibration must be a number, not {value}")
    places: int = 10 ** (exponent - grid)
    count = int("".join(map(str, digits))) * places
    return -count if sign else count


def _segment(nodes: Sequence[int], numerator: int, denominator: int) -> int:
    """Return how many nodes are at or below `numerator / denominator`."""
    return bisect_right(nodes, numerator, key=lambda node: node * denominator)
