"""`heng bench storage`: bytes on disk per reading, and how fast the API draws a year of one point at 1 Hz.

The readings are made here (temperature with the noise of a good digital sensor, a device step of 0.01 °C in
counts of 0.001 °C, polled every second with a jitter that moves about 1 in 80 by a tick of 10 ms) and written
as the hub writes them: binary COPY into the tables that ship. Aggregates are built by the hub's own code, or
by TimescaleDB. Answers are timed over HTTP against the real application. It makes a database of its own and
drops it.
"""

import argparse
import asyncio
import json
import random
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import psycopg
import uvicorn
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from benchmarks.database import own_database
from benchmarks.storage_seed import Seeded, seed, write_day
from cloud.api.app import create_app
from cloud.api.services import Services
from cloud.store.connection import Connection
from cloud.store.migrate import has_timescaledb, install_timescaledb, upgrade
from cloud.store.rollups import is_kept_by_hub, roll_up

# A job that compresses a chunk while it is loaded would leave it half compressed; it is all done afterwards.
_NO_JOBS = (
    "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE job_id >= 1000"
)
POINTS_MAX = 2000
HOUR_POINTS_MAX = 3600
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured; times in ms, sizes in bytes."""

    kind: str
    readings: int
    load_s: float
    aggregate_s: float
    bytes_per_reading: float
    aggregate_bytes_per_reading: float
    batch_bytes_per_reading: float
    year_ms: dict[str, float]
    year_points: int
    hour_ms: dict[str, float]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--database-url", help="a server where this role may create databases; else a private one"
    )
    parser.add_argument(
        "--plain", action="store_true", help="leave TimescaleDB out where the server offers it"
    )
    parser.add_argument("--days", type=int, default=365, help="days of readings at 1 Hz (default 365)")
    parser.add_argument("--asks", type=int, default=60, help="requests of each kind (default 60)")
    parser.add_argument(
        "--jitter-ms", type=float, default=2.0, help="standard deviation of the poll (default 2)"
    )
    parser.add_argument(
        "--phase-ms", type=float, default=5.0, help="place of the poll between two ticks (default 5)"
    )
    parser.add_argument("--noise", type=float, default=0.013, help="standard deviation, °C (default 0.013)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print; `args.start_server` makes a server when no URL is given."""
    with tempfile.TemporaryDirectory(prefix="heng-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        result = asyncio.run(_run(folder, args))
    if args.json:
        print(
            json.dumps(
                {
                    "bytes_per_reading": round(result.bytes_per_reading, 2),
                    "year_chart_ms": {"p95": result.year_ms["p95"]},
                    "hour_raw_ms": {"p95": result.hour_ms["p95"]},
                }
            )
        )
    else:
        _print(result)
    return 0


async def _run(folder: Path, args: argparse.Namespace) -> Result:
    async with own_database(folder, args) as dsn:
        return await _measure(dsn, args)


async def _measure(dsn: str, args: argparse.Namespace) -> Result:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute("SET TimeZone = 'UTC'")
        if not args.plain:
            await install_timescaledb(db)
        await upgrade(db)
        if await has_timescaledb(db):
            await db.execute(_NO_JOBS)
        seeded = await seed(db, BEGIN)
        started = time.perf_counter()
        batch_bytes = await _load(db, seeded, args)
        loaded = time.perf_counter()
        await _aggregate(db)
        aggregated = time.perf_counter()
        sizes = await _sizes(db)
        timescaledb = await has_timescaledb(db)
    n = args.days * 86_400
    year_ms, hour_ms, year_points = await _ask(dsn, seeded.point_id, args)
    return Result(
        kind="TimescaleDB" if timescaledb else "plain PostgreSQL",
        readings=n,
        load_s=loaded - started,
        aggregate_s=aggregated - loaded,
        bytes_per_reading=sizes[0] / n,
        aggregate_bytes_per_reading=sizes[1] / n,
        batch_bytes_per_reading=batch_bytes,
        year_ms=year_ms,
        year_points=year_points,
        hour_ms=hour_ms,
    )


async def _load(db: Connection, seeded: Seeded, args: argparse.Namespace) -> float:
    """Write day after day and return the bytes of the batches per reading, those of the first day."""
    generator = np.random.default_rng(args.seed)
    per_reading = 0.0
    for day in range(args.days):
        written = await write_day(
            db,
            seeded,
            BEGIN + timedelta(days=day),
            generator=generator,
            jitter_ms=args.jitter_ms,
            phase_ms=args.phase_ms,
            noise=args.noise,
            bodies=day == 0,
        )
        per_reading = per_reading or written
        if not args.json and day % 30 == 0:
            print(f"\rloaded {day} of {args.days} days", end="", file=sys.stderr)
    return per_reading


async def _aggregate(db: Connection) -> None:
    """Build the aggregates and bring the tables into the state in which they rest."""
    if await is_kept_by_hub(db):
        while await roll_up(db):
            pass
        await db.execute("VACUUM ANALYZE")
        return
    await db.execute("CALL refresh_rollups()")
    await db.execute("SELECT compress_chunk(c, if_not_compressed => true) FROM show_chunks('readings') c")
    await db.execute(
        "SELECT compress_chunk(c, if_not_compressed => true)"
        " FROM show_chunks('readings_1m', older_than => INTERVAL '30 days') c"
    )
    await db.execute("VACUUM ANALYZE")


async def _sizes(db: Connection) -> tuple[int, int]:
    """Return the bytes of the readings and of the aggregates, indexes included."""
    if await is_kept_by_hub(db):
        statement = """
            SELECT pg_total_relation_size('readings'),
                   pg_total_relation_size('readings_1m') + pg_total_relation_size('readings_1h')
        """
    else:
        statement = """
            SELECT hypertable_size('readings'),
                   (SELECT sum(hypertable_size(format('%I.%I', materialization_hypertable_schema,
                                                      materialization_hypertable_name)::regclass))
                      FROM timescaledb_information.continuous_aggregates)
        """
    row = await (await db.execute(sql.SQL(statement))).fetchone()
    if row is None:
        raise LookupError("the database gave no sizes")
    return int(row[0]), int(row[1])


async def _ask(
    dsn: str, point_id: int, args: argparse.Namespace
) -> tuple[dict[str, float], dict[str, float], int]:
    chooser = random.Random(args.seed)
    span = timedelta(days=args.days)
    async with _serving(dsn) as address, httpx.AsyncClient(base_url=address, timeout=60) as client:

        async def ask(start: datetime, end: datetime, **more: str | int) -> tuple[float, bytes]:
            query = {"point": point_id, "from": start.isoformat(), "to": end.isoformat(), **more}
            began = time.perf_counter()
            response = await client.get("/api/readings", params=query)
            took = (time.perf_counter() - began) * 1000
            response.raise_for_status()
            return took, response.content

        year, hour, most = [], [], 0
        for turn in range(args.asks + 3):
            shift = timedelta(seconds=chooser.randrange(args.days * 200))
            took, body = await ask(BEGIN + shift, BEGIN + span - shift, max_points=POINTS_MAX)
            points = len(json.loads(body)["buckets"])
            start = BEGIN + timedelta(seconds=chooser.randrange(args.days * 86_400 - 3600))
            took_hour, _ = await ask(
                start, start + timedelta(hours=1), resolution="raw", max_points=HOUR_POINTS_MAX + 10
            )
            if turn >= 3:
                year.append(took)
                hour.append(took_hour)
                most = max(most, points)
    return _percentiles(year), _percentiles(hour), most


@asynccontextmanager
async def _serving(dsn: str) -> AsyncIterator[str]:
    """Serve the real application on a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    async with (
        AsyncConnectionPool(dsn, min_size=2, max_size=4, open=False) as pool,
        asyncio.TaskGroup() as group,
    ):
        app = create_app(Services(pool=pool, now=lambda: datetime.now(UTC), broker_connected=lambda: False))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        group.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True


def _percentiles(times_ms: list[float]) -> dict[str, float]:
    return {
        "p50": round(float(np.percentile(times_ms, 50)), 1),
        "p95": round(float(np.percentile(times_ms, 95)), 1),
    }


def _print(result: Result) -> None:
    rows = [
        ("database", result.kind),
        ("readings", f"{result.readings:,}"),
        ("written", f"{result.readings / result.load_s:,.0f} readings/s"),
        ("aggregates built", f"{result.aggregate_s:.1f} s"),
        ("readings on disk, index included", f"{result.bytes_per_reading:.2f} bytes/reading"),
        ("aggregates on disk", f"{result.aggregate_bytes_per_reading:.2f} bytes/reading"),
        ("batches on disk, as signed", f"{result.batch_bytes_per_reading:.2f} bytes/reading"),
        ("year chart", f"p50 {result.year_ms['p50']} ms, p95 {result.year_ms['p95']} ms"),
        ("points in it", f"{result.year_points:,} of at most {POINTS_MAX:,}"),
        ("hour of raw readings", f"p50 {result.hour_ms['p50']} ms, p95 {result.hour_ms['p95']} ms"),
    ]
    print("\r", end="", file=sys.stderr)
    for name, value in rows:
        print(f"{name:36} {value}")
