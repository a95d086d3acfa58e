import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.store.connection import Connection
from cloud.store.rollups import is_kept_by_hub, keep_rollups, pending_stretches, roll_up

START = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[datetime, int | None, int]

FRESH = """
SELECT {bucket}, count(raw), count(*) - count(raw), sum(raw), min(raw), max(raw),
       (array_agg(raw ORDER BY observed_at) FILTER (WHERE raw IS NOT NULL))[1],
       (array_agg(raw ORDER BY observed_at DESC) FILTER (WHERE raw IS NOT NULL))[1], max(status)
FROM readings WHERE point_id = %s GROUP BY 1 ORDER BY 1
"""
KEPT = (
    "SELECT bucket, n, absent, sum, min, max, first, last, worst FROM {table} WHERE point_id = %s ORDER BY 1"
)


class Server(Protocol):
    @property
    def admin_dsn(self) -> str: ...


class Lab(Protocol):
    dsn: str
    hub_dsn: str

    def point(self, *, exponent: int = -2, period_ms: int | None = 1000) -> int: ...
    def store(self, point: int, rows: Sequence[Row]) -> None: ...
    def every_second(self, point: int, counts: Sequence[int], *, start: datetime = START) -> None: ...
    def aggregate(self) -> None: ...
    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...
    def run(self, ask: object) -> object: ...


def assert_current(lab: Lab, point: int) -> None:
    """The aggregates are what the readings give when they are computed afresh."""
    for table, width in (("readings_1m", "1 minute"), ("readings_1h", "1 hour")):
        kept = lab.execute(KEPT.format(table=table), point)
        assert kept == lab.execute(FRESH.format(bucket=f"date_bin('{width}', observed_at, 'epoch')"), point)
        assert kept


def kept_by_hub(lab: Lab) -> bool:
    return bool(lab.run(is_kept_by_hub))


def test_any_order_of_arrival_gives_the_same_aggregates(lab: Lab) -> None:
    chooser = random.Random(11)
    point = lab.point()
    rows: list[Row] = [
        (START + timedelta(seconds=n), chooser.randrange(9999) if n % 50 else None, 0 if n % 50 else 17)
        for n in range(9000)
    ]
    pieces = [rows[n : n + 700] for n in range(0, len(rows), 700)]
    chooser.shuffle(pieces)
    for piece in pieces:
        lab.store(point, piece)
        if chooser.random() < 0.4:
            lab.aggregate()
    lab.aggregate()
    assert_current(lab, point)


def test_repeated_round_changes_nothing(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(500))
    lab.aggregate()
    before = lab.execute(KEPT.format(table="readings_1m"), point)
    lab.execute("UPDATE rollup_state SET feed = '0'")
    lab.aggregate()
    assert lab.execute(KEPT.format(table="readings_1m"), point) == before
    assert_current(lab, point)


def test_round_that_is_cut_off_leaves_nothing(lab: Lab) -> None:
    if not kept_by_hub(lab):
        pytest.skip("TimescaleDB keeps the aggregates itself")
    point = lab.point()
    lab.every_second(point, range(200))

    async def cut_off(connection: Connection) -> None:
        async with connection.transaction(force_rollback=True):
            assert await roll_up(connection) == 1

    lab.run(cut_off)
    assert lab.execute(KEPT.format(table="readings_1m"), point) == []
    assert lab.run(lambda db: pending_stretches(db, point))
    lab.aggregate()
    assert_current(lab, point)


def test_transaction_that_commits_late_is_not_missed(lab: Lab) -> None:
    if not kept_by_hub(lab):
        pytest.skip("TimescaleDB keeps the aggregates itself")
    slow, quick = lab.point(), lab.point()
    with psycopg.connect(lab.dsn) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        lab.every_second(quick, [1, 2, 3])
        lab.aggregate()
        connection.execute("INSERT INTO readings VALUES (%s, 7, %s, 1, 0)", (START, slow))
        connection.execute(
            "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id, signature,"
            " boot, clock_state, clock_source, state, readings, first_at, last_at, received_at)"
            " VALUES (1, 1, '', 999999, '', '', '', '', '', 's', 's', 'placed', 1, %s, %s, now())",
            (START, START),
        )
    lab.aggregate()
    assert_current(lab, slow)
    assert_current(lab, quick)


def test_two_keepers_at_once_agree(lab: Lab) -> None:
    if not kept_by_hub(lab):
        pytest.skip("TimescaleDB keeps the aggregates itself")
    point = lab.point()
    for part in range(20):
        lab.every_second(point, range(60), start=START + timedelta(seconds=45 * part, milliseconds=10 * part))

    async def both() -> None:
        async def one() -> int:
            async with await psycopg.AsyncConnection.connect(lab.hub_dsn) as connection:
                taken = 0
                while done := await roll_up(connection, limit=3):
                    taken += done
                return taken

        assert sum(await asyncio.gather(one(), one())) == 20

    asyncio.run(both())
    assert_current(lab, point)


def test_hub_role_keeps_rollups_until_it_is_stopped(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(300))

    async def keep() -> None:
        wake, stop = asyncio.Event(), asyncio.Event()
        async with (
            AsyncConnectionPool(lab.hub_dsn, min_size=2, open=False) as pool,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(keep_rollups(pool, wake, stop, round_s=0.02))
            async with pool.connection() as connection:
                for _ in range(500):
                    if not await pending_stretches(connection, point):
                        break
                    await connection.commit()
                    await asyncio.sleep(0.02)
                    wake.set()
            stop.set()

    if kept_by_hub(lab):
        asyncio.run(keep())
        assert_current(lab, point)
    else:
        asyncio.run(asyncio.wait_for(_returns_at_once(lab), 5))


async def _returns_at_once(lab: Lab) -> None:
    async with AsyncConnectionPool(lab.hub_dsn, min_size=1, open=False) as pool:
        await keep_rollups(pool, asyncio.Event(), asyncio.Event())


def test_keeper_waits_for_a_database_that_is_away(
    lab: Lab, databases: Server, caplog: pytest.LogCaptureFixture
) -> None:
    point = lab.point()
    lab.every_second(point, range(100))
    database = psycopg.conninfo.conninfo_to_dict(lab.dsn)["dbname"]

    def allow(word: str) -> None:
        with psycopg.connect(databases.admin_dsn, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS {word}".encode())

    async def keep() -> None:
        stop = asyncio.Event()
        pool = AsyncConnectionPool(lab.hub_dsn, min_size=0, max_size=1, timeout=0.2, open=False)
        async with pool, asyncio.TaskGroup() as group:
            group.create_task(keep_rollups(pool, asyncio.Event(), stop, round_s=0.05))
            await until(lambda: "wait for the database" in caplog.text)
            allow("true")
            await until(lambda: "kept again" in caplog.text)
            stop.set()

    if not kept_by_hub(lab):
        pytest.skip("TimescaleDB keeps the aggregates itself")
    caplog.set_level("INFO", "cloud.store.rollups")
    allow("false")
    try:
        asyncio.run(keep())
    finally:
        allow("true")
    assert_current(lab, point)
    assert caplog.text.count("wait for the database") == 1


async def until(done: Callable[[], bool]) -> None:
    for _ in range(600):
        if done():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came")
