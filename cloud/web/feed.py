"""Follows the hub's feed once per process and hands what changed to every open page, in bounded queues.

It renders nothing and reads through `cloud.store` alone. A page that falls behind is not waited for: its
queue is emptied and it is told to take everything anew.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cloud.store import control_status
from cloud.store import feed as store_feed
from cloud.store.connection import Connection, StoreConnection
from cloud.store.latest import Latest, latest_of
from cloud.store.needs import Waiting, read_held, read_waiting
from cloud.store.points import Point, list_points
from cloud.store.positions_read import LatestPosition, list_latest_positions
from cloud.store.sites import Gateway, Site, list_gateways, list_sites
from cloud.web.needs import ALL, NOTHING, Needs, Sight, needs_of
from cloud.web.overview import silent_points, site_kinds

QUEUE_MAX = 64
WAKE_S = 1.0
JUDGE = timedelta(seconds=1)
"""The feed is looked at this often even when nothing woke it."""
DECLARED = timedelta(seconds=5)
"""What is declared of points, such as their period, is read again so often while they are heard."""
REST_S = 0.1
"""Wake-ups that come closer than this are answered together."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is new for pages; `everything` asks them to take all that is known anew."""

    points: tuple[Latest, ...] = ()
    positions: tuple[LatestPosition, ...] = ()
    sites: bool = False
    """Whether a site's or gateway's state changed, or what needs a person there."""
    everything: bool = False
    control: frozenset[int] = frozenset()
    """Gateways that told something new of what they control, or were asked for something."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How sites and gateways stand."""

    kinds: dict[int, str]
    gateways: tuple[Gateway, ...]
    silent: int
    needs: Needs


@dataclass(eq=False)
class Client:
    """One open page."""

    queue: asyncio.Queue[Change | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))

    def tell(self, change: Change | None) -> None:
        """Queue a change; a full queue is replaced by "take everything anew"."""
        if change is not None and self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            change = Change(everything=True)
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(change)


