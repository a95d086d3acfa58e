"""The room of jobs: follows what is stored, and tells gateways of jobs and calibrations."""

import asyncio
from collections.abc import Callable

from cloud.jobs.follower import follow
from cloud.store import feed
from cloud.supervisor import supervise
from cloud.tools import Tools

JUDGING = "jobs: judging"
PARTS = (JUDGING,)
_LOOK_S = 0.5
_REST_S = 0.1
"""So many times a second at most, however many batches come."""


class JobsRoom:
    """One worker; a second one would change nothing but the load."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def run(self) -> None:
        """Work until cancelled."""
        health, chance = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            group.create_task(supervise(JUDGING, self._judge, health=health, random=chance))

    async def _judge(self, up: Callable[[], None]) -> None:
        async with self._tools.connection("jobs") as connection:
            await feed.listen(connection)
            up()
            while True:
                await follow(connection, now=self._tools.now())
                await asyncio.sleep(_REST_S)
                await feed.wait(connection, _LOOK_S)
