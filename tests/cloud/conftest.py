"""A database with the hub's tables and a small laboratory to put readings into."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cloud.store.connection import Connection
from cloud.store.migrate import install_timescaledb, upgrade
from cloud.store.rollups import is_kept_by_hub, roll_up

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)


class Server(Protocol):
    def create(self) -> str: ...
    def drop(self, owner_dsn: str) -> None: ...
    def hub_dsn(self, owner_dsn: str) -> str: ...


@dataclass
class Lab:
    """Writes what tests need and runs what they ask on a connection in UTC."""

    dsn: str
    hub_dsn: str
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def run(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        async def on_connection() -> T:
            async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
                await connection.execute("SET TimeZone = 'UTC'")
                return await ask(connection)

        return asyncio.run(on_connection())

    def point(self, *, exponent: int = -2, period_ms: int | None = 1000, kind: str = "analog") -> int:
        number = next(self.numbers)
        row = self.execute(
            "INSERT INTO points (organisation_id, site_id, name, quantity, kind) "
            "VALUES (1, 1, %s, 'temperature', %s) RETURNING id",
            f"room-{number}/air/temperature",
            kind,
        )
        point = int(row[0][0])
        self.execute(
            "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms)"
            " VALUES (1, %s, %s, %s)",
            point,
            exponent,
            period_ms,
        )
        self.execute(
            "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)"
            " VALUES (1, 1, %s, %s)",
            f"channel-{number}",
            point,
        )
        return point

    def store(self, point: int, rows: Sequence[tuple[datetime, int | None, int]]) -> None:
        """Store readings as (time, count, status), and a batch that holds them, in one transaction."""
        with psycopg.connect(self.dsn) as connection:
            with connection.cursor().copy(
                "COPY readings (observed_at, raw, status, point_id, organisation_id) FROM STDIN"
            ) as copy:
                for row in rows:
                    copy.write_row((*row, point, 1))
            connection.execute(
                "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id,"
                " signature, boot, clock_state, clock_source, state, readings, first_at, last_at,"
                " received_at)"
                " VALUES (1, 1, '', %s, '', '', '', '', '', 'synchronised', 'system', 'placed',"
                " %s, %s, %s, now())",
                (next(self.numbers), len(rows), min(row[0] for row in rows), max(row[0] for row in rows)),
            )
            connection.execute(
                "INSERT INTO latest AS l VALUES (%s, 1, %s, %s, %s) ON CONFLICT (point_id) DO UPDATE"
                " SET observed_at = excluded.observed_at, raw = excluded.raw, status = excluded.status"
                " WHERE excluded.observed_at > l.observed_at",
                (point, *max(rows, key=lambda row: row[0])),
            )

    def every_second(self, point: int, counts: Sequence[int], *, start: datetime = START) -> None:
        self.store(point, [(start + timedelta(seconds=n), count, 0) for n, count in enumerate(counts)])

    def gap(self, point: int, cause: str, from_at: datetime | None, to_at: datetime | None) -> None:
        self.execute(
            "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, from_at, to_at)"
            " VALUES (1, %s, 1, %s, %s, %s, %s)",
            point,
            str(next(self.numbers)),
            cause,
            from_at,
            to_at,
        )

    def calibrate(
        self, point: int, since: datetime, nodes: Sequence[tuple[str, str]], *, exponent: int = -4
    ) -> None:
        self.execute(
            "INSERT INTO calibrations (organisation_id, point_id, valid, indicated, correction, exponent)"
            " VALUES (1, %s, tstzrange(%s, NULL), %s::numeric[], %s::numeric[], %s)",
            point,
            since,
            [x for x, _ in nodes],
            [c for _, c in nodes],
            exponent,
        )

    def aggregate(self) -> None:
        """Bring the aggregates up to date, as the hub or TimescaleDB does."""

        async def catch_up(connection: Connection) -> None:
            if await is_kept_by_hub(connection):
                while await roll_up(connection):
                    pass
            else:
                await connection.execute("CALL refresh_rollups()")

        self.run(catch_up)


@pytest.fixture(scope="module")
def lab(databases: Server) -> Iterator[Lab]:
    """A database of this module's own with one organisation, one site and one gateway bound to it."""
    dsn = databases.create()

    async def prepare(connection: Connection) -> None:
        await install_timescaledb(connection)
        await upgrade(connection)

    made = Lab(dsn, databases.hub_dsn(dsn))
    made.run(prepare)
    made.execute("INSERT INTO organisations (name) VALUES ('metrology')")
    made.execute(
        "INSERT INTO sites (organisation_id, name, title, kind)"
        " VALUES (1, 'lab-1', 'Laboratory 1', 'laboratory')"
    )
    made.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'gateway-1')")
    made.execute("INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id) VALUES (1, 1, 1)")
    yield made
    databases.drop(dsn)


class SilentLink:
    """A way to PostgreSQL that can fall silent: what is sent goes nowhere, and nobody hangs up."""

    def __init__(self, dsn: str) -> None:
        self._far = conninfo_to_dict(dsn)
        self._dsn = dsn
        self._silent = False
        self._served: set[asyncio.Task[None]] = set()
        self.dsn = ""
        self.unheard = asyncio.Event()
        """Set when something was sent that nobody answers."""

    def fall_silent(self) -> None:
        self._silent = True
        self.unheard.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        far_reader, far_writer = await asyncio.open_connection(str(self._far["host"]), int(self._far["port"]))
        try:
            with contextlib.suppress(asyncio.CancelledError):  # asyncio's server wants no cancelled tasks
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass_on(reader, far_writer))
                    group.create_task(self._pass_on(far_reader, writer))
        finally:
            far_writer.close()
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._silent:
                    self.unheard.set()
                else:
                    writer.write(data)
            if not self._silent:
                writer.close()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["SilentLink"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.dsn = make_conninfo(self._dsn, host="127.0.0.1", port=port)
        try:
            yield self
        finally:
            server.close()
            for task in self._served:
                task.cancel()
            await asyncio.gather(*self._served, return_exceptions=True)


@pytest.fixture
def silent_link() -> Callable[[str], SilentLink]:
    """A function: the DSN of a server -> a link to it, to be opened."""
    return SilentLink
