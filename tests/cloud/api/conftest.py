"""The real application on a real database, asked in the process."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.services import Services

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=1)


class Lab(Protocol):
    hub_dsn: str

    def point(self) -> int: ...
    def every_second(self, point: int, counts: Sequence[int]) -> None: ...
    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...


@dataclass
class Http:
    """Asks the application; a defect comes back as 500 and raises nothing here."""

    app: FastAPI
    client: httpx.AsyncClient
    runner: asyncio.Runner
    point: int

    def get(self, path: str, **query: object) -> httpx.Response:
        return self.request("GET", path, query)

    def request(self, method: str, path: str, query: dict[str, Any]) -> httpx.Response:
        return self.runner.run(self.client.request(method, path, params=query))


@pytest.fixture(scope="module")
def http(lab: Lab) -> Iterator[Http]:
    point = lab.point()
    lab.every_second(point, [2000 + n % 7 for n in range(3000)])
    lab.every_second(lab.point(), [2000, 2001])
    place = lab.point()
    lab.execute("UPDATE points SET quantity = 'position' WHERE id = %s", place)
    lab.execute("INSERT INTO latest_positions VALUES (%s, 1, %s, 3, 1, 2, 3, 4)", place, START)
    lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject)"
        " SELECT 1, 1, 1, %s + n * interval '1 minute', 'power_lost', 'ups' FROM generate_series(1, 5) n",
        START,
    )
    lab.execute(
        "INSERT INTO gaps (organisation_id, point_id, key, cause, from_at)"
        " SELECT 1, %s, n::text, 'bus', %s FROM generate_series(1, 3) n",
        point,
        START + timedelta(seconds=2999),
    )
    with asyncio.Runner() as runner:
        pool = AsyncConnectionPool(lab.hub_dsn, min_size=1, max_size=4, open=False)
        runner.run(pool.open())
        app = create_app(Services(pool=pool, now=lambda: NOW, broker_connected=lambda: True))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://hub")
        yield Http(app, client, runner, point)
        runner.run(client.aclose())
        runner.run(pool.close())
