"""Remembers what gateways said that nobody knows yet: neither births nor declarations are sent again."""

from cloud.mqtt import Arrived
from wire.topics import Channel

MESSAGES_MAX = 1000
BYTES_MAX = 16 * 1024 * 1024
_STATUS = "/" + Channel.UP_STATUS.value


class Strangers:
    """The last message of each topic, the newest of them, bounded by number and by bytes."""

    def __init__(self) -> None:
        self._held: dict[str, Arrived] = {}
        self._bytes = 0

    def add(self, message: Arrived) -> None:
        """Remember a message, and forget the oldest beyond the bounds."""
        self._forget(message.topic)
        self._held[message.topic] = message
        self._bytes += len(message.payload)
        while len(self._held) > MESSAGES_MAX or self._bytes > BYTES_MAX:
            self._forget(next(iter(self._held)))

    def take(self) -> list[Arrived]:
        """Return all, births before what needs their keys, and forget them."""
        found = sorted(self._held.values(), key=lambda message: not message.topic.endswith(_STATUS))
        self._held.clear()
        self._bytes = 0
        return found

    def _forget(self, topic: str) -> None:
        message = self._held.pop(topic, None)
        if message is not None:
            self._bytes -= len(message.payload)
