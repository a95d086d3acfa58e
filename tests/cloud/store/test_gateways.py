"""Gateway rows are locked in one order by everyone, and each gateway has room for so much and no more."""

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from cloud.store import declare, directory, gateways, ledger
from cloud.store.connection import open_connection
from cloud.store.declare import DeclarationError
from cloud.store.directory import GatewayRow
from cloud.store.gateways import KEYS_MAX, NewKey
from wire.layouts import make_layout
from wire.messages import PointDeclaration

pytestmark = pytest.mark.slow

AT = datetime(2026, 1, 1, tzinfo=UTC)
GATEWAY = GatewayRow(1, 1, "gateway-1")


def test_batches_are_noted_while_another_worker_commits(lab):
    """Old rows first on disk is not the order of the ids: the first gateway was updated last."""
    lab.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'gateway-2')")
    lab.execute("UPDATE gateways SET software = 'moved' WHERE id = 1")

    async def scene():
        async with (
            open_connection(lab.dsn, "committing") as committing,
            open_connection(lab.dsn, "noting") as noting,
            open_connection(lab.dsn, "looking") as looking,
            asyncio.timeout(45),
            asyncio.TaskGroup() as tasks,
            committing.transaction(),
        ):
            await ledger.lock_gateways(committing, [1])
            tasks.create_task(gateways.note_batches(noting, [1, 2], AT))
            while True:
                blocked = await looking.execute(
                    "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", (noting.info.backend_pid,)
                )
                if await blocked.fetchall():
                    break
            await ledger.lock_gateways(committing, [2])

    asyncio.run(scene())
    assert lab.execute("SELECT DISTINCT last_batch_at FROM gateways") == [(AT,)]


def key(number):
    name = b"%032d" % number
    return NewKey(name[:8] + name[-8:], 1, 1, name, "certificate", b"proof")


def test_gateway_has_room_for_so_many_keys(lab):
    async def scene(connection):
        async with connection.transaction():
            await directory.change(connection)
            for number in range(KEYS_MAX):
                assert await gateways.add_key(connection, key(number))
            assert not await gateways.add_key(connection, key(0))
            with pytest.raises(DeclarationError, match=f"gateway 1 has {KEYS_MAX} keys"):
                await gateways.add_key(connection, key(KEYS_MAX))
            raise psycopg.Rollback

    lab.run(scene)


def test_gateway_has_room_for_so_many_layouts_and_points(lab):
    names = [f"p/{number}" for number in range(declare.CHANNELS_MAX + 1)]
    points = [PointDeclaration(name=name, quantity="temperature") for name in names]
    layouts = [make_layout([name], [0]) for name in names[: declare.LAYOUTS_MAX + 1]]

    async def scene(connection):
        async with connection.transaction():
            await directory.change(connection)
            await declare.add_layouts(connection, GATEWAY, layouts[1:])
            await declare.add_layouts(connection, GATEWAY, layouts[1:])
            with pytest.raises(DeclarationError, match=f"more than {declare.LAYOUTS_MAX} layouts"):
                await declare.add_layouts(connection, GATEWAY, layouts)
            await declare.add_points(connection, GATEWAY, points[1:])
            with pytest.raises(DeclarationError, match=f"more than {declare.CHANNELS_MAX} points"):
                await declare.add_points(connection, GATEWAY, points)
            raise psycopg.Rollback

    lab.run(scene)
