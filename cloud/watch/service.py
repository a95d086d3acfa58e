"""The watch room: who is online, who fell silent. It follows births and wills, and looks once a second."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from prometheus_client import CollectorRegistry

from cloud.mqtt import Arrived, Mailbox, connect, until_lost
from cloud.opening import Opening, open_all
from cloud.store import directory
from cloud.store.connection import Connection
from cloud.supervisor import supervise
from cloud.tools import Tools
from cloud.watch import liveness
from cloud.watch.keys import Keys
from cloud.watch.points import SilentPoints
from wire.topics import Channel, subscription

BROKER, LOOKING = "watch: broker", "watch: looking"
PARTS = (BROKER, LOOKING)
_MESSAGES_MAX, _BYTES_MAX = 10_000, 16 * 1024 * 1024
_LOOK_S = 1.0


class Watch:
    """One watch worker; a second one would change nothing but the load."""

    def __init__(self, tools: Tools, registry: CollectorRegistry) -> None:
        """Its figures are registered in `registry`."""
        self._tools = tools
        self._mailbox = Mailbox(_MESSAGES_MAX, _BYTES_MAX)
        self._points = SilentPoints(registry)
        self._keys: Keys | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            group.create_task(supervise(BROKER, self._receive, health=health, random=random))
            group.create_task(supervise(LOOKING, self._look, health=health, random=random))

    async def _receive(self, up: Callable[[], None]) -> None:
        identity = self._tools.identity
        async with connect(
            self._tools.settings.broker,
            identity.tls_context(),
            client_id=identity.client_id("watch"),
            filters=[subscription(Channel.UP_STATUS)],
            mailbox=self._mailbox,
            now=self._tools.now,
        ) as (_, client):
            up()
            await until_lost(client)

    async def _look(self, up: Callable[[], None]) -> None:
        longest = timedelta(seconds=self._tools.settings.suspect_after_s)
        async with self._tools.connection("watch") as connection:
            up()
            while True:
                arrived: list[Arrived] = []
                try:
                    async with asyncio.timeout(_LOOK_S):
                        arrived = await self._mailbox.take(1000, _BYTES_MAX)
                except TimeoutError:
                    now = self._tools.now()
                    await liveness.look(connection, now, longest)
                    await self._points.look(connection, now)
                await self._hear(connection, arrived)

    async def _hear(self, connection: Connection, arrived: list[Arrived]) -> None:
        if not arrived:
            return
        if self._keys is None or self._keys.version != await directory.version(connection):
            async with connection.transaction():
                await directory.repeatable(connection)
                self._keys = Keys(await directory.load(connection))
        opening = Opening(self._keys, self._tools.identity.ca_certificate, self._tools.now)
        passed, _ = open_all(arrived, opening)  # what is refused, ingest keeps
        for item in passed:
            await liveness.hear(connection, item, item.arrived.received_at)
