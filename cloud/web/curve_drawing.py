"""The correction curve of a calibration as a drawing: paths and marks in a box. Pure; it makes no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH = 360
HEIGHT = 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 26
_PAD = Decimal("0.08")


@dataclass(frozen=True, slots=True)
class Mark:
    """A text beside the box."""

    x: str
    y: str
    text: str


@dataclass(frozen=True, slots=True)
class CurveDrawing:
    """What a template draws; corrections go up, indicated values to the right."""

    width: int
    height: int
    line: str
    """Constant beyond the outermost nodes."""
    band: str
    """The line ± U; empty when no U is given."""
    dots: tuple[tuple[str, str], ...]
    zero: str
    """Height of correction 0."""
    left: int
    right: int
    below: tuple[Mark, ...]
    beside: tuple[Mark, ...]


def draw_curve(
    indicated: Sequence[Decimal], correction: Sequence[Decimal], uncertainty: Decimal | None
) -> CurveDrawing:
    """Return the drawing of a curve with at least one node; the nodes grow."""
    reach = uncertainty or Decimal(0)
    low_x, high_x = _widened(indicated[0], indicated[-1])
    low_y, high_y = _widened(min(*correction, Decimal(0)) - reach, max(*correction, Decimal(0)) + reach)

    def x(value: Decimal) -> str:
        return f"{_LEFT + float((value - low_x) / (high_x - low_x)) * (WIDTH - _LEFT - _RIGHT):.1f}"

    def y(value: Decimal) -> str:
        return (
            f"{HEIGHT - _BOTTOM - float((value - low_y) / (high_y - low_y)) * (HEIGHT - _TOP - _BOTTOM):.1f}"
        )

    ends = [(low_x, correction[0]), *zip(indicated, correction, strict=True), (high_x, correction[-1])]
    upper = [f"{x(a)},{y(b + reach)}" for a, b in ends]
    lower = [f"{x(a)},{y(b - reach)}" for a, b in reversed(ends)]
    shown = sorted({indicated[0], indicated[-1]})
    heights = sorted({min(correction), max(correction)} - {Decimal(0)})
    return CurveDrawing(
        width=WIDTH,
        height=HEIGHT,
        line="M" + " L".join(f"{x(a)},{y(b)}" for a, b in ends),
        band="M" + " L".join(upper + lower) + "Z" if reach else "",
        dots=tuple((x(a), y(b)) for a, b in zip(indicated, correction, strict=True)),
        zero=y(Decimal(0)),
        left=_LEFT,
        right=WIDTH - _RIGHT,
        below=tuple(Mark(x(one), str(HEIGHT - 8), f"{one:f}") for one in shown),
        beside=tuple(Mark(str(_LEFT - 6), y(one), f"{one:+f}") for one in heights),
    )


def _widened(low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    if low == high:
        return low - 1, high + 1
    return low - (high - low) * _PAD, high + (high - low) * _PAD
