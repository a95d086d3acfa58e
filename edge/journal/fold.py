"""The last resort of a full journal: gaps that opened and closed become one lost stretch a point. Pure."""

from collections.abc import Iterator, Sequence

from msgspec import structs

from edge.journal.group import Group, Span
from edge.journal.memory import Lost
from wire.messages import Gap

_Key = tuple[bytes, str, str, int]


def fold(groups: Sequence[Group]) -> tuple[list[Group], list[Lost]]:
    """Return the groups without gaps that both open and close in them, and the stretches these covered.

    A closing row whose opening row is not here stays: the hub may hold the gap open. So does a gap that
    is still open.
    """
    opened = {key for group in groups for key, gap in _keyed(group) if gap.to_tick is None}
    closed = {key for group in groups for key, gap in _keyed(group) if gap.to_tick is not None}
    whole = opened & closed
    rest = []
    lost = []
    for group in groups:
        gone = [gap for key, gap in _keyed(group) if key in whole]
        for gap in gone:
            if gap.from_tick is not None and gap.to_tick is not None:
                span = Span("@" + gap.point, gap.from_tick, gap.to_tick)
                lost.append(Lost(group.boot, group.clock, span))
        rest.append(structs.replace(group, gaps=[gap for gap in group.gaps if gap not in gone]))
    return rest, lost


def _keyed(group: Group) -> Iterator[tuple[_Key, Gap]]:
    for gap in group.gaps:
        if gap.from_tick is not None:
            yield (group.boot, gap.point, gap.cause.value, gap.from_tick), gap
