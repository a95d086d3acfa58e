"""The load of `heng bench ingest`, as a process of its own: 100 gateways that send what was signed before.

Each gateway is one paho-mqtt client on TLS 1.3 and QoS 1 and behaves as real ones do: a bounded window of
batches that the hub has not acknowledged yet, the next one sent when an ack comes. All clients share one
thread and one selector. Nothing is sent again: a batch that gets lost makes the run fail.

It is started with a plan (JSON) as its argument, says `ready` when everything is signed and connected,
waits for a line, runs, and prints its result as JSON.
"""

import json
import os
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from provisioning.identity import GatewayIdentity
from wire import frame
from wire.codec import body_hash, decode_body, encode_body
from wire.layouts import make_layout
from wire.messages import Ack, Batch, Clock, GatewayStatus, Layout, PointDeclaration, Points, Poll
from wire.status import ClockState
from wire.topics import Channel, build

WINDOW = 32
POINTS = 10
"""Points of a poll; a batch of one reading has a layout of its own with one point."""
STALL_S = 60.0
_START_TICK = 178_000_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send."""

    identities: list[str]
    port: int
    batch: int
    batches: int
    """Of each gateway."""
    seed: int


def values(seed: int, polls: int, points: int) -> "np.typing.NDArray[np.int64]":
    """Return counts of slowly wandering temperatures (0.001 °C), one row a poll."""
    generator = np.random.default_rng(seed)
    steps = np.rint(generator.normal(0, 6, (polls, points))).astype(np.int64)
    return 23_000 + np.cumsum(steps, axis=0)


class Gateway:
    """One gateway: its signed frames, its window, its client."""

    def __init__(self, identity: GatewayIdentity, plan: Plan, number: int) -> None:
        self.identity = identity
        points = min(POINTS, plan.batch)
        names = [f"bench-{number}/point-{place}" for place in range(points)]
        self.layout = make_layout(names, [-3] * points)
        self.topic = build(identity.gateway, Channel.UP_BATCH)
        self.frames = list(self._sealed(plan, number))
        self.sent = 0
        self.acked = 0
        self.bytes_sent = 0
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=identity.gateway, protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.tls_set_context(identity.tls_context())
        self.client.max_inflight_messages_set(WINDOW + 8)
        self.client.on_message = self._on_message

    def _sealed(self, plan: Plan, number: int) -> Iterator[bytes]:
        points = len(self.layout.points)
        polls = plan.batch // points
        counts = values(plan.seed * 1000 + number, plan.batches * polls, points).tolist()
        epoch, boot = os.urandom(16), os.urandom(16)
        previous = bytes(32)
        clock = Clock(ClockState.SYNCHRONISED, _START_TICK, 5, "system")
        for seq in range(1, plan.batches + 1):
            first = (seq - 1) * polls
            body = encode_body(
                Batch(
                    gateway=self.identity.gateway,
                    epoch=epoch,
                    seq=seq,
                    previous=previous,
                    boot=boot,
                    clock=clock,
                    base_tick=100 * first,
                    polls=[
                        Poll(self.layout.id, 100 * place, counts[first + place]) for place in range(polls)
                    ],
                )
            )
            previous = body_hash(body)
            yield frame.encode(self.topic, body, self.identity.signer)

    @property
    def socket(self) -> ssl.SSLSocket:
        """The open connection."""
        connection = self.client.socket()
        assert isinstance(connection, ssl.SSLSocket)
        return connection

    def introduce(self) -> None:
        """Publish birth and declaration."""
        status = GatewayStatus(
            gateway=self.identity.gateway,
            session=os.urandom(16),
            online=True,
            boot=os.urandom(16),
            key_proof=self.identity.key_proof(),
        )
        self._publish(Channel.UP_STATUS, encode_body(status))
        declared = [
            PointDeclaration(name=name, quantity="temperature", exponent=-3, period_ms=1000)
            for name in self.layout.points
        ]
        layouts: list[Layout] = [self.layout]
        self._publish(
            Channel.UP_POINTS,
            encode_body(Points(gateway=self.identity.gateway, points=declared, layouts=layouts)),
        )

    def _publish(self, channel: Channel, body: bytes) -> None:
        topic = build(self.identity.gateway, channel)
        self.client.publish(topic, frame.encode(topic, body, self.identity.signer), qos=1, retain=True)

    def fill(self) -> None:
        """Send what the window has room for."""
        while self.sent < len(self.frames) and self.sent - self.acked < WINDOW:
            payload = self.frames[self.sent]
            self.client.publish(self.topic, payload, qos=1)
            self.bytes_sent += len(payload)
            self.sent += 1

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        ack = decode_body(frame.decode(bytes(message.payload)).body, Ack)
        if ack.new_epoch:
            raise RuntimeError(f"{self.identity.gateway} was told to start a new epoch")
        self.acked += sum(len(item.hashes) for item in ack.committed)
        self.fill()


class Load:
    """All gateways on one selector."""

    def __init__(self, plan: Plan) -> None:
        self.gateways = [
            Gateway(GatewayIdentity.load(Path(folder)), plan, number)
            for number, folder in enumerate(plan.identities)
        ]
        self._selector = selectors.DefaultSelector()
        for gateway in self.gateways:
            gateway.client.connect("127.0.0.1", plan.port, keepalive=120)
            connection = gateway.socket
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection, selectors.EVENT_READ, gateway)
            gateway.client.subscribe(build(gateway.identity.gateway, Channel.DOWN_ACK), 1)
            gateway.introduce()

    def turn(self, timeout_s: float) -> None:
        """Read what came and write what waits."""
        for key, _ in self._selector.select(timeout_s):
            client: paho.Client = key.data.client
            while True:
                if client.loop_read() != paho.MQTT_ERR_SUCCESS:
                    raise RuntimeError(f"{key.data.identity.gateway} lost its connection")
                if not key.data.socket.pending():
                    break
        for gateway in self.gateways:
            if gateway.client.want_write():
                gateway.client.loop_write()

    def settle(self, seconds: float) -> None:
        """Let connections, births and declarations come through."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.turn(0.05)
            for gateway in self.gateways:
                gateway.client.loop_misc()

    def run(self) -> float:
        """Send everything and return the seconds until the last ack; `RuntimeError` when it stalls."""
        started = moved = time.perf_counter()
        total = sum(len(gateway.frames) for gateway in self.gateways)
        before = 0
        for gateway in self.gateways:
            gateway.fill()
        while True:
            self.turn(0.1)
            acked = sum(gateway.acked for gateway in self.gateways)
            if acked >= total:
                return time.perf_counter() - started
            if acked > before:
                before, moved = acked, time.perf_counter()
            elif time.perf_counter() - moved > STALL_S:
                raise RuntimeError(f"no ack for {STALL_S:.0f} s: {acked} of {total}")


def main() -> None:
    """Run one load from the plan in the first argument."""
    load = Load(Plan(**json.loads(sys.argv[1])))
    load.settle(1.0)
    print("ready", flush=True)
    while sys.stdin.readline().strip() != "go":
        load.settle(0.5)
    before = time.process_time()
    seconds = load.run()
    sent = sum(gateway.bytes_sent for gateway in load.gateways)
    print(json.dumps({"seconds": seconds, "cpu_s": time.process_time() - before, "bytes": sent}), flush=True)


if __name__ == "__main__":
    main()
