"""What the alarm room follows: series by point and by what is told, and what is new of each."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from cloud.alarms.judging import FOLDED, Again, Judging, OnEnd, Taken, begin_again
from cloud.alarms.sources import REVISION, SOURCES, Source, name_of, rule_of, sources_of
from cloud.alarms.watched import Watched, part_rules, timeline_of, watched
from cloud.store import alarm_feed, alarm_room, alarm_series
from cloud.store.alarm_desk import Place
from cloud.store.alarm_feed import Told
from cloud.store.alarm_series import Base, Series
from cloud.store.backlog import TOLD_WITHIN, newest_backlog
from cloud.store.calibration import Scales, load_scales_of
from cloud.store.connection import Connection
from cloud.store.ticks import datetime_of_us, tick_of_datetime, us_of_tick
from rules.alarm.model import Rule, Sample
from rules.alarm.timeline import View, retire, view
from rules.silence import PERIODS
from wire.messages import TICK_MS

BACKLOG = "gateway_backlog"
DAILY = timedelta(minutes=1)
"""So often calibrations and what is declared of points are looked at."""
_Key = tuple[int, str, str]
_Wanted = tuple[alarm_series.Watch, tuple[Rule, ...], int | None]


class Following:
    """The series of one room."""

    def __init__(self) -> None:
        self.series: dict[int, Watched] = {}
        self._by_point: dict[int, list[Watched]] = {}
        self._by_name: dict[_Key, Watched] = {}
        self._scales: Mapping[int, Scales] = {}
        self._meaning: tuple[int, int] = (-1, -1)
        self._directory = -1
        self._looked_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._zones: dict[int, list[tuple[str, list[str]]]] = {}
        self._waiting: set[int] = set()
        """Gateways with a backlog: what they told has not come as far as the clock."""
        self._gateways: dict[int, int] = {}
        """Series -> the gateway that spoke last."""
        self._overdue: dict[int, bool] = {}
        self.places: dict[int, dict[str, Place]] = {}
        """Site -> point -> what its rows need beside the occurrence."""

    # --- what is watched -----------------------------------------------------------------------------

    async def load(self, connection: Connection, tick: int) -> list[tuple[Watched, View]]:
        """Read all series with what was stored since their newest base; return what each shows."""
        rows, bases = await alarm_series.running(connection), await alarm_series.bases(connection)
        self._zones = await alarm_room.covers(connection)
        await self._read_backlog(connection, tick)
        points = {row.point_id for row in rows if row.point_id is not None}
        self._scales = await load_scales_of(connection, sorted(points))
        found = []
        for series in rows:
            one = watched(series, timeline_of(series, bases.get(series.id)))
            self._add(one)
            samples = await self._stored(connection, series, since=one.timeline.base_at, until=tick)
            one.take(samples, reached=self._reached(one, tick))
            found.append((one, view(one.timeline)))
        return found

    async def refresh(self, connection: Connection, directory: int, now: datetime, *, on_end: OnEnd) -> None:
        """Watch what is to be watched now; what holds no more ends here."""
        meaning = await alarm_room.calibrations_version(connection)
        is_old = self._looked_at is None or now - self._looked_at >= DAILY
        if directory == self._directory and meaning == self._meaning and not is_old:
            return
        self._zones = await alarm_room.covers(connection)
        tick = tick_of_datetime(now)
        wanted: dict[_Key, _Wanted] = {}
        for watch in await alarm_series.watches(connection):
            for part, rules in part_rules(watch.rules).items():
                hold = _hold(watch.period_ms) if part == "readings" else None
                wanted[watch.site_id, watch.point, part] = watch, rules, hold
        for key, one in [(key, one) for key, one in self._by_name.items() if key[2] != "event"]:
            asked = wanted.get(key)
            if asked is not None and _same(one.series, asked):
                del wanted[key]
                continue
            at = max(tick, one.timeline.base_at)
            await on_end(one, retire(one.timeline, at))
            await alarm_series.end(connection, one.series.id, at)
            self._drop(key, one)
        for (site_id, point, part), (watch, rules, hold) in wanted.items():
            await self._begin(
                connection,
                Series(
                    *(0, watch.organisation_id, site_id, watch.point_id, point, part),
                    *(watch.revision, rules, hold, self._group(site_id, point), tick),
                ),
            )
        self._scales = await load_scales_of(connection, sorted(self._by_point))
        self._directory, self._meaning, self._looked_at = directory, meaning, now

    async def _begin(self, connection: Connection, new: Series) -> Watched:
        series = await alarm_series.begin(connection, new)
        one = watched(series, timeline_of(series, None))
        self._add(one)
        return one

    async def _begin_earlier(self, connection: Connection, one: Watched, tick: int) -> Watched:
        """Have what is told by events begin before what was known of it first: events come in any order.

        Its memory stays as it is, so what came is late and the series is judged again from there.
        """
        one.series = replace(one.series, from_tick=tick)
        await alarm_series.begin_earlier(connection, one.series.id, tick)
        return one

    def _add(self, one: Watched) -> None:
        series = one.series
        self.series[series.id] = one
        self._by_name[series.site_id, series.point, series.part] = one
        place = Place(series.point_id, series.grp, {})
        self.places.setdefault(series.site_id, {})[series.point] = place
        if series.point_id is not None:
            self._by_point.setdefault(series.point_id, []).append(one)

    def _drop(self, key: _Key, one: Watched) -> None:
        del self.series[one.series.id], self._by_name[key]
        self._gateways.pop(one.series.id, None)
        if one.series.point_id is not None:
            self._by_point[one.series.point_id].remove(one)
            if not self._by_point[one.series.point_id]:
                del self._by_point[one.series.point_id]

    def _group(self, site_id: int, point: str) -> str:
        """Return the zone of a point; where none covers it, the first part of its name."""
        for zone, begins in self._zones.get(site_id, ()):
            if any(point == begin or point.startswith(f"{begin.rstrip('/')}/") for begin in begins):
                return zone
        return point.partition("/")[0]

    # --- what is new ---------------------------------------------------------------------------------

    async def gather(self, connection: Connection, stretch: alarm_feed.Stretch, now: datetime) -> Taken:
        """Return what came between two positions, and what the day brought."""
        taken, tick = Taken(), tick_of_datetime(now)
        spans = await alarm_feed.spans(connection, stretch)
        for point_id, arrived in (await alarm_feed.readings(connection, spans, self._scales)).items():
            for one in self._by_point.get(point_id, ()):
                if one.series.part in ("readings", "tamper"):
                    self._gateways[one.series.id] = arrived.gateway_id
                    _add_samples(taken, one, arrived.samples)
        for told in await alarm_feed.events(connection, stretch, (*SOURCES, BACKLOG)):
            await self._hear(connection, told, taken, tick=tick)
        await self._look_at_calibrations(connection, taken, now)
        return taken

    async def _hear(self, connection: Connection, told: Told, taken: Taken, *, tick: int) -> None:
        if told.kind == BACKLOG:
            self._tell_backlog(told.gateway_id, told.data, taken)
            return
        for source in sources_of(told.kind, told.data):
            one = await self._speaking(connection, told, source, tick=tick)
            if one is not None:
                _add_samples(taken, one, _samples(source, told.tick))

    async def _speaking(
        self, connection: Connection, told: Told, source: Source, *, tick: int
    ) -> Watched | None:
        """Return the series of what told something; one begins with the first alarm."""
        name = name_of(source, told.subject)
        one = self._by_name.get((told.site_id, name, "event"))
        if one is None:
            if not source.begins:
                return None
            grp = str(told.data.get("zone") or told.subject)
            new = Series(
                *(0, told.organisation_id, told.site_id, None, name, "event", REVISION, (rule_of(source),)),
                *(None, grp, min(told.tick, tick) - 1),
            )
            one = await self._begin(connection, new)
        elif source.begins and told.tick <= one.series.from_tick:
            one = await self._begin_earlier(connection, one, told.tick - 1)
        if told.gateway_id is not None:
            self._gateways[one.series.id] = told.gateway_id
        if source.begins:
            place = Place(None, one.series.grp, {"kind": told.kind, **told.data})
            self.places[told.site_id][one.series.point] = place
        return one

    def _tell_backlog(self, gateway_id: int | None, data: Mapping[str, object], taken: Taken) -> None:
        if gateway_id is None:
            return
        if data.get("batches"):
            self._waiting.add(gateway_id)
            return
        self._waiting.discard(gateway_id)
        for series_id, speaks in self._gateways.items():
            if speaks == gateway_id and series_id in self.series:
                taken.samples.setdefault(series_id, [])

    async def _look_at_calibrations(self, connection: Connection, taken: Taken, now: datetime) -> None:
        if self._asked_at == self._looked_at:
            return
        self._asked_at = self._looked_at
        watching = {
            one.series.point_id: one for one in self.series.values() if one.series.part == "calibration"
        }
        if not watching:
            return
        over = await alarm_room.overdue(connection, [one for one in watching if one is not None], now.date())
        for point_id, one in watching.items():
            is_over = point_id in over
            if self._overdue.get(one.series.id) is not is_over:
                self._overdue[one.series.id] = is_over
                tick = max(tick_of_datetime(now), one.timeline.base_at + 1)
                _add_samples(taken, one, [Sample(tick, Decimal(is_over))])

    def due(self, taken: Taken, tick: int) -> Iterator[tuple[Watched, list[Sample], int | None]]:
        """Yield the series that something came for or whose time has come, and how far each has come."""
        for one in self.series.values():
            samples = taken.samples.get(one.series.id)
            if samples is not None or (one.wake is not None and one.wake <= tick):
                yield one, samples or [], self._reached(one, tick)

    def _reached(self, one: Watched, tick: int) -> int | None:
        """Return how far event time has come: to the clock, unless what was told waits at the gateway."""
        if one.series.hold_ticks is not None or one.series.part == "calibration":
            return tick
        return None if self._gateways.get(one.series.id) in self._waiting else tick

    def points_of(self, site_id: int) -> list[str]:
        """Return the points of a site that templates watch."""
        return [
            one.series.point
            for one in self.series.values()
            if one.series.site_id == site_id and one.series.part == "readings"
        ]

    # --- what is kept --------------------------------------------------------------------------------

    def compacted(self) -> list[tuple[Series, Base]]:
        """Forget old samples; return what is to be kept of them."""
        return [(one.series, base) for one in self.series.values() if (base := one.compacted()) is not None]

    async def begin_again(self, connection: Connection, one: Watched, since: int) -> Judging:
        """Begin to judge a series from before `since` on, from what is stored; its memory stays as it is."""
        return begin_again(one.series, await alarm_series.base_before(connection, one.series.id, since))

    async def judge_piece(
        self, connection: Connection, one: Watched, judging: Judging, *, tick: int
    ) -> Again | None:
        """Judge the next piece; return what came of it all after the last one."""
        samples = await self._stored(connection, one.series, since=judging.read_to, until=tick, most=FOLDED)
        if one.series.part != "event" and len(samples) == FOLDED:
            await asyncio.to_thread(judging.take, samples)
            return None
        return await asyncio.to_thread(judging.end, samples, self._reached(one, tick))

    async def _stored(
        self, connection: Connection, series: Series, *, since: int, until: int, most: int | None = None
    ) -> list[Sample]:
        begin, end = _moment(since), _moment(until)
        if series.part == "event":
            what = series.point.partition("/")[0]
            kinds = [kind for kind, sources in SOURCES.items() if any(one.what == what for one in sources)]
            told = await alarm_feed.events_since(
                connection, series.organisation_id, series.site_id, since=begin, kinds=kinds
            )
            return [
                sample
                for one in told
                for source in sources_of(one.kind, one.data)
                if name_of(source, one.subject) == series.point
                for sample in _samples(source, one.tick)
                if sample.at > since
            ]
        if series.part == "calibration" or series.point_id is None or series.point_id not in self._scales:
            return []
        return await alarm_feed.readings_since(
            connection,
            series.point_id,
            since=begin,
            until=end,
            scales=self._scales[series.point_id],
            most=most,
        )

    async def _read_backlog(self, connection: Connection, tick: int) -> None:
        ids = await alarm_room.all_gateways(connection)
        told = await newest_backlog(connection, ids, since=_moment(tick) - TOLD_WITHIN)
        self._waiting = {gateway for gateway, one in told.items() if one.data.get("batches")}


def _hold(period_ms: int | None) -> int | None:
    """Return how long a sample stands: three periods; None for a point that speaks only of changes."""
    return None if period_ms is None else PERIODS * period_ms // TICK_MS


def _same(series: Series, wanted: _Wanted) -> bool:
    watch, rules, hold = wanted
    return (series.revision, series.rules, series.hold_ticks) == (watch.revision, rules, hold)


def _samples(source: Source, tick: int) -> list[Sample]:
    """Return what an event says: it is in alarm, or no more; what has no end is over at once."""
    first = Sample(tick, Decimal(source.begins))
    return [first, Sample(tick + 1, Decimal(0))] if source.once else [first]


def _add_samples(taken: Taken, one: Watched, samples: Sequence[Sample]) -> None:
    """Add samples to what was taken; what is older than the series is judged by nobody."""
    known = [sample for sample in samples if sample.at > one.series.from_tick]
    taken.samples.setdefault(one.series.id, []).extend(known)


def _moment(tick: int) -> datetime:
    return datetime_of_us(us_of_tick(tick))
