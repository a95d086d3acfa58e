"""The real media room with its TLS listener on a real database, and gateways that speak to it."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Protocol

import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.media.room import MediaRoom, open_room
from cloud.media.settings import MediaSettings
from cloud.settings import Broker, HubSettings
from cloud.store.connection import StoreConnection
from cloud.supervisor import Health
from cloud.tools import Tools
from edge.media.link import Body, Link
from provisioning.ca import CertificateAuthority
from provisioning.identity import GatewayIdentity, HubIdentity
from provisioning.keys import Ed25519Signer
from wire.media import (
    DESCRIPTION_HEADER,
    HASH_HEADER,
    KEY_HEADER,
    SIGNATURE_HEADER,
    Description,
    description_text,
    media_path,
    signed_media,
)

CAMERA = "weighing/camera"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Lab(Protocol):
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


def declare(lab: Lab, gateway: str, identity: GatewayIdentity, camera: str = CAMERA) -> None:
    """Have the hub know a gateway, its key and a camera of it."""
    lab.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, %s) ON CONFLICT DO NOTHING", gateway)
    lab.execute(
        "INSERT INTO gateway_keys (key_id, organisation_id, gateway_id, public_key, certificate_pem, proof)"
        " SELECT %s, 1, id, %s, '', '' FROM gateways WHERE name = %s ON CONFLICT DO NOTHING",
        identity.signer.key_id,
        identity.signer.public_key,
        gateway,
    )
    lab.execute("UPDATE gateway_keys SET refused_at = NULL WHERE key_id = %s", identity.signer.key_id)
    for name, quantity, kind in (
        ("frame_rate", "frequency", "analog"),
        ("recorded", "duration", "analog"),
        ("picture", "state", "state"),
    ):
        lab.execute(
            "INSERT INTO points (organisation_id, site_id, name, quantity, kind)"
            " VALUES (1, 1, %s, %s, %s) ON CONFLICT DO NOTHING",
            f"{camera}/{name}",
            quantity,
            kind,
        )
        lab.execute(
            "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)"
            " SELECT 1, g.id, %s, p.id FROM gateways g, points p WHERE g.name = %s AND p.name = %s"
            " AND NOT EXISTS (SELECT 1 FROM channel_bindings c"
            "                  WHERE c.gateway_id = g.id AND c.channel = p.name)",
            f"{camera}/{name}",
            gateway,
            f"{camera}/{name}",
        )


@dataclass
class Hub:
    """A running media room."""

    room: MediaRoom
    folder: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.room.port}"

    def files(self) -> list[str]:
        """Everything in the folder, those that were begun too."""
        return sorted(file.name for file in self.folder.rglob("*") if file.is_file())


@dataclass
class Far:
    """A gateway's end of a connection."""

    link: Link
    gateway: str
    tls: ssl.SSLContext
    signer: Ed25519Signer
    hub: Hub

    async def put(self, data: bytes, *, sha256: str = "", gateway: str = "", **more: Any) -> tuple[int, str]:
        """Send a picture, or what `more` says of it; return status and words."""
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        body = replace(Body.of(data), sha256=sha256)
        target = media_path(gateway or self.gateway, sha256)
        text = description_text(describe(data, **more))
        answer = await self.link.ask("PUT", target, body=body, description=text)
        return answer.status, json.loads(answer.body)["said"] if answer.body else ""

    def head(self, data: bytes, **more: Any) -> bytes:
        """The head of a picture that is sent by hand."""
        sha256 = hashlib.sha256(data).hexdigest()
        target, text = media_path(self.gateway, sha256), description_text(describe(data, **more))
        signature = self.signer.sign(signed_media("PUT", target, description=text, sha256=sha256))
        lines = [
            *(f"PUT {target} HTTP/1.1", "Host: hub", f"Content-Length: {len(data)}"),
            *(f"{KEY_HEADER}: {self.signer.key_id.hex()}", f"{HASH_HEADER}: {sha256}"),
            *(f"{SIGNATURE_HEADER}: {signature.hex()}", f"{DESCRIPTION_HEADER}: {text}", "", ""),
        ]
        return "\r\n".join(lines).encode()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection."""
        return await asyncio.open_connection("127.0.0.1", self.hub.room.port, ssl=self.tls)


def describe(data: bytes, **more: Any) -> Description:
    given = {
        "camera": CAMERA,
        "device": "cam",
        "kind": "picture",
        "content_type": "image/jpeg",
        "bytes": len(data),
        "tick": 5,
        "from_ms": int(NOW.timestamp() * 1000),
        "moment": "timer",
        "reason": "door \u95e8",
    }
    return Description(**(given | more))


@pytest.fixture
def another_camera(lab: Lab, gateway_identity: Callable[[str], GatewayIdentity]) -> str:
    """A camera of gateway-2."""
    declare(lab, "gateway-2", gateway_identity("gateway-2"), "van/camera")
    return "van/camera"


@pytest.fixture(scope="module")
def camera(lab: Lab, gateway_identity: Callable[[str], GatewayIdentity]) -> str:
    """A camera of gateway-1 that the hub knows."""
    declare(lab, "gateway-1", gateway_identity("gateway-1"))
    return CAMERA


@pytest.fixture
def hub(
    lab: Lab, camera: str, ca: CertificateAuthority, hub_identity: HubIdentity, tmp_path: Path
) -> Callable[..., Any]:
    """A function: settings -> a context with a running hub."""

    @asynccontextmanager
    async def running(**more: Any) -> AsyncIterator[Hub]:
        folder = tmp_path / "media"
        settings = MediaSettings(**({"port": 0, "folder": folder, "certificate": ca.broker_folder} | more))
        whole = HubSettings(lab.hub_dsn, Broker("", 0), hub_identity.folder)
        tools = Tools(whole, hub_identity, Health(), Random(1), lambda: NOW)
        pool = AsyncConnectionPool(
            lab.hub_dsn,
            connection_class=StoreConnection,
            min_size=1,
            max_size=4,
            open=False,
            kwargs={"autocommit": True},
        )
        await pool.open()
        try:
            async with open_room(settings, tools, pool) as room, asyncio.TaskGroup() as tasks:
                assert room is not None
                up = asyncio.Event()
                serving = tasks.create_task(room.run(up.set))
                await asyncio.wait(
                    {serving, waiting := tasks.create_task(up.wait())}, return_when="FIRST_COMPLETED"
                )
                waiting.cancel()
                try:
                    yield Hub(room, folder)
                finally:
                    serving.cancel()
        finally:
            await pool.close()

    lab.execute("DELETE FROM media")
    lab.execute("DELETE FROM media_wishes")
    return running


@pytest.fixture
def far(gateway_identity: Callable[[str], GatewayIdentity]) -> Callable[..., Far]:
    """A function: hub and gateway -> the gateway's end of a connection."""

    def made(hub: Hub, gateway: str = "gateway-1", *, signed_by: str = "") -> Far:
        identity = gateway_identity(gateway)
        signer = gateway_identity(signed_by or gateway).signer
        link = Link(hub.url, signer=signer, tls=identity.tls_context)
        return Far(link, gateway, identity.tls_context(), signer, hub)

    return made
