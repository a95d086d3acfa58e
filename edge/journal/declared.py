"""What the gateway has to declare: what its drivers feed now, and what a backlog may still hold.

A backlog may hold readings of points and layouts that the settings no longer name, and a hub that never heard
of them could not place them. They are declared apart and say nothing about what is due. Pure; the journal
keeps the result.
"""

from collections.abc import Sequence

import msgspec

from wire.messages import DeviceDeclaration, Layout, PointDeclaration

RETIRED_POINTS_MAX = 300
EARLIER_NAMES_MAX = 2000
"""So many names may the earlier layouts have together: a declaration has to fit into one frame."""


class Declared(msgspec.Struct, frozen=True, array_like=True):
    """Points, layouts and devices in use; since which boot and tick; those of a backlog, newest first."""

    points: list[PointDeclaration] = []
    layouts: list[Layout] = []
    since: tuple[bytes, int] | None = None
    retired: list[PointDeclaration] = []
    earlier: list[Layout] = []
    devices: list[DeviceDeclaration] = []


def declare(now: Declared, before: Declared, *, backlog: bool) -> Declared:
    """Return what has to be declared when `now` is in use and `before` was declared.

    `since` stays where nothing changed, and is open where nothing was declared before. Without a backlog
    nothing earlier has to be said.
    """
    same = (now.points, now.layouts, now.devices) == (before.points, before.layouts, before.devices)
    since = before.since if same else now.since if before.points else None
    if not backlog:
        return Declared(now.points, now.layouts, since, devices=now.devices)
    names, ids = {point.name for point in now.points}, {layout.id for layout in now.layouts}
    retired = [point for point in [*before.points, *before.retired] if point.name not in names]
    earlier = [layout for layout in [*before.layouts, *before.earlier] if layout.id not in ids]
    return Declared(
        now.points,
        now.layouts,
        since,
        retired[:RETIRED_POINTS_MAX],
        _fitting(earlier),
        now.devices,
    )


def _fitting(layouts: Sequence[Layout]) -> list[Layout]:
    kept: list[Layout] = []
    room = EARLIER_NAMES_MAX
    for layout in layouts:
        room -= len(layout.points)
        if room < 0:
            break
        kept.append(layout)
    return kept
