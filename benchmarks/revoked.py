"""Building blocks for measuring how quickly a gateway is out: one that goes on sending, and who hears it."""

import asyncio
import http.client
import json
import socket
import threading
import time
from contextlib import ExitStack
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.ingest_load import Gateway, Plan
from provisioning.identity import GatewayIdentity, HubIdentity
from wire.topics import Channel, build

EVERY_S = 0.02
BATCHES = 3000
_READY_S = 10.0
_ASK_S = 10.0


def free_ports(number: int) -> list[int]:
    """Return ports of 127.0.0.1 that nothing listens on now."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [one.getsockname()[1] for one in taken]


class HubHttp:
    """Asks a hub that has no accounts, over HTTP on 127.0.0.1. It blocks."""

    def __init__(self, port: int) -> None:
        self.port = port

    def is_ready(self) -> bool:
        """Whether database, schema and broker are there."""
        try:
            return self._ask("GET", "/ready")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def has_reading(self) -> bool:
        """Whether any point of the hub has a reading."""
        _, found = self._ask("GET", "/api/latest")
        return any(one["observed_at"] is not None for one in json.loads(found)["items"])

    def received(self, gateway: str) -> int:
        """Return how many batches of a gateway are stored."""
        status, found = self._ask("GET", f"/api/gateways/{gateway}/epochs")
        items = json.loads(found)["items"] if status == http.client.OK else []
        return sum(one["received"] for one in items)

    def revoke(self, gateway: str, why: str) -> None:
        """Revoke a gateway as an administrator does."""
        body = json.dumps({"why": why})
        status, said = self._ask("POST", f"/api/gateways/{gateway}/revoke", body)
        if status != http.client.NO_CONTENT:
            raise OSError(f"the hub answered {status}: {said!r}")

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ASK_S)
        try:
            line.request(method, path, body, {"Content-Type": "application/json"})
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()


class Listener:
    """A hub worker that hears what one gateway sends; use it as a context manager."""

    def __init__(self, identity: HubIdentity, port: int, gateway: str) -> None:
        self.heard_at = 0.0
        """`time.monotonic()` of the newest message; 0.0 before the first."""
        self._topic = build(gateway, Channel.UP_BATCH)
        self._port = port
        self._ready = threading.Event()
        self._client = _client(identity.client_id("revoked"))
        self._client.tls_set_context(identity.tls_context())
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic, 0)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port, keepalive=30)
        self._client.loop_start()
        if not self._ready.wait(_READY_S):
            raise TimeoutError("the broker did not let the worker subscribe")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, *_: object) -> None:
        self.heard_at = time.monotonic()


class Sender:
    """A gateway with a live session that sends a signed batch every 20 ms, and comes back when it is cut."""

    def __init__(self, identity: GatewayIdentity, port: int) -> None:
        self._gateway = Gateway(identity, Plan([], port, batch=1, batches=BATCHES, seed=1), 0)
        self._port = port
        self._sessions: list[float] = []
        self.cut_at: float | None = None
        """`time.monotonic()` of the last time that the session was ended from the other side."""
        client = self._gateway.client
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = None

    def __enter__(self) -> Self:
        self._gateway.client.connect("127.0.0.1", self._port, keepalive=30)
        self._gateway.client.loop_start()
        self._gateway.introduce()
        return self

    def __exit__(self, *_: object) -> None:
        self._gateway.client.disconnect()
        self._gateway.client.loop_stop()

    def sessions_since(self, at: float) -> int:
        """Return how many sessions were opened since a moment."""
        return sum(one > at for one in self._sessions)

    async def run(self) -> None:
        """Send until everything is sent, or cancelled."""
        for payload in self._gateway.frames:
            await asyncio.sleep(EVERY_S)
            if self._gateway.client.is_connected():
                self._gateway.client.publish(self._gateway.topic, payload, qos=0)

    def _on_connect(self, *told: object) -> None:
        # paho tells client, user data, flags, reason, properties.
        if not getattr(told[3], "is_failure", True):
            self._sessions.append(time.monotonic())

    def _on_disconnect(self, *_: object) -> None:
        if self._sessions and (self.cut_at is None or self._sessions[-1] > self.cut_at):
            self.cut_at = time.monotonic()


def _client(name: str) -> paho.Client:
    return paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
