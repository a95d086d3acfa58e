"""Takes what has arrived from the mailbox, opens it, and hands groups of batches to the storer.

Births and declarations are stored here at once, each in a transaction of its own, because what follows
them may need them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic

from cloud.ingest import control
from cloud.ingest.counters import Counters
from cloud.ingest.directory import Directory
from cloud.ingest.group import Group, prepare
from cloud.ingest.shelf import Shelf
from cloud.ingest.strangers import Strangers
from cloud.mqtt import Arrived, Mailbox
from cloud.opening import Opening, Refusals, RefusedError, open_all, open_some
from cloud.store import rejects
from cloud.store.connection import Connection
from cloud.store.rejects import Reject
from cloud.tools import Tools
from wire.topics import Channel

_LOOK_S = 1.0
_REJECTS_AT_ONCE = 100
_BATCH = "/" + Channel.UP_BATCH.value


class Opener:
    """The loop between the mailbox and the storer."""

    def __init__(
        self,
        tools: Tools,
        shelf: Shelf,
        *,
        mailbox: Mailbox,
        groups: "asyncio.Queue[Group]",
        counters: Counters,
    ) -> None:
        self._tools = tools
        self._shelf = shelf
        self._mailbox = mailbox
        self._groups = groups
        self._counters = counters
        self._first: deque[Arrived] = deque()
        self._strangers = Strangers()
        self._version = 0
        self._looked_at = 0.0
        self._counted = (0, 0)

    async def run(self, up: Callable[[], None], executor: ThreadPoolExecutor) -> None:
        """Open and hand over until cancelled or until the database goes away."""
        settings = self._tools.settings
        async with self._tools.connection("ingest opening") as connection:
            await self._look(connection)
            up()
            while True:
                await self._control(connection)
                arrived: list[Arrived] = []
                try:
                    async with asyncio.timeout(_LOOK_S):
                        arrived = await self._mailbox.take(settings.commit_messages, settings.commit_bytes)
                except TimeoutError:
                    pass
                self._first.extend(m for m in arrived if not m.topic.endswith(_BATCH))
                self._count()
                if monotonic() - self._looked_at > _LOOK_S:
                    await self._look(connection)
                await self._control(connection)
                batches: Sequence[Arrived] = [m for m in arrived if m.topic.endswith(_BATCH)]
                while batches:
                    batches = await self._batches(connection, batches, executor)

    async def _look(self, connection: Connection) -> None:
        """Look whether the directory changed; then strangers may be known, and are heard again."""
        self._looked_at = monotonic()
        await self._shelf.look(connection)
        before, self._version = self._version, self._shelf.directory.version
        if self._version != before:
            self._first.extend(self._strangers.take())

    def _count(self) -> None:
        received, dropped = self._counted
        self._counted = self._mailbox.received, self._mailbox.dropped
        self._counters.received.inc(self._counted[0] - received)
        self._counters.dropped.labels("full").inc(self._counted[1] - dropped)
        self._counters.waiting.set(len(self._mailbox))

    async def _batches(
        self, connection: Connection, arrived: Sequence[Arrived], executor: ThreadPoolExecutor
    ) -> Sequence[Arrived]:
        """Hand over one group, and return the messages that did not go into it."""
        bytes_max = self._tools.settings.commit_bytes
        loop = asyncio.get_running_loop()
        work = partial(open_group, arrived, self._shelf.opening, self._shelf.directory, bytes_max=bytes_max)
        group, refused, taken = await loop.run_in_executor(executor, work)
        await self._refuse(connection, refused)
        if group.batches:
            await self._groups.put(group)
        return arrived[taken:]

    async def _control(self, connection: Connection) -> None:
        """Handle births and declarations; one that meets an outage is handled after it."""
        while self._first:
            message = self._first[0]
            passed, refused = open_all([message], self._shelf.opening)
            try:
                for item in passed:
                    if await control.handle(connection, item, self._shelf.directory):
                        await self._look(connection)
            except RefusedError as error:
                refused.append((message, error))
            await self._refuse(connection, refused)
            self._first.popleft()

    def _remember(self, message: Arrived) -> None:
        """Keep the last birth and declaration of a stranger: neither is sent again by itself."""
        if not message.topic.endswith(_BATCH):
            self._strangers.add(message)

    async def _refuse(self, connection: Connection, refused: Refusals) -> None:
        kept = []
        for message, error in refused:
            if error.stranger:
                self._counters.dropped.labels("stranger").inc()
                self._remember(message)
            else:
                self._counters.rejected.labels(error.stage).inc()
                kept.append(reject_of(message, error))
        if kept:
            await rejects.insert(connection, kept[:_REJECTS_AT_ONCE])


def open_group(
    arrived: Sequence[Arrived], opening: Opening, known: Directory, *, bytes_max: int
) -> tuple[Group, Refusals, int]:
    """Open batch messages until their bodies reach `bytes_max`, and prepare their group.

    Returned are also what was refused, and how many messages were opened. Runs in the worker thread.
    """
    passed, refused, taken = open_some(arrived, opening, bytes_max)
    return prepare(passed, known), refused, taken


def reject_of(message: Arrived, error: RefusedError) -> Reject:
    """Return what is kept of a refused message."""
    return Reject(
        topic=message.topic,
        stage=error.stage,
        reason=error.reason,
        size=len(message.payload),
        head=message.payload,
    )
