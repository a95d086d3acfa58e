"""The hub stops in time, whatever its database does."""

import asyncio
import time
from urllib.parse import urlsplit

import pytest

from cloud.hub import ROOMS, run_hub
from cloud.settings import HubSettings, broker_of_url

pytestmark = pytest.mark.slow

STOP_S = 5.0


async def until_ready(address):
    """Wait until the hub says that database and broker are there."""
    where = urlsplit(address)
    while True:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        status = await reader.readline()
        writer.close()
        await writer.wait_closed()
        if b" 200 " in status:
            return


def test_hub_whose_database_falls_silent_stops_in_time(lab, silent_link, broker, hub_identity):
    async def scene():
        stop = asyncio.Event()
        told = asyncio.get_running_loop().create_future()
        async with silent_link(lab.hub_dsn).open() as link:
            settings = HubSettings(link.dsn, broker_of_url(broker.hub_url), hub_identity.folder, port=0)
            async with asyncio.TaskGroup() as group:
                group.create_task(run_hub(settings, ROOMS, environment={}, stop=stop, ready=told.set_result))
                await until_ready(await told)
                link.fall_silent()
                await link.unheard.wait()
                started = time.monotonic()
                stop.set()
        return time.monotonic() - started

    assert asyncio.run(scene()) < STOP_S


def test_hub_that_waits_for_a_silent_database_stops_at_once(lab, silent_link, broker, hub_identity):
    async def scene():
        stop = asyncio.Event()
        async with silent_link(lab.hub_dsn).open() as link:
            link.fall_silent()
            settings = HubSettings(link.dsn, broker_of_url(broker.hub_url), hub_identity.folder, port=0)
            async with asyncio.TaskGroup() as group:
                group.create_task(run_hub(settings, ROOMS, environment={}, stop=stop, ready=print))
                await link.unheard.wait()
                started = time.monotonic()
                stop.set()
        return time.monotonic() - started

    assert asyncio.run(scene()) < 2
