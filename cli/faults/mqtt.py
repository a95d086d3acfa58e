"""MQTT for tools that misbehave on purpose: paho-mqtt directly, with a real identity.

It keeps no queue of its own and knows no frame.
"""

import ssl
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cli.faults.hostile import Message

CAPTURED_MAX = 20_000
ANSWER_S = 10
TAKEN_S = 2


class BrokerRefusedError(Exception):
    """The broker did not take the connection or the message in time."""


@contextmanager
def connected(name: str, tls: ssl.SSLContext, port: int) -> Iterator[Client]:
    """Connect to the broker as the identity in `tls`; `BrokerRefusedError` when that fails."""
    client = _client(name, tls)
    up = threading.Event()
    client.on_connect = lambda _c, _u, _f, code, _p: None if code.is_failure else up.set()
    try:
        client.connect("127.0.0.1", port, keepalive=10)
    except OSError as error:
        raise BrokerRefusedError(f"{name}: {error}") from None
    client.loop_start()
    try:
        if not up.wait(ANSWER_S):
            raise BrokerRefusedError(f"{name}: not connected within {ANSWER_S} s")
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(client: Client, messages: Iterable[Message]) -> int:
    """Publish with QoS 1; return how many the broker took (it drops the connection on oversized ones)."""
    taken = 0
    for message in messages:
        info = client.publish(message.topic, message.payload, qos=1)
        try:
            info.wait_for_publish(TAKEN_S)
        except (RuntimeError, ValueError):
            continue
        taken += info.is_published()
    return taken


class Tap:
    """Listens beside the hub and keeps the latest messages of some topics."""

    def __init__(self, name: str, tls: ssl.SSLContext, filters: Iterable[str]) -> None:
        """`name` and `tls` are a hub identity of its own, so that the hub's own session is untouched."""
        self._filters = [(text, 1) for text in filters]
        self._client = _client(name, tls)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._keep
        self.captured: deque[Message] = deque(maxlen=CAPTURED_MAX)

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        """Stay connected, through restarts of the broker, for as long as the context lasts."""
        self._client.connect("127.0.0.1", port, keepalive=10)
        self._client.loop_start()
        try:
            yield
        finally:
            self._client.disconnect()
            self._client.loop_stop()

    def of(self, topic: str) -> list[Message]:
        """Return what was captured on a topic, oldest first."""
        return [message for message in list(self.captured) if message.topic == topic]

    def _subscribe(self, client: Client, *_: Any) -> None:
        client.subscribe(self._filters)

    def _keep(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.captured.append(Message(message.topic, bytes(message.payload)))


def _client(name: str, tls: ssl.SSLContext) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(tls)
    client.reconnect_delay_set(1, 1)
    return client
