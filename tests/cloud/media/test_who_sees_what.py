"""Cameras, files and wishes are shown to who may see their site or organisation, and to nobody else."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.store.camera_timeline import read_timeline
from cloud.store.cameras import find_camera, list_found
from cloud.store.connection import StoreConnection
from cloud.store.media import find_file
from cloud.store.media_wishes import add_wish
from cloud.store.snapshot import ASKER, Seen, changing, snapshot

pytestmark = pytest.mark.slow
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JPEG = b"\xff\xd8\xff" + bytes(500)


class Lab(Protocol):
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


@pytest.fixture
def asker() -> Iterator[None]:
    before = ASKER.set(None)
    yield
    ASKER.reset(before)


@pytest.mark.parametrize(
    ("seen", "sees"),
    [
        (Seen(frozenset({1}), frozenset()), True),
        (Seen(frozenset(), frozenset({1})), True),
        (Seen(frozenset({2}), frozenset({2})), False),
        (Seen(frozenset(), frozenset()), False),
    ],
)
def test_only_who_may_see_the_site_sees_its_cameras_and_their_files(
    seen: Seen, sees: bool, lab: Lab, hub: Any, far: Any, asker: None
) -> None:
    async def scenario() -> None:
        async with hub() as here:
            there = far(here)
            assert (await there.put(JPEG))[0] == 201
            there.link.close()
            sha256 = bytes.fromhex(here.files()[0])
        kwargs = {"autocommit": True}
        async with AsyncConnectionPool(
            lab.hub_dsn, connection_class=StoreConnection, min_size=1, max_size=2, open=False, kwargs=kwargs
        ) as pool:
            async with snapshot(pool) as connection:
                (all_of_it,) = await list_found(connection, now=NOW)
            ASKER.set(seen)
            async with snapshot(pool) as connection:
                found = await find_camera(connection, all_of_it.id, now=NOW)
                assert (found is not None) == sees
                assert (await find_file(connection, sha256) is not None) == sees
                later = NOW + timedelta(seconds=1)
                timeline = await read_timeline(
                    connection, all_of_it, from_at=NOW - timedelta(hours=1), to_at=later, now=later
                )
                assert [one.state for one in timeline.pictures] == (["without_event"] if sees else [])
            if found is not None:
                async with changing(pool) as connection:
                    made = await add_wish(
                        connection,
                        found.gateway_id,
                        found.prefix,
                        from_at=NOW - timedelta(minutes=2),
                        to_at=NOW,
                        now=NOW,
                    )
                assert made is not None
                assert made[0].state == "waiting"

    asyncio.run(scenario())
