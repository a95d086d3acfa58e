"""Takes in births and wills in the order in which they came; an outage of the database loses none."""

from collections import deque
from collections.abc import Sequence

from cloud.keys import Keys
from cloud.mqtt import Arrived
from cloud.opening import Opening, open_all
from cloud.store import directory
from cloud.store.connection import Connection
from cloud.tools import Tools
from cloud.watch import liveness
from cloud.watch.presence import Presence


class Hearing:
    """What arrived and is not taken in yet, and the keys to open it with."""

    def __init__(self, tools: Tools, presence: Presence) -> None:
        self._tools = tools
        self._presence = presence
        self._keys: Keys | None = None
        self._waiting: deque[Arrived] = deque()

    def add(self, arrived: Sequence[Arrived]) -> None:
        """Keep messages until they are taken in."""
        self._waiting.extend(arrived)

    async def take_in(self, connection: Connection) -> None:
        """Take in all that waits; what meets an outage goes on waiting. What is refused, ingest keeps."""
        while self._waiting:
            keys = await self._newest_keys(connection)
            opening = Opening(keys, self._tools.identity.ca_certificate, self._tools.now)
            passed, _ = open_all([self._waiting[0]], opening)
            for item in passed:
                await liveness.hear(connection, item, item.arrived.received_at)
                self._presence.hear(item)
            self._waiting.popleft()

    async def _newest_keys(self, connection: Connection) -> Keys:
        if self._keys is None or self._keys.version != await directory.version(connection):
            async with connection.transaction():
                await directory.repeatable(connection)
                self._keys = Keys(await directory.load(connection))
        return self._keys
