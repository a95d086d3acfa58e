"""The live stream of a page as server-sent events: all that is known, then changes. It reads no database.

Events: `time` (the hub's clock, at least every second), `points`, `positions`, `states` (with
the counts of them and what needs a person), `control` (gateways with something new of what they control).
Their data is JSON.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from cloud.store.latest import Latest
from cloud.store.positions_read import LatestPosition
from cloud.web.feed import Change, LiveFeed
from cloud.web.figures import milliseconds
from cloud.web.language import Language
from cloud.web.needs import ALL, Needs, Sight
from cloud.web.needs_view import NeedList, need_list
from cloud.web.overview import figures, states
from cloud.web.render import zone_of
from cloud.web.tracks import position_json
from cloud.web.values import show

HEARTBEAT_S = 1.0
"""`live.js` takes the stream for lost after four of them."""
RETRY_MS = 2000
ASK_AGAIN = timedelta(seconds=15)
"""How often it is asked whether who looks may still look."""


@dataclass(frozen=True, slots=True)
class View:
    """What one open page wants to hear of."""

    language: Language
    site: str | None
    """None: all sites."""
    sites: frozenset[int] | None = None
    """Sites of which readings may be seen; None: all."""
    placed: frozenset[int] | None = None
    """Sites of which positions may be seen; None: all."""
    sight: Sight = ALL
    """What may be told of what needs a person."""


async def stream(
    feed: LiveFeed,
    view: View,
    *,
    now: Callable[[], datetime],
    broker_connected: Callable[[], bool],
    admitted: Callable[[], Awaitable[bool]] | None = None,
) -> AsyncIterator[bytes]:
    """Yield events until the page goes away, the hub stops, or who looks is no longer `admitted`."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    asked_at = now()
    with feed.client() as client:
        change: Change | None = Change(everything=True)
        while change is not None:
            yield _event(
                "time",
                {"now": milliseconds(now()), "connected": feed.connected, "broker": broker_connected()},
            )
            for event in _events(feed, view, change, now=now()):
                yield event
            if admitted is not None and now() - asked_at >= ASK_AGAIN:
                asked_at = now()
                if not await admitted():
                    return
            try:
                change = await asyncio.wait_for(client.queue.get(), HEARTBEAT_S)
            except TimeoutError:
                change = Change()


def _events(feed: LiveFeed, view: View, change: Change, *, now: datetime) -> Iterable[bytes]:
    points: Iterable[Latest] = feed.latest.values() if change.everything else change.points
    positions: Iterable[LatestPosition] = feed.positions.values() if change.everything else change.positions
    zones = {site.id: zone_of(site.time_zone) for site in feed.sites}
    shown = [
        asdict(show(one, view.language, zones[one.point.site_id]))
        for one in points
        if view.site in (None, one.point.site)
        and one.point.site_id in zones
        and _is_seen(one.point.site_id, view.sites)
    ]
    placed = [
        position_json(one, view.language)
        for one in positions
        if view.site in (None, one.site) and _is_seen(one.site_id, view.placed)
    ]
    if shown:
        yield _event("points", shown)
    if placed:
        yield _event("positions", placed)
    control = [
        one.name
        for one in feed.gateways
        if one.id in change.control
        and view.site in (None, one.site)
        and one.site_id is not None
        and _is_seen(one.site_id, view.sites)
    ]
    if control:
        yield _event("control", control)
    if change.sites or change.everything:
        # One event: badges and the counts of them change in the same moment.
        standing = feed.standing(view.sites, sight=view.sight, now=now)
        badges = states(standing.kinds, standing.gateways, view.language)
        counts = figures(standing.kinds, view.language, silent=standing.silent)
        yield _event(
            "states",
            {
                "badges": [asdict(one) for one in badges],
                "counts": {one.key: one.count for one in counts},
                "needs": asdict(_needs(feed, view, standing.needs, now=now)),
            },
        )


def _needs(feed: LiveFeed, view: View, needs: Needs, *, now: datetime) -> NeedList:
    sites = [one for one in feed.sites if view.site in (None, one.name) and _is_seen(one.id, view.sites)]
    return need_list(needs, sites, view.language, now=now, one_site=view.site is not None)


def _is_seen(site_id: int, sites: frozenset[int] | None) -> bool:
    return sites is None or site_id in sites


def _event(name: str, data: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
