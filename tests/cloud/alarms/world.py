"""An alarm room on a real database, with a clock that stands until it is moved."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import psycopg

from cloud.alarms.keeper import Keeper
from cloud.identity.acts import Act
from cloud.identity.viewer import Origin, Viewer
from cloud.store.connection import Connection

START = datetime(2026, 1, 1, tzinfo=UTC)
HI = {"condition": "hi", "priority": 2, "limit": "23.00", "deadband": "0.50"}
COMMS = {"condition": "comms", "priority": 3, "on_delay_ticks": 6000}
PERSON = Viewer(kind="account", login="ann", origin=Origin("test"))


class Lab(Protocol):
    dsn: str
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...
    def point(self, *, exponent: int = -2, period_ms: int | None = 1000, kind: str = "analog") -> int: ...
    def store(self, point: int, rows: Any) -> None: ...


@dataclass
class Site:
    """One site, what watches it, and the time there."""

    lab: Lab
    now: datetime = START
    names: dict[int, str] = field(default_factory=dict)

    def watch(self, *rules: dict[str, Any], period_ms: int | None = 1000, point: int | None = None) -> int:
        """Watch a point, a new one if none is given, by a template of these rules."""
        point = point or self.lab.point(period_ms=period_ms)
        ((template,),) = self.lab.execute(
            "INSERT INTO alarm_templates (organisation_id, name, quantity) VALUES (1, %s, 'temperature')"
            " RETURNING id",
            f"t-{point}-{len(self.names)}",
        )
        self.revise(template, *rules)
        self.lab.execute(
            "INSERT INTO alarm_applied VALUES (%s, 1, 1, %s, 'test', %s)"
            " ON CONFLICT (point_id) DO UPDATE SET template_id = excluded.template_id",
            *(point, template, self.now),
        )
        ((self.names[point],),) = self.lab.execute("SELECT name FROM points WHERE id = %s", point)
        return point

    def revise(self, template: int, *rules: dict[str, Any]) -> None:
        self.lab.execute(
            "INSERT INTO alarm_template_revisions (organisation_id, template_id, number, rules, author,"
            " reason, created_at) SELECT 1, %s, coalesce(max(number), 0) + 1, %s::jsonb, 'test', 'test', %s"
            " FROM alarm_template_revisions WHERE template_id = %s",
            *(template, json.dumps(rules), self.now, template),
        )
        self.lab.execute("UPDATE alarm_room SET directory = directory + 1")

    def measure(self, point: int, *values: float, step_s: float = 1.0) -> None:
        """Store values one after another, each a step after now, and let time go on to the last."""
        rows = []
        for value in values:
            self.now += timedelta(seconds=step_s)
            rows.append((self.now, round(value * 100), 0))
        self.lab.store(point, rows)

    def measure_all(self, points: Sequence[int], value: float) -> None:
        """Store one value of each point, a second after now."""
        self.now += timedelta(seconds=1)
        with psycopg.connect(self.lab.dsn) as connection:
            connection.cursor().executemany(
                "INSERT INTO readings VALUES (%s, %s, %s, 1, 0)",
                [(self.now, round(value * 100), point) for point in points],
            )
            connection.execute(
                "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id,"
                " signature, boot, clock_state, clock_source, state, readings, first_at, last_at,"
                " received_at) VALUES (1, 1, '', 0, '', '', '', '', '', 'synchronised', 'system', 'placed',"
                " 1, %s, %s, now())",
                (self.now, self.now),
            )

    def event(self, kind: str, subject: str, *, at: datetime | None = None, **data: Any) -> None:
        self.lab.execute(
            "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
            " VALUES (1, 1, 1, %s, %s, %s, %s::jsonb)",
            *(at or self.now, kind, subject, json.dumps(data)),
        )

    def policy(self, **given: Any) -> None:
        self.lab.execute(
            "INSERT INTO alarm_policies (organisation_id, site_id, number, policy, author, reason,"
            " created_at) SELECT 1, 1, coalesce(max(number), 0) + 1, %s::jsonb, 'test', 'test', now()"
            " FROM alarm_policies",
            json.dumps(given),
        )

    def rows(self, columns: str = "point, condition, open, acknowledged_by, withdrawn_at") -> list[Any]:
        return self.lab.execute(f"SELECT {columns} FROM alarm_occurrences ORDER BY onset, id")

    def act(self, connection: Connection, viewer: Viewer | None = None) -> Act:
        return Act(connection, viewer or Viewer(kind="command", login="ann", origin=Origin("test")), self.now)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with await psycopg.AsyncConnection.connect(self.lab.hub_dsn, autocommit=True) as connection:
            yield connection

    @asynccontextmanager
    async def keeper(self) -> AsyncIterator["Turning"]:
        async with self.connection() as connection:
            turning = Turning(self, Keeper(connection), connection)
            await turning()
            yield turning


@dataclass
class Turning:
    """A keeper that takes a turn whenever it is called."""

    site: Site
    keeper: Keeper
    connection: Connection

    async def __call__(self, *, after_s: float = 0.0) -> None:
        self.site.now += timedelta(seconds=after_s)
        while await self.keeper.turn(self.site.now):
            pass
        while await self.keeper.judge_late(self.site.now):
            pass


TABLES = (
    "alarm_attempts, alarm_deliveries, alarm_rounds, alarm_channels, alarm_policies, alarm_acts, alarm_desks,"
    " alarm_occurrences, alarm_late, alarm_bases, alarm_series, alarm_applied, alarm_template_revisions,"
    " alarm_templates, events, readings, batches, latest"
)
