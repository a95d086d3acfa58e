"""What a hub process hands to its rooms: settings, identity, health, clock and chance. Builds nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random

from cloud.settings import HubSettings
from cloud.store.connection import Connection, open_connection
from cloud.supervisor import Health
from provisioning.identity import HubIdentity


@dataclass(frozen=True, slots=True)
class Tools:
    """Real things, built once by the process."""

    settings: HubSettings
    identity: HubIdentity
    health: Health
    random: Random
    now: Callable[[], datetime]

    @asynccontextmanager
    async def connection(self, purpose: str) -> AsyncIterator[Connection]:
        """Open a database connection for one loop."""
        async with open_connection(self.settings.database_url, purpose) as connection:
            yield connection
