"""What the security tests share: a hub with people on a real database, and a real listener of its pages."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from cli.embedded import processes
from cloud.api.app import create_app
from cloud.api.entrance import EntranceLimits
from cloud.api.services import Services
from cloud.browsers import PatientProtocol, listener_config
from tests.cloud.conftest import lab as lab
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.world import NOW
from tests.system.conftest import broker as broker


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    """The application over three places, with an account that asks."""
    with open_world(lab) as made:
        yield made


@dataclass
class Pages:
    """A listener of pages and API on a port of 127.0.0.1."""

    app: FastAPI
    port: int
    tls: ssl.SSLContext | None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = None if self.tls is None else "localhost"
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, server_hostname=name)

    async def say(self, data: bytes) -> bytes:
        """Send bytes as they are and return all that is answered until the hub hangs up."""
        reader, writer = await self.open()
        writer.write(data)
        async with asyncio.timeout(45):
            answer = await reader.read()
        writer.close()
        return answer


class Hasty(PatientProtocol):
    """Waits for a head no longer than a test likes to."""

    head_s = 0.3


async def answers(listener: uvicorn.Server) -> bool:
    return listener.started


@pytest.fixture
def pages(lab: Any) -> Callable[..., Any]:
    """A function: settings -> a context with a listener over the database of this module."""

    @asynccontextmanager
    async def serving(
        *,
        limits: EntranceLimits | None = None,
        server: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> AsyncIterator[Pages]:
        async with AsyncConnectionPool(
            lab.hub_dsn, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}
        ) as pool:
            app = create_app(
                Services(pool=pool, now=lambda: NOW, broker_connected=lambda: True), entrance=limits
            )
            config = listener_config(
                app,
                certificate=server and server / "tls-cert.pem",
                key=server and server / "tls-key.pem",
                protocol=Hasty,
            )
            config.host, config.port = "127.0.0.1", 0
            listener = uvicorn.Server(config)
            with config.bind_socket() as bound:
                task = asyncio.create_task(listener.serve(sockets=[bound]))
                assert await processes.until(lambda: answers(listener), timeout_s=60)
                try:
                    yield Pages(app, bound.getsockname()[1], tls)
                finally:
                    listener.should_exit = True
                    await task

    return serving


@pytest.fixture
def refused(lab: Any) -> Callable[[str], list[tuple[Any, ...]]]:
    """A function: the reason -> (action, object, actor, origin) of what the audit log has for it."""

    def rows(why: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = lab.execute(
            "SELECT action, object, actor, origin FROM audit_log"
            " WHERE outcome = 'refused' AND why LIKE %s ORDER BY id",
            why,
        )
        return found

    return rows
