"""A real hub process, and a gateway that speaks the wire through paho, with keys of its own."""

import asyncio
import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.embedded.processes import free_port
from cloud.store.migrate import upgrade
from provisioning.identity import GatewayIdentity, HubIdentity
from wire import frame
from wire.codec import body_hash, decode_body, encode_body
from wire.layouts import make_layout
from wire.messages import (
    Ack,
    Batch,
    Clock,
    GatewayStatus,
    Message,
    PointDeclaration,
    Points,
    Poll,
)
from wire.status import ClockState
from wire.topics import Channel, build

SITE = """
organisation = "Test laboratory"
[[site]]
name = "main"
title = "Main building"
kind = "laboratory"
"""
_RUNS = "heng: "
OFFSET_TICKS = 178_000_000_000
"""2026-05-29T04:26:40Z for monotonic tick 0."""


@dataclass
class TestGateway:
    """One gateway: seals batches, publishes, and hears acks."""

    __test__ = False
    identity: GatewayIdentity
    port: int
    epoch: bytes = field(default_factory=lambda: os.urandom(16))
    boot: bytes = field(default_factory=lambda: os.urandom(16))
    session: bytes = field(default_factory=lambda: os.urandom(16))
    seq: int = 0
    previous: bytes = bytes(32)

    def __post_init__(self) -> None:
        self.held: set[tuple[bytes, int, bytes]] = set()
        self.told = threading.Condition()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=self.identity.gateway, protocol=paho.MQTTv5
        )
        self.client.tls_set_context(self.identity.tls_context())
        self.client.on_message = self._heard

    @property
    def name(self) -> str:
        return self.identity.gateway

    def connect(self) -> None:
        subscribed: queue.Queue[bool] = queue.Queue()
        self.client.on_subscribe = lambda *_: subscribed.put(True)
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()
        self.client.subscribe(build(self.name, Channel.DOWN_ACK), 1)
        subscribed.get(timeout=10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _heard(self, client: object, userdata: object, message: paho.MQTTMessage) -> None:
        opened = frame.decode(message.payload)
        verify = self.identity.hub_verifiers[opened.key_id]
        assert verify(frame.signed_bytes(message.topic, opened.body), opened.signature)
        ack = decode_body(opened.body, Ack)
        with self.told:
            for item in ack.committed:
                self.held.update((item.epoch, item.first + n, digest) for n, digest in enumerate(item.hashes))
            self.told.notify_all()

    def send(self, channel: Channel, message: Message) -> None:
        topic = build(self.name, channel)
        self.publish(topic, frame.encode(topic, encode_body(message), self.identity.signer))

    def publish(self, topic: str, payload: bytes) -> None:
        retain = topic.endswith(("up/status", "up/points"))
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def status(self, *, online: bool, session: bytes | None = None) -> GatewayStatus:
        return GatewayStatus(
            gateway=self.name,
            session=session or self.session,
            online=online,
            boot=self.boot,
            software="test 1",
            key_proof=self.identity.key_proof(),
        )

    def declare(self, *points: str, exponent: int = -2) -> str:
        """Publish points in one layout and return its id."""
        layout = make_layout(points, [exponent] * len(points))
        declared = [
            PointDeclaration(name=p, quantity="temperature", exponent=exponent, period_ms=1000)
            for p in points
        ]
        self.send(Channel.UP_POINTS, Points(gateway=self.name, points=declared, layouts=[layout]))
        return layout.id

    def seal(self, *polls: Poll, **fields: object) -> Batch:
        """Return the next batch of the chain."""
        self.seq += 1
        values: dict[str, object] = {
            "gateway": self.name,
            "epoch": self.epoch,
            "seq": self.seq,
            "previous": self.previous,
            "boot": self.boot,
            "clock": Clock(ClockState.SYNCHRONISED, OFFSET_TICKS, 5, "system"),
            "base_tick": 1000,
            "polls": list(polls),
        }
        batch = Batch(**{**values, **fields})  # type: ignore[arg-type]
        self.previous = body_hash(encode_body(batch))
        return batch

    def deliver(self, *batches: Batch) -> None:
        for batch in batches:
            self.send(Channel.UP_BATCH, batch)

    def acked(self, batch: Batch, *, within_s: float = 45.0) -> bool:
        """Whether an ack names this batch with its hash."""
        wanted = batch.epoch, batch.seq, body_hash(encode_body(batch))
        with self.told:
            return self.told.wait_for(lambda: wanted in self.held, timeout=within_s)


@dataclass
class Hub:
    """A hub process under test."""

    database_url: str
    owner_url: str
    broker: EmbeddedMosquitto
    identity: Path
    folder: Path
    broker_url: str = ""
    """Where the process looks for the broker, if not where it is."""
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HENG_DATABASE_URL": self.database_url,
            "HENG_MQTT_URL": self.broker_url or self.broker.hub_url,
            "HENG_IDENTITY": str(self.identity),
            "HENG_HTTP_PORT": str(self.port),
            "HENG_SUSPECT_AFTER_S": "4",
        }

    def start(self, *words: str) -> None:
        """Start the process and wait until it says that it runs."""
        file = self.folder / "hub.log"
        before = file.read_text().count(_RUNS) if file.exists() else 0
        log = (self.folder / "hub.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *(words or ("hub",))],
            env=self.environment(),
            stdout=log,
            stderr=log,
        )
        log.close()
        deadline = time.monotonic() + 30
        while self.log().count(_RUNS) == before:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=20)

    def apply(self, *gateways: str) -> None:
        file = self.folder / "site.toml"
        lines = [f'[[gateway]]\nname = "{name}"\nsite = "main"\n' for name in gateways]
        file.write_text(SITE + "".join(lines))
        done = self.command("site", "apply", str(file))
        assert done.returncode == 0, done.stderr

    def rows(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def cut_sessions(self, purpose: str) -> None:
        """End the database sessions of a room, as a crash of their servers would."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE %s AND datname = current_database()",
                (f"heng {purpose}%",),
            )

    def rows_changed(self, statement: str) -> None:
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def until(self, statement: str, *parameters: object, within_s: float = 45.0) -> list[tuple[object, ...]]:
        """Return the rows of a statement as soon as there are any."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            found = self.rows(statement, *parameters)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"nothing within {within_s} s for: {statement}\n{self.log()}")

    def log(self) -> str:
        return (self.folder / "hub.log").read_text()


@pytest.fixture(scope="module")
def hub(
    postgres_dsn: str,
    databases: Any,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    """A hub that runs, with a database of this module's own."""

    async def prepare() -> None:
        async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as connection:
            await upgrade(connection)

    asyncio.run(prepare())
    one = Hub(
        databases.hub_dsn(postgres_dsn),
        postgres_dsn,
        broker,
        hub_identity.folder,
        tmp_path_factory.mktemp("hub"),
    )
    one.start()
    yield one
    if one.process is not None and one.process.poll() is None:
        assert one.kill(signal.SIGTERM) == 0, one.log()


@pytest.fixture
def gateway(
    request: pytest.FixtureRequest,
    hub: Hub,
    broker: EmbeddedMosquitto,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> Iterator[TestGateway]:
    """A registered gateway of this test's own, connected and known to the hub."""
    name = re.sub("[^a-z0-9-]", "-", request.node.name)[:60]
    hub.apply(name)
    one = TestGateway(gateway_identity(name), broker.gateway_port)
    one.connect()
    one.send(Channel.UP_STATUS, one.status(online=True))
    hub.until("SELECT 1 FROM gateway_keys k JOIN gateways g ON g.id = k.gateway_id WHERE g.name = %s", name)
    with contextlib.closing(one):
        yield one
