"""Whoever is cancelled is free at once, also when the server has fallen silent."""

import asyncio
import time

import pytest

from cloud.store.connection import open_connection

pytestmark = pytest.mark.slow

SOON_S = 2.5


async def ask(link, asked):
    async with open_connection(link.dsn, "test") as connection, connection.transaction():
        await connection.execute("SELECT 1")
        link.fall_silent()
        await asked(connection)


async def statement(connection):
    await connection.execute("SELECT 2")


async def copy(connection):
    async with connection.cursor().copy("COPY organisations (name) FROM STDIN") as copying:
        await copying.write(b"x\n")


@pytest.mark.parametrize("asked", [statement, copy])
def test_cancelled_statement_of_a_silent_server_ends_soon(lab, silent_link, asked):
    async def scene():
        async with silent_link(lab.dsn).open() as link:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ask(link, asked))
                await link.unheard.wait()
                started = time.monotonic()
                task.cancel()
                await asyncio.wait([task])
            assert task.cancelled() or task.exception() is not None
            return time.monotonic() - started

    assert asyncio.run(scene()) < SOON_S


def test_cancelled_transaction_of_a_silent_server_ends_soon(lab, silent_link):
    """Between two statements: what is sent last is the rollback."""

    async def scene():
        idle = asyncio.Event()

        async def wait(_):
            idle.set()
            await asyncio.Event().wait()

        async with silent_link(lab.dsn).open() as link, asyncio.TaskGroup() as group:
            task = group.create_task(ask(link, wait))
            await idle.wait()
            started = time.monotonic()
            task.cancel()
            await asyncio.wait([task])
            return time.monotonic() - started

    assert asyncio.run(scene()) < SOON_S


def test_cancelled_statement_is_cancelled_on_the_server(lab):
    """A session that nobody hears any more does not go on working."""
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(%' AND state = 'active'"

    async def until(count):
        async with open_connection(lab.dsn, "looking") as connection, asyncio.timeout(20):
            while True:
                rows = await (await connection.execute(busy.encode())).fetchall()
                if rows == [(count,)]:
                    return

    async def sleep():
        async with open_connection(lab.dsn, "sleeping") as connection:
            await connection.execute("SELECT pg_sleep(60)")

    async def scene():
        async with asyncio.TaskGroup() as group:
            task = group.create_task(sleep())
            await until(1)
            task.cancel()
        await until(0)

    asyncio.run(scene())
