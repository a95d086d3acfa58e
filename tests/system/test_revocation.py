"""A revoked gateway is out within five seconds: its live session ends, no new one begins, nothing comes."""

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import aiomqtt
import psycopg
import pytest

from cli.embedded.mosquitto import EmbeddedMosquitto
from cloud import gateway_acts
from cloud.enrol.keeper import Keeper, reload_by_signal
from cloud.gateway_acts import Actor
from cloud.settings import HubSettings, broker_of_url
from cloud.store.connection import open_connection
from cloud.store.migrate import upgrade
from cloud.supervisor import Health
from cloud.tools import Tools
from provisioning.ca import CertificateAuthority
from tests.system import mqtt_raw
from tests.system.mqtt_raw import Connect, RefusedError

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2b")]

LIMIT_S = 5.0


@pytest.fixture(scope="module")
def authority(service_folder: Path) -> CertificateAuthority:
    """An authority of this module's own: what it revokes would count for other tests."""
    return CertificateAuthority.create(service_folder / "revoking", now=datetime.now(UTC))


@pytest.fixture(scope="module")
def identity(authority):
    return authority.issue_hub("main", now=datetime.now(UTC))


@pytest.fixture(scope="module")
def dsn(databases):
    made = databases.create()

    async def prepare():
        async with await psycopg.AsyncConnection.connect(made, autocommit=True) as connection:
            await upgrade(connection)
            await connection.execute("INSERT INTO organisations (name) VALUES ('metrology')")

    asyncio.run(prepare())
    yield made
    databases.drop(made)


@pytest.fixture(scope="module")
def broker(service_folder, authority, identity):
    server = EmbeddedMosquitto(service_folder / "revoking-broker", authority)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


class Bench:
    """A gateway at the broker, and the keeper that may put it out."""

    def __init__(self, authority, identity, *, broker, dsn, folder):
        self.authority, self.broker, self.dsn, self.folder = authority, broker, dsn, folder
        self.identity = identity
        settings = HubSettings(dsn, broker_of_url(broker.hub_url), identity.folder)
        self.tools = Tools(settings, identity, Health(), Random(1), lambda: datetime.now(UTC))

    def gateway(self, name):
        made = self.authority.issue_gateway(name, self.folder / name, now=datetime.now(UTC))
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, %s)", (name,))
            connection.execute(
                "INSERT INTO gateway_keys (key_id, organisation_id, gateway_id, public_key, certificate_pem,"
                " proof) SELECT %s, 1, id, %s, %s, %s FROM gateways WHERE name = %s",
                (made.signer.key_id, made.signer.public_key, made.certificate_pem, made.proof, name),
            )
        return made

    @asynccontextmanager
    async def keeping(self, reload=None):
        up = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            keeper = Keeper(self.tools, self.authority, reload or self.broker.reload)
            task = group.create_task(keeper.run(up.set))
            await up.wait()
            await asyncio.sleep(0.2)
            yield
            task.cancel()

    async def revoke(self, name):
        async with open_connection(self.dsn, "revoking") as connection:
            await gateway_acts.revoke(
                connection, Actor("command", "tester"), name, why="stolen", now=datetime.now(UTC)
            )

    async def connect(self, made):
        return await mqtt_raw.connect(self.broker.gateway_port, made.tls_context(), Connect(made.gateway))


@pytest.fixture
def bench(authority, identity, broker, dsn, tmp_path):
    return Bench(authority, identity, broker=broker, dsn=dsn, folder=tmp_path)


async def until_out(line):
    """Wait until a live session was ended."""
    for _ in range(200):
        if not await line.is_open():
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the session goes on")
    line.hang_up()


def test_live_session_ends_and_no_new_one_begins(bench, record_property):
    out, stays = bench.gateway("out-1"), bench.gateway("stays-1")

    async def scene():
        async with bench.keeping():
            line, other = await bench.connect(out), await bench.connect(stays)
            assert await line.is_open()
            assert await other.is_open()
            began = time.monotonic()
            await bench.revoke("out-1")
            await until_out(line)
            took = time.monotonic() - began
            with pytest.raises(RefusedError, match=r"(?i)revoked|reset"):
                await bench.connect(out)
            assert await other.is_open()
            again = await bench.connect(stays)
            for one in (other, again):
                one.hang_up()
            return took

    took = asyncio.run(scene())
    record_property("revocation_s", took)
    assert took < LIMIT_S


