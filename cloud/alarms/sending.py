"""Sends the messages that wait, each by its way, and notes every attempt. It never holds up who judges.

A message is sent at least once: what was sent and not noted before a crash is sent again, under the same
number. Ways run in threads of this room alone. Each message is on its own: how long it takes and how it
fails holds up no other one, and few of one way and of one organisation are under way at once.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud.notify.line import Line
from cloud.notify.ways import Address, Given, Message, WayError, send
from cloud.store import alarm_messages, feed
from cloud.store.alarm_messages import Most, Waiting, Way
from cloud.store.connection import Connection

_log = logging.getLogger(__name__)

AGAIN = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 300, 900))
"""So long after each attempt a message is tried again; then it is given up."""
AT_ONCE = 32
MOST = Most(of_way=2, of_organisation=12)
DEADLINE_S = 30.0
"""So long one attempt may take in all; then its connection is cut."""
_LOOK_S = 2.0
_LOOK_BUSY_S = 0.25
"""So often it is looked for what is new while messages are under way."""

_Said = tuple[bool, str, bool]
"""Whether it went out, what was said, whether trying again would not help."""


@dataclass(slots=True)
class _Flight:
    """A message that is being sent in a thread."""

    message: Waiting
    over_s: float
    """When its time is over, by the clock of the loop."""
    line: Line = field(default_factory=Line)


class Sender:
    """Sends what waits; one for each room."""

    def __init__(self, given: Given, now: Callable[[], datetime], *, deadline_s: float = DEADLINE_S) -> None:
        self._given = given
        self._now = now
        self._deadline_s = deadline_s
        self._flights: dict[asyncio.Future[_Said], _Flight] = {}

    async def run(self, connection: Connection, up: Callable[[], None]) -> None:
        """Send until cancelled; raises psycopg's errors."""
        await alarm_messages.listen(connection)
        threads = ThreadPoolExecutor(AT_ONCE, "heng-alarm-way")
        try:
            up()
            while True:
                await self._begin(connection, threads)
                if self._flights:
                    await self._note_ended(connection)
                else:
                    await feed.wait(connection, _LOOK_S)
        finally:
            self._give_up(threads)

    async def send_waiting(self, connection: Connection) -> int:
        """Send what is due until nothing is, and return how many attempts that were."""
        threads, count = ThreadPoolExecutor(AT_ONCE, "heng-alarm-way"), 0
        try:
            while await self._begin(connection, threads) or self._flights:
                count += await self._note_ended(connection)
        finally:
            self._give_up(threads)
        return count

    async def _begin(self, connection: Connection, threads: ThreadPoolExecutor) -> int:
        """Begin to send what there is room for; return how many those are."""
        free = AT_ONCE - len(self._flights)
        if not free:
            return 0
        busy = [flight.message.id for flight in self._flights.values()]
        found = await alarm_messages.waiting(connection, self._now(), free, busy=busy, most=MOST)
        loop = asyncio.get_running_loop()
        for one in found:
            ways = await alarm_messages.channels(connection, one.organisation_id, [one.channel])
            flight = _Flight(one, loop.time() + self._deadline_s)
            sending = loop.run_in_executor(threads, self._send, flight, ways[0] if ways else None)
            self._flights[sending] = flight
        return len(found)

    async def _note_ended(self, connection: Connection) -> int:
        """Wait shortly for attempts to end, note those that did and cut what takes too long."""
        ended, others = await asyncio.wait(
            self._flights, timeout=_LOOK_BUSY_S, return_when=asyncio.FIRST_COMPLETED
        )
        for one in ended:
            message = self._flights[one].message
            sent, told, lasting = _outcome(one, message)
            again = None if lasting or message.attempts >= len(AGAIN) else AGAIN[message.attempts]
            async with connection.transaction():
                await alarm_messages.keep_attempt(
                    connection, message, at=self._now(), sent=sent, told=told, again=again
                )
            del self._flights[one]
        now_s = asyncio.get_running_loop().time()
        for one in others:
            if self._flights[one].over_s <= now_s:
                self._flights[one].line.cut()
        return len(ended)

    def _give_up(self, threads: ThreadPoolExecutor) -> None:
        """End what is under way without waiting for it; it is sent again, as it was not noted."""
        for sending, flight in self._flights.items():
            flight.line.cut()
            sending.cancel()
        self._flights.clear()
        threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, flight: _Flight, way: Way | None) -> _Said:
        if way is None:
            return False, "there is no such way any more", True
        one = flight.message
        message = Message(one.id, one.subject, one.body, one.created_at)
        address = Address(way.kind, way.target, way.secret)
        try:
            return True, send(address, message, self._given, line=flight.line), False
        except WayError as error:
            return False, str(error), error.lasting


def _outcome(ended: asyncio.Future[_Said], message: Waiting) -> _Said:
    """Return what became of an attempt; a fault of ours is one of this message alone."""
    error = ended.exception()
    if error is None:
        sent, told, lasting = ended.result()
        # The database takes no NUL and no half of a character, which a far end may have said.
        return sent, "".join(sign if sign.isprintable() else " " for sign in told), lasting
    _log.error("alarm message %d was not sent", message.id, exc_info=error)
    return False, f"it cannot be sent so: {type(error).__name__}", False
