"""A hub reduced to its promise: checks what gateways send and acknowledges it, signed, without storing it.

It speaks through the real broker with a real hub identity, so that a gateway cannot tell the difference;
it is for measuring the gateway alone.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from provisioning.identity import HubIdentity
from wire import frame
from wire.codec import body_hash, decode_body, encode_body
from wire.messages import Ack, AckRange, Batch
from wire.topics import Channel, build, parse, subscription

READY_S = 10.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One batch as it came."""

    at_ns: int
    """CLOCK_BOOTTIME, the clock of the gateway's ticks."""
    size: int
    batch: Batch


@dataclass(slots=True)
class Acker:
    """Use as a context manager; `arrivals` grows while it is open."""

    identity: HubIdentity
    port: int
    answering: bool = True
    on_arrival: Callable[[Arrival], None] | None = None
    keep: bool = True
    """Whether arrivals are kept; a long run need not."""
    arrivals: list[Arrival] = field(default_factory=list)
    others: list[tuple[str, bytes]] = field(default_factory=list)
    """Topic and frame of every status and declaration of points."""
    _client: mqtt.Client = field(init=False)
    _ready: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, self.identity.client_id("acker"), protocol=mqtt.MQTTv5
        )
        self._client.tls_set_context(self.identity.tls_context())
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.max_inflight_messages_set(1000)
        self._client.connect("127.0.0.1", self.port, keepalive=30)
        self._client.loop_start()
        if not self._ready.wait(READY_S):
            raise TimeoutError("the broker did not let the acker subscribe")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        channels = (Channel.UP_BATCH, Channel.UP_STATUS, Channel.UP_POINTS)
        client.subscribe([(subscription(channel), 1) for channel in channels])

    def _on_message(self, client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if parse(message.topic).channel is not Channel.UP_BATCH:
            self.others.append((message.topic, bytes(message.payload)))
            return
        body = frame.decode(bytes(message.payload)).body
        batch = decode_body(body, Batch)
        arrival = Arrival(at_ns, len(message.payload), batch)
        if self.keep:
            self.arrivals.append(arrival)
        if self.on_arrival:
            self.on_arrival(arrival)
        if self.answering:
            self._acknowledge(client, parse(message.topic).gateway, batch, digest=body_hash(body))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish anything, as a hub or somebody with its certificate could."""
        self._client.publish(topic, payload, qos=1)

    def _acknowledge(self, client: mqtt.Client, gateway: str, batch: Batch, *, digest: bytes) -> None:
        ack = Ack(
            gateway=gateway,
            hub_time_ms=time.time_ns() // 1_000_000,
            committed=[AckRange(batch.epoch, batch.seq, [digest])],
        )
        topic = build(gateway, Channel.DOWN_ACK)
        client.publish(topic, frame.encode(topic, encode_body(ack), self.identity.signer), qos=1)