def test_gateway_that_comes_back_at_once_is_put_out_for_good(bench):
    """As a real gateway does: it connects again as soon as it is cut, before or after the list is read."""
    made = bench.gateway("stubborn-1")

    async def stubborn(refused, ends_at):
        while time.monotonic() < ends_at:
            try:
                line = await bench.connect(made)
            except RefusedError:
                refused.append(time.monotonic())
            else:
                await until_out(line)
                refused.clear()
            await asyncio.sleep(0.02)

    async def scene():
        refused: list[float] = []
        async with bench.keeping(), asyncio.TaskGroup() as group:
            began = time.monotonic() + 0.5
            trying = group.create_task(stubborn(refused, began + LIMIT_S))
            await asyncio.sleep(0.5)
            await bench.revoke("stubborn-1")
            await trying
        return refused[0] - began, len(refused)

    took, times = asyncio.run(scene())
    assert took < LIMIT_S
    assert times > 10


def test_nothing_is_delivered_after_revocation(bench):
    """What counts is delivery: the last message that the workers hear of it is from before."""
    made = bench.gateway("heard-1")

    async def publish(client):
        for number in range(1000):
            await client.publish("heng/1/heard-1/up/batch", str(number).encode(), qos=1)
            await asyncio.sleep(0.05)

    async def send():
        client = aiomqtt.Client(
            "127.0.0.1", bench.broker.gateway_port, identifier="heard-1", tls_context=made.tls_context()
        )
        async with client:
            await publish(client)

    async def sent_until_cut():
        with pytest.raises(aiomqtt.MqttError):
            await send()

    async def scene():
        heard: list[float] = []
        first = asyncio.Event()
        async with (
            bench.keeping(),
            aiomqtt.Client(
                "127.0.0.1",
                bench.broker.hub_port,
                identifier="hub:main:test",
                tls_context=bench.identity.tls_context(),
            ) as worker,
            asyncio.TaskGroup() as group,
        ):
            await worker.subscribe("heng/1/heard-1/up/#", qos=1)

            async def listen():
                async for message in worker.messages:
                    heard.extend([time.monotonic()] if message.payload else [])
                    first.set()

            listening = group.create_task(listen())
            sending = group.create_task(sent_until_cut())
            await first.wait()
            began = time.monotonic()
            await bench.revoke("heard-1")
            await sending  # who waits for a PUBACK learns of the cut by its own time limit alone
            await asyncio.sleep(1.0)
            listening.cancel()
        return heard[-1] - began

    assert asyncio.run(scene()) < LIMIT_S


def test_tls_session_from_before_is_not_resumed(bench):
    """A ticket of TLS 1.3 spares the certificate: the broker must take none from before its list changed."""
    made = bench.gateway("ticket-1")
    context = made.tls_context()

    def talk(session=None):
        with (
            socket.create_connection(("127.0.0.1", bench.broker.gateway_port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as line,
        ):
            line.sendall(b"\x10\x14\x00\x04MQTT\x04\x02\x00\x3c\x00\x08ticket-1")
            return line.recv(4), line.session, line.session_reused

    def answer_to(session):
        try:
            return talk(session)[0]
        except OSError:
            return b""

    async def scene():
        async with bench.keeping():
            first = await asyncio.to_thread(talk)
            again = await asyncio.to_thread(talk, first[1])
            await bench.revoke("ticket-1")
            await asyncio.sleep(2.5)
            late = await asyncio.to_thread(answer_to, first[1])
            return first[0], again[2], late

    assert asyncio.run(scene()) == (b"\x20\x02\x00\x00", True, b"")


def test_broker_that_somebody_else_runs_is_told_by_signal(bench):
    """The list goes where the settings say, and SIGHUP to the process of the pid file."""
    made = bench.gateway("foreign-1")
    assert bench.broker.pid_file.read_text() == f"{bench.broker.pid}\n"
    reload = reload_by_signal(
        bench.authority, copy_to=bench.broker.revocations, pid_file=bench.broker.pid_file
    )

    async def scene():
        async with bench.keeping(reload):
            line = await bench.connect(made)
            await bench.revoke("foreign-1")
            await until_out(line)
            with pytest.raises(RefusedError, match=r"(?i)revoked|reset"):
                await bench.connect(made)

    asyncio.run(scene())


def test_broker_starts_with_what_was_revoked_before(bench):
    made = bench.gateway("before-1")

    async def scene():
        async with bench.keeping():
            await bench.revoke("before-1")
            await asyncio.sleep(1.5)
        await bench.broker.stop()
        assert not bench.broker.pid_file.exists()
        await bench.broker.start()
        with pytest.raises(RefusedError, match=r"(?i)revoked|reset"):
            await bench.connect(made)

    asyncio.run(scene())
