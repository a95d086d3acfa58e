"""The grid in time on which a line is read. Pure."""

from wire.messages import TICK_MS

MS = 1_000_000
TICK_NS = TICK_MS * MS


def first_round(now_ns: int) -> tuple[int, int]:
    """Return where the grid of rounds begins, and how long to wait for it.

    It begins a third into a tick: the middle of a question and its answer, some milliseconds later, then
    keeps clear of both ends of the tick, and readings stay evenly spaced on the stored grid, which is what
    makes them cheap to keep.
    """
    due_ns = now_ns // TICK_NS * TICK_NS + TICK_NS + TICK_NS // 3
    return due_ns, due_ns - now_ns


def next_round(due_ns: int, now_ns: int, interval_ns: int) -> tuple[int, int]:
    """Return the place on the grid behind `due_ns` that a round takes next, and how long to wait for it.

    Rounds that were missed are left out. One that is due at once, because the last one took long, waits for
    two ticks: two readings of a point in one tick could not be told apart.
    """
    due_ns += interval_ns
    late_ns = now_ns - due_ns
    if late_ns > 0:
        due_ns += late_ns // interval_ns * interval_ns
    apart_ns = 2 * TICK_NS if interval_ns >= 4 * TICK_NS else 0
    return due_ns, max(apart_ns, -late_ns)
