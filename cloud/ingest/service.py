"""The ingest room: messages in, commits, acknowledgements out.

Three loops share one process: *receive* keeps the broker connection and fills the mailbox, *open* takes
what has arrived and prepares a group in a worker thread, *store* commits groups in order and acknowledges.
So receiving, preparing and committing overlap, and whatever arrived during a commit shares the next one.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry

from cloud.ingest.counters import Counters
from cloud.ingest.group import Group
from cloud.ingest.opener import Opener
from cloud.ingest.shelf import Shelf
from cloud.ingest.storer import Storer
from cloud.mqtt import Mailbox, Publisher, connect, until_lost
from cloud.supervisor import supervise
from cloud.tools import Tools
from wire.topics import Channel, subscription

BROKER, OPENING, STORING = "ingest: broker", "ingest: opening", "ingest: storing"
PARTS = (BROKER, OPENING, STORING)


class Ingest:
    """One ingest worker."""

    def __init__(
        self, tools: Tools, registry: CollectorRegistry, *, stored: Callable[[], None] = lambda: None
    ) -> None:
        """Its figures are registered in `registry`; `stored` is called after each commit."""
        settings = tools.settings
        counters = Counters(registry)
        shelf = Shelf(tools)
        groups: asyncio.Queue[Group] = asyncio.Queue(maxsize=1)
        self._tools = tools
        self._mailbox = Mailbox(settings.queue_messages, settings.queue_bytes)
        self._publisher: Publisher | None = None
        self._opener = Opener(tools, shelf, mailbox=self._mailbox, groups=groups, counters=counters)
        self._storer = Storer(
            tools,
            shelf,
            groups=groups,
            counters=counters,
            publisher=lambda: self._publisher,
            stored=stored,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        with ThreadPoolExecutor(1, thread_name_prefix="ingest") as executor:
            async with asyncio.TaskGroup() as group:
                group.create_task(supervise(BROKER, self._receive, health=health, random=random))
                group.create_task(
                    supervise(
                        OPENING, lambda up: self._opener.run(up, executor), health=health, random=random
                    )
                )
                group.create_task(
                    supervise(
                        STORING, lambda up: self._storer.run(up, executor), health=health, random=random
                    )
                )

    async def _receive(self, up: Callable[[], None]) -> None:
        identity = self._tools.identity
        filters = [
            subscription(Channel.UP_STATUS),
            subscription(Channel.UP_POINTS),
            subscription(Channel.UP_BATCH, identity.share_name),
        ]
        async with connect(
            self._tools.settings.broker,
            identity.tls_context(),
            client_id=identity.client_id("ingest"),
            filters=filters,
            mailbox=self._mailbox,
            now=self._tools.now,
        ) as (publisher, client):
            self._publisher = publisher
            up()
            try:
                await until_lost(client)
            finally:
                self._publisher = None
