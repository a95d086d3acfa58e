"""Settings on their way: what is wanted goes to the gateways, signed and retained; what they report is kept.

A gateway that has seen more than this hub knows shows that the hub was restored from a backup. Then what runs
there is taken as its newest revision, in a new incarnation, so that the next change is not refused there.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg

from cloud.broker import BrokerLink
from cloud.keys import Keys
from cloud.mqtt import Arrived, Mailbox
from cloud.opening import Opened, Opening, open_all
from cloud.store import directory, shadow
from cloud.store.connection import Connection
from cloud.store.shadow import NewRevision, Owner
from cloud.supervisor import supervise
from cloud.tools import Tools
from wire import frame
from wire.codec import encode_body
from wire.settings.shadow import check_text
from wire.shadow import COUNTER_MAX, OWN_FILE, Desired, Reported, Revision, ShadowState, document_hash
from wire.topics import Channel, build, subscription

_log = logging.getLogger(__name__)

BROKER, KEEPING = "settings: broker", "settings: keeping"
PARTS = (BROKER, KEEPING)
_MESSAGES_MAX, _BYTES_MAX = 10_000, 16 * 1024 * 1024
_LOOK_S = 0.5
_STRANGERS_MAX = 1000
_FOUND_MAX, _FOUND_SPAN = 50, timedelta(days=1)
"""So many texts of one gateway become revisions in a day; nobody fills the history by reporting."""
_AT_ONCE = 50


class SettingsRoom:
    """One worker; a second one would change nothing but the load."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._mailbox = Mailbox(_MESSAGES_MAX, _BYTES_MAX)
        self._sent: dict[int, tuple[int, int]] = {}
        """Gateway -> what was published over this connection."""
        self._broker = BrokerLink(
            tools,
            "settings",
            filters=[subscription(Channel.UP_REPORTED)],
            mailbox=self._mailbox,
            begins=self._sent.clear,
        )
        self._keys: Keys | None = None
        self._waiting: dict[str, Arrived] = {}
        """The newest message of each topic that is not taken in yet."""
        self._strangers: dict[str, Arrived] = {}
        """The same of gateways whose key is not known yet; it is heard again when one may be."""

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            group.create_task(supervise(BROKER, self._broker.run, health=health, random=random))
            group.create_task(supervise(KEEPING, self._keep, health=health, random=random))

    async def _keep(self, up: Callable[[], None]) -> None:
        async with self._tools.connection("settings") as connection:
            up()
            while True:
                await self._take_in(connection)
                await self._send(connection)
                try:
                    async with asyncio.timeout(_LOOK_S):
                        arrived = await self._mailbox.take(_MESSAGES_MAX, _BYTES_MAX)
                except TimeoutError:
                    continue
                self._waiting.update((one.topic, one) for one in arrived)

    # --- down ----------------------------------------------------------------------------------------

    async def _send(self, connection: Connection) -> None:
        """Publish what is wanted and was not published over this connection."""
        publisher = self._broker.publisher
        if publisher is None:
            return
        wanted = await shadow.all_desired(connection)
        new = [one for one in wanted if self._sent.get(one.gateway_id) != (one.incarnation, one.number)]
        for one in new[:_AT_ONCE]:
            document = await shadow.document(connection, one.gateway_id, one.number)
            assert document is not None
            await publisher.publish_all(
                [self._frame(one.gateway, Revision(one.incarnation, one.number), document)], retain=True
            )
            self._sent[one.gateway_id] = one.incarnation, one.number

    def _frame(self, gateway: str, revision: Revision, document: str) -> tuple[str, bytes]:
        topic = build(gateway, Channel.DOWN_DESIRED)
        desired = Desired(gateway=gateway, revision=revision, hash=document_hash(document), document=document)
        return topic, frame.encode(topic, encode_body(desired), self._tools.identity.signer)

    # --- up ------------------------------------------------------------------------------------------

    async def _take_in(self, connection: Connection) -> None:
        keys = await self._newest_keys(connection)
        opening = Opening(keys, self._tools.identity.ca_certificate, self._tools.now)
        for topic in list(self._waiting):
            passed, refused = open_all([self._waiting[topic]], opening)
            for item in passed:
                try:
                    await keep(connection, item, at=item.arrived.received_at)
                except (psycopg.DataError, psycopg.IntegrityError):  # Not what others have to wait for.
                    _log.exception("settings: a report cannot be kept")
            for message, error in refused:
                if error.stranger and len(self._strangers) < _STRANGERS_MAX:
                    self._strangers[topic] = message
                elif not error.stranger:
                    _log.warning("settings: a report was refused: %s", error.reason)
            del self._waiting[topic]

    async def _newest_keys(self, connection: Connection) -> Keys:
        if self._keys is None or self._keys.version != await directory.version(connection):
            async with connection.transaction():
                await directory.repeatable(connection)
                self._keys = Keys(await directory.load(connection))
            self._waiting = {**self._strangers, **self._waiting}
            self._strangers.clear()
        return self._keys


