"""A point's last 24 hours as a small drawing: paths and holes in a box. Pure; it makes no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH = 136
HEIGHT = 28
MARGIN = 2


@dataclass(frozen=True, slots=True)
class Step:
    """The readings of one stretch of the day: lowest, highest and last value, None where there was none."""

    low: Decimal | None
    high: Decimal | None
    last: Decimal | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a template draws."""

    width: int
    height: int
    lines: tuple[str, ...]
    bands: tuple[str, ...]
    holes: tuple[tuple[str, str], ...]
    """Stretches without any value: x and width."""
    words: str
    """The same in words."""


def draw(steps: Sequence[Step], words: str) -> Drawing:
    """Return the drawing of equal steps, oldest first; a step without value is a hole, never bridged."""
    runs = _runs(steps)
    lows = [one.low for one in steps if one.low is not None]
    highs = [one.high for one in steps if one.high is not None]
    low, high = (min(lows), max(highs)) if lows and highs else (Decimal(0), Decimal(0))
    each = WIDTH / max(len(steps), 1)

    def x(place: float) -> str:
        return f"{place * each:.1f}"

    def y(value: Decimal | None) -> str:
        share = Decimal("0.5") if value is None or high == low else (value - low) / (high - low)
        return f"{HEIGHT - MARGIN - float(share) * (HEIGHT - 2 * MARGIN):.1f}"

    lines, bands, holes = [], [], []
    for start, end, present in runs:
        if not present:
            holes.append((x(start), f"{(end - start) * each:.1f}"))
            continue
        run = steps[start:end]
        middle = [f"{x(start + i + 0.5)},{y(one.last)}" for i, one in enumerate(run)]
        lines.append(f"M{x(start)},{y(run[0].last)}L" + " ".join(middle) + f" {x(end)},{y(run[-1].last)}")
        top = [f"{x(start + i + 0.5)},{y(one.high)}" for i, one in enumerate(run)]
        bottom = [f"{x(start + i + 0.5)},{y(one.low)}" for i, one in reversed(list(enumerate(run)))]
        bands.append("M" + " ".join(top + bottom) + "Z")
    return Drawing(WIDTH, HEIGHT, tuple(lines), tuple(bands), tuple(holes), words)


def _runs(steps: Sequence[Step]) -> list[tuple[int, int, bool]]:
    """Return (start, end, has values) for each stretch of steps alike."""
    runs: list[tuple[int, int, bool]] = []
    for place, step in enumerate(steps):
        present = step.last is not None
        if runs and runs[-1][2] == present:
            runs[-1] = (runs[-1][0], place + 1, present)
        else:
            runs.append((place, place + 1, present))
    return runs
