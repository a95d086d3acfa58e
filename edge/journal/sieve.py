"""Parts what may be sealed now from what has to wait while the line is dear: readings wait, nothing else.

Pure but for its own counts. What waits stays in the journal as it is; nothing is dropped here.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Self

from msgspec import Struct, structs

from edge.journal.group import Group, without_readings
from wire.messages import Layout, PointDeclaration, Poll
from wire.status import PointKind


class Pace(Struct, frozen=True):
    """What may go out now. Events, gaps, clock records and tombstones always may."""

    stride: int = 1
    """Every so many polls of a layout, or fixes of a point, one goes; 0: none."""
    backlog: bool = True
    """Whether readings that waited may go too."""

    @property
    def full(self) -> bool:
        """Whether every fresh reading goes."""
        return self.stride == 1


FULL = Pace()
NOTHING_YET = Pace(0, backlog=False)


def tighter(paces: Iterable[Pace]) -> Pace:
    """Return the pace that all of these allow; full when there are none."""
    found = list(paces)
    strides = [pace.stride for pace in found]
    return Pace(0 if 0 in strides else max(strides, default=1), all(pace.backlog for pace in found))


Part = Callable[[Group], tuple[Group, Group]]
"""Parts a group into what is sealed now and what waits; either may be empty."""


def without_urgent(group: Group) -> Group:
    """Return what may wait: polls and fixes."""
    return structs.replace(group, events=[], gaps=[], clocks=[], tombstones=[])


def all_now(group: Group) -> tuple[Group, Group]:
    """Let nothing wait."""
    return group, without_urgent(without_readings(group))


def all_later(group: Group) -> tuple[Group, Group]:
    """Let everything wait."""
    return without_urgent(without_readings(group)), group


class Sieve:
    """Counts what was held back, by layout and by position point, and remembers which states went last."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._states: dict[str, list[int]] = {}
        self._shown: dict[str, Sequence[int | None]] = {}

    def feed(self, points: Iterable[PointDeclaration], layouts: Iterable[Layout]) -> None:
        """Know which columns of a layout are states: one that changes is not thinned out."""
        states = {point.name for point in points if point.kind is PointKind.STATE}
        self._states = {
            layout.id: [place for place, name in enumerate(layout.points) if name in states]
            for layout in layouts
        }

    def trial(self) -> Self:
        """Return a copy to part by; what it counted holds once it is adopted."""
        tried = copy(self)
        tried._held, tried._shown = dict(self._held), dict(self._shown)
        return tried

    def adopt(self, tried: Self) -> None:
        """Take over what a trial counted: it is journalled as it was parted."""
        self._held, self._shown = tried._held, tried._shown

    def part(self, group: Group, pace: Pace) -> tuple[Group, Group]:
        """Return what goes now and what waits; either may be empty."""
        polls = [self._goes(poll.layout, pace.stride, poll) for poll in group.polls]
        fixes = [self._goes("@" + fix.point, pace.stride) for fix in group.positions]
        now = structs.replace(
            group,
            polls=[poll for poll, goes in zip(group.polls, polls, strict=True) if goes],
            positions=[fix for fix, goes in zip(group.positions, fixes, strict=True) if goes],
        )
        later = structs.replace(
            without_urgent(group),
            polls=[poll for poll, goes in zip(group.polls, polls, strict=True) if not goes],
            positions=[fix for fix, goes in zip(group.positions, fixes, strict=True) if not goes],
        )
        return now, later

    def _goes(self, key: str, stride: int, poll: Poll | None = None) -> bool:
        held = self._held.get(key, stride - 1)
        goes = stride > 0 and (held + 1 >= stride or self._changed(key, poll))
        self._held[key] = 0 if goes else held + 1
        if goes and poll:
            self._shown[key] = self._said(poll)
        return goes

    def _changed(self, key: str, poll: Poll | None) -> bool:
        return poll is not None and self._shown.get(key, []) != self._said(poll)

    def _said(self, poll: Poll) -> Sequence[int | None]:
        return [poll.counts[place] for place in self._states.get(poll.layout, ()) if place < len(poll.counts)]
