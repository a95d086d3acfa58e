"""The real `heng edge` process: what it was asked for at the local socket is durable when it answers."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cli.embedded.processes import free_port
from edge.journal.reader import Reader
from edge.local.asks import SOCKET_NAME
from provisioning.identity import GatewayIdentity
from simulators.devices.instrument import Instrument, Multimeter, scpi_server
from wire.messages import Event

pytestmark = pytest.mark.slow
SETTINGS = """
[gateway]
id = "{gateway}"
identity = "{identity}"
[uplink]
host = "127.0.0.1"
port = {broker}
[[device]]
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


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


def events(file: Path) -> list[Event]:
    with Reader(file) as journal:
        return [event for row in journal.pending() if row is not None for event in row.group.events]


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
    assert done["by"] == "local"
