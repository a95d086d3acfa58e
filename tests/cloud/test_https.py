"""The HTTPS server of the listeners that see client certificates: who has a place, and what it shows."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloud.https import FreshContext, Places, Server, server_context
from cloud.https_exchange import Limits, Reply, Request, plain
from cloud.media.room import gateway_of
from provisioning.ca import CertificateAuthority
from provisioning.identity import GatewayIdentity

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIMITS = Limits(head_bytes=4096)


@dataclass
class Door:
    port: int
    refused: list[tuple[str, str]] = field(default_factory=list)
    come: list[str] = field(default_factory=list)

    async def knock(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect and say nothing."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def open(self, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname="localhost")

    async def asked(self, context: ssl.SSLContext, sent: bytes = ASK) -> bytes:
        """Return the first line of an answer; empty when there is none."""
        line = await self.open(context)
        try:
            line[1].write(sent)
            async with asyncio.timeout(45):
                return await line[0].readline()
        except OSError:
            return b""
        finally:
            gone(line)

    async def until_refused(self, number: int) -> None:
        for _ in range(1000):
            if len(self.refused) >= number:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(self.refused)


@pytest.fixture
def door(ca: CertificateAuthority) -> Callable[..., Any]:
    """A function: places -> a context with a server that knows gateways."""

    @asynccontextmanager
    async def opened(**places: int) -> AsyncIterator[Door]:
        context = server_context(ca.broker_folder, ca.root_pem, demand=True)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            here = Door(listener.getsockname()[1])

            async def handle(request: Request) -> Reply:
                here.come.append(request.peer.name)
                if request.path == "/fault":
                    raise ZeroDivisionError
                return plain(200)

            given = {"connections": 64, "strangers": 32, "per_address": 16, "per_name": 4} | places
            server = Server(
                listener,
                context=lambda: context,
                handle=handle,
                places=Places(**given),
                limits=LIMITS,
                name=gateway_of,
                refused=lambda address, reason: here.refused.append((address, reason)),
            )
            async with asyncio.TaskGroup() as group:
                running = group.create_task(server.run())
                yield here
                running.cancel()

    return opened


def gone(line: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    line[1].transport.abort()


def test_strangers_who_say_nothing_are_bounded(
    door: Any, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    """Nobody needs a certificate to connect, so connections are counted before the handshake."""
    context = gateway_identity("places-1").tls_context()

    async def scene() -> None:
        async with door(per_address=3) as here:
            lines = [await here.knock() for _ in range(3)]
            fourth = await here.knock()
            assert await fourth[0].read() == b""
            gone(fourth)
            assert here.refused == [("127.0.0.1", "too many connections")]
            gone(lines.pop())
            await here.until_refused(2)  # the one that went
            assert await here.asked(context) == b"HTTP/1.1 200 \r\n"
            for line in lines:
                gone(line)

    asyncio.run(scene())


def test_who_is_named_takes_no_strangers_place_and_has_so_many_of_its_own(
    door: Any, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    first, second = (gateway_identity(name).tls_context() for name in ("places-1", "places-2"))

    async def scene() -> None:
        async with door(per_address=1, per_name=2) as here:
            lines = []
            for _ in range(2):
                reader, writer = await here.open(first)
                writer.write(ASK)
                assert b"200" in await reader.readline()
                lines.append((reader, writer))
            assert await here.asked(first) == b""
            assert ("127.0.0.1", "no place for this certificate") in here.refused
            assert b"200" in await here.asked(second)
            gone(lines[0])
            for _ in range(1000):
                if b"200" in await here.asked(first):
                    break
                await asyncio.sleep(0.01)
            else:
                raise AssertionError("its place is still taken")
            gone(lines[1])
            assert set(here.come) == {"places-1", "places-2"}

    asyncio.run(scene())


def test_fault_of_ours_in_one_request_ends_its_connection_and_no_other(
    door: Any, gateway_identity: Callable[[str], GatewayIdentity], caplog: pytest.LogCaptureFixture
) -> None:
    context = gateway_identity("places-1").tls_context()

    async def scene() -> None:
        async with door() as here:
            assert await here.asked(context, ASK.replace(b"/", b"/fault", 1)) == b""
            assert b"200" in await here.asked(context)

    asyncio.run(scene())
    assert "ZeroDivisionError" in caplog.text


def test_our_own_fields_stand_in_a_request_once(
    door: Any, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    context = gateway_identity("places-1").tls_context()
    doubled = ASK.replace(b"Host", b"Heng-Key: 00\r\nHeng-Key: 11\r\nHost")

    async def scene() -> None:
        async with door() as here:
            assert b" 400 " in await here.asked(context, doubled)
            assert here.come == []

    asyncio.run(scene())


def test_renewed_certificate_is_shown_without_a_restart(ca: CertificateAuthority, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    shutil.copytree(ca.broker_folder, folder)
    made = []

    def make() -> ssl.SSLContext:
        made.append(1)
        return server_context(folder, ca.root_pem, demand=True)

    fresh = FreshContext(make, folder / "tls-cert.pem")
    before = fresh()
    assert fresh() is before
    other = CertificateAuthority.create(tmp_path / "other", now=datetime.now(UTC)).broker_folder
    shutil.copy(other / "tls-cert.pem", folder / "next")
    (folder / "next").replace(folder / "tls-cert.pem")
    assert fresh() is before  # its key is not there yet
    (folder / "tls-cert.pem").unlink()
    assert fresh() is before
    shutil.copy(other / "tls-key.pem", folder / "tls-key.pem")
    shutil.copy(other / "tls-cert.pem", folder / "tls-cert.pem")
    after = fresh()
    assert after is not before
    assert fresh() is after
    assert len(made) == 3
