"""A real `heng edge` process in a folder of its own, and a hub that only acks it; shared by tests."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.acker import Acker, Arrival
from benchmarks.edge import Load, settings_text
from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning.identity import GatewayIdentity, HubIdentity

HEAD = """
[gateway]
id = "{gateway}"
identity = "{identity}"
[uplink]
host = "127.0.0.1"
port = {broker}
"""
"""Of the settings of a gateway that no broker hears."""


@dataclass
class Site:
    """One gateway's folder and what it talks to."""

    folder: Path
    broker: EmbeddedMosquitto
    hub: HubIdentity
    identity: GatewayIdentity
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def settings(self) -> Path:
        return self.folder / "gateway.toml"

    def write(self, ports: list[int], *, load: Load, port: int | None = None, uplink: str, more: str) -> None:
        text = settings_text(self.identity.gateway, port or self.broker.gateway_port, ports, load=load)
        text = text.replace(
            "[uplink]\n", f"identity = '{self.identity.folder}'\n[uplink]\nresend_s = 1\n{uplink}\n"
        )
        self.settings.write_text(text + more)

    def command(self, *words: str) -> list[str | Path]:
        return [sys.executable, "-m", "cli.main", "edge", *words, "--settings", self.settings]

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            self.processes.append(subprocess.Popen(self.command("--verbose"), stdout=log, stderr=log))
        return self.processes[-1]

    def stop(self, process: subprocess.Popen[bytes], *, within_s: float = 5) -> None:
        process.terminate()
        assert process.wait(within_s) == 0, (self.folder / "log").read_text()


S = TypeVar("S", bound=Site)


@contextmanager
def ended(site: S) -> Iterator[S]:
    """No process of the site outlives the block."""
    try:
        yield site
    finally:
        for process in site.processes:
            process.kill()
            process.wait()


@asynccontextmanager
async def acking(hub: HubIdentity, broker: EmbeddedMosquitto) -> AsyncIterator[Acker]:
    """A hub that acks, in its own thread."""
    acker = await asyncio.to_thread(Acker(hub, broker.hub_port).__enter__)
    try:
        yield acker
    finally:
        await asyncio.to_thread(acker.__exit__)


def watched(site: Site) -> AbstractAsyncContextManager[Acker]:
    """The same for a site."""
    return acking(site.hub, site.broker)


async def until(what: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.05)


def once(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """The batches as a ledger would keep them, in the order of their numbers."""
    first: dict[tuple[bytes, int], Arrival] = {}
    for arrival in list(arrivals):
        key = (arrival.batch.epoch, arrival.batch.seq)
        assert first.setdefault(key, arrival).batch == arrival.batch
    return list(first.values())
