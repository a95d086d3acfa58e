"""The real `heng edge` process: what it was asked for at the local socket is durable when it answers."""

import asyncio
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cli.embedded.processes import free_port
from edge.journal.reader import Reader
from edge.local.asks import SOCKET_NAME
from provisioning.identity import GatewayIdentity
from simulators.devices.instrument import Instrument, Multimeter, scpi_server
from tests.edge.gateway_site import HEAD
from wire.messages import Event

pytestmark = pytest.mark.slow
SETTINGS = (
    HEAD
    + """[[device]]
driver = "instrument"
name = "meter"
prefix = "bench/meter"
resource = "TCPIP::127.0.0.1::{port}::SOCKET"
identity = {{ model = "SIM-6500" }}
interval_ms = 500
[[device.query]]
point = "voltage"
command = "READ?"
quantity = "voltage"
step = "1e-7"
[[device.procedure]]
name = "range"
argument = [{{ name = "range", words = ["1", "10"] }}]
step = [{{ command = "CONF:VOLT:DC {{range}}" }}, {{ command = "CONF?" }}]
"""
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


def events(file: Path) -> list[Event]:
    with Reader(file) as journal:
        return [event for row in journal.pending() if row is not None for event in row.group.events]


def test_gateway_that_stops_takes_no_more_questions_before_it_stops_its_devices(
    folder: Path, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    identity, file = gateway_identity("bench-2"), folder / "gateway.toml"
    place = folder / "data" / SOCKET_NAME
    asked = asyncio.Event()
    there_when_left: list[bool] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """An instrument that never answers, and sees when it is left."""
        with suppress(ConnectionError):
            while await reader.read(100):
                asked.set()
        there_when_left.append(place.is_socket())
        writer.close()

    async def story() -> None:
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            text = SETTINGS.format(
                gateway=identity.gateway,
                identity=identity.folder,
                broker=free_port(),
                port=server.sockets[0].getsockname()[1],
            )
            file.write_text(text.replace("interval_ms = 500", "timeout_ms = 60000"))
            gateway = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli.main", "edge", "--settings", str(file)
            )
            try:
                await asyncio.wait_for(asked.wait(), 30)
                assert place.is_socket()
                gateway.terminate()
                assert await asyncio.wait_for(gateway.wait(), 30) == 0
            finally:
                if gateway.returncode is None:
                    gateway.kill()
                    await gateway.wait()

    asyncio.run(story())
    assert there_when_left == [False]


@pytest.mark.requirement("G-8b", "Q-93")
def test_procedure_is_in_the_journal_when_its_answer_is_there(
    folder: Path, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    identity = gateway_identity("bench-1")
    file = folder / "gateway.toml"

    async def heng(*words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "edge", *words, "--settings", str(file)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode or 0, out.decode()

    async def story() -> str:
        meter = Instrument(Multimeter(now_s=time.time, voltage=lambda _: 10.0))
        async with scpi_server(meter) as port:
            text = SETTINGS.format(
                gateway=identity.gateway, identity=identity.folder, broker=free_port(), port=port
            )
            file.write_text(text)
            gateway = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli.main", "edge", "--settings", str(file)
            )
            try:
                for _ in range(600):
                    if (folder / "data" / SOCKET_NAME).is_socket():
                        break
                    await asyncio.sleep(0.05)
                code, shown = await heng("tail", "--match", "bench/meter/voltage", "--count", "1")
                assert code == 0, shown
                assert "bench/meter/voltage" in shown
                code, said = await heng("run", "meter", "range", "range=1")
                assert code == 0, said
            finally:
                gateway.kill()
                await gateway.wait()
        return said

    said = asyncio.run(story())
    (done,) = [
        event.data for event in events(folder / "data" / "journal.db") if event.kind == "procedure_done"
    ]
    assert str(done["sha256"]) in said
    assert done["by"] == f"local: {pwd.getpwuid(os.getuid()).pw_name} (uid {os.getuid()})"
