"""A real `heng edge` process whose pins lie on a simulated board; shared by tests."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.acker import Acker
from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning.identity import GatewayIdentity, HubIdentity
from simulators.devices.gpio import Board, Relay, running_board
from simulators.rpi_gpio import environment
from tests.edge.gateway_site import acking, until
from wire.messages import Event


@dataclass(kw_only=True)
class BoardSite:
    """One gateway and its board."""

    folder: Path
    board: Board
    more: Mapping[str, str] = field(default_factory=dict)
    """Of the environment of its processes."""
    processes: list[Process] = field(default_factory=list)

    async def heng(self, *words: str) -> Process:
        """Begin `heng edge` with these words and the settings of this gateway."""
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "cli.main", "edge", *words, "--settings"),
                str(self.folder / "gateway.toml"),
                env={**os.environ, **environment(self.folder), **self.more},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process


@dataclass(kw_only=True)
class AckedSite(BoardSite):
    """The same with a hub that acks what the gateway tells."""

    identity: GatewayIdentity
    acker: Acker

    def events(self, kind: str) -> list[Event]:
        """Every event of this kind that came, in order, each once."""
        batches = {(one.batch.epoch, one.batch.seq): one.batch for one in list(self.acker.arrivals)}
        found = [event for _, batch in sorted(batches.items()) for event in batch.events]
        return [event for event in found if event.kind == kind]

    async def said(self, kind: str, count: int = 1, *, within_s: float = 60) -> Event:
        """Wait until an event came so often."""
        await until(lambda: len(self.events(kind)) >= count, within_s)
        return self.events(kind)[count - 1]


S = TypeVar("S", bound=BoardSite)
A = TypeVar("A", bound=AckedSite)


@asynccontextmanager
async def ended(site: S) -> AsyncIterator[S]:
    """No process of the site outlives the block."""
    try:
        yield site
    finally:
        for process in site.processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def acked(
    kind: type[A],
    folder: Path,
    identity: GatewayIdentity,
    *,
    hub: HubIdentity,
    broker: EmbeddedMosquitto,
    relays: list[Relay] | None = None,
) -> AsyncIterator[A]:
    """A site whose gateway may begin once its settings are written."""
    async with (
        acking(hub, broker) as acker,
        running_board(folder, relays) as board,
        ended(kind(folder=folder, board=board, identity=identity, acker=acker)) as site,
    ):
        yield site


def write_settings(folder: Path, settings: str, identity: GatewayIdentity, **ports: int) -> None:
    """Write the settings of a gateway, with its identity and these ports filled in."""
    text = settings.format(gateway=identity.gateway, identity=identity.folder, **ports)
    (folder / "gateway.toml").write_text(text)
