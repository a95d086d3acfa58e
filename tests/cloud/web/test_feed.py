"""The live feed over a real PostgreSQL: nothing committed is missed, slow pages are not waited for."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection

from cloud.store import control_status
from cloud.store import feed as store_feed
from cloud.web.feed import QUEUE_MAX, Change, Client, LiveFeed
from cloud.web.language import language
from cloud.web.stream import View, stream
from tests.browser.filled import fill, store_reading

pytestmark = pytest.mark.slow

POINT = "room-1/air/pressure"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def owner_dsn(databases):
    dsn = databases.create()
    asyncio.run(fill(dsn, now()))
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def hub_dsn(databases, owner_dsn) -> str:
    return databases.hub_dsn(owner_dsn)


@asynccontextmanager
async def _running(feed: LiveFeed) -> AsyncIterator[None]:
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(feed.run(ready.set))
        await asyncio.wait_for(ready.wait(), 10)
        try:
            yield
        finally:
            task.cancel()


def _within(seconds: float, check: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(seconds):
            await check()

    asyncio.run(limited())


async def _next_raw(client: Client, wanted: str) -> None:
    while True:
        change = await client.queue.get()
        assert change is not None
        if any(one.value == wanted for one in change.points):
            return


def test_committed_reading_is_told_to_every_page(owner_dsn: str, hub_dsn: str) -> None:
    async def check() -> None:
        feed = LiveFeed(hub_dsn, now=now)
        async with _running(feed):
            with feed.client() as first, feed.client() as second:
                await store_reading(owner_dsn, POINT, 98_001)
                await _next_raw(first, "980.01")
                await _next_raw(second, "980.01")

    _within(10, check)


def test_batch_that_commits_late_is_not_missed(owner_dsn: str, hub_dsn: str) -> None:
    """A transaction with an older id than one already told of commits afterwards."""

    async def check() -> None:
        feed = LiveFeed(hub_dsn, now=now)
        async with _running(feed), await AsyncConnection.connect(owner_dsn) as late:
            await late.execute("SELECT pg_current_xact_id()")
            row = await (
                await late.execute(
                    "SELECT b.gateway_id, p.id FROM points p JOIN channel_bindings b ON b.point_id = p.id "
                    "WHERE p.name = 'cabin/vibration'"
                )
            ).fetchone()
            at = now()
            await late.execute(
                "UPDATE latest SET observed_at = %s, raw = 777 WHERE point_id = %s", (at, row[1])
            )
            await late.execute(
                "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id,"
                " signature, boot, clock_state, clock_source, state, readings, first_at, last_at,"
                " received_at) VALUES"
                " (1, %s, decode(repeat('00', 16), 'hex'), 9, '', '', '', '', '', 'synchronised', 'system',"
                " 'placed', 1, %s, %s, %s)",
                (row[0], at, at, at),
            )
            with feed.client() as client:
                await store_reading(owner_dsn, POINT, 98_002)
                await asyncio.sleep(0.5)
                await late.execute("NOTIFY heng_feed")
                await late.commit()
                await _next_raw(client, "0.777")

    _within(10, check)


def test_lost_wake_up_is_made_good_by_looking(owner_dsn: str, hub_dsn: str) -> None:
    async def check() -> None:
        feed = LiveFeed(hub_dsn, now=now)
        async with _running(feed):
            with feed.client() as client:
                async with await AsyncConnection.connect(owner_dsn, autocommit=True) as writer:
                    position = await store_feed.head(writer)
                    await writer.execute("UPDATE gateways SET online = NOT online WHERE name = 'van-1'")
                    assert await store_feed.head(writer) > position
                change = await client.queue.get()
                assert change is not None
                assert change.sites

    _within(10, check)


def test_slow_page_is_told_to_take_everything_anew() -> None:
    client = Client()
    for _ in range(QUEUE_MAX + 1):
        client.tell(Change(sites=True))
    assert client.queue.qsize() == 1
    assert client.queue.get_nowait() == Change(everything=True)


def test_full_queue_still_takes_the_end() -> None:
    client = Client()
    for _ in range(QUEUE_MAX):
        client.tell(Change(sites=True))
    client.tell(None)
    told = [client.queue.get_nowait() for _ in range(client.queue.qsize())]
    assert told[-1] is None


def test_stream_says_everything_first_then_what_changes_and_ends_with_the_hub(
    owner_dsn: str, hub_dsn: str
) -> None:
    async def check() -> None:
        feed = LiveFeed(hub_dsn, now=now)
        events: list[tuple[str, object]] = []
        async with _running(feed):
            spoken = stream(feed, View(language("zh"), "lab-1"), now=now, broker_connected=lambda: True)
            async for chunk in spoken:
                events += _events(chunk)
                if events and events[-1][0] == "states":
                    break
            assert [name for name, _ in events] == ["time", "points", "states"]
            assert len(events[1][1]) == 7
            await store_reading(owner_dsn, POINT, 98_003)
            async for chunk in spoken:
                events += _events(chunk)
                if events[-1][0] == "points":
                    break
            assert events[-1][1][0]["text"] == "980.03"
            feed.close()
            assert [chunk async for chunk in spoken] == []

    _within(10, check)


def _events(chunk: bytes) -> list[tuple[str, object]]:
    lines = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines())
    return [(lines["event"], json.loads(lines["data"]))] if "event" in lines else []


def test_badges_and_their_counts_are_one_event(owner_dsn: str, hub_dsn: str) -> None:
    async def check() -> None:
        feed = LiveFeed(hub_dsn, now=now)
        async with _running(feed):
            async for chunk in stream(
                feed, View(language("en"), None), now=now, broker_connected=lambda: True
            ):
                for name, data in _events(chunk):
                    if name == "states":
                        kinds = [
                            one["kind"] for one in data["badges"] if one["element"].startswith("state-site-")
                        ]
                        told = {kind: kinds.count(kind) for kind in kinds}
                        assert told.items() <= data["counts"].items()
                        assert data["counts"]["sites"] == len(kinds) == 4
                        return

    _within(10, check)


def test_what_a_gateway_controls_is_told_to_pages_that_may_see_it(owner_dsn: str, hub_dsn: str) -> None:
    async def check() -> None:
        feed = LiveFeed(hub_dsn, now=now)
        async with _running(feed), await AsyncConnection.connect(hub_dsn, autocommit=True) as connection:
            view = View(language("en"), "lab-1")
            cursor = await connection.execute("SELECT id FROM gateways WHERE name IN ('van-1', 'lab-1')")
            for (id_,) in await cursor.fetchall():
                await control_status.wake(connection, id_)
            async for chunk in stream(feed, view, now=now, broker_connected=lambda: True):
                for name, data in _events(chunk):
                    if name == "control":
                        assert data == ["lab-1"]
                        return
                cursor = await connection.execute("SELECT id FROM gateways ORDER BY name DESC")
                for (id_,) in await cursor.fetchall():
                    await control_status.wake(connection, id_)

    _within(10, check)


def test_changed_period_is_told_to_open_pages(owner_dsn: str, hub_dsn: str) -> None:
    """The period of a point is declared anew while a page is open: its next readings are judged by it."""

    async def check() -> None:
        moments = iter(range(0, 10**6, 10))
        feed = LiveFeed(hub_dsn, now=lambda: now() + timedelta(seconds=next(moments)))
        async with _running(feed), await AsyncConnection.connect(owner_dsn, autocommit=True) as writer:
            await writer.execute(
                "UPDATE point_versions SET period_ms = 60000 "
                "WHERE point_id = (SELECT id FROM points WHERE name = %s)",
                (POINT,),
            )
            with feed.client() as client:
                await store_reading(owner_dsn, POINT, 98_004)
                while True:
                    change = await client.queue.get()
                    assert change is not None
                    mine = [one for one in change.points if one.point.name == POINT]
                    if mine:
                        assert mine[0].point.period_ms == 60_000
                        return

    _within(10, check)
