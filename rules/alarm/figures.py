"""How the alarms of a stretch of time were to live with: rate, floods, chattering, standing for long."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from rules.alarm.model import Occurrence
from rules.alarm.policy import MINUTE, Policy

CHATTER_COUNT = 3
CHATTER_TICKS = MINUTE
"""An alarm that was raised so often within so long chatters."""
STALE_TICKS = 24 * 60 * MINUTE
"""An alarm that stands for longer than this is stale."""
TOP = 10


class Figures(Struct, frozen=True):
    """Of all alarms raised in a stretch; judged by event time."""

    raised: int
    per_ten_minutes: float
    most_in_ten_minutes: int
    flood_share: float
    """Of the time, from 0 to 1."""
    floods: tuple[tuple[int, int], ...]
    """Begin and end of each."""
    top: tuple[tuple[str, int], ...]
    """The alarms that were raised most, with how often."""
    chattering: tuple[str, ...]
    stale: tuple[str, ...]
    """Ids of the occurrences that stood for more than a day within the stretch or up to its end."""


def figures(occurrences: Iterable[Occurrence], policy: Policy, *, start: int, end: int) -> Figures:
    """Return the figures of the stretch from `start` to before `end`.

    Raises:
        ValueError: `end` is not after `start`.
    """
    if end <= start:
        raise ValueError(f"end is tick {end}; expected one after start, {start}")
    known = sorted(occurrences, key=lambda one: (one.raised_at, one.id))
    raised = [one for one in known if start <= one.raised_at < end]
    times = [one.raised_at for one in raised]
    spans = floods(times, policy, end=end)
    counts = Counter(one.key for one in raised)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Figures(
        raised=len(raised),
        per_ten_minutes=len(raised) * 10 * MINUTE / (end - start),
        most_in_ten_minutes=_most(times, 10 * MINUTE),
        flood_share=sum(until - since for since, until in spans) / (end - start),
        floods=spans,
        top=tuple(ranked[:TOP]),
        chattering=_chattering(raised),
        stale=tuple(one.id for one in known if _is_stale(one, start, end)),
    )


def floods(times: Sequence[int], policy: Policy, *, end: int) -> tuple[tuple[int, int], ...]:
    """Return begin and end of each flood among alarms raised at `times` (rising), seen up to `end`."""
    spans: list[tuple[int, int]] = []
    since: int | None = None
    for place, at in enumerate(times):
        if since is not None:
            over = times[place - policy.flood_under] + policy.flood_window_ticks
            if over <= at:
                spans.append((since, over))
                since = None
        first = place - policy.flood_over
        if since is None and first >= 0 and at - times[first] < policy.flood_window_ticks:
            since = at
    if since is not None:
        over = times[-policy.flood_under] + policy.flood_window_ticks
        spans.append((since, min(over, end)))
    return tuple(spans)


def _most(times: Sequence[int], window: int) -> int:
    most = first = 0
    for place, at in enumerate(times):
        while at - times[first] >= window:
            first += 1
        most = max(most, place - first + 1)
    return most


def _chattering(raised: Iterable[Occurrence]) -> tuple[str, ...]:
    by_key: dict[str, list[int]] = {}
    for one in raised:
        by_key.setdefault(one.key, []).append(one.raised_at)
    return tuple(sorted(key for key, times in by_key.items() if _most(times, CHATTER_TICKS) >= CHATTER_COUNT))


def _is_stale(one: Occurrence, start: int, end: int) -> bool:
    until = end if one.cleared_at is None else min(one.cleared_at, end)
    return until > start and one.raised_at < end and until - one.raised_at > STALE_TICKS
