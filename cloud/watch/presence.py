"""Whose session is known to live: it spoke while the hub listened to the broker, and no will came since.

The broker sends a session's will when the session ends, so no will means that it lives; but only to a hub
that was connected all the time. What the broker kept from before proves nothing: its session may have ended
with an earlier run of the broker, without a will. Holds no time of its own and reads nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from cloud.opening import Opened
from wire.messages import GatewayStatus


class Presence:
    """What one unbroken connection to the broker has told."""

    def __init__(self) -> None:
        self.since: datetime | None = None
        """Since when the hub listens without a break; None: it does not."""
        self._born: set[str] = set()

    @contextmanager
    def listening(self, since: datetime) -> Iterator[None]:
        """Listen until the block is left; what was known before counts no more."""
        self.since = since
        try:
            yield
        finally:
            self.since = None
            self._born.clear()

    def hear(self, item: Opened) -> None:
        """Note a birth or a will, however late it is taken in, when it came over this connection."""
        status, arrived = item.message, item.arrived
        if not isinstance(status, GatewayStatus) or self.since is None:
            return
        if not status.online:
            self._born.discard(status.gateway)
        elif not arrived.retained and arrived.received_at >= self.since:
            self._born.add(status.gateway)

    def lives(self, gateway: str, last_batch_at: datetime | None) -> bool:
        """Whether an online gateway's session was born, or sent a batch, since the hub listens."""
        if self.since is None:
            return False
        return gateway in self._born or (last_batch_at is not None and last_batch_at >= self.since)
