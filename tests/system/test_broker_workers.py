"""Hub workers are let in by name: a valid certificate alone gives a worker no topic."""

import asyncio
from datetime import UTC, datetime

import aiomqtt
import pytest

from cli.embedded import processes
from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning.ca import CertificateAuthority
from provisioning.identity import GatewayIdentity, HubIdentity
from tests.system import mqtt_raw
from tests.system.mqtt_raw import Connect
from wire.topics import PREFIX, Channel, build

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2", "G-7.2a")]

RELOAD_S = 10.0


def test_worker_is_let_in_once_the_configuration_names_it(tmp_path):
    async def scene():
        now = datetime.now(UTC)
        authority = CertificateAuthority.create(tmp_path / "ca", now=now)
        authority.issue_hub("first", now=now)
        gateway = authority.issue_gateway("honest", tmp_path / "honest", now=now)
        async with EmbeddedMosquitto(tmp_path / "mosquitto", authority) as server:
            late = authority.issue_hub("late", now=now)
            port = server.gateway_port
            held = await mqtt_raw.connect(port, gateway.tls_context(), Connect("honest"))
            other = authority.issue_gateway("other", tmp_path / "other", now=now)
            assert not await hears(server, late, other)
            server.reload()
            assert await processes.until(lambda: hears(server, late, other), timeout_s=RELOAD_S)
            assert await held.is_open()
            held.hang_up()

    asyncio.run(scene())


async def hears(server: EmbeddedMosquitto, worker: HubIdentity, gateway: GatewayIdentity) -> bool:
    """Return whether the worker is delivered what a gateway sends."""
    async with (
        aiomqtt.Client(
            "127.0.0.1",
            server.hub_port,
            tls_context=worker.tls_context(),
            identifier=worker.client_id("test"),
        ) as hub,
        aiomqtt.Client(
            "127.0.0.1",
            server.gateway_port,
            tls_context=gateway.tls_context(),
            identifier=gateway.gateway,
        ) as sender,
    ):
        await hub.subscribe(f"{PREFIX}/+/up/#", qos=1)
        await sender.publish(build(gateway.gateway, Channel.UP_BATCH), b"x", qos=1)
        # One connection is served in order: once this is answered, the delivery has come or never will.
        await hub.subscribe(f"{PREFIX}/nobody/up/batch", qos=1)
        return len(hub.messages) == 1
