"""The room of jobs: follows what is stored, tells gateways of jobs, runs the interlocks of the hub."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloud.broker import BrokerLink
from cloud.hub_interlock_acts import LOOK_S
from cloud.jobs.follower import follow
from cloud.jobs.interlocks import HubInterlocks
from cloud.jobs.work import body_of, compile_all
from cloud.store import feed, jobs_work
from cloud.store.connection import Connection
from cloud.store.jobs_work import Document
from cloud.supervisor import supervise
from cloud.tools import Tools
from wire import frame
from wire.topics import Channel, build

JUDGING, BROKER, TELLING = "jobs: judging", "jobs: broker", "jobs: telling"
INTERLOCKS = "jobs: interlocks of the hub"
PARTS = (JUDGING, BROKER, TELLING, INTERLOCKS)
_LOOK_S = 0.5
AGAIN = timedelta(seconds=10)
"""So often documents are compiled although nothing changed: time changes them, and gateways speak of them."""
_REST_S = 0.1
"""So many times a second at most, however many batches come."""


class JobsRoom:
    """One worker. A second one finds everything done already and publishes the same."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._sent: dict[int, tuple[int, int]] = {}
        """Gateway -> revision that was published over this connection."""
        self._broker = BrokerLink(tools, "work", begins=self._sent.clear)
        self._documents: list[Document] = []
        self._mark: tuple[int, ...] = ()
        self._compile_at = datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        """Work until cancelled."""
        health, chance = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            for part, run in (
                (JUDGING, self._judge),
                (BROKER, self._broker.run),
                (TELLING, self._tell),
                (INTERLOCKS, self._interlocks),
            ):
                group.create_task(supervise(part, run, health=health, random=chance))

    async def _judge(self, up: Callable[[], None]) -> None:
        async with self._tools.connection("jobs") as connection:
            await feed.listen(connection)
            up()
            while True:
                await follow(connection, now=self._tools.now())
                await asyncio.sleep(_REST_S)
                await feed.wait(connection, _LOOK_S)

    async def _interlocks(self, up: Callable[[], None]) -> None:
        """Begin anew whenever something fails: what was kept counts, and what was not heard trips."""
        running = HubInterlocks()
        async with self._tools.connection("jobs: interlocks") as connection:
            up()
            while True:
                await running.look(connection, self._tools.now())
                await asyncio.sleep(LOOK_S)

    async def _tell(self, up: Callable[[], None]) -> None:
        async with self._tools.connection("jobs: telling") as connection:
            up()
            while True:
                await self._send(connection)
                await asyncio.sleep(_LOOK_S)

    async def _send(self, connection: Connection) -> None:
        """Publish what is committed and was not published over this connection."""
        now, mark = self._tools.now(), await jobs_work.mark(connection)
        if mark != self._mark or now >= self._compile_at:
            self._documents = await compile_all(connection, now)
            self._mark, self._compile_at = mark, now + AGAIN
        publisher = self._broker.publisher
        if publisher is None:
            return
        for one in self._documents:
            revision = one.incarnation, one.number
            if self._sent.get(one.gateway_id) == revision:
                continue
            topic = build(one.gateway, Channel.DOWN_WORK)
            signed = frame.encode(topic, body_of(one), self._tools.identity.signer)
            await publisher.publish_all([(topic, signed)], retain=True)
            self._sent[one.gateway_id] = revision