class LiveFeed:
    """The newest values of everything, kept in memory while `run` runs."""

    def __init__(self, dsn: str, *, now: Callable[[], datetime]) -> None:
        """`dsn` is the hub role's; the feed holds one connection of its own."""
        self._dsn = dsn
        self._now = now
        self._clients: set[Client] = set()
        self._position = 0
        self._directory: dict[int, Point] = {}
        self._closed = False
        self.latest: dict[int, Latest] = {}
        self.positions: dict[int, LatestPosition] = {}
        self.sites: tuple[Site, ...] = ()
        self.gateways: tuple[Gateway, ...] = ()
        self.site_kinds: dict[int, str] = {}
        self.silent = 0
        """How many points are silent; with `site_kinds` all that the counts on top of a page need."""
        self.needs: Needs = NOTHING
        self._waiting = Waiting()
        self._waiting_at: datetime | None = None
        self._judged_at: datetime | None = None
        self._declared_at: datetime | None = None
        self.connected = False

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a page its queue; None in it means that the hub stops."""
        one = Client()
        if self._closed:
            one.tell(None)
        self._clients.add(one)
        try:
            yield one
        finally:
            self._clients.discard(one)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True
        self._tell(None)

    async def run(self, up: Callable[[], None]) -> None:
        """Follow until cancelled, and call `up` once it works; raises `OperationalError` with the database.

        Cancelling ends every stream, so that the server can stop; after an error it can be run again.
        """
        try:
            async with await StoreConnection.connect(self._dsn, autocommit=True) as connection:
                await store_feed.listen(connection)
                await store_feed.listen(connection, control_status.CHANNEL)
                self._position = await store_feed.head(connection)
                await self._read_directory(connection)
                await self._read_values(connection, None)
                await self._read_needs(connection, None)
                self._judge(at_once=True)
                self.connected = True
                self._tell(Change(everything=True))
                up()
                await self._follow(connection)
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self.connected = False

    async def _follow(self, connection: Connection) -> None:
        while True:
            woken = await store_feed.wake_ups(connection, WAKE_S)
            control = frozenset(int(id_) for name, id_ in woken if name == control_status.CHANNEL)
            sites = await self._read_directory(connection)
            news = await store_feed.news_since(connection, self._position)
            self._position = news.position
            points, positions = (
                await self._read_values(connection, news.gateways) if news.gateways else ((), ())
            )
            needs = await self._read_needs(connection, control)
            states = self._judge(at_once=sites or needs) or sites or needs
            if points or positions or states or control:
                self._tell(Change(points, positions, states, control=control))
            if woken:
                await asyncio.sleep(REST_S)

    def _judge(self, *, at_once: bool) -> bool:
        """Judge the sites anew, else once a second; return whether a state changed, be it by time alone."""
        now = self._now()
        if not at_once and self._judged_at is not None and now - self._judged_at < JUDGE:
            return False
        before, self._judged_at = (self.site_kinds, self.silent, self.needs), now
        points = self._points()
        self.needs = needs_of(self._waiting, points, now=now)
        self.site_kinds = site_kinds(self.sites, self.gateways, points, needs=self.needs, now=now)
        self.silent = silent_points(points, now=now)
        return (self.site_kinds, self.silent, self.needs) != before

    def standing(self, seen: frozenset[int] | None, *, sight: Sight = ALL, now: datetime) -> Standing:
        """Return how sites and gateways stand as far as they may be seen; `seen` None: all of them.

        `sight`: what of what needs a person may be told, and so makes a site's state.
        """
        if seen is None and sight.everything and not self.needs.asked_by(sight.who):
            return Standing(self.site_kinds, self.gateways, self.silent, self.needs)
        sites = tuple(site for site in self.sites if seen is None or site.id in seen)
        gateways = tuple(one for one in self.gateways if seen is None or one.site_id in seen)
        points = [one for one in self._points() if seen is None or one.point.site_id in seen]
        needs = self.needs.seen(sight)
        kinds = site_kinds(sites, gateways, points, needs=needs, now=now)
        return Standing(kinds, gateways, silent_points(points, now=now), needs)

    def _points(self) -> list[Latest]:
        return [self.latest.get(point.id) or self._heard(point) for point in self._directory.values()]

    def _heard(self, point: Point) -> Latest:
        """Return what is known of a point without readings: when its newest position was, or nothing."""
        position = self.positions.get(point.id)
        at = position.observed_at if position is not None else None
        return Latest(point, "never" if at is None else "live", at, None, None, None, None, None)

    async def _read_directory(self, connection: Connection) -> bool:
        """Read sites and gateways; return whether what pages show of them changed."""
        sites, gateways = tuple(await list_sites(connection)), tuple(await list_gateways(connection))
        changed = [_face(one) for one in gateways] != [_face(one) for one in self.gateways]
        changed = changed or [one.name for one in sites] != [one.name for one in self.sites]
        self.sites, self.gateways = sites, gateways
        return changed

    async def _read_needs(self, connection: Connection, control: frozenset[int] | None) -> bool:
        """Read once a second what may need a person, and at once what gateways (`control`) told they control.

        Return whether something that a gateway told has to be shown at once.
        """
        now = self._now()
        if control is None or self._waiting_at is None or now - self._waiting_at >= JUDGE:
            self._waiting, self._waiting_at = await read_waiting(connection, now), now
            return False
        if not control:
            return False
        before = set(needs_of(self._waiting, (), now=now).found)
        held = await read_held(connection, self._waiting.held, control, now)
        self._waiting = replace(self._waiting, held=held)
        return set(needs_of(self._waiting, (), now=now).found) != before

    async def _read_values(
        self, connection: Connection, gateways: tuple[int, ...] | None
    ) -> tuple[tuple[Latest, ...], tuple[LatestPosition, ...]]:
        """Read what is newer than what is known, of these gateways or (None) of all."""
        now = self._now()
        times = await store_feed.newest_readings(connection, gateways)
        fresh = [
            id_ for id_, at in times.items() if id_ not in self.latest or self.latest[id_].observed_at != at
        ]
        stale = self._declared_at is None or now - self._declared_at >= DECLARED
        if gateways is None or stale or len(self._directory) != sum(site.points for site in self.sites):
            self._directory = {point.id: point for point in await _all_points(connection)}
            self._declared_at = now
            for id_ in self.latest.keys() & self._directory.keys():
                self.latest[id_] = replace(self.latest[id_], point=self._directory[id_])
        known = [self._directory[id_] for id_ in fresh if id_ in self._directory]
        points = tuple(await latest_of(connection, known, now=now))
        self.latest.update((one.point.id, one) for one in points)
        return points, await self._read_positions(connection, gateways)

    async def _read_positions(
        self, connection: Connection, gateways: tuple[int, ...] | None
    ) -> tuple[LatestPosition, ...]:
        times = await store_feed.newest_positions(connection, gateways)
        moved = {
            id_
            for id_, at in times.items()
            if id_ not in self.positions or self.positions[id_].observed_at != at
        }
        if not moved:
            return ()
        newest = await list_latest_positions(connection, now=self._now())
        positions = tuple(one for one in newest if one.point_id in moved)
        self.positions.update((one.point_id, one) for one in positions)
        return positions

    def _tell(self, change: Change | None) -> None:
        for client in self._clients:
            client.tell(change)


async def _all_points(connection: Connection) -> list[Point]:
    points: list[Point] = []
    while page := await list_points(connection, after=points[-1].id if points else 0):
        points += page
    return points


def _face(gateway: Gateway) -> tuple[object, ...]:
    """Return what pages show of a gateway, but for the time of its newest batch."""
    return gateway.name, gateway.site, gateway.online, gateway.online_since, gateway.last_batch_at is None
