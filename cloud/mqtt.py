"""The hub's connection to the broker, and the only importer of aiomqtt here.

Messages go straight into a `Mailbox`, which is bounded: a full one drops and counts, and gateways send
again. Nothing that Heng promises rests on the broker's acknowledgements.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import aiomqtt

from cloud.settings import Broker
from wire.topics import Channel

BrokerLost = aiomqtt.MqttError
"""The connection failed or ended."""

KEEPALIVE_S = 15
_INFLIGHT_MAX = 1000
_SENT_AGAIN = "/" + Channel.UP_BATCH.value


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message as it came."""

    topic: str
    payload: bytes
    received_at: datetime


class Mailbox:
    """Messages that wait, in order of arrival, bounded by number and by bytes."""

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        self._waiting: deque[Arrived] = deque()
        self._bytes = 0
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._filled = asyncio.Event()
        self.received = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Arrived) -> None:
        """Keep a message, or drop and count it. What is not sent again gets twice the room."""
        self.received += 1
        share = 1 if message.topic.endswith(_SENT_AGAIN) else 2
        if len(self._waiting) >= share * self._messages_max or self._bytes >= share * self._bytes_max:
            self.dropped += 1
            return
        self._waiting.append(message)
        self._bytes += len(message.payload)
        self._filled.set()

    async def take(self, messages_max: int, bytes_max: int) -> list[Arrived]:
        """Wait for something, and return what is there within these bounds (at least one message)."""
        await self._filled.wait()
        taken: list[Arrived] = []
        size = 0
        while self._waiting and len(taken) < messages_max and size < bytes_max:
            message = self._waiting.popleft()
            size += len(message.payload)
            taken.append(message)
        self._bytes -= size
        if not self._waiting:
            self._filled.clear()
        return taken


class Publisher:
    """Sends frames over the current connection."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish with QoS 1 and wait for the broker; raises `BrokerLost`."""
        try:
            async with asyncio.TaskGroup() as group:
                for topic, payload in messages:
                    group.create_task(self._client.publish(topic, payload, qos=1))
        except ExceptionGroup as errors:
            raise BrokerLost(str(errors.exceptions[0])) from errors


@asynccontextmanager
async def connect(
    broker: Broker,
    tls: ssl.SSLContext,
    *,
    client_id: str,
    filters: Sequence[str],
    mailbox: Mailbox,
    now: Callable[[], datetime],
) -> AsyncIterator[tuple[Publisher, aiomqtt.Client]]:
    """Connect, subscribe with QoS 1 and fill the mailbox until the block is left.

    Hand the second value to `until_lost`. Raises `BrokerLost`.
    """

    class Inbox(asyncio.Queue[aiomqtt.Message]):
        """Passes messages on without a task for each, which `asyncio.Queue.get` would cost."""

        def put_nowait(self, item: aiomqtt.Message) -> None:
            payload = item.payload
            if isinstance(payload, bytes):
                mailbox.put(Arrived(item.topic.value, payload, now()))

    async with aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=client_id,
        tls_context=tls,
        keepalive=KEEPALIVE_S,
        clean_session=True,
        queue_type=Inbox,
        max_inflight_messages=_INFLIGHT_MAX,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    ) as client:
        client.pending_calls_threshold = 2 * _INFLIGHT_MAX
        await client.subscribe([(name, 1) for name in filters])
        yield Publisher(client), client


async def until_lost(client: aiomqtt.Client) -> None:
    """Wait until the connection ends; always raises `BrokerLost`."""
    async for _ in client.messages:
        continue
    raise BrokerLost("the connection ended")
