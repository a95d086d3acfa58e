"""Sends the messages that wait, each by its way, and notes every attempt. It never holds up who judges.

A message is sent at least once: what was sent and not noted before a crash is sent again, under the same
number. Ways run in threads of this room alone.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from cloud.notify.ways import Address, Given, Message, WayError, send
from cloud.store import alarm_messages, feed
from cloud.store.alarm_messages import Waiting, Way
from cloud.store.connection import Connection

AGAIN = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 300, 900))
"""So long after each attempt a message is tried again; then it is given up."""
AT_ONCE = 8
_LOOK_S = 2.0


class Sender:
    """Sends what waits; one for each room."""

    def __init__(self, given: Given, now: Callable[[], datetime]) -> None:
        self._given = given
        self._now = now

    async def run(self, connection: Connection, up: Callable[[], None]) -> None:
        """Send until cancelled; raises psycopg's errors."""
        await alarm_messages.listen(connection)
        with ThreadPoolExecutor(AT_ONCE, "heng-alarm-way") as threads:
            up()
            while True:
                if not await self.send_waiting(connection, threads):
                    await feed.wait(connection, _LOOK_S)

    async def send_waiting(self, connection: Connection, threads: ThreadPoolExecutor) -> int:
        """Send what is due, several at once, and note what became of it; return how many there were."""
        found = await alarm_messages.waiting(connection, self._now(), AT_ONCE)
        if not found:
            return 0
        loop, sending = asyncio.get_running_loop(), []
        for one in found:
            ways = await alarm_messages.channels(connection, one.organisation_id, [one.channel])
            sending.append(loop.run_in_executor(threads, self._send, one, ways[0] if ways else None))
        for one, (sent, told, lasting) in zip(found, await asyncio.gather(*sending), strict=True):
            again = None if lasting or one.attempts >= len(AGAIN) else AGAIN[one.attempts]
            async with connection.transaction():
                await alarm_messages.keep_attempt(
                    connection, one, at=self._now(), sent=sent, told=told, again=again
                )
        return len(found)

    def _send(self, one: Waiting, way: Way | None) -> tuple[bool, str, bool]:
        """Return whether a message went out, what was said, and whether trying again would not help."""
        if way is None:
            return False, "there is no such way any more", True
        message = Message(one.id, one.subject, one.body, one.created_at)
        try:
            return True, send(Address(way.kind, way.target, way.secret), message, self._given), False
        except WayError as error:
            return False, str(error), error.lasting
