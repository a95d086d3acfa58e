"""The alarm room's memory and its turns: what is new goes in, occurrences and rounds of messages come out.

One turn is one transaction: the position in the feed, occurrences, the desks and the messages that wait are
written together or not at all. After a failed turn everything is read again. So a turn that is repeated
changes nothing, and nothing that was committed is missed.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cloud.alarms import judging, rounds
from cloud.alarms.following import Following
from cloud.alarms.watched import Watched, next_wake
from cloud.store import alarm_desk, alarm_feed, alarm_room, alarm_series, feed
from cloud.store.alarm_desk import Changes, Kept
from cloud.store.alarm_series import Series
from cloud.store.connection import Connection
from cloud.store.ticks import tick_of_datetime
from rules.alarm.acts import suppress
from rules.alarm.calls import next_at
from rules.alarm.desk import Act, Desk, Open
from rules.alarm.handling import observe
from rules.alarm.model import Occurrence
from rules.alarm.timeline import Change, View, compare, view

_log = logging.getLogger(__name__)

FORGET_EVERY = timedelta(hours=1)
LATE_REST, LATE_LONGEST = timedelta(seconds=10), timedelta(minutes=2)
"""So long after the last piece of late data, or else after the first one, a series is judged again."""
NO_JOB = "no_job"
"""The design by which a mobile laboratory outside of a job is not judged by its environment."""


@dataclass(slots=True)
class News:
    """What one turn found of one site."""

    views: dict[int, View] = field(default_factory=dict)
    """By series."""
    found: list[Occurrence] = field(default_factory=list)
    withdrawn: list[Occurrence] = field(default_factory=list)
    design: Mapping[str, str] | None = None
    """What is suppressed by design from now on; None: as it is."""


class Keeper:
    """Everything that is watched, in memory; `load` reads it, `turn` goes on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._following = Following()
        self._desks: dict[int, Kept] = {}
        self._acts_seen = 0
        self._feed = 0
        self._loaded = False
        self._forgot_at: datetime | None = None
        self._late: dict[int, tuple[datetime, datetime]] = {}
        """Series -> when late data of it came first and last; a backlog comes in many pieces."""
        self._again: tuple[Watched, int, judging.Judging] | None = None
        """What is being judged again, and from which tick on."""

    async def turn(self, now: datetime) -> bool:
        """Take in what is new; return whether there is more already. Raises psycopg's errors."""
        head = await feed.head(self._connection)
        async with self._whole():
            return await self._turn(head, now)

    async def judge_late(self, now: datetime) -> bool:
        """Judge the next piece of one series of which data came late; return whether there was one."""
        if not self._loaded:
            return False
        late = await alarm_series.late(self._connection)
        piece = self._under_way(late)
        if piece is None:
            series_id = next((one for one in late if self._is_settled(one, now)), None)
            if series_id is None:
                return False
            self._late.pop(series_id, None)
            one = self._following.series.get(series_id)
            if one is None:
                await alarm_series.judged(self._connection, series_id)
                return True
            piece = await self._following.begin_again(self._connection, one, late[series_id])
            self._again = (one, late[series_id], piece)
        assert self._again is not None
        one, since, _ = self._again
        tick = tick_of_datetime(now)
        again = await self._following.judge_piece(self._connection, one, piece, tick=tick)
        if again is not None:
            self._again = None
            await self._take_again(one, again, since=since, tick=tick)
        return True

    def _under_way(self, late: Mapping[int, int]) -> judging.Judging | None:
        """Return what is being judged again, unless its series is followed no more."""
        if self._again is not None:
            one, _, piece = self._again
            if self._following.series.get(one.series.id) is one and one.series.id in late:
                return piece
        self._again = None
        return None

    async def _take_again(self, one: Watched, again: judging.Again, *, since: int, tick: int) -> None:
        """Write down what a series shows now that it was judged again."""
        series_id = one.series.id
        async with self._whole():
            await alarm_room.position(self._connection, hold=True)
            await self._take_over()
            one.timeline, one.wake = again.timeline, next_wake(again.timeline)
            news: dict[int, News] = {}
            await self._differs(one, again.seen, news)
            await self._write(news, tick)
            await alarm_series.drop_bases(self._connection, series_id, since)
            await alarm_series.keep_bases(self._connection, [(one.series, base) for base in again.bases])
            if series_id not in self._late:  # what came meanwhile may be missing: it is judged once more
                await alarm_series.judged(self._connection, series_id)
        one.seen = view(one.timeline)

    @asynccontextmanager
    async def _whole(self) -> AsyncIterator[None]:
        """Do this in one transaction; unless it is committed, what is in memory does not count any more."""
        committed = False
        try:
            async with self._connection.transaction():
                yield
            committed = True
        finally:
            self._loaded = self._loaded and committed

    def _is_settled(self, series_id: int, now: datetime) -> bool:
        """Whether no more late data of a series came for a while, or they have come for long enough."""
        first, last = self._late.get(series_id, (datetime.min.replace(tzinfo=UTC),) * 2)
        return now - last >= LATE_REST or now - first >= LATE_LONGEST

    # --- a turn --------------------------------------------------------------------------------------

    async def _turn(self, head: int, now: datetime) -> bool:
        tick = tick_of_datetime(now)
        room = await alarm_room.position(self._connection, hold=True)
        news: dict[int, News] = {}
        if not self._loaded or room.feed != self._feed:
            await self._load(room, tick, news)
        await self._take_over()
        await self._following.refresh(self._connection, room.directory, now, on_end=self._ended(news, tick))
        stretch = await alarm_feed.next_stretch(self._connection, room.feed, head)
        taken = await self._following.gather(self._connection, stretch, now)
        self._judge(taken, tick, news)
        await self._design(news)
        await self._write(news, tick)
        await self._keep(taken.late, now)
        await alarm_room.move(self._connection, stretch.until)
        self._feed = stretch.until
        return stretch.more

    async def _load(self, room: alarm_room.Position, tick: int, news: dict[int, News]) -> None:
        """Read everything anew, and judge what was stored since."""
        self._following = Following()
        self._desks.clear()
        self._acts_seen = await alarm_desk.newest_act(self._connection)
        for site_id in await alarm_desk.versions(self._connection):
            await self._desk(site_id)
        for one, seen in await self._following.load(self._connection, tick):
            await self._differs(one, seen, news)
        self._feed, self._loaded = room.feed, True

    def _ended(self, news: dict[int, News], tick: int) -> judging.OnEnd:
        async def ended(one: Watched, last: View) -> None:
            """Rules hold no more: what stood ended with them."""
            await self._differs(one, last, news)
            kept = await self._desk(one.series.site_id)
            part = news.pop(one.series.site_id)
            await self._write({one.series.site_id: part}, tick)
            _log.info("alarms: %s of site %d is judged by other rules", one.series.point, kept.site_id)

        return ended

    async def _take_over(self) -> None:
        """Hold all desks, and read again what people did to them."""
        held = await alarm_desk.versions(self._connection, hold_them=True)
        newest = self._acts_seen
        for site_id, kept in list(self._desks.items()):
            if held.get(site_id, kept.version) == kept.version:
                continue
            points, seen = await alarm_desk.acted_points(self._connection, site_id, self._acts_seen)
            newest = max(newest, seen)
            fresh = await alarm_desk.hold(self._connection, site_id, ())
            assert fresh is not None
            opened = {point: items for point, items in kept.desk.open.items() if point not in points}
            opened |= await alarm_desk.open_items(self._connection, site_id, points)
            self._desks[site_id] = replace(fresh, desk=judging.with_open(fresh.desk, opened))
        self._acts_seen = newest

    async def _desk(self, site_id: int) -> Kept:
        kept = self._desks.get(site_id)
        if kept is None:
            kept = await alarm_desk.hold(self._connection, site_id)
            assert kept is not None
            self._desks[site_id] = kept
        return kept

    def _judge(self, taken: judging.Taken, tick: int, news: dict[int, News]) -> None:
        """Let time and samples come to the series that they concern."""
        for one, samples, reached in self._following.due(taken, tick):
            late = one.take(samples, reached=reached)
            if late is not None:
                taken.late[one.series.id] = (one.series.organisation_id, late)
            seen = view(one.timeline)
            revisions = compare(one.seen, seen)
            open_items: tuple[Open, ...] = ()
            kept = self._desks.get(one.series.site_id)
            if kept is not None:
                open_items = kept.desk.open.get(one.series.point, ())
            changed = revisions or seen.silent != one.seen.silent or any(not item.live for item in open_items)
            one.seen = seen
            if not changed:
                continue
            part = _part(news, one, seen)
            part.found += [r.occurrence for r in revisions if r.change is not Change.WITHDRAWN]
            part.withdrawn += [r.occurrence for r in revisions if r.change is Change.WITHDRAWN]

    async def _write(self, news: Mapping[int, News], tick: int) -> None:
        """Bring the desks up to date, note which round of messages is due, and write it all down."""
        for site_id in news.keys() | self._due_sites(tick):
            kept = await self._desk(site_id)
            part = news.get(site_id, News())
            desk: Desk = kept.desk
            log: tuple[Act, ...] = ()
            if part.design is not None:
                desk, log = suppress(desk, kept.policy, part.design, now=tick)
            desk, more = observe(desk, kept.policy, part.views.values(), now=tick)
            desk = await rounds.next_round(self._connection, kept, desk)
            changes = Changes(
                site_id,
                kept.organisation_id,
                kept.desk,
                desk,
                (*log, *more),
                tuple(part.found),
                tuple(part.withdrawn),
            )
            await alarm_desk.write(self._connection, changes, self._following.places.get(site_id, {}))
            self._desks[site_id] = replace(kept, desk=desk)

    async def _design(self, news: dict[int, News]) -> None:
        """Have the environment of a mobile laboratory count only during its jobs."""
        outside = await alarm_room.sites_without_job(self._connection)
        for site_id in outside | {site for site, kept in self._desks.items() if kept.desk.suppressed}:
            wanted = dict.fromkeys(self._following.points_of(site_id), NO_JOB) if site_id in outside else {}
            if (await self._desk(site_id)).desk.suppressed != wanted:
                news.setdefault(site_id, News()).design = wanted

    def _due_sites(self, tick: int) -> set[int]:
        found = set()
        for site_id, kept in self._desks.items():
            at = next_at(kept.desk, kept.policy)
            if at is not None and at <= tick:
                found.add(site_id)
        return found

    async def _keep(self, late: Mapping[int, tuple[int, int]], now: datetime) -> None:
        bases = self._following.compacted()
        if bases:
            await alarm_series.keep_bases(self._connection, bases)
        if late:
            await alarm_series.mark_late(self._connection, late)
            self._late |= {one: (self._late.get(one, (now, now))[0], now) for one in late}
        if self._forgot_at is None or now - self._forgot_at > FORGET_EVERY:
            self._forgot_at = now
            await alarm_series.forget_bases(self._connection, tick_of_datetime(now))

    async def _differs(self, one: Watched, seen: View, news: dict[int, News]) -> None:
        """Compare what a series shows with what is on record of it."""
        series: Series = one.series
        known = await alarm_desk.known_after(
            self._connection, series.site_id, series.point, revision=series.revision, since=seen.since
        )
        before = replace_view(seen, [o for o in known if o.condition in seen.conditions])
        part = _part(news, one, seen)
        for revision in compare(before, seen):
            into = part.withdrawn if revision.change is Change.WITHDRAWN else part.found
            into.append(revision.occurrence)
        one.seen = seen


def replace_view(seen: View, occurrences: Iterable[Occurrence]) -> View:
    """Return the same view with other occurrences."""
    return View(seen.point, seen.conditions, seen.since, seen.reached, tuple(occurrences), seen.silent)


def _part(news: dict[int, News], one: Watched, seen: View) -> News:
    part = news.setdefault(one.series.site_id, News())
    part.views[one.series.id] = seen
    return part
