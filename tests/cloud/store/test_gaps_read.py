"""The newest gap that still lasts, of many points at once; the newest gaps of a site."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cloud.store.gaps_read import Gap, newest_gaps, newest_open
from cloud.store.migrate import upgrade

START = datetime(2026, 9, 10, tzinfo=UTC)
NOW = START + timedelta(hours=1)
SETUP = """
INSERT INTO organisations (name) VALUES ('o');
INSERT INTO sites (organisation_id, name, title, kind) VALUES (1, 's', 's', 'laboratory');
INSERT INTO gateways (organisation_id, name) VALUES (1, 'g');
INSERT INTO points (organisation_id, site_id, name, quantity, kind)
    SELECT 1, 1, 'p' || n, 'temperature', 'analog' FROM generate_series(1, 3) n;
"""


@pytest.fixture
def database(fresh_postgres_dsn: str) -> Iterator[psycopg.Connection]:
    async def prepare() -> None:
        async with await psycopg.AsyncConnection.connect(fresh_postgres_dsn, autocommit=True) as connection:
            await upgrade(connection)

    asyncio.run(prepare())
    with psycopg.connect(fresh_postgres_dsn, autocommit=True) as connection:
        connection.execute(SETUP)
        yield connection


def gap(database: psycopg.Connection, point: int, minute: int, cause: str, *, end: int | None = None) -> None:
    database.execute(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, from_at, to_at)"
        " VALUES (1, %s, 1, %s, %s, %s, %s)",
        (
            point,
            f"{minute}/{cause}",
            cause,
            START + timedelta(minutes=minute),
            None if end is None else START + timedelta(minutes=end),
        ),
    )


def reading(database: psycopg.Connection, point: int, minute: int) -> None:
    database.execute(
        "INSERT INTO readings (observed_at, raw, point_id, organisation_id, status) VALUES (%s, 1, %s, 1, 0)",
        (START + timedelta(minutes=minute), point),
    )

    database.execute(
        "INSERT INTO latest (point_id, organisation_id, observed_at, raw, status) VALUES (%s, 1, %s, 1, 0)",
        (point, START + timedelta(minutes=minute)),
    )


def found(database: psycopg.Connection, *points: int) -> dict[int, Gap]:
    async def ask() -> dict[int, Gap]:
        dsn = f"{database.info.dsn} password={database.info.password}"
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await newest_open(connection, points, now=NOW)

    return asyncio.run(ask())


def test_newest_gap_that_no_reading_ended_is_found_for_each_point(database: psycopg.Connection) -> None:
    for minute in range(20):
        gap(database, 1, minute, "bus")
    gap(database, 1, 30, "sensor")
    gap(database, 2, 5, "radio")
    gap(database, 3, 5, "power", end=7)
    assert {point: one.cause for point, one in found(database, 1, 2, 3).items()} == {1: "sensor", 2: "radio"}


def test_gap_that_a_later_reading_ended_lasts_no_more(database: psycopg.Connection) -> None:
    gap(database, 1, 5, "bus")
    reading(database, 1, 6)
    assert found(database, 1) == {}


def test_points_that_nobody_asked_for_are_left_out(database: psycopg.Connection) -> None:
    gap(database, 1, 5, "bus")
    assert found(database, 2) == {}


def newest(dsn: str, limit: int) -> list[tuple[str, datetime]]:
    async def ask() -> list[Gap]:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await newest_gaps(connection, START, NOW, now=NOW, site_id=1, limit=limit)

    return [(one.cause, one.to_at) for one in asyncio.run(ask())]


def test_newest_gaps_are_the_newest_of_however_many(
    database: psycopg.Connection, fresh_postgres_dsn: str
) -> None:
    gap(database, 1, 50, "power", end=55)  # told first, and the newest that ended
    gap(database, 2, 20, "clock")  # its end was not told, a reading came at 30
    reading(database, 2, 30)
    gap(database, 3, 10, "hub")  # still lasts
    database.execute(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, from_at, to_at)"
        " SELECT 1, 1, 1, 'many ' || n, 'radio', %s, %s FROM generate_series(1, 1200) n",
        (START + timedelta(minutes=1), START + timedelta(minutes=2)),
    )
    assert newest(fresh_postgres_dsn, 4) == [
        ("hub", NOW),
        ("power", START + timedelta(minutes=55)),
        ("clock", START + timedelta(minutes=30)),
        ("radio", START + timedelta(minutes=2)),
    ]
