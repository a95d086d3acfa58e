"""Takes in what gateways say of control: the newest state of each, and every receipt."""

import logging
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import psycopg

from cloud.keys import Keys
from cloud.mqtt import Arrived
from cloud.opening import Opened, Opening, open_all
from cloud.store import commands, control_status, directory, shadow
from cloud.store.connection import Connection
from cloud.tools import Tools
from wire.control import ControlStatus, Receipt
from wire.topics import Channel

_log = logging.getLogger(__name__)

STRANGERS_MAX = 1000
_TOGETHER = 100
"""So many receipts share a commit, where so many wait."""
_SAID = frozenset({"command", "name", "state", "reason", "text", "by", "second"})
"""What stands in a journal's receipt beside what came of the command."""
_STATES = "/" + Channel.UP_CONTROL.value


class Inbox:
    """What came and is not taken in yet; an outage of the database loses none of it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._keys: Keys | None = None
        self._states: dict[str, Arrived] = {}
        """The newest state of each topic: older ones are of no use."""
        self._receipts: deque[Arrived] = deque(maxlen=10_000)
        self._strangers: dict[str, Arrived] = {}
        """States of gateways whose key is not known yet; they are heard again when one may be."""

    def add(self, arrived: Sequence[Arrived]) -> None:
        """Keep messages until they are taken in."""
        for one in arrived:
            if one.topic.endswith(_STATES):
                self._states[one.topic] = one
            else:
                self._receipts.append(one)

    async def take_in(self, connection: Connection) -> None:
        """Take in all that waits; what meets an outage goes on waiting."""
        keys = await self._newest_keys(connection)
        opening = Opening(keys, self._tools.identity.ca_certificate, self._tools.now)
        while self._receipts:
            together = list(islice(self._receipts, _TOGETHER))
            async with connection.transaction():
                for one in together:
                    await self._take(connection, one, opening)
            for _ in together:
                self._receipts.popleft()
        for topic in list(self._states):
            await self._take(connection, self._states[topic], opening)
            del self._states[topic]

    async def _take(self, connection: Connection, arrived: Arrived, opening: Opening) -> None:
        passed, refused = open_all([arrived], opening)
        for item in passed:
            try:
                await take(connection, item)
            except (psycopg.DataError, psycopg.IntegrityError):  # not what others have to wait for
                _log.exception("control: what %s says cannot be kept", item.topic.gateway)
        for message, error in refused:
            if not error.stranger:
                _log.warning("control: a message was refused: %s", error.reason)
            elif message.topic.endswith(_STATES) and len(self._strangers) < STRANGERS_MAX:
                self._strangers[message.topic] = message

    async def _newest_keys(self, connection: Connection) -> Keys:
        if self._keys is None or self._keys.version != await directory.version(connection):
            async with connection.transaction():
                await directory.repeatable(connection)
                self._keys = Keys(await directory.load(connection))
            self._states = {**self._strangers, **self._states}
            self._strangers.clear()
        return self._keys


async def take(connection: Connection, item: Opened) -> None:
    """Keep one state or one receipt."""
    at = item.arrived.received_at
    match item.message:
        case ControlStatus() as status:
            await keep_status(connection, status, received_at=at, retained=item.arrived.retained)
        case Receipt() as receipt:
            await keep_receipt(connection, receipt, received_at=at)
        case _:
            return


async def keep_status(
    connection: Connection, status: ControlStatus, *, received_at: datetime, retained: bool
) -> None:
    """Keep a state. One that the broker had kept is as old as its gateway says, where it knows the time.

    A gateway that has accepted more commands than were ever sent here shows that this hub was restored from a
    backup: the next one is of a new incarnation, so that it is not refused.
    """
    async with connection.transaction():
        owner = await shadow.owner(connection, status.gateway, received_at)
        if owner is None:
            return
        heard_at: datetime | None = received_at
        if retained:
            heard_at = None if status.at_ms is None else min(received_at, _moment(status.at_ms))
        await control_status.keep(connection, owner, status, received_at=received_at, heard_at=heard_at)
        begun = await commands.begin_anew(
            connection, owner.organisation_id, owner.id, seen=(status.fence.incarnation, status.fence.number)
        )
    if begun is not None:
        _log.warning(
            "control: %s has accepted command %s, which was not sent from here; incarnation %s begins",
            *(owner.name, status.fence.number, begun),
        )


async def keep_receipt(connection: Connection, said: Receipt, *, received_at: datetime) -> None:
    """Keep a receipt of a command that this gateway was sent; of any other nothing is known here."""
    async with connection.transaction():
        command = await commands.get_command(connection, said.command, hold=True)
        if command is None or command.gateway != said.gateway or command.issued_at is None:
            _log.warning("control: %s answers for a command that it was not sent from here", said.gateway)
            return
        receipt = commands.Receipt(
            state=said.state.value,
            reason=said.reason,
            text=said.text,
            data=dict(said.data),
            at=None if said.at_ms is None else _moment(said.at_ms),
            received_at=received_at,
            from_journal=False,
        )
        if await commands.keep_receipt(connection, command, receipt):
            await control_status.wake(connection, command.gateway_id)


async def take_journals(connection: Connection, *, since: datetime, oldest: datetime) -> None:
    """Keep what journals say became of commands that are open, or were sent since a moment."""
    for told in await commands.told_in_journals(connection, since, oldest=oldest):
        async with connection.transaction():
            command = await commands.get_command(connection, bytes.fromhex(told.command), hold=True)
            assert command is not None
            data = {key: value for key, value in told.data.items() if key not in _SAID}
            receipt = commands.Receipt(
                state=str(told.data["state"]),
                reason=str(told.data.get("reason") or ""),
                text=str(told.data.get("text") or ""),
                data=data,
                at=told.observed_at,
                received_at=told.stored_at,
                from_journal=True,
            )
            if await commands.keep_receipt(connection, command, receipt):
                await control_status.wake(connection, command.gateway_id)


def _moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
