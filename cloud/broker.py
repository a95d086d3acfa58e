"""The connection of a room to the broker; `cloud.supervisor` makes it again when it is lost."""

from collections.abc import Callable, Sequence

from cloud.mqtt import Mailbox, Publisher, connect, until_lost
from cloud.tools import Tools


class BrokerLink:
    """One room's connection, or none at the moment."""

    def __init__(
        self,
        tools: Tools,
        name: str,
        *,
        filters: Sequence[str] = (),
        mailbox: Mailbox | None = None,
        begins: Callable[[], None] = lambda: None,
    ) -> None:
        """`name` tells the rooms of a hub apart; `begins` is called for each connection before it is used."""
        self._tools = tools
        self._name = name
        self._filters = filters
        self._mailbox = Mailbox(1, 1) if mailbox is None else mailbox
        self._begins = begins
        self.publisher: Publisher | None = None
        """None while there is no connection."""

    async def run(self, up: Callable[[], None]) -> None:
        """Connect and stay connected: a part for `supervise`. Raises `BrokerLost`."""
        identity = self._tools.identity
        async with connect(
            self._tools.settings.broker,
            identity.tls_context(),
            client_id=identity.client_id(self._name),
            filters=self._filters,
            mailbox=self._mailbox,
            now=self._tools.now,
        ) as (publisher, client):
            self._begins()
            self.publisher = publisher
            try:
                up()
                await until_lost(client)
            finally:
                self.publisher = None
