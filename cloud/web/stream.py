"""The live stream of a page as server-sent events: all that is known, then changes. It reads no database.

Events: `time` (the hub's clock, at least every second), `points`, `positions`, `states` (with
the counts of them). Their data is JSON.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec

from cloud.store.latest import Latest
from cloud.store.positions_read import LatestPosition
from cloud.web.feed import Change, LiveFeed
from cloud.web.figures import milliseconds
from cloud.web.language import Language
from cloud.web.overview import figures, states
from cloud.web.render import zone_of
from cloud.web.tracks import position_json
from cloud.web.values import show

HEARTBEAT_S = 1.0
"""`live.js` takes the stream for lost after four of them."""
RETRY_MS = 2000


@dataclass(frozen=True, slots=True)
class View:
    """What one open page wants to hear of."""

    language: Language
    site: str | None
    """None: all sites."""


async def stream(
    feed: LiveFeed, view: View, *, now: Callable[[], datetime], broker_connected: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield events until the page goes away or the hub stops."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    with feed.client() as client:
        change: Change | None = Change(everything=True)
        while change is not None:
            yield _event(
                "time",
                {"now": milliseconds(now()), "connected": feed.connected, "broker": broker_connected()},
            )
            for event in _events(feed, view, change):
                yield event
            try:
                change = await asyncio.wait_for(client.queue.get(), HEARTBEAT_S)
            except TimeoutError:
                change = Change()


def _events(feed: LiveFeed, view: View, change: Change) -> Iterable[bytes]:
    points: Iterable[Latest] = feed.latest.values() if change.everything else change.points
    positions: Iterable[LatestPosition] = feed.positions.values() if change.everything else change.positions
    zones = {site.name: zone_of(site.time_zone) for site in feed.sites}
    shown = [
        asdict(show(one, view.language, zones[one.point.site]))
        for one in points
        if view.site in (None, one.point.site) and one.point.site in zones
    ]
    placed = [position_json(one, view.language) for one in positions if view.site in (None, one.site)]
    if shown:
        yield _event("points", shown)
    if placed:
        yield _event("positions", placed)
    if change.sites or change.everything:
        # One event: badges and the counts of them change in the same moment.
        badges = states(feed.site_kinds, feed.gateways, view.language)
        counts = figures(feed.site_kinds, view.language, silent=feed.silent)
        yield _event(
            "states",
            {"badges": [asdict(one) for one in badges], "counts": {one.key: one.count for one in counts}},
        )


def _event(name: str, data: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
