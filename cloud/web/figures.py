"""How values are written on a page: exact decimals, never digits that were not measured. No markup."""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from wire.quantities import QUANTITIES

NONE = "—"
"""What stands where nothing was measured; a word for why always stands beside it."""
MINUS = "\N{MINUS SIGN}"
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def exact(value: Decimal) -> str:
    """Return every digit of a value, no exponent notation, a true minus sign."""
    return f"{value:f}".replace("-", MINUS)


def unit(quantity: str) -> str:
    """Return the unit as displayed; empty for counts, states and ratios."""
    row = QUANTITIES.get(quantity)
    return row.unit if row is not None else ""


def coordinate(value_e9: int, *, positive: str, negative: str) -> str:
    """Return degrees with seven places (about a centimetre) and a hemisphere letter."""
    degrees = Decimal(value_e9).scaleb(-9).quantize(Decimal("1E-7"), rounding=ROUND_HALF_EVEN)
    return f"{abs(degrees):f}°{NARROW_SPACE}{negative if degrees < 0 else positive}"


def grouped(count: int) -> str:
    """Return a count with narrow spaces between thousands (ISO 80000-1)."""
    return f"{count:,}".replace(",", NARROW_SPACE).replace("-", MINUS)


def milliseconds(moment: datetime) -> int:
    """Return a moment as ms since 1970, for the browser."""
    return round(moment.timestamp() * 1000)
