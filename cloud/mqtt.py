"""The hub's connection to the broker, and the only importer of aiomqtt here.

Messages go straight into a `Mailbox`, which is bounded: a full one drops batches and counts, and gateways
send again. Births, wills and declarations are not sent again, so the newest of each topic stay. Nothing that
Heng promises rests on the broker's acknowledgements.
"""

import asyncio
import socket
import ssl
from collections import Counter, deque
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
_FAREWELL_S = 1.0
"""How long a broker may take to hear that the hub goes."""
TOLD_MAX = 16
"""Messages of one topic that wait, when gateways do not send them again: a birth and a will need not be the
same session's, and older declarations name layouts that newer ones do not."""
_SENT_AGAIN = "/" + Channel.UP_BATCH.value


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message as it came."""

    topic: str
    payload: bytes
    received_at: datetime
    retained: bool = False
    """Kept by the broker from before the subscription."""


class Mailbox:
    """Messages that wait: batches bounded by number and by bytes, others by number for each topic."""

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        self._waiting: deque[Arrived] = deque()
        self._told: deque[Arrived] = deque()
        self._told_of: Counter[str] = Counter()
        self._bytes = 0
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._filled = asyncio.Event()
        self.received = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._told)

    def put(self, message: Arrived) -> None:
        """Keep a message, or drop and count it: a batch, or the oldest of a topic that tells too much."""
        self.received += 1
        if not message.topic.endswith(_SENT_AGAIN):
            self._tell(message)
        elif len(self._waiting) >= self._messages_max or self._bytes >= self._bytes_max:
            self.dropped += 1
            return
        else:
            self._waiting.append(message)
            self._bytes += len(message.payload)
        self._filled.set()

    def _tell(self, message: Arrived) -> None:
        self._told.append(message)
        self._told_of[message.topic] += 1
        if self._told_of[message.topic] > TOLD_MAX:
            self._told.remove(next(one for one in self._told if one.topic == message.topic))
            self._told_of[message.topic] -= 1
            self.dropped += 1

    async def take(self, messages_max: int, bytes_max: int) -> list[Arrived]:
        """Wait for something; return all that is not a batch, then batches within these bounds."""
        await self._filled.wait()
        taken = list(self._told)
        self._told.clear()
        self._told_of.clear()
        size = count = 0
        while self._waiting and count < messages_max and size < bytes_max:
            message = self._waiting.popleft()
            size += len(message.payload)
            count += 1
            taken.append(message)
        self._bytes -= size
        if not self._waiting:
            self._filled.clear()
        return taken


class Publisher:
    """Sends frames over the current connection."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def publish_all(self, messages: Sequence[tuple[str, bytes]], *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the broker; raises `BrokerLost`.

        No task fails inside the group: a group cancels its owner for that and, until Python 3.13, leaves the
        owner counted as cancelled, so that the next outage of anything would end it.
        """
        errors: list[Exception] = []

        async def publish(topic: str, payload: bytes) -> None:
            try:
                await self._client.publish(topic, payload, qos=1, retain=retain)
            except (aiomqtt.MqttError, OSError) as error:
                errors.append(error)

        async with asyncio.TaskGroup() as group:
            for topic, payload in messages:
                group.create_task(publish(topic, payload))
        if errors:
            raise BrokerLost(str(errors[0])) from errors[0]


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
                mailbox.put(Arrived(item.topic.value, payload, now(), bool(item.retain)))

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
        try:
            if filters:
                await client.subscribe([(name, 1) for name in filters])
            yield Publisher(client), client
        finally:
            client.timeout = _FAREWELL_S


async def until_lost(client: aiomqtt.Client) -> None:
    """Wait until the connection ends; always raises `BrokerLost`."""
    async for _ in client.messages:
        continue
    raise BrokerLost("the connection ended")


async def end_session(broker: Broker, tls: ssl.SSLContext, client_id: str) -> None:
    """Have the broker close whatever connection has this client id, and forget its session.

    A connection with the same client id does that (MQTT 5, 3.1.4-3), and goes at once. Raises `BrokerLost`.
    """
    async with aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=client_id,
        tls_context=tls,
        keepalive=KEEPALIVE_S,
        clean_session=True,
    ) as client:
        client.timeout = _FAREWELL_S
