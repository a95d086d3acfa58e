"""The room that sends rights: woken by what changes, it compiles, numbers, commits and publishes.

What ends somebody's rights goes first, as a revocation, from short lists, and again until it is known; then
what was compiled, as a delta to what the gateway decides by, or whole. What the broker keeps for a gateway is
always whole.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg

from cloud.broker import BrokerLink
from cloud.mqtt import Publisher
from cloud.rights.issue import Step, issue, load, revoke_now
from cloud.rights.line import Line, Sending
from cloud.rights_documents import document_at
from cloud.store import control_status, retention, rights_rows
from cloud.store import rights_issued as store
from cloud.store.connection import Connection
from cloud.store.rights_rows import EndedNow
from cloud.supervisor import supervise
from cloud.tools import Tools
from rules.access.document import Revocation
from wire import frame
from wire.codec import encode_body
from wire.control import DocumentNow
from wire.messages import Message
from wire.topics import Channel, build

_log = logging.getLogger(__name__)

BROKER, LISTENING = "rights: broker", "rights: listening"
HEARING, KEEPING = "rights: hearing", "rights: keeping"
PARTS = (BROKER, LISTENING, HEARING, KEEPING)
_LOOK_S = 0.5
_TRIES = 3
AGAIN_S = 600.0
"""So often the rights of a gateway are compiled although nothing woke anybody: time changes them too."""
_FORGET_S = 86_400.0


class RightsRoom:
    """One worker. A second one finds every revision given out already and sends the same."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._broker = BrokerLink(tools, "rights", begins=self._reconnected)
        self._lines: dict[int, Line] = {}
        self._wake, self._heard = asyncio.Event(), asyncio.Event()
        self._changed: set[tuple[int, int]] = set()
        """Organisation, and site or 0."""
        self._spoke: set[int] = set()
        """Gateways that said something of their control."""
        self._everything = True
        self._places = False
        """Whether gateways may have come, gone or moved."""
        self._forget_s = float("-inf")

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            parts = (self._broker.run, self._listen, self._hear, self._keep)
            for part, run in zip(PARTS, parts, strict=True):
                group.create_task(supervise(part, run, health=health, random=random))

    def _reconnected(self) -> None:
        for line in self._lines.values():
            line.reconnected()
        self._wake.set()

    async def _listen(self, up: Callable[[], None]) -> None:
        """Hear what changed; what was missed while nobody listened is looked at whole."""
        async with self._tools.connection("rights: listening") as connection:
            await store.listen(connection)
            await connection.execute(f"LISTEN {control_status.CHANNEL}")
            self._everything = True
            self._wake.set()
            up()
            async for told in connection.notifies():
                if told.channel == control_status.CHANNEL:
                    self._spoke.add(int(told.payload))
                    self._heard.set()
                else:
                    organisation, _, site = told.payload.partition(":")
                    self._changed.add((int(organisation), int(site)))
                    self._wake.set()

    async def _keep(self, up: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        async with self._tools.connection("rights") as connection:
            self._lines.clear()
            self._everything = True
            up()
            while True:
                self._wake.clear()
                await self.look(connection, loop.time())
                try:
                    async with asyncio.timeout(_LOOK_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def look(self, connection: Connection, now_s: float) -> None:
        """Do everything that there is to do now, the most urgent first."""
        everything, self._everything = self._everything, False
        places, self._places = self._places, False
        if everything or places or self._changed:
            await self._find(connection)
            self._spoke |= self._lines.keys() if everything else set()
            self._heard.set()
        for line in self._lines.values():
            line.dirty |= everything or now_s - line.looked_s >= line.again_s
        await self._urgent(connection, everything=everything)
        for line in list(self._lines.values()):
            if line.dirty:
                await self._compile(connection, line, now_s)
                if self._changed:  # It took a while: what ended meanwhile does not wait for the others.
                    self._places = True
                    await self._urgent(connection)
            await self._send(connection, line)
        await self._forget(connection, now_s)

    async def _urgent(self, connection: Connection, *, everything: bool = False) -> None:
        """Tell gateways at once what was just ended, before anything is compiled."""
        changed, self._changed = self._changed, set()
        ended: dict[tuple[int, int], EndedNow] = {}
        for line in list(self._lines.values()):
            place = (line.gateway.organisation_id, line.gateway.site_id)
            if not everything and not changed & {place, (place[0], 0)}:
                continue
            line.dirty = True
            if place not in ended:
                ended[place] = await rights_rows.ended_now(connection, *place, at=self._tools.now())
            await self._revoke(connection, line, ended[place])

    async def _find(self, connection: Connection) -> None:
        """Find the gateways that are sent rights, and read the newest of those that are new here."""
        served = await store.served(connection, self._tools.now())
        for one in served:
            line = self._lines.get(one.gateway_id)
            if line is None or line.gateway != one:
                self._lines[one.gateway_id] = line = Line(one)
            if not line.loaded:
                line.hold(await load(connection, one))
                line.loaded = True
        for gateway_id in self._lines.keys() - {one.gateway_id for one in served}:
            del self._lines[gateway_id]

    # --- what gateways say ------------------------------------------------------------------------------

    async def _hear(self, up: Callable[[], None]) -> None:
        """Take in what gateways say; what they acknowledge must not wait for what is compiled."""
        async with self._tools.connection("rights: hearing") as connection:
            self._spoke |= self._lines.keys()
            up()
            while True:
                await self._heard.wait()
                self._heard.clear()
                spoke, self._spoke = self._spoke & self._lines.keys(), set()
                for gateway_id, said, at in await store.said(connection, sorted(spoke)):
                    await self._take_in(connection, self._lines.get(gateway_id), said, at=at)

    async def _take_in(
        self, connection: Connection, line: Line | None, said: DocumentNow, *, at: datetime
    ) -> None:
        if line is None:
            return
        late = not line.up_to_date
        if line.hear(said, asyncio.get_running_loop().time()):
            async with connection.transaction():
                await store.set_honoured(connection, line.gateway, said, at=at)
        line.dirty |= line.beyond is not None
        if line.dirty or late:
            self._wake.set()

    # --- what is sent -----------------------------------------------------------------------------------

    async def _revoke(self, connection: Connection, line: Line, ended: EndedNow) -> None:
        now = self._tools.now()
        for _ in range(_TRIES):
            if line.held is None:
                return
            step = await revoke_now(connection, line.gateway, line.held, ended=ended, now=now)
            await self._take(connection, line, step)
            if step.held is not None:
                return

    async def _compile(self, connection: Connection, line: Line, now_s: float) -> None:
        beyond = line.beyond
        if beyond is not None:
            _log.warning(
                "rights: %s decides by revision %s.%s, which is not known here; a new incarnation begins",
                *(line.gateway.gateway, beyond.incarnation, beyond.number),
            )
        line.dirty, line.looked_s = False, now_s
        line.again_s = AGAIN_S * self._tools.random.uniform(0.5, 1.0)  # Not all at the same time.
        try:
            step = await issue(connection, line.gateway, line.held, now=self._tools.now(), beyond=beyond)
        except (psycopg.DataError, psycopg.IntegrityError):  # Not what others have to wait for.
            _log.exception("rights: those of a gateway cannot be made")
            return
        if step.faults:
            _log.warning("rights: those of %s are not sent: %s", line.gateway.gateway, step.faults[0])
        await self._take(connection, line, step)

    async def _take(self, connection: Connection, line: Line, step: Step) -> None:
        """Take over what was numbered and committed; a revocation goes out before anything else."""
        held = step.held if step.held is not None else await load(connection, line.gateway)
        if held is not line.held:
            line.hold(held)
        if step.revocation is not None and step.issued:
            await self._tell(line, step.revocation)  # The document behind it stands for it from now on.
        await self._tell(line, line.revoking(asyncio.get_running_loop().time()))

    async def _tell(self, line: Line, revocation: Revocation | None) -> None:
        publisher = self._broker.publisher
        if revocation is not None and publisher is not None:
            await self._publish(publisher, line, revocation, retain=False)
            line.revoked(revocation, asyncio.get_running_loop().time())

    async def _send(self, connection: Connection, line: Line) -> None:
        publisher = self._broker.publisher
        if publisher is None:
            return
        await self._tell(line, line.revoking(asyncio.get_running_loop().time()))
        base = line.wants_base()
        if base is not None:
            found = await document_at(connection, line.gateway.gateway_id, base)
            if found is not None:
                line.base(base, found[0])
        now_s = asyncio.get_running_loop().time()
        sending: Sending | None = line.next(now_s)
        if sending is None or line.held is None:
            return
        revision = line.held.revision
        await self._publish(publisher, line, sending.message, retain=sending.retained)
        line.sent(sending, now_s)
        if sending.retained:
            await store.set_kept(connection, line.gateway.gateway_id, revision, at=self._tools.now())

    async def _publish(self, publisher: Publisher, line: Line, message: Message, *, retain: bool) -> None:
        topic = build(line.gateway.gateway, Channel.DOWN_RIGHTS)
        signer = self._tools.identity.signer

        def encoded() -> bytes:
            return frame.encode(topic, encode_body(message), signer, bounds=frame.LARGE)

        body = await asyncio.to_thread(encoded) if retain else encoded()
        await publisher.publish_all([(topic, body)], retain=retain)

    async def _forget(self, connection: Connection, now_s: float) -> None:
        """Keep what gateways decided by as long as what they decided."""
        if now_s - self._forget_s < _FORGET_S:
            return
        self._forget_s = now_s
        kept = await retention.list_kept(connection)
        for line in self._lines.values():
            days = next(
                one.days
                for one in kept
                if (one.organisation_id, one.kind) == (line.gateway.organisation_id, "access_events")
            )
            before = _days_ago(self._tools.now(), days)
            if before is not None:
                await store.forget(connection, line.gateway.gateway_id, before=before)


def _days_ago(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)
