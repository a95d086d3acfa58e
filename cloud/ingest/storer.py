"""Commits groups in order and acknowledges them; what is kept is placed when it can be.

A group that was taken is stored before the next one, however often the database goes away meanwhile. A
commit whose outcome is unknown is made again: the ledger makes the second one change nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic, perf_counter

import psycopg

from cloud.ingest.acks import all_frames
from cloud.ingest.bracketing import bracket_boots
from cloud.ingest.commit import Committed, DirectoryChangedError, commit
from cloud.ingest.counters import Counters
from cloud.ingest.group import Group, Sealed, regroup
from cloud.ingest.placing import place_quarantined
from cloud.ingest.shelf import Shelf
from cloud.mqtt import BrokerLost, Publisher
from cloud.store import gateways, rejects
from cloud.store.connection import Connection
from cloud.store.rejects import Reject
from cloud.tools import Tools
from wire.topics import Channel, build

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
_NOTE_S = 1.0
_BRACKET_S = 5.0


class Storer:
    """The loop behind the opener."""

    def __init__(
        self,
        tools: Tools,
        shelf: Shelf,
        *,
        groups: "asyncio.Queue[Group]",
        counters: Counters,
        publisher: Callable[[], Publisher | None],
        stored: Callable[[], None],
    ) -> None:
        self._tools = tools
        self._shelf = shelf
        self._groups = groups
        self._counters = counters
        self._publisher = publisher
        self._stored = stored
        self._pending: Group | None = None
        self._placed_version = 0
        self._heard: set[int] = set()
        self._noted_at = 0.0
        self._bracketed_at = 0.0

    async def run(self, up: Callable[[], None], executor: ThreadPoolExecutor) -> None:
        """Store until cancelled or until the database goes away."""
        async with self._tools.connection("ingest storing") as connection:
            await self._shelf.look(connection)
            up()
            while True:
                if self._pending is not None:
                    await self._store(connection, self._pending, executor)
                    self._pending = None
                await self._place(connection)
                await self._note(connection)
                await self._bracket(connection)
                try:
                    async with asyncio.timeout(_LOOK_S):
                        self._pending = await self._groups.get()
                except TimeoutError:
                    continue

    async def _place(self, connection: Connection) -> None:
        """Try the quarantine again under each new version of the directory."""
        known = self._shelf.directory
        if known.version > self._placed_version:
            await place_quarantined(connection, known)
            self._placed_version = known.version

    async def _note(self, connection: Connection) -> None:
        if self._heard and monotonic() - self._noted_at > _NOTE_S:
            await gateways.note_batches(connection, sorted(self._heard), self._tools.now())
            self._heard.clear()
            self._noted_at = monotonic()

    async def _bracket(self, connection: Connection) -> None:
        if monotonic() - self._bracketed_at > _BRACKET_S:
            quiet = timedelta(seconds=self._tools.settings.bracket_after_s)
            await bracket_boots(connection, self._shelf.directory, self._tools.now() - quiet)
            self._bracketed_at = monotonic()

    async def _store(self, connection: Connection, group: Group, executor: ThreadPoolExecutor) -> None:
        started = perf_counter()
        try:
            done = await self._commit(connection, group, executor)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(group.batches) == 1:
                await self._set_aside(connection, group.batches[0], error)
                return
            _log.warning("A commit of %d batches was refused by the database: %s", len(group.batches), error)
            for half in _halves(group.batches):
                await self._store(connection, regroup(half, self._shelf.directory), executor)
            return
        self._counters.commit_s.observe(perf_counter() - started)
        self._count(done)
        self._heard.update(item.gateway.id for item in group.batches)
        await self._acknowledge(done)
        self._stored()

    async def _commit(self, connection: Connection, group: Group, executor: ThreadPoolExecutor) -> Committed:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await commit(connection, group)
            except DirectoryChangedError:
                await self._shelf.look(connection)
                group = await loop.run_in_executor(executor, regroup, group.batches, self._shelf.directory)

    async def _set_aside(self, connection: Connection, item: Sealed, error: psycopg.Error) -> None:
        """One batch that the database refuses must not hold up the others; it is not acknowledged."""
        self._counters.rejected.labels("store").inc()
        topic = build(item.gateway.name, Channel.UP_BATCH)
        await rejects.insert(
            connection, [Reject(topic, "store", str(error), size=len(item.body), head=item.body)]
        )

    async def _acknowledge(self, done: Committed) -> None:
        publisher = self._publisher()
        if publisher is None:
            return
        now_ms = round(self._tools.now().timestamp() * 1000)
        frames = all_frames(
            done.acks, done.new_epochs, hub_time_ms=now_ms, signer=self._tools.identity.signer
        )
        try:
            await publisher.publish_all(frames)
        except BrokerLost:
            return  # not heard: the gateways send again and are acknowledged then
        self._counters.acks.inc(len(frames))

    def _count(self, done: Committed) -> None:
        self._counters.batches.inc(done.batches)
        self._counters.readings.inc(done.readings)
        self._counters.known.inc(done.known)
        self._counters.conflicts.inc(done.conflicts)
        self._counters.unplaced.inc(done.unplaced)


def _halves(batches: list[Sealed]) -> Iterator[list[Sealed]]:
    middle = len(batches) // 2
    yield batches[:middle]
    yield batches[middle:]
