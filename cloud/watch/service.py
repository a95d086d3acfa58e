"""The watch room: who is online, who fell silent, what is kept no longer. It follows births and wills."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from prometheus_client import CollectorRegistry

from cloud.mqtt import Mailbox, connect, until_lost
from cloud.supervisor import supervise
from cloud.tools import Tools
from cloud.watch import liveness
from cloud.watch.hearing import Hearing
from cloud.watch.points import SilentPoints
from cloud.watch.presence import Presence
from cloud.watch.retention import keep_forgetting
from wire.topics import Channel, subscription

BROKER, LOOKING, FORGETTING = "watch: broker", "watch: looking", "watch: retention"
PARTS = (BROKER, LOOKING, FORGETTING)
_MESSAGES_MAX, _BYTES_MAX = 10_000, 16 * 1024 * 1024
_LOOK_S = 1.0


class Watch:
    """One watch worker; a second one would change nothing but the load."""

    def __init__(self, tools: Tools, registry: CollectorRegistry) -> None:
        """Its figures are registered in `registry`."""
        self._tools = tools
        self._mailbox = Mailbox(_MESSAGES_MAX, _BYTES_MAX)
        self._points = SilentPoints(registry)
        self._presence = Presence()
        self._hearing = Hearing(tools, self._presence)

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            group.create_task(supervise(BROKER, self._receive, health=health, random=random))
            group.create_task(supervise(LOOKING, self._look, health=health, random=random))
            group.create_task(supervise(FORGETTING, self._forget, health=health, random=random))

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
            with self._presence.listening(self._tools.now()):
                await until_lost(client)

    async def _forget(self, up: Callable[[], None]) -> None:
        async with self._tools.connection("retention") as connection:
            up()
            await keep_forgetting(connection, self._tools.now)

    async def _look(self, up: Callable[[], None]) -> None:
        longest = timedelta(seconds=self._tools.settings.suspect_after_s)
        async with self._tools.connection("watch") as connection:
            up()
            while True:
                await self._hearing.take_in(connection)
                try:
                    async with asyncio.timeout(_LOOK_S):
                        self._hearing.add(await self._mailbox.take(_MESSAGES_MAX, _BYTES_MAX))
                except TimeoutError:
                    now = self._tools.now()
                    await liveness.look(connection, now, longest, presence=self._presence)
                    await self._points.look(connection, now)
