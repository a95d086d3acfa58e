"""The ingest room: messages in, commits, acknowledgements out.

Three loops share one process: *receive* keeps the broker connection and fills the mailbox, *open* takes
what has arrived and prepares a group in a worker thread, *store* commits groups in order and acknowledges.
So receiving, preparing and committing overlap, and whatever arrived during a commit shares the next one.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry

from cloud.broker import BrokerLink
from cloud.ingest.counters import Counters
from cloud.ingest.group import Group
from cloud.ingest.opener import Opener
from cloud.ingest.shelf import Shelf
from cloud.ingest.storer import Storer
from cloud.mqtt import Mailbox
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
        self._broker = BrokerLink(
            tools,
            "ingest",
            filters=[
                subscription(Channel.UP_STATUS),
                subscription(Channel.UP_POINTS),
                subscription(Channel.UP_BATCH, tools.identity.share_name),
            ],
            mailbox=self._mailbox,
        )
        self._opener = Opener(tools, shelf, mailbox=self._mailbox, groups=groups, counters=counters)
        self._storer = Storer(
            tools,
            shelf,
            groups=groups,
            counters=counters,
            publisher=lambda: self._broker.publisher,
            stored=stored,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        with ThreadPoolExecutor(1, thread_name_prefix="ingest") as executor:
            async with asyncio.TaskGroup() as group:
                group.create_task(supervise(BROKER, self._broker.run, health=health, random=random))
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
