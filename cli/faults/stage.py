"""The running system that a campaign acts on, as far as the faults need to know it.

It holds the processes and writes down when a fault may have cost readings; it draws nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cli.demo.service import Service
from cli.embedded import processes
from cli.faults.accounting import Window
from cli.faults.disk import Disk
from cli.faults.hostile import Message
from cli.faults.link import Link
from cli.faults.load import DeviceLine
from cli.faults.mqtt import Tap
from cli.faults.wall_clock import WallClock
from provisioning.identity import GatewayIdentity, HubIdentity

GATEWAY, STORAGE, BUS = frozenset({"gateway"}), frozenset({"storage"}), frozenset({"bus"})
COMMIT_S = 4.0
"""A reading may wait this long for its group commit: 1 s by promise, and what a disk under load takes."""
_ASK_AGAIN_S = 0.5
MARGIN_S = 0.6
"""Between the act and its effect: an answer that is on its way."""


class NotPlayedError(Exception):
    """A fault was left out or did not end well: a gateway does not do what nothing hinders it from."""


class Killable(Protocol):
    """What every process of the system offers."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""

    async def start(self) -> None:
        """Start it."""

    async def stop(self) -> object:
        """End it in good order."""

    async def kill(self) -> None:
        """End it by SIGKILL."""


@dataclass(slots=True)
class GatewayStand:
    """One gateway under test with everything around it that a fault can touch."""

    name: str
    process: Service
    devices: DeviceLine
    link: Link
    disk: Disk
    clock: WallClock
    identity: GatewayIdentity
    windows: list[Window] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        """The journal's database file."""
        return self.disk.folder / "journal.db"

    def may_cost(self, fault: str, causes: frozenset[str], *, from_at: float, to_at: float) -> None:
        """Write down a stretch in which readings may go, and what the gaps must then say."""
        self.windows.append(Window(fault, from_at, to_at, causes))

    async def kill(self, fault: str) -> None:
        """Kill -9; what was not committed yet may go."""
        self.may_cost(fault, GATEWAY, from_at=time.time() - COMMIT_S, to_at=time.time() + MARGIN_S)
        await self.process.kill()

    async def stop(self, fault: str) -> None:
        """End in good order; an answer on its way may go."""
        started = time.time()
        await self.process.stop()
        self.may_cost(fault, GATEWAY, from_at=started - MARGIN_S, to_at=time.time() + MARGIN_S)


@dataclass(slots=True)
class LateGateway:
    """A gateway of which the campaign plays every message itself, to declare points too late."""

    identity: GatewayIdentity
    messages: list[Message] = field(default_factory=list)
    """Everything it has to say, in order; said again as a whole after a reconnect."""
    given_out: dict[str, dict[int, float]] = field(default_factory=dict)
    """Point -> number -> when, as the accounting takes it."""


@dataclass(slots=True)
class Stage:
    """The whole system under test."""

    folder: Path
    broker: Killable
    hub: Service
    database: Killable
    gateways: dict[str, GatewayStand]
    hub_clock: WallClock
    tap: Tap
    tap_identity: HubIdentity
    stranger: GatewayIdentity
    """Certified, declared nowhere, never running."""
    gateway_port: int
    hub_port: int
    late: LateGateway
    ready: Callable[[], Awaitable[bool]]
    """Whether the hub answers that it is ready."""
    delivered: Callable[[str, float], Awaitable[bool]]
    """Whether all that a gateway's devices gave out until a time (UTC, s) is stored or explained."""

    async def kill(self, target: str, fault: str) -> None:
        """Kill -9 a process by the name that the script uses."""
        if target in self.gateways:
            await self.gateways[target].kill(fault)
        else:
            await self._service(target).kill()

    async def start(self, target: str) -> None:
        """Start what was killed."""
        if target in self.gateways:
            await self.gateways[target].process.start()
        else:
            await self._service(target).start()

    def pid(self, target: str) -> int:
        """Return the process id by the name in the script; `ProcessLookupError` when it does not run."""
        process = self.gateways[target].process if target in self.gateways else self._service(target)
        if process.pid is None:
            raise ProcessLookupError(f"{target} does not run: nothing can be done to its process")
        return process.pid

    def _service(self, target: str) -> Killable:
        return {"broker": self.broker, "hub": self.hub, "database": self.database}[target]

    async def until_ready(self, within_s: float = 60) -> None:
        """Wait until the hub is ready; `TimeoutError` when it does not get there."""
        if not await processes.until(self.ready, timeout_s=within_s):
            raise TimeoutError(f"the hub is not ready after {within_s} s")

    async def until_delivered(self, gateway: str, within_s: float = 60) -> None:
        """Let a gateway deliver what it has, so that what it holds later is known to be younger.

        Raises `NotPlayedError`: everything runs and its link is open, so that it should have.
        """
        now = time.time()
        while time.time() < now + within_s:
            if await self.delivered(gateway, now):
                return
            await asyncio.sleep(_ASK_AGAIN_S)
        raise NotPlayedError(f"{gateway} has not delivered in {within_s:.0f} s what its devices gave out")
