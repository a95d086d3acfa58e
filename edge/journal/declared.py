"""What the gateway has to declare: what its drivers feed now, and what they fed before.

A backlog may still hold readings of a layout that the settings no longer name, and a hub that never heard of
it could not place them. A point that is no longer fed is declared without a period: it owes nothing any more.
Pure; the journal keeps the result.
"""

from collections.abc import Sequence

import msgspec
from msgspec import structs

from wire.messages import Layout, PointDeclaration

RETIRED_POINTS_MAX = 1000
RETIRED_LAYOUTS_MAX = 200


class Declared(msgspec.Struct, frozen=True, array_like=True):
    """Points and layouts, those in use first."""

    points: list[PointDeclaration] = []
    layouts: list[Layout] = []


def declare(
    points: Sequence[PointDeclaration], layouts: Sequence[Layout], *, before: Declared | None = None
) -> Declared:
    """Return what is in use now and, behind it, what was declared before, as far as there is room."""
    before = before or Declared()
    names = {point.name for point in points}
    retired = [structs.replace(point, period_ms=None) for point in before.points if point.name not in names]
    ids = {layout.id for layout in layouts}
    earlier = [layout for layout in before.layouts if layout.id not in ids]
    return Declared([*points, *retired[:RETIRED_POINTS_MAX]], [*layouts, *earlier[:RETIRED_LAYOUTS_MAX]])
