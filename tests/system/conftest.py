"""Connections to the real broker for the tests that try to get past it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiomqtt
import pytest

from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning.ca import CertificateAuthority
from provisioning.identity import GatewayIdentity, HubIdentity

HEARD_S = 10.0


@dataclass(frozen=True, slots=True)
class Parties:
    """Opens connections as a gateway or as the hub, with real certificates."""

    broker: EmbeddedMosquitto
    hub_identity: HubIdentity
    gateway_identity: Callable[[str], GatewayIdentity]
    protocol: aiomqtt.ProtocolVersion

    def gateway(self, name: str, client_id: str | None = None) -> AbstractAsyncContextManager[aiomqtt.Client]:
        """Connect as a gateway; the client id is what it claims, not what it gets."""
        return aiomqtt.Client(
            "127.0.0.1",
            self.broker.gateway_port,
            tls_context=self.gateway_identity(name).tls_context(),
            identifier=client_id or name,
            protocol=self.protocol,
        )

    @asynccontextmanager
    async def hub(self, *filters: str) -> AsyncIterator[aiomqtt.Client]:
        """Connect as a hub worker, subscribed."""
        async with aiomqtt.Client(
            "127.0.0.1",
            self.broker.hub_port,
            tls_context=self.hub_identity.tls_context(),
            identifier=self.hub_identity.client_id("test"),
            protocol=self.protocol,
        ) as client:
            for one in filters:
                await client.subscribe(one, qos=1)
            yield client


@pytest.fixture(scope="module")
def broker(
    service_folder: Path, ca: CertificateAuthority, hub_identity: HubIdentity
) -> Iterator[EmbeddedMosquitto]:
    """A Mosquitto of this module's own: what other tests had retained would be heard here."""
    assert hub_identity.name in ca.hub_names()
    server = EmbeddedMosquitto(service_folder / f"mosquitto-{uuid4().hex[:8]}", ca)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture(params=[aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5], ids=["mqtt3", "mqtt5"])
def parties(
    request: pytest.FixtureRequest,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> Parties:
    """Everyone who may speak to the broker, in both protocol versions."""
    return Parties(broker, hub_identity, gateway_identity, request.param)


@pytest.fixture
def heard_until() -> Callable[[aiomqtt.Client, str, bytes], "asyncio.Future[list[tuple[str, bytes]]]"]:
    """A function: everything a client is delivered before one last message, which must come."""

    async def collect(client: aiomqtt.Client, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        heard: list[tuple[str, bytes]] = []
        async with asyncio.timeout(HEARD_S):
            async for message in client.messages:
                found = (str(message.topic), bytes(message.payload))
                if found == (topic, payload):
                    return heard
                heard.append(found)
        raise AssertionError("the connection ended before the last message came")

    return collect
