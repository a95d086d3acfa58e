"""`heng bench alarms`: a storm of alarms through the alarm room into a real database, its page asked for.

A thousand points go beyond their limits once a minute each, spread evenly, for ten minutes of event time,
which pass as fast as they can. Somebody asks for the list all the while, and acknowledges one alarm after
another. It makes a database of its own and drops it. Messages are written down and not sent.
"""

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg_pool import AsyncConnectionPool

from benchmarks.database import own_database
from cloud import alarm_acts
from cloud.alarms.keeper import Keeper
from cloud.api.app import create_app
from cloud.api.services import Services
from cloud.identity.acts import Act
from cloud.identity.viewer import Origin, Viewer
from cloud.store.alarm_rows import list_rows
from cloud.store.connection import Connection, StoreConnection
from cloud.store.migrate import upgrade
from cloud.store.snapshot import Pool, changing, snapshot
from cloud.store.ticks import tick_of_datetime
from cloud.web.feed import LiveFeed
from cloud.web.pages import mount
from cloud.web.settings import WebSettings
from rules.alarm.model import Condition

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_RULES = [
    [{"condition": "hi", "priority": priority, "limit": "23.00", "deadband": "0.50"}]
    for priority in (1, 2, 3, 4)
]
_POLICY = {
    "chains": {"duty": {"steps": [{"after_ticks": 0, "recipients": ["duty"], "repeat_ticks": 90_000}]}},
    "routes": [{"chain": "duty"}],
}


@dataclass(slots=True)
class Result:
    """What was measured; times in ms unless their name says seconds."""

    alarms: int = 0
    """Rows that the storm left."""
    expected: int = 0
    told: int = 0
    """Different alarms that a round named, or somebody acknowledged before it did."""
    rounds: int = 0
    """Of messages, while the storm lasted."""
    rounds_after: int = 0
    """In the quarter of an hour behind it: the rest of the digests, and that the flood is over."""
    took_s: float = 0.0
    cpu_s: float = 0.0
    """Of this process: the room, the pages and the one who writes readings."""
    turn_ms: list[float] = field(default_factory=list)
    page_ms: list[float] = field(default_factory=list)
    act_ms: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Return the figures that are told."""
        shown = asdict(self)
        for name in ("turn_ms", "page_ms", "act_ms"):
            times = sorted(shown[name]) or [0.0]
            p95 = times[min(len(times) * 95 // 100, len(times) - 1)]
            shown[name] = {"count": len(times), "p95": round(p95, 1), "max": round(times[-1], 1)}
        return shown | {"took_s": round(self.took_s, 1), "cpu_s": round(self.cpu_s, 1)}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--database-url", help="a server where this role may create databases; else a private one"
    )
    parser.add_argument("--points", type=int, default=1000, help="alarms a minute (default 1000)")
    parser.add_argument("--minutes", type=int, default=10, help="of event time (default 10)")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print; `args.start_server` makes a server when no URL is given."""
    with tempfile.TemporaryDirectory(prefix="heng-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = asyncio.run(_run(folder, args)).figures()
    if args.json:
        print(json.dumps(found))
    else:
        for word, value in found.items():
            print(f"{word:10} {value}")
    return 0


async def _run(folder: Path, args: argparse.Namespace) -> Result:
    async with own_database(folder, args) as dsn:
        return await _measure(dsn, args)


@dataclass(slots=True)
class Clock:
    """The time in the storm."""

    now: datetime = BEGIN

    def __call__(self) -> datetime:
        """Return it."""
        return self.now


async def _measure(dsn: str, args: argparse.Namespace) -> Result:
    clock, result, over = Clock(), Result(expected=args.points * args.minutes), asyncio.Event()
    pool: Pool = AsyncConnectionPool(
        dsn, connection_class=StoreConnection, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}
    )
    async with (
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as writing,
        await StoreConnection.connect(dsn, autocommit=True) as judging,
        pool,
    ):
        await upgrade(writing)
        points = await _prepare(writing, args.points)
        keeper = Keeper(judging)
        await keeper.turn(clock())
        started, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            group.create_task(_ask(pool, dsn, clock, result=result, over=over))
            group.create_task(_acknowledge(pool, clock, result=result, over=over))
            await _storm(writing, keeper, points, clock=clock, minutes=args.minutes, result=result)
            over.set()
        result.took_s, result.cpu_s = time.perf_counter() - started, time.process_time() - cpu
        for _ in range(90):
            clock.now += timedelta(seconds=10)
            await keeper.turn(clock.now)
        end = BEGIN + timedelta(minutes=args.minutes)
        await _count(writing, result, end=tick_of_datetime(end))
    return result


