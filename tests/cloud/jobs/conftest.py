"""A laboratory with a room, a door, two people and a method, in which jobs are done."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import psycopg
import pytest

from cloud import job_acts
from cloud.identity.acts import Act
from cloud.identity.viewer import Origin, Viewer
from cloud.job_acts import NewLimits, Plan
from cloud.jobs.follower import follow
from cloud.store import control_status, jobs, shadow
from cloud.store.connection import Connection
from cloud.store.jobs import KeptJob
from wire.control import ControlStatus, EffectNow, InsideNow, InterlockNow, PortalNow

T = TypeVar("T")
START = datetime(2026, 1, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROOT = Viewer(kind="command", login="root", origin=Origin("here"))


class Lab(Protocol):
    dsn: str
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...
    def point(self, *, exponent: int = -2, period_ms: int | None = 1000, kind: str = "analog") -> int: ...
    def store(self, point: int, rows: Any) -> None: ...


@dataclass
class Work:
    """What is done in one laboratory, at the time that `now` says."""

    lab: Lab
    point: int
    runner: asyncio.Runner
    connection: Connection | None = None
    now: datetime = START
    tick: int = 0
    numbers: list[int] = field(default_factory=lambda: [0])
    cool: bool = True

    def run(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        async def on_connection() -> T:
            if self.connection is None:
                self.connection = await psycopg.AsyncConnection.connect(self.lab.hub_dsn, autocommit=True)
                await self.connection.execute("SET TimeZone = 'UTC'")
            return await ask(self.connection)

        return self.runner.run(on_connection())

    def close(self) -> None:
        if self.connection is not None:
            self.runner.run(self.connection.close())

    def act(self, do: Callable[[Act], Awaitable[T]], viewer: Viewer = ROOT) -> T:
        async def acting(connection: Connection) -> T:
            async with connection.transaction():
                return await do(Act(connection, viewer, self.now))

        return self.run(acting)

    def measure(self, *degrees: float, at: datetime | None = None, step: timedelta = MINUTE) -> None:
        """Store readings, one a minute, in one batch; the last one is that of now."""
        begin = (self.now - step * (len(degrees) - 1)) if at is None else at
        rows = [(begin + step * n, round(one * 100), 0) for n, one in enumerate(degrees)]
        self.lab.store(self.point, rows)

    def tell(
        self, kind: str, *, at: datetime | None = None, subject: str = "climate", **data: object
    ) -> None:
        """Store an event of the gateway, with the batch that brought it."""
        at = at or self.now
        self.lab.execute(
            "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
            " VALUES (1, 1, 1, %s, %s, %s, %s)",
            *(at, kind, subject, psycopg.types.json.Jsonb(data)),
        )
        self.lab.execute(
            "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id, signature,"
            " boot, clock_state, clock_source, state, readings, first_at, last_at, received_at)"
            " VALUES (1, 1, '', %s, '', '', '', '', '', 'synchronised', 'system', 'placed', 0, %s, %s, %s)",
            *(self.next_number(), at, at, self.now),
        )
        self.lab.execute("UPDATE gateways SET last_batch_at = %s", self.now)

    def next_number(self) -> int:
        self.numbers[0] += 1
        return 10_000 + self.numbers[0]

    def status(self, phase: str = "healthy", *, inside: tuple[str, ...] = ("ann", "bob")) -> None:
        """Have the gateway say how its interlock stands and who is in the room."""
        self.tick += 1
        effects = (EffectNow(kind="hold_work", target="room-2", safe=phase != "healthy"),)
        now_ms = round(self.now.timestamp() * 1000)
        said = ControlStatus(
            gateway="gateway-1",
            boot=bytes(16),
            tick=self.tick,
            interlocks=(InterlockNow(name="climate", rule="r", phase=phase, breach=0, effects=effects),),
            portals=(PortalNow(name="door"),),
            inside=tuple(InsideNow(person=one, zone="room-2", at_ms=now_ms) for one in inside),
        )

        async def keep(connection: Connection) -> None:
            async with connection.transaction():
                owner = await shadow.owner(connection, "gateway-1", self.now)
                assert owner
                await control_status.keep(connection, owner, said, received_at=self.now, heard_at=self.now)

        self.run(keep)

    def follow(self) -> int:
        return self.run(lambda connection: follow(connection, now=self.now))

    def job(self, job_id: int) -> KeptJob:
        found = self.run(lambda connection: jobs.get_job(connection, job_id))
        assert found
        return found

    def plan(self, number: str, *, people: tuple[str, ...] = ("ann", "bob")) -> int:
        new = Plan(number, "JJG 130", 1, "room-2", people, ("std-1",), self.now, self.now + 60 * MINUTE)
        return self.act(lambda act: job_acts.plan(act, 1, new))

    def start(self, number: str) -> int:
        job_id = self.plan(number)
        self.act(lambda act: job_acts.start(act, job_id))
        return job_id


@pytest.fixture(scope="module")
def laboratory(lab: Lab) -> int:
    """The room with its sensor, door, people and method; the sensor's id."""
    point = lab.point(period_ms=60_000)
    lab.execute("UPDATE points SET name = 'room-2/air/temperature' WHERE id = %s", point)
    zone = lab.execute(
        "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers)"
        " VALUES (1, 1, 'room-2', 'Room 2', 'room', '{room-2/}') RETURNING id"
    )[0][0]
    lab.execute(
        "INSERT INTO portals (organisation_id, site_id, name, title, kind, to_zone_id, reader_in, reader_out)"
        " VALUES (1, 1, 'door', 'Door', 'door', %s, 'in', 'out')",
        zone,
    )
    for name in ("ann", "bob", "eve"):
        (person,) = lab.execute(
            "INSERT INTO people (organisation_id, number, name) VALUES (1, %s, %s) RETURNING id",
            name,
            name.title(),
        )
        if name != "eve":
            lab.execute(
                "INSERT INTO authorisations (organisation_id, person_id, kind, subject, valid)"
                " VALUES (1, %s, 'activity', 'weighing', tstzrange(%s, NULL))",
                *(person[0], START - timedelta(days=1)),
            )
    limits = NewLimits("JJG 130", [("temperature", "18", "22")], 2, ["weighing"], "as the regulation says")
    with asyncio.Runner() as runner:
        work = Work(lab, point, runner)
        assert work.act(lambda act: job_acts.add_limits(act, 1, limits)) == 1
        work.close()
    return point


@pytest.fixture
def work(lab: Lab, laboratory: int) -> Iterator[Work]:
    """The laboratory with nothing done in it yet, fit for work."""
    lab.execute("TRUNCATE job_log, jobs, job_feed, readings, latest, events, batches, control_status CASCADE")
    with asyncio.Runner() as runner:
        made = Work(lab, laboratory, runner)
        made.status()
        made.tell("gateway_started")
        made.measure(20.0, 20.0, 20.0)
        made.follow()
        yield made
        made.close()
