"""The hub's side of control: keeps what gateways say of it, sends commands, takes receipts in.

Commands are sent as soon as they are committed, again and again until a receipt comes or their deadline is
over: the same bytes, so that a gateway that has seen them does nothing twice. Receipts come over the
connection and, as evidence, in the journal; either may come first.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloud.broker import BrokerLink
from cloud.control import inbox
from cloud.mqtt import Mailbox
from cloud.store import commands, feed
from cloud.store.commands import Command
from cloud.store.connection import Connection
from cloud.supervisor import supervise
from cloud.tools import Tools
from wire import control, frame
from wire.codec import encode_body
from wire.shadow import Revision
from wire.topics import Channel, build, subscription

BROKER, KEEPING, SENDING = "control: broker", "control: keeping", "control: sending"
PARTS = (BROKER, KEEPING, SENDING)
AGAIN_S = 2.0
"""A command without a receipt is sent again after so long."""
_MESSAGES_MAX, _BYTES_MAX = 10_000, 16 * 1024 * 1024
_LOOK_S = 0.5
_JOURNALS_S = 1.0
_SENT_SINCE = timedelta(days=1)
_TOLD_WITHIN = timedelta(days=400)
"""So long after its deadline a journal may still say what became of a command."""
_AT_ONCE = 200


class ControlRoom:
    """One worker. A second one would send commands twice, which gateways do not do twice."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._mailbox = Mailbox(_MESSAGES_MAX, _BYTES_MAX)
        self._waiting = inbox.Inbox(tools)
        """What was taken from the mailbox and is not committed: it outlives a connection to the database."""
        self._sent: dict[str, float] = {}
        """Command -> when it was published over this connection, on the loop's clock."""
        self._broker = BrokerLink(
            tools,
            "control",
            filters=[subscription(Channel.UP_CONTROL), subscription(Channel.UP_RESULT)],
            mailbox=self._mailbox,
            begins=self._forget_sent,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            for part, run in ((BROKER, self._broker.run), (KEEPING, self._keep), (SENDING, self._send)):
                group.create_task(supervise(part, run, health=health, random=random))

    async def _keep(self, up: Callable[[], None]) -> None:
        """Take in what came, and what the journals say of commands."""
        loop = asyncio.get_running_loop()
        journals_at = loop.time()
        async with self._tools.connection("control") as connection:
            up()
            while True:
                await self._waiting.take_in(connection)
                if loop.time() >= journals_at:
                    now = self._tools.now()
                    await inbox.take_journals(connection, since=now - _SENT_SINCE, oldest=now - _TOLD_WITHIN)
                    journals_at = loop.time() + _JOURNALS_S
                try:
                    async with asyncio.timeout(_LOOK_S):
                        self._waiting.add(await self._mailbox.take(_MESSAGES_MAX, _BYTES_MAX))
                except TimeoutError:
                    continue

    async def _send(self, up: Callable[[], None]) -> None:
        """Publish commands as they are committed."""
        async with self._tools.connection("commands") as connection:
            await connection.execute(f"LISTEN {commands.CHANNEL}")
            up()
            while True:
                await self._send_due(connection)
                await feed.wait(connection, _LOOK_S)

    def _forget_sent(self) -> None:
        self._sent.clear()

    async def _send_due(self, connection: Connection) -> None:
        publisher = self._broker.publisher
        if publisher is None:
            return
        now = asyncio.get_running_loop().time()
        unsent = await commands.list_unsent(connection, self._tools.now(), limit=_AT_ONCE)
        self._sent = {one.id: self._sent[one.id] for one in unsent if one.id in self._sent}
        due = [one for one in unsent if now - self._sent.get(one.id, -AGAIN_S) >= AGAIN_S]
        if due:
            await publisher.publish_all([self._frame(one) for one in due])
            self._sent.update((one.id, now) for one in due)

    def _frame(self, command: Command) -> tuple[str, bytes]:
        topic = build(command.gateway, Channel.DOWN_COMMAND)
        return topic, frame.encode(topic, encode_body(message(command)), self._tools.identity.signer)


def message(command: Command) -> control.Command:
    """Return a released command as it goes down: always the same."""
    assert command.issued_at is not None
    assert command.not_after is not None
    assert command.incarnation is not None
    assert command.fence is not None
    return control.Command(
        gateway=command.gateway,
        id=bytes.fromhex(command.id),
        fence=Revision(command.incarnation, command.fence),
        name=command.name,
        arguments=command.arguments,
        by=command.by,
        rights=tuple(command.rights),
        second=command.second,
        issued_at_ms=_milliseconds(command.issued_at),
        not_after_ms=_milliseconds(command.not_after),
        boot=None if command.boot is None else bytes.fromhex(command.boot),
        not_after_tick=command.not_after_tick,
    )


def _milliseconds(at: datetime) -> int:
    return (at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
