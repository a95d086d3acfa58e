"""A whole gateway but for its uplink: real crew, supervisors, recorder and journal, and what they took."""

import asyncio
import random
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field

from edge.clock import Rules
from edge.crew import Crew
from edge.driver import Driver, Given
from edge.journal.file import Surroundings
from edge.journal.journal import Journal
from edge.journal.room import Limits
from edge.journal.sealer import Sealer
from edge.recorder import Recorder
from edge.supervisor import Backoff, Supervisor
from edge.timekeeper import Timekeeper
from provisioning.keys import Ed25519Signer
from tests.edge.drivers.conftest import Collector
from tests.sweep.fitting import Fitted, Site
from wire.messages import Event, Gap, Poll, Position
from wire.settings.gateway import GatewaySection, GatewaySettings, UplinkSection

GATEWAY = "sweep"
BOOT = b"B" * 16
FIRST_S, LONGEST_S = 0.05, 0.4
Item = Poll | Position | Event | Gap


@dataclass
class Part:
    """One driver and what the journal accepted of it."""

    fitted: Fitted
    driver: Driver
    collector: Collector = field(default_factory=Collector)
    came: list[float] = field(default_factory=list)
    """When (monotonic seconds) each thing came in that only a living far end can cause."""
    away: list[tuple[float, float]] = field(default_factory=list)
    """From when to when its own device was not well."""
    supervisor: Supervisor | None = None

    def owns(self, item: Item) -> bool:
        """Whether something is of this driver."""
        if isinstance(item, Poll):
            return item.layout in [layout.id for layout in self.driver.layouts]
        points = [point.name for point in self.driver.points]
        if isinstance(item, Event):
            return item.subject == self.driver.name or any(one.startswith(item.subject) for one in points)
        return item.point in points

    def take(self, item: Item) -> None:
        """Keep it, and note when a sign of life came."""
        before = self.fitted.alive(self.collector)
        match item:
            case Poll():
                self.collector.polls.append(item)
            case Position():
                self.collector.positions.append(item)
            case Event():
                self.collector.events.append(item)
            case Gap():
                self.collector.silences.append(((item.point,), item.cause, item.reason))
        if self.fitted.alive(self.collector) > before:
            self.came.append(time.monotonic())


class Running:
    """The gateway while it runs."""

    def __init__(self, parts: Mapping[str, Part], recorder: Recorder) -> None:
        self.parts = parts
        self._recorder = recorder
        self.accepted = 0
        """How many readings and fixes."""

    def supervisor(self, driver: Driver) -> Supervisor:
        """Return what keeps a driver running, with short pauses."""
        made = Supervisor(
            driver,
            self._recorder,
            backoff=Backoff(FIRST_S, LONGEST_S, random=random.Random(1).random),
            now=time.monotonic,
            now_tick=now_tick,
        )
        next(part for part in self.parts.values() if part.driver is driver).supervisor = made
        return made


def now_tick() -> int:
    return time.monotonic_ns() // 10**7


@asynccontextmanager
async def gateway(site: Site, fitted: Mapping[str, Fitted]) -> AsyncIterator[Running]:
    """Run a gateway with these devices while the context is open; then its journal holds all it accepted."""
    settings = GatewaySettings(
        gateway=GatewaySection(id=GATEWAY),
        uplink=UplinkSection(host="127.0.0.1"),
        device=[one.device for one in fitted.values()],
    )
    assert list(settings.faults()) == []
    folder = site.folder / "journal"
    timekeeper = Timekeeper(Rules(), sources=["hub"], monotonic_ns=time.monotonic_ns, system=lambda: None)
    crew = Crew(settings, Given(time.monotonic_ns, site.folder, timekeeper.reading))
    parts = {
        name: Part(one, driver) for (name, one), driver in zip(fitted.items(), crew.drivers, strict=True)
    }

    def look(item: Item) -> None:
        running.accepted += len(item.counts) if isinstance(item, Poll) else isinstance(item, Position)
        for part in parts.values():
            if part.owns(item):
                part.take(item)
                return

    given = Surroundings(
        Sealer(GATEWAY, Ed25519Signer.generate()),
        lambda: secrets.token_bytes(16),
        lambda: None,
        Limits(10**9, 1e9),
    )
    made = Journal(
        folder, given, boot=BOOT, clock=timekeeper.reading, now=time.monotonic, memory_bytes_max=10**7
    )
    async with made as journal:
        past = await journal.open(crew.layouts, points=crew.points)
        assert past is not None
        recorder = Recorder(
            journal,
            timekeeper,
            gateway=GATEWAY,
            boot=BOOT,
            now_tick=now_tick,
            points=crew.points,
            layouts=crew.layouts,
            late=crew.late,
            look=look,
        )
        recorder.resume(past)
        running = Running(parts, recorder)
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(journal.run())
            crew.start(tasks, lambda driver: running.supervisor(driver).run())
            try:
                yield running
            finally:
                await crew.stop()
                committing.cancel()
        await journal.commit()
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        (journalled,) = connection.execute("SELECT sum(readings) FROM pending").fetchone()
    assert journalled == running.accepted, (journalled, running.accepted)
