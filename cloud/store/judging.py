"""Whether a device works, judged by its points: how new their readings are, and which gaps are open. Pure.

A gateway tells what it cannot read as a gap with its cause, so that a hub that was away learns it later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.store.gaps_read import Gap
from cloud.store.latest import Latest
from cloud.store.sites import Gateway

BROKEN = {("link", "lost"): "session_lost", ("line", "low"): "line_low", ("picture", "frozen"): "frozen"}
"""(Last part of a point's name, its word) -> why what it belongs to is of no use, though readings come."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A state, and why it is not better."""

    state: str
    """`working`; `partly` (some points are silent); `silent` (all of them, or none has a value); `never`
    (nothing came yet); `unmonitored` (no points to judge by)."""
    since_at: datetime | None = None
    """Since when it is not working; None while it is, or when that is not known."""
    cause: str | None = None
    """A word of `GapCause`, or `offline` (its gateway is not heard), `no_value` (it answers, and no value is
    good), `session_lost`, `line_low`, `frozen`."""
    reason: str = ""
    """As the gateway wrote it."""
    silent: int = 0
    """How many of its points give nothing."""


def judge(points: Sequence[Latest], gaps: Mapping[int, Gap], gateway: Gateway | None) -> Judged:
    """Judge what feeds these points; `gaps` are the open ones, by point."""
    if not points:
        return Judged("unmonitored")
    down = [one for one in points if _is_down(one, gaps)]
    gap = _newest(gaps.get(one.point.id) for one in down)
    if all(one.observed_at is None for one in points):
        return Judged("never", None, gap.cause if gap else None, gap.reason if gap else "", len(down))
    if gateway is not None and not gateway.online:
        return Judged("silent", gateway.online_since, "offline", "", len(points))
    last = max((one.observed_at for one in down if one.observed_at), default=None)
    since = _since(gap, down, last)
    reason = gap.reason if gap else ""
    broken = {one.point.name.rpartition("/")[0]: why for one in points if (why := _broken(one))}
    if broken:
        whole = all(one in down or _is_below(one.point.name, broken) for one in points)
        why = next(iter(broken.values()))
        return Judged("silent" if whole else "partly", since, why, reason, len(down))
    if down:
        state = "silent" if len(down) == len(points) else "partly"
        return Judged(state, since, gap.cause if gap else None, reason, len(down))
    if all(one.state == "absent" for one in points):
        return Judged("silent", None, "no_value", "", len(points))
    return Judged("working")


def _since(gap: Gap | None, down: Sequence[Latest], last: datetime | None) -> datetime | None:
    """Return when the silence began; its newest gap may only be the newest reason."""
    if gap is None or gap.from_at is None:
        return last
    # A gap that begins with the reading due next began the silence.
    due = [
        (one.observed_at, timedelta(milliseconds=one.point.period_ms))
        for one in down
        if one.point.period_ms is not None and one.observed_at
    ]
    newest, period = max(due, default=(gap.from_at, timedelta()))
    return gap.from_at if gap.from_at <= newest + period else newest


def _is_down(one: Latest, gaps: Mapping[int, Gap]) -> bool:
    """What comes by itself is silent only when its gateway says so."""
    if one.point.period_ms is None:
        return one.point.id in gaps
    return one.state in ("silent", "never")


def _broken(one: Latest) -> str | None:
    if one.state != "live" or one.word is None:
        return None
    return BROKEN.get((one.point.name.rpartition("/")[2], one.word))


def _is_below(name: str, owners: Iterable[str]) -> bool:
    return any(name.startswith(owner + "/") for owner in owners)


def _newest(gaps: Iterable[Gap | None]) -> Gap | None:
    """Return the gap that began last; one without a known beginning began first."""
    known = [gap for gap in gaps if gap is not None]
    return max(known, key=lambda gap: (gap.from_at or gap.stored_at, gap.id), default=None)
