"""A database with one site, and a gateway whose batches are committed without a broker in between."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
import pytest

from cloud.ingest.commit import Committed, commit
from cloud.ingest.directory import Directory
from cloud.ingest.group import Group, Sealed, regroup
from cloud.ingest.placing import place_quarantined
from cloud.store import declare, directory, sites_write
from cloud.store.connection import Connection, open_connection
from cloud.store.directory import GatewayRow
from cloud.store.migrate import upgrade
from cloud.store.sites_write import SiteRow
from wire.codec import body_hash, encode_body
from wire.layouts import make_layout
from wire.messages import Batch, Clock, PointDeclaration
from wire.status import ClockState

T = TypeVar("T")
OFFSET = 178_000_000_000
KNOWN = Clock(ClockState.SYNCHRONISED, OFFSET, 5, "system")
OPEN = Clock(ClockState.UNSYNCHRONISED)
POINTS = ("room/air/temperature", "room/air/humidity")
LAYOUT = make_layout(POINTS, [-2, -2])
TABLES = (
    "readings, positions, events, gaps, latest, latest_positions, batches, batch_bodies, ledger, "
    "clocks_found, tombstones"
)


@dataclass
class Chain:
    """Seals batches one behind the other."""

    gateway: GatewayRow
    epoch: bytes = field(default_factory=lambda: os.urandom(16))
    boot: bytes = field(default_factory=lambda: os.urandom(16))
    seq: int = 0
    previous: bytes = bytes(32)

    def seal(self, **fields: Any) -> Batch:
        """Return the next batch."""
        self.seq += 1
        values = {
            "gateway": self.gateway.name,
            "epoch": self.epoch,
            "seq": self.seq,
            "previous": self.previous,
            "boot": self.boot,
            "clock": KNOWN,
            "base_tick": 0,
        }
        batch = Batch(**{**values, **fields})
        self.previous = body_hash(encode_body(batch))
        return batch


class Laboratory:
    """One site with one gateway, and what ingest does with its batches."""

    def __init__(self, connection: Connection, gateway: GatewayRow, site_id: int) -> None:
        self.connection = connection
        self.gateway = gateway
        self.site_id = site_id

    def chain(self, epoch: bytes | None = None) -> Chain:
        return Chain(self.gateway) if epoch is None else Chain(self.gateway, epoch)

    async def declare(self, points: Sequence[str], exponent: int = -2, quantity: str = "temperature") -> str:
        """Declare points in one layout and return its id."""
        layout = make_layout(points, [exponent] * len(points))
        declared = [
            PointDeclaration(name=name, quantity=quantity, exponent=exponent, period_ms=1000)
            for name in points
        ]
        async with self.connection.transaction():
            await directory.change(self.connection)
            await declare.add_layouts(self.connection, self.gateway, [layout])
            await declare.add_points(self.connection, self.gateway, declared)
        return layout.id

    async def directory(self) -> Directory:
        async with self.connection.transaction():
            return Directory(await directory.load(self.connection))

    async def group(self, batches: Iterable[Batch]) -> Group:
        return regroup([self._sealed(batch) for batch in batches], await self.directory())

    async def store(self, *batches: Batch) -> Committed:
        """Commit batches in one group."""
        return await commit(self.connection, await self.group(batches))

    async def place_quarantined(self) -> int:
        return await place_quarantined(self.connection, await self.directory())

    async def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return await (await self.connection.execute(statement.encode(), parameters)).fetchall()

    async def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that is derived, without what depends on when it arrived."""
        return {
            "readings": await self.rows(
                "SELECT point_id, observed_at, raw, status FROM readings ORDER BY 1, 2, 3, 4"
            ),
            "positions": await self.rows(
                "SELECT point_id, observed_at, mode, latitude_e9 FROM positions ORDER BY 1, 2, 3, 4"
            ),
            "events": await self.rows(
                "SELECT observed_at, kind, subject, data::text FROM events ORDER BY 1, 2, 3, 4"
            ),
            "gaps": await self.rows(
                "SELECT point_id, key, cause, reason, from_at, to_at FROM gaps ORDER BY 1, 2"
            ),
            "latest": await self.rows("SELECT point_id, observed_at, raw, status FROM latest ORDER BY 1"),
            "fixes": await self.rows("SELECT point_id, observed_at, mode FROM latest_positions ORDER BY 1"),
            "batches": await self.rows(
                "SELECT epoch, seq, hash, state, offset_ticks, bound_ms, readings FROM batches "
                "ORDER BY 1, 2, 3"
            ),
            "ledger": await self.rows("SELECT epoch, received, tip_hash, last_at FROM ledger ORDER BY 1"),
            "clocks": await self.rows("SELECT boot, offset_ticks FROM clocks_found ORDER BY 1, 2"),
            "tombstones": await self.rows("SELECT epoch, seq, hash FROM tombstones ORDER BY 1, 2"),
        }

    async def clear(self) -> None:
        await self.connection.execute(f"TRUNCATE {TABLES}".encode())

    def _sealed(self, batch: Batch) -> Sealed:
        body = encode_body(batch)
        return Sealed(
            batch=batch,
            gateway=self.gateway,
            hash=body_hash(body),
            key_id=bytes(8),
            signature=bytes(64),
            body=body,
            received_us=833_000_000_000_000,
            readings=sum(len(poll.counts) for poll in batch.polls),
            clock=batch.clock,
        )


Scene = Callable[[Laboratory], Awaitable[T]]


@pytest.fixture(scope="module")
def schema_dsn(postgres_dsn: str) -> str:
    """A database with all tables."""

    async def make() -> None:
        async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as connection:
            await upgrade(connection)

    asyncio.run(make())
    return postgres_dsn


@pytest.fixture
def in_laboratory(schema_dsn: str) -> Callable[[Scene[Any]], Any]:
    """A function that runs a scene in a laboratory of this test's own, with two points declared."""
    name = f"gateway-{os.urandom(4).hex()}"

    async def play(scene: Scene[Any]) -> Any:
        async with open_connection(schema_dsn, "test") as connection:
            laboratory = await _laboratory(connection, name)
            await laboratory.clear()
            await laboratory.declare(POINTS)
            return await scene(laboratory)

    return lambda scene: asyncio.run(play(scene))


async def _laboratory(connection: Connection, name: str) -> Laboratory:
    async with connection.transaction():
        await directory.change(connection)
        organisation = await sites_write.organisation(connection, "Test")
        row = SiteRow(
            name=name, title=name, kind="laboratory", time_zone="UTC", latitude_e9=None, longitude_e9=None
        )
        site_id = await sites_write.site(connection, organisation, row)
        gateway = await sites_write.gateway(connection, organisation, name)
        await sites_write.bind(connection, gateway, site_id, None)
    return Laboratory(connection, gateway, site_id)
