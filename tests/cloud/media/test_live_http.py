"""Live views as browsers ask for them: from a real server, fed by a real gateway's channel."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import pytest
import uvicorn
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.services import BusyError, Services
from cloud.media.live import VIEWERS_MAX
from cloud.store.connection import StoreConnection
from provisioning.identity import GatewayIdentity
from tests.live_camera import LiveCamera, channel_of

pytestmark = pytest.mark.slow
CAMERA = "weighing/camera"


class Lab(Protocol):
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


class Numbered(LiveCamera):
    """A camera whose pictures are numbered."""

    def __init__(self) -> None:
        self.shown = 0
        super().__init__("cam", CAMERA, frames=self._numbered(), every_s=0.05)

    def _numbered(self) -> Iterator[bytes]:
        while True:
            self.shown += 1
            yield b"\xff\xd8\xff-%06d-" % self.shown + bytes(100_000) + b"\xff\xd9"


@asynccontextmanager
async def pages(lab: Lab, room: Any) -> AsyncIterator[str]:
    """The API on a port of 127.0.0.1."""
    kwargs = {"autocommit": True}
    async with AsyncConnectionPool(
        lab.hub_dsn, connection_class=StoreConnection, min_size=1, max_size=3, open=False, kwargs=kwargs
    ) as pool:
        given = Services(pool=pool, now=lambda: datetime.now(UTC), broker_connected=lambda: True, media=room)
        config = uvicorn.Config(create_app(given), port=0, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        for _ in range(500):
            if server.started:
                break
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def until(condition: Callable[[], object], *, within_s: float = 45) -> None:
    for _ in range(int(within_s / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not come true within {within_s} s")


async def frames(response: httpx.Response) -> AsyncIterator[int]:
    """The numbers of the pictures that come; each is whole."""
    rest = b""
    async for data in response.aiter_bytes():
        rest += data
        while b"\r\n\r\n" in rest:
            head, _, body = rest.partition(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            if len(body) < size:
                break
            assert body[:size].endswith(b"\xff\xd9")
            yield int(body[4:10])
            rest = body[size:]


@pytest.mark.requirement("G-6.9c2")
def test_two_viewers_see_now_and_the_view_ends_with_the_last(
    lab: Lab, hub: Any, camera: str, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    source = Numbered()
    ((number,),) = lab.execute("SELECT id FROM points WHERE name = %s", f"{CAMERA}/recorded")

    async def scenario() -> None:
        async with (
            hub(live_grace_s=0.3) as here,
            pages(lab, here.room) as url,
            channel_of(here.url, gateway_identity("gateway-1"), source),
            httpx.AsyncClient(timeout=15) as client,
        ):
            await until(lambda: here.room.listening("gateway-1"))
            assert source.shown == 0
            address = f"{url}/api/cameras/{number}/live"
            began = time.monotonic()
            async with client.stream("GET", address) as first:
                kind = first.headers["content-type"]
                assert kind == "multipart/x-mixed-replace; boundary=heng-frame"
                assert first.headers["cache-control"] == "no-store"
                one = frames(first)
                await anext(one)
                assert time.monotonic() - began < 3
                async with client.stream("GET", address) as second:
                    two = frames(second)
                    await anext(two)
                    assert source.looking == 1
                    seen = [await anext(one) for _ in range(3)]
                    assert seen == sorted(set(seen))
                    await asyncio.sleep(1.5)
                    late = [await anext(two) for _ in range(6)][-1]
                    assert late > seen[-1]  # it skipped what it was too slow for
            await until(lambda: source.looking == 0, within_s=5)
            head = await client.head(address)
            assert head.status_code == 200
            await until(lambda: source.looking == 0, within_s=5)
            assert here.files() == []

    asyncio.run(scenario())


def test_hub_that_stops_ends_its_live_views(
    lab: Lab, hub: Any, camera: str, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    source = Numbered()
    ((number,),) = lab.execute("SELECT id FROM points WHERE name = %s", f"{CAMERA}/recorded")

    async def scenario() -> None:
        async with (
            hub() as here,
            pages(lab, here.room) as url,
            channel_of(here.url, gateway_identity("gateway-1"), source),
            httpx.AsyncClient(timeout=15) as client,
        ):
            await until(lambda: here.room.listening("gateway-1"))
            async with client.stream("GET", f"{url}/api/cameras/{number}/live") as response:
                looking = frames(response)
                await anext(looking)
                here.room.close()
                async for _ in looking:
                    pass
            busy = await client.get(f"{url}/api/cameras/{number}/live")
            assert busy.status_code == 503

    asyncio.run(scenario())


def test_viewers_are_bounded(hub: Any, camera: str) -> None:
    async def scenario() -> None:
        async with hub() as here:
            waiting = [here.room.watch("gateway-1", f"c{n % 3}") for n in range(VIEWERS_MAX)]
            tasks = [asyncio.create_task(anext(one)) for one in waiting]
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await anext(here.room.watch("gateway-1", "one more"))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())
