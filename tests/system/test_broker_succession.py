"""The broker lets gateways of both issuing CAs in while one follows the other, and turns the revoked away."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning import certificates, succession
from provisioning.ca import CertificateAuthority
from provisioning.certificates import Issuer
from provisioning.identity import GatewayIdentity
from tests.system import mqtt_raw
from tests.system.mqtt_raw import Connect, RefusedError

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a", "G-7.2b")]


async def comes_in(broker: EmbeddedMosquitto, gateway: GatewayIdentity) -> bool:
    try:
        line = await mqtt_raw.connect(broker.gateway_port, gateway.tls_context(), Connect(gateway.gateway))
    except RefusedError:
        return False
    try:
        return await line.is_open()
    finally:
        line.hang_up()


async def until(broker: EmbeddedMosquitto, wanted: dict[str, bool], gateways: list[GatewayIdentity]) -> None:
    """Wait until exactly these come in; a broker takes a moment to read its files again."""
    for _ in range(50):
        found = {one.gateway: await comes_in(broker, one) for one in gateways}
        if found == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(found)


def serial(gateway: GatewayIdentity) -> int:
    return certificates.from_pem(gateway.certificate_pem.encode())[0].serial_number


def test_gateways_of_both_issuing_cas_come_in_until_they_are_revoked(
    service_folder: Path, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    old = CertificateAuthority.create(
        service_folder / "followed", now=now, root_key=tmp_path / "root-key.pem"
    )
    root = Issuer(certificates.key_from_pem((tmp_path / "root-key.pem").read_bytes()), old.root)
    gateways = [old.issue_gateway(name, tmp_path / name, now=now) for name in ("old-1", "old-2")]

    async def scene() -> None:
        async with EmbeddedMosquitto(service_folder / "followed-broker", old) as broker:
            await until(broker, {"old-1": True, "old-2": True}, gateways)
            made = succession.sign_next(succession.ask(old.folder), root, now=now)
            new = succession.use(old.folder, made, now=now)
            broker.reload()
            gateways.extend(new.issue_gateway(name, tmp_path / name, now=now) for name in ("new-1", "new-2"))
            everybody = {one.gateway: True for one in gateways}
            await until(broker, everybody, gateways)
            new.write_revocations([serial(gateways[0]), serial(gateways[2])], now=now)
            broker.reload()
            await until(broker, everybody | {"old-1": False, "new-1": False}, gateways)

    asyncio.run(scene())
