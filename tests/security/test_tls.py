"""Every listener that speaks TLS, and every certificate that must not open it.

The broker's two listeners are in tests/system/test_broker_doors.py. The listener of EST judges dates by rule
(tests/cloud/enrol), because a gateway may have slept: there an ended certificate is seen and not refused.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud import https
from cloud.enrol.service import LIMITS as EST_LIMITS
from cloud.enrol.service import PLACES as EST_PLACES
from cloud.https_exchange import Limits, Reply, Request, plain
from cloud.media.room import PLACES as MEDIA_PLACES
from cloud.media.room import gateway_of, listener_context
from provisioning import certificates
from provisioning.ca import CertificateAuthority
from provisioning.certificates import Validity

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2", "G-7.2a")]

LISTENERS = ["pages", "media", "est"]
WANT_CERTIFICATE = ["media"]
"""Listeners that nobody enters without a certificate."""
JUDGE_CHAIN = ["media", "est"]
"""Listeners that look at a certificate that is shown."""


@dataclass
class Door:
    port: int


@pytest.fixture(scope="module")
def other(service_folder: Path) -> CertificateAuthority:
    """An authority that this hub knows nothing of, with the names of this one."""
    return CertificateAuthority.create(service_folder / "other-ca", now=datetime.now(UTC))


@pytest.fixture
def door(ca: CertificateAuthority, pages: Any) -> Callable[[str], Any]:
    """A function: the name of a listener -> a context in which it answers."""
    folder = ca.broker_folder

    async def handle(_: Request) -> Reply:
        return plain(200)

    @asynccontextmanager
    async def served(**given: Any) -> AsyncIterator[Door]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = https.Server(listener, handle=handle, **given)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(server.run())
                yield Door(listener.getsockname()[1])
                task.cancel()

    def media() -> Any:
        context = listener_context(folder, ca.folder / "root-cert.pem")
        limits = Limits(head_bytes=16_384)
        return served(context=context, places=MEDIA_PLACES, limits=limits, name=gateway_of)

    def est() -> Any:
        context = https.server_context(folder, ca.root_pem, demand=False, judge_dates=False)
        return served(context=lambda: context, places=EST_PLACES, limits=EST_LIMITS)

    def opened(name: str) -> Any:
        return {"media": media, "est": est, "pages": lambda: pages(server=folder)}[name]()

    return opened


def bare(ca: CertificateAuthority, shown: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca.folder / "root-cert.pem")
    if shown is not None:
        context.load_cert_chain(shown / "tls-cert.pem", shown / "tls-key.pem")
    return context


async def answer(port: int, context: ssl.SSLContext | None) -> bytes:
    """Return what a request is answered; nothing when the connection is refused, however that is done."""
    name = None if context is None else "localhost"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(45):
            found = await reader.read(4096)
        writer.transport.abort()
    except OSError:
        return b""
    return found


def asked(door: Any, name: str, context: ssl.SSLContext | None) -> bytes:
    async def scene() -> bytes:
        async with door(name) as here:
            return await answer(here.port, context)

    return asyncio.run(scene())


@pytest.mark.parametrize("name", LISTENERS)
def test_rightful_certificate_is_answered(door, ca, gateway_identity, name):
    shown = gateway_identity("honest").folder if name in JUDGE_CHAIN else None
    assert asked(door, name, bare(ca, shown)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", LISTENERS)
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_below_1_3_is_refused(door, ca, gateway_identity, name, newest):
    context = bare(ca, gateway_identity("honest").folder)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = newest
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert asked(door, name, context) == b""


@pytest.mark.parametrize("name", LISTENERS)
def test_plain_http_is_not_answered(door, name):
    assert not asked(door, name, None).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", WANT_CERTIFICATE)
def test_no_certificate_is_refused(door, ca, name):
    assert asked(door, name, bare(ca)) == b""


@pytest.mark.parametrize("name", JUDGE_CHAIN)
@pytest.mark.parametrize("kind", ["other authority", "self-signed", "hub worker", "server"])
def test_certificate_that_is_not_a_gateways_of_this_hub_is_refused(
    door, ca, other, hub_identity, tmp_path, name, kind
):
    now = datetime.now(UTC)
    if kind == "other authority":
        shown = other.issue_gateway(f"honest-{name}", tmp_path / "honest", now=now).folder
    elif kind == "hub worker":
        shown = hub_identity.folder
    elif kind == "server":
        shown = ca.broker_folder
    else:
        shown = tmp_path
        made = certificates.root("honest", Validity(now, 1))
        (shown / "tls-key.pem").write_bytes(certificates.key_to_pem(made.key))
        (shown / "tls-cert.pem").write_bytes(certificates.to_pem([made.certificate]))
    assert asked(door, name, bare(ca, shown)) == b""


def test_expired_certificate_is_refused_by_the_media_listener(door, ca, tmp_path):
    then = datetime.now(UTC) - timedelta(days=10)
    old = ca.issue_gateway("expired-media", tmp_path / "old", now=then, days=9)
    assert asked(door, "media", bare(ca, old.folder)) == b""


@pytest.mark.parametrize("name", LISTENERS)
def test_who_looks_notices_a_listener_of_another_authority(door, other, name):
    """Whoever stands between shows a certificate of their own: nothing is sent to it."""

    async def scene() -> None:
        async with door(name) as here:
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection(
                    "127.0.0.1", here.port, ssl=bare(other), server_hostname="localhost"
                )

    asyncio.run(scene())


@pytest.mark.parametrize("name", JUDGE_CHAIN)
def test_noise_in_place_of_a_handshake_disturbs_nobody(door, ca, gateway_identity, name):
    async def scene() -> bytes:
        async with door(name) as here:
            with socket.create_connection(("127.0.0.1", here.port), timeout=10) as line:
                line.sendall(b"\x16\x03\x03\xff\xff" + b"\0" * 100)
                return await answer(here.port, bare(ca, gateway_identity("honest").folder))

    assert asyncio.run(scene()).startswith(b"HTTP/1.1 200")
