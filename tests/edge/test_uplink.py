"""The uplink against a scripted broker: how it leaves a line that has gone silent."""

import asyncio
import resource
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.clock import Rules
from edge.journal.file import Surroundings
from edge.journal.journal import Journal
from edge.journal.room import Limits
from edge.journal.sealer import Sealed, Sealer
from edge.recorder import Recorder
from edge.supervisor import Backoff
from edge.timekeeper import Timekeeper
from edge.uplink import FAREWELL_S, Given, Uplink
from provisioning.identity import GatewayIdentity
from wire.messages import Event
from wire.settings.gateway import UplinkSection

BOOT = b"B" * 16
CONNACK = bytes((0x20, 2, 0, 0))
CONNECT, PUBLISH, SUBSCRIBE = 1, 3, 8
ANNOUNCED = 2
"""Birth and points are confirmed; what comes then is not even read."""


class Plain(GatewayIdentity):
    """An identity whose line is not encrypted, so that a script can be its broker."""

    def tls_context(self, *, judge_dates: bool = True) -> None:  # type: ignore[override]
        return None


class SilentBroker:
    """Confirms until the gateway has announced itself, and reads nothing more."""

    def __init__(self) -> None:
        self.silent = asyncio.Event()
        self._over = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server = await asyncio.start_server(self._serve, sock=listener, limit=4096)
        try:
            yield listener.getsockname()[1]
        finally:
            self._over.set()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        published = 0
        while published < ANNOUNCED:
            kind, packet = await self._packet(reader)
            if kind == CONNECT:
                writer.write(CONNACK)
            elif kind == SUBSCRIBE:
                writer.write(bytes((0x90, 3)) + packet[:2] + b"\x01")
            elif kind == PUBLISH:
                published += 1
                after = 2 + int.from_bytes(packet[:2], "big")
                writer.write(bytes((0x40, 2)) + packet[after : after + 2])
        self.silent.set()
        await self._over.wait()
        writer.transport.abort()

    async def _packet(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        kind = (await reader.readexactly(1))[0] >> 4
        length = shift = 0
        while True:
            byte = (await reader.readexactly(1))[0]
            length += (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return kind, await reader.readexactly(length)


@pytest.fixture
def uplink_to(
    tmp_path: Path, gateway_identity: Callable[[str], GatewayIdentity]
) -> Callable[[int], tuple[Uplink, Journal]]:
    def make(port: int, kind: type[Journal] = Journal) -> tuple[Uplink, Journal]:
        known = gateway_identity("uplink-silent")
        identity = Plain(
            known.folder,
            known.gateway,
            known.signer,
            known.hub_verifiers,
            known.certificate_pem,
            known.proof,
        )
        timekeeper = Timekeeper(Rules(), sources=[], monotonic_ns=time.monotonic_ns, system=lambda: None)
        surroundings = Surroundings(
            Sealer(known.gateway, known.signer), lambda: b"i" * 16, lambda: None, Limits(10**9, 1e9)
        )
        journal = kind(
            tmp_path,
            surroundings,
            boot=BOOT,
            clock=timekeeper.reading,
            now=time.monotonic,
            memory_bytes_max=10**6,
        )
        recorder = Recorder(
            journal,
            timekeeper,
            gateway=known.gateway,
            boot=BOOT,
            now_tick=lambda: 1,
            points=[],
            layouts=[],
        )
        given = Given(
            settings=UplinkSection(host="127.0.0.1", port=port, protocol="mqtt311", timeout_s=60.0),
            identity=identity,
            boot=BOOT,
            software="test",
            now=time.monotonic,
            random_id=lambda: b"s" * 16,
            judge_dates=lambda: True,
        )
        backoff = Backoff(1.0, 30.0, random=lambda: 0.5)
        return Uplink(
            given, journal=journal, recorder=recorder, timekeeper=timekeeper, backoff=backoff
        ), journal

    return make


async def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.01)


@pytest.mark.slow
def test_silent_line_with_full_buffers_is_left_in_time(
    uplink_to: Callable[[int], tuple[Uplink, Journal]],
) -> None:
    async def story() -> float:
        broker = SilentBroker()
        async with broker.serving() as port:
            uplink, journal = uplink_to(port)
            async with journal, asyncio.TaskGroup() as tasks:
                await journal.open([])
                running = tasks.create_task(uplink.run())
                await broker.silent.wait()
                for seq in range(1, 33):
                    journal.ready.append(Sealed(b"e" * 16, seq, bytes(32), bytes(250_000), 1))
                journal.wake.set()
                await until(lambda: not journal.ready)
                started = time.monotonic()
                running.cancel()
                await asyncio.wait([running])
                assert running.cancelled()
                return time.monotonic() - started

    assert asyncio.run(story()) < 2 * FAREWELL_S + 1


class Asked(Journal):
    """Counts how often backlog was to be sealed."""

    asked = 0

    async def seal_backlog(self, count: int) -> list[Sealed]:
        self.asked += 1
        return await super().seal_backlog(count)


def test_backlog_is_not_tried_without_a_pause_while_the_disk_refuses_it(
    uplink_to: Callable[..., tuple[Uplink, Asked]],
) -> None:
    async def story() -> None:
        broker = SilentBroker()
        async with broker.serving() as port:
            uplink, journal = uplink_to(port, Asked)
            async with journal, asyncio.TaskGroup() as tasks:
                await journal.open([])
                journal.intake.add(Event("power_lost", "ups", 1, {}))
                await journal.commit()
                assert journal.waiting
                limits = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))  # as a full disk does
                try:
                    running = tasks.create_task(uplink.run())
                    await until(lambda: journal.asked > 0)
                    before = journal.asked
                    await asyncio.sleep(0.5)
                    assert journal.asked - before <= 2
                finally:
                    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                await until(lambda: not journal.waiting)
                running.cancel()
                await asyncio.wait([running])

    asyncio.run(story())


class DroppingBroker(SilentBroker):
    """Confirms until the gateway has announced itself, and then drops the line, again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0
        self._over.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        await super()._serve(reader, writer)


@pytest.mark.slow
def test_broker_that_cannot_be_reached_is_named_by_host_and_port(
    uplink_to: Callable[[int], tuple[Uplink, Journal]], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(port: int) -> None:
        uplink, journal = uplink_to(port)
        async with journal:
            await journal.open([])
            running = asyncio.create_task(uplink.run())
            await until(lambda: bool(caplog.messages) or running.done())
            running.cancel()
            await asyncio.wait([running])

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        asyncio.run(story(port))
    assert caplog.messages[0].startswith(f"uplink: not connected to 127.0.0.1:{port}: ")


def test_line_that_breaks_again_and_again_is_taken_up_each_time(
    uplink_to: Callable[[int], tuple[Uplink, Journal]],
) -> None:
    async def story() -> None:
        broker = DroppingBroker()
        async with broker.serving() as port:
            uplink, journal = uplink_to(port)
            async with journal, asyncio.TaskGroup() as tasks:
                await journal.open([])
                running = tasks.create_task(uplink.run())
                await until(lambda: broker.lines >= 4 or running.done())
                assert not running.done()
                running.cancel()
                await asyncio.wait([running])
                assert running.cancelled()

    asyncio.run(story())
