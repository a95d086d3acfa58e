"""The alarm room: one part judges, one sends. Neither waits for the other."""

import asyncio
from collections.abc import Callable, Mapping

from cloud.alarms.keeper import Keeper
from cloud.alarms.sending import Sender
from cloud.notify.settings import read_mail_server, read_notify_local
from cloud.notify.ways import Given
from cloud.store import alarm_desk, alarm_room, feed
from cloud.store.connection import Connection
from cloud.supervisor import supervise
from cloud.tools import Tools

JUDGING, SENDING = "alarms: judging", "alarms: sending"
PARTS = (JUDGING, SENDING)
_LOOK_S = 1.0
_LEAD_S = 2.0
_REST_S = 0.1
"""Wake-ups that come closer than this are answered together."""


def sender_of(environment: Mapping[str, str], tools: Tools) -> Sender:
    """Return who sends, by what the environment says; `SettingsError` for what makes no sense there."""
    given = Given(read_mail_server(environment), clock=tools.now, local=read_notify_local(environment))
    return Sender(given, tools.now)


class AlarmRoom:
    """One worker; a second one waits until the first is gone."""

    def __init__(self, tools: Tools, sender: Sender) -> None:
        self._tools = tools
        self._sender = sender

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            group.create_task(supervise(JUDGING, self._judge, health=health, random=random))
            group.create_task(supervise(SENDING, self._send, health=health, random=random))

    async def _judge(self, up: Callable[[], None]) -> None:
        async with (
            self._tools.connection("alarms") as connection,
            self._tools.connection("alarms feed") as woken,
        ):
            await feed.listen(woken)
            await alarm_desk.listen(woken)
            await _leading(woken, 0, up)
            keeper = Keeper(connection)
            await keeper.turn(self._tools.now())
            up()
            wait_s = _LOOK_S
            while True:
                if await feed.wait(woken, wait_s):
                    await asyncio.sleep(_REST_S)
                while await keeper.turn(self._tools.now()):
                    pass
                wait_s = 0.0 if await keeper.judge_late(self._tools.now()) else _LOOK_S

    async def _send(self, up: Callable[[], None]) -> None:
        async with self._tools.connection("alarm messages") as connection:
            await _leading(connection, 1, up)
            await self._sender.run(connection, up)


async def _leading(connection: Connection, part: int, up: Callable[[], None]) -> None:
    """Wait until no other process does this part; to wait is to work."""
    while not await alarm_room.lead(connection, part):
        up()
        await asyncio.sleep(_LEAD_S)