async def keep(connection: Connection, item: Opened, *, at: datetime) -> None:
    """Keep what a gateway reports; what runs there and is not known here becomes a revision."""
    said = item.message
    if not isinstance(said, Reported):
        return
    async with connection.transaction():
        owner = await shadow.owner(connection, said.gateway, at)
        if owner is None:
            return
        await shadow.hold(connection, owner.id)
        wanted = await shadow.desired(connection, owner.id)
        ours = OWN_FILE if wanted is None else Revision(wanted.incarnation, wanted.number)
        document = None if wanted is None else await shadow.document(connection, owner.id, wanted.number)
        same = document is None or said.taken is None or document_hash(document) == said.taken
        restored = said.revision.order > ours.order or (said.revision == ours != OWN_FILE and not same)
        running = await _running(connection, owner, said, at=at, restored=restored)
        await shadow.keep_told(connection, owner, said, running_revision=running, received_at=at)
        if restored:
            await _begin_anew(connection, owner, said, running)
        elif wanted is None and said.state is ShadowState.FILE:
            await _take_over(connection, owner, at=at)


async def _running(
    connection: Connection, owner: Owner, said: Reported, *, at: datetime, restored: bool
) -> int | None:
    """Return the revision that has the text that runs; one is made where there is none."""
    known = await shadow.by_hash(connection, owner.id, said.hash)
    if known is not None or said.document is None or document_hash(said.document) != said.hash:
        return known
    if said.state is ShadowState.TRYING and not restored:
        return None
    own = said.running == OWN_FILE
    reason = "its own file" if own else f"it ran as revision {said.running.number}, which was not known here"
    if await shadow.found_since(connection, owner.id, at - _FOUND_SPAN) >= _FOUND_MAX:
        _log.warning("settings: %s told %s texts in a day; this one is not kept", owner.name, _FOUND_MAX)
        return None
    newest = await shadow.newest(connection, owner.id)
    new = NewRevision(said.document, said.hash, "gateway", owner.name, reason, at, newest)
    return await shadow.add(connection, owner, new)


async def _begin_anew(connection: Connection, owner: Owner, said: Reported, running: int | None) -> None:
    """Want what runs, in an incarnation that the gateway has not seen; never what only stands here."""
    _log.warning(
        "settings: %s has seen revision %s, which is not known here; a new incarnation begins",
        owner.name,
        said.revision.number,
    )
    if running is None or said.revision.incarnation >= COUNTER_MAX:
        return
    document = await shadow.document(connection, owner.id, running)
    if document is not None and check_text(document)[0] is not None:
        await shadow.want(connection, owner, running, incarnation=said.revision.incarnation + 1)


async def _take_over(connection: Connection, owner: Owner, *, at: datetime) -> None:
    """A gateway that stands in for another one runs what was wanted of that one."""
    if owner.replaces_id is None:
        return
    before = await shadow.desired(connection, owner.replaces_id)
    if before is None:
        return
    document = await shadow.document(connection, before.gateway_id, before.number)
    assert document is not None
    reason = f"taken over from {before.gateway}, revision {before.number}"
    newest = await shadow.newest(connection, owner.id)
    new = NewRevision(document, document_hash(document), "hub", "hub", reason, at, newest)
    await shadow.want(connection, owner, await shadow.add(connection, owner, new))