async def _prepare(db: Connection, number: int) -> list[int]:
    """Declare a site with so many points that four templates watch, one of each priority."""
    await db.execute("INSERT INTO organisations (name) VALUES ('bench')")
    await db.execute(
        "INSERT INTO sites (organisation_id, name, title, kind) VALUES (1, 'storm', 'Storm', 'laboratory')"
    )
    await db.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'gateway')")
    await db.execute("INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id) VALUES (1, 1, 1)")
    await db.execute(
        "INSERT INTO points (organisation_id, site_id, name, quantity, kind)"
        " SELECT 1, 1, format('room-%%s/air-%%s/temperature', n %% 50, n), 'temperature', 'analog'"
        " FROM generate_series(1, %s) n",
        (number,),
    )
    await db.execute(
        "INSERT INTO point_versions (organisation_id, point_id, exponent) SELECT 1, id, -2 FROM points"
    )
    await db.execute(
        "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)"
        " SELECT 1, 1, name, id FROM points"
    )
    for place, rules in enumerate(_RULES):
        await db.execute(
            "INSERT INTO alarm_templates (organisation_id, name, quantity) VALUES (1, %s, 'temperature')",
            (f"t-{place}",),
        )
        await db.execute(
            "INSERT INTO alarm_template_revisions (organisation_id, template_id, number, rules, author,"
            " reason, created_at) VALUES (1, %s, 1, %s::jsonb, '', '', now())",
            (place + 1, json.dumps(rules)),
        )
    await db.execute("INSERT INTO alarm_applied SELECT id, 1, 1, 1 + id %% 4, '', %s FROM points", (BEGIN,))
    await db.execute(
        "INSERT INTO alarm_policies (organisation_id, site_id, number, policy, author, reason, created_at)"
        " VALUES (1, 1, 1, %s::jsonb, '', '', now())",
        (json.dumps(_POLICY),),
    )
    await db.execute(
        "INSERT INTO alarm_channels (organisation_id, name, kind, target, language, author, changed_at)"
        " VALUES (1, 'duty', 'email', 'duty@lab.example', 'en', '', now())"
    )
    cursor = await db.execute("SELECT id FROM points ORDER BY id")
    return [row[0] for row in await cursor.fetchall()]


async def _storm(
    db: Connection, keeper: Keeper, points: list[int], *, clock: Clock, minutes: int, result: Result
) -> None:
    """Let every point go beyond its limit once a minute and come back half a minute later."""
    share = [points[second::60] for second in range(60)]
    for second in range(minutes * 60 + 60):
        clock.now += timedelta(seconds=1)
        rows = [(clock.now, 2000, one) for one in share[(second + 30) % 60]]
        if second < minutes * 60:
            rows += [(clock.now, 2400, one) for one in share[second % 60]]
        async with db.transaction():
            async with db.cursor() as cursor:
                await cursor.executemany("INSERT INTO readings VALUES (%s, %s, %s, 1, 0)", rows)
            await db.execute(
                "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id,"
                " signature, boot, clock_state, clock_source, state, readings, first_at, last_at,"
                " received_at) VALUES (1, 1, '', %s, '', '', '', '', '', 'synchronised', 'system', 'placed',"
                " %s, %s, %s, %s)",
                (second, len(rows), clock.now, clock.now, clock.now),
            )
        started = time.perf_counter()
        await keeper.turn(clock.now)
        result.turn_ms.append((time.perf_counter() - started) * 1000)


async def _ask(pool: Pool, dsn: str, clock: Clock, *, result: Result, over: asyncio.Event) -> None:
    """Ask for the list, again and again."""
    app = create_app(Services(pool=pool, now=clock, broker_connected=lambda: True))
    feed = LiveFeed(dsn, now=clock)
    mount(app, pool=pool, feed=feed, settings=WebSettings(), now=clock, broker_connected=lambda: True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        while not over.is_set():
            started = time.perf_counter()
            answer = await client.get("/alarms")
            result.page_ms.append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()
            await asyncio.sleep(0.05)


async def _acknowledge(pool: Pool, clock: Clock, *, result: Result, over: asyncio.Event) -> None:
    """Acknowledge what stands first, again and again."""
    who = Viewer(kind="command", login="bench", origin=Origin("bench"))
    while not over.is_set():
        async with snapshot(pool) as connection:
            found = [row.alarm for row in await list_rows(connection, now=clock(), limit=1)]
        if found and found[0].acknowledged_at is None:
            started = time.perf_counter()
            one = found[0]
            async with changing(pool) as connection:
                alarm = alarm_acts.Alarm(one.site_id, one.point, Condition(one.condition))
                await alarm_acts.acknowledge(Act(connection, who, clock()), alarm)
            result.act_ms.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.2)


async def _count(db: Connection, result: Result, *, end: int) -> None:
    row = await (
        await db.execute(
            "SELECT (SELECT count(*) FROM alarm_occurrences WHERE withdrawn_at IS NULL),"
            " (SELECT count(*) FROM alarm_rounds WHERE at_tick <= %(end)s),"
            " (SELECT count(*) FROM alarm_rounds WHERE at_tick > %(end)s),"
            " (SELECT count(*) FROM (SELECT c->>'alarm' FROM alarm_rounds, jsonb_array_elements(calls) c"
            "  UNION SELECT point || ':' || condition || ':' || revision || ':' || onset"
            "  FROM alarm_occurrences WHERE acknowledged_at IS NOT NULL) t)",
            {"end": end},
        )
    ).fetchone()
    assert row is not None
    result.alarms, result.rounds, result.rounds_after, result.told = row
