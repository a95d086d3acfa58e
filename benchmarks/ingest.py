"""`heng bench ingest`: readings a second that are committed and acknowledged, beside bare COPY.

100 gateways send batches that were signed beforehand, over TLS 1.3 with QoS 1, through a real broker to a
real hub process and a real PostgreSQL, all on this machine. The limit it is compared with is measured in the
same run: binary COPY of such rows into the same table with the indexes it ships with, 10,000 a commit.

`cpu_…` is the CPU time that each used per second of the run, in cores. With `--fsync-delay-ms` every fsync
of the database takes longer: a small library, compiled here by gcc, is preloaded into the server.
"""

import argparse
import asyncio
import http.client
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from benchmarks.ingest_load import POINTS, Plan, values
from benchmarks.processes import cpu_seconds
from cloud import site_file
from cloud.store.connection import open_connection
from cloud.store.migrate import install_timescaledb, upgrade
from cloud.store.readings_write import Readings, copy_bytes, copy_readings
from provisioning.ca import CertificateAuthority

GATEWAYS = 100
ROWS_A_COMMIT = 10_000
BATCHES = {1: 400, 20: 400, 100: 250, 500: 80}
"""Batch size -> batches of each gateway in one run."""
TABLES = "readings, batches, batch_bodies, ledger, latest"


class Server(Protocol):
    """A database server of the benchmark's own."""

    @property
    def admin_dsn(self) -> str:
        """For a role that may create databases."""

    @property
    def pid(self) -> int | None:
        """Its process."""


class Broker(Protocol):
    """A broker of the benchmark's own."""

    @property
    def gateway_port(self) -> int:
        """Where gateways connect."""

    @property
    def hub_url(self) -> str:
        """Where the hub connects."""

    @property
    def pid(self) -> int | None:
        """Its process."""


StartServer = Callable[[Path], AbstractAsyncContextManager[Server]]
StartBroker = Callable[[Path, CertificateAuthority], AbstractAsyncContextManager[Broker]]


@dataclass(frozen=True, slots=True)
class Result:
    """One batch size."""

    batch: int
    readings_per_s: int
    ratio: float
    cpu_hub: float
    cpu_broker: float
    cpu_database: float


@dataclass(frozen=True, slots=True)
class Stage:
    """What every run uses."""

    folder: Path
    authority: CertificateAuthority
    broker: Broker
    dsn: str
    database_pid: int | None
    identities: list[str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--database-url", help="a server where this role may create databases; else a private one"
    )
    parser.add_argument("--batch", type=int, choices=sorted(BATCHES), action="append", help="only this size")
    parser.add_argument("--scale", type=float, default=1.0, help="length of each run (default 1)")
    parser.add_argument(
        "--fsync-delay-ms",
        type=float,
        default=0.0,
        help="added to every fsync of the database; needs a C compiler (gcc or cc)",
    )
    parser.add_argument("--profile", type=Path, help="write cProfile data of the hub here")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print; `args.start_server` and `args.start_broker` start private services.

    2 when there is no compiler for what a slow fsync needs.
    """
    if args.fsync_delay_ms and _compiler() is None:
        needs = "expected a C compiler on PATH, gcc or cc (on Debian: apt-get install gcc libc6-dev)"
        print(f"heng bench: --fsync-delay-ms: {args.fsync_delay_ms:g}: {needs}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="heng-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        results, copy_per_s = asyncio.run(_run(folder, args))
    if args.json:
        print(json.dumps({"results": [asdict(result) for result in results], "copy_per_s": copy_per_s}))
    else:
        _print(results, copy_per_s)
    return 0


def _print(results: list[Result], copy_per_s: int) -> None:
    print(f"bare COPY, {ROWS_A_COMMIT:,} a commit: {copy_per_s:,} readings/s")
    print(f"{'batch':>6} {'readings/s':>12} {'ratio':>6} {'hub':>6} {'broker':>7} {'database':>9}  (cores)")
    for r in results:
        print(
            f"{r.batch:>6} {r.readings_per_s:>12,} {r.ratio:>6.2f} {r.cpu_hub:>6.2f} {r.cpu_broker:>7.2f} "
            f"{r.cpu_database:>9.2f}"
        )


async def _run(folder: Path, args: argparse.Namespace) -> tuple[list[Result], int]:
    authority = CertificateAuthority.create(folder / "ca", now=datetime.now(UTC))
    authority.issue_hub("hub", now=datetime.now(UTC))
    identities = [folder / "gateways" / f"bench-{number}" for number in range(GATEWAYS)]
    for identity in identities:
        authority.issue_gateway(identity.name, identity, now=datetime.now(UTC))
    start_broker: StartBroker = args.start_broker
    async with _database(folder, args) as (dsn, pid), start_broker(folder / "broker", authority) as broker:
        stage = Stage(folder, authority, broker, dsn, pid, [str(identity) for identity in identities])
        await _prepare(stage)
        results, copies = [], []
        for batch in args.batch or sorted(BATCHES):
            copies.append(await _copy(stage, args))
            results.append(await _one(stage, batch, args))
        copies.append(await _copy(stage, args))
    copy_per_s = statistics.median(copies)
    return [_rated(result, copy_per_s) for result in results], round(copy_per_s)


def _rated(result: Result, copy_per_s: float) -> Result:
    return Result(**{**asdict(result), "ratio": round(result.readings_per_s / copy_per_s, 3)})


@asynccontextmanager
async def _database(folder: Path, args: argparse.Namespace) -> AsyncIterator[tuple[str, int | None]]:
    """Give the DSN of a fresh database and the server's process id, when it is ours."""
    name = f"heng_bench_{secrets.token_hex(4)}"
    if args.database_url:
        with _created(args.database_url, name) as dsn:
            yield dsn, None
        return
    start: StartServer = args.start_server
    with _slow_fsync(folder, args.fsync_delay_ms):
        context = start(folder / "postgres")
        server = await context.__aenter__()
    try:
        with _created(server.admin_dsn, name) as dsn:
            yield dsn, server.pid
    finally:
        await context.__aexit__(None, None, None)


@contextmanager
def _created(admin_dsn: str, name: str) -> Iterator[str]:
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_conninfo(admin_dsn, dbname=name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _compiler() -> str | None:
    return shutil.which("gcc") or shutil.which("cc")


@contextmanager
def _slow_fsync(folder: Path, delay_ms: float) -> Iterator[None]:
    """Let processes that are started inside the block have a slow fsync."""
    if not delay_ms:
        yield
        return
    compiler = _compiler()
    assert compiler is not None, "checked before the run"
    library = folder / "slow_fsync.so"
    source = Path(__file__).with_name("slow_fsync.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    library.chmod(0o755)
    os.environ.update(LD_PRELOAD=str(library), HENG_FSYNC_DELAY_US=str(round(delay_ms * 1000)))
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"], os.environ["HENG_FSYNC_DELAY_US"]


async def _prepare(stage: Stage) -> None:
    lines = [
        'organisation = "Benchmark"',
        "[[site]]",
        'name = "bench"',
        'title = "Benchmark"',
        'kind = "laboratory"',
    ]
    for identity in stage.identities:
        lines += ["[[gateway]]", f'name = "{Path(identity).name}"', 'site = "bench"']
    path = stage.folder / "site.toml"
    path.write_text("\n".join(lines) + "\n")
    file, faults = site_file.read_site_file(path)
    assert file is not None, faults
    async with open_connection(stage.dsn, "bench") as connection:
        await install_timescaledb(connection)
        await upgrade(connection)
        await site_file.apply(connection, file)


async def _copy(stage: Stage, args: argparse.Namespace) -> float:
    """Return the rows a second of bare COPY, in the order in which batches of 100 readings arrive."""
    polls = round(150 * args.scale) * 10
    counts = np.stack([values(args.seed * 1000 + number, polls, POINTS) for number in range(GATEWAYS)])
    # (gateway, poll, point) -> ten polls of one gateway after another, as batches of 100 are interleaved
    shape = (GATEWAYS, polls // 10, 10, POINTS)
    raw = counts.reshape(shape).transpose(1, 0, 2, 3).reshape(-1)
    points = np.arange(GATEWAYS * POINTS).reshape(GATEWAYS, 1, 1, POINTS) + 1
    point_ids = np.broadcast_to(points, shape).transpose(1, 0, 2, 3).reshape(-1)
    seconds = np.broadcast_to(np.arange(polls).reshape(1, polls // 10, 10, 1), shape)
    observed = 833_000_000_000_000 + 1_000_000 * seconds.transpose(1, 0, 2, 3).reshape(-1)
    streams = []
    for start in range(0, len(raw), ROWS_A_COMMIT):
        part = slice(start, start + ROWS_A_COMMIT)
        ones = np.ones(len(raw[part]), np.int64)
        streams.append(copy_bytes(Readings(observed[part], raw[part], point_ids[part], ones, ones * 0)))
    async with open_connection(stage.dsn, "bench") as connection:
        await connection.execute("TRUNCATE readings")
        await connection.execute("CHECKPOINT")
        started = time.perf_counter()
        for stream in streams:
            await copy_readings(connection, stream)
        seconds_taken = time.perf_counter() - started
        await connection.execute("TRUNCATE readings")
    return len(raw) / seconds_taken


async def _one(stage: Stage, batch: int, args: argparse.Namespace) -> Result:
    """Run one batch size against a hub of its own and check what it stored."""
    batches = max(1, round(BATCHES[batch] * args.scale))
    async with open_connection(stage.dsn, "bench") as connection:
        await connection.execute(f"TRUNCATE {TABLES}".encode())
        await connection.execute("CHECKPOINT")
    plan = Plan(stage.identities, stage.broker.gateway_port, batch, batches, args.seed)
    async with _hub(stage, args, batch) as (hub_pid, address), _load(plan) as load:
        await _introduced(stage, GATEWAYS)
        pids = (hub_pid, stage.broker.pid, stage.database_pid)
        before = [cpu_seconds(pid) if pid else 0.0 for pid in pids]
        assert load.stdin is not None
        load.stdin.write(b"go\n")
        await load.stdin.drain()
        answer = json.loads(await _line(load))
        commits, commit_s = await asyncio.to_thread(_commits, address)
        used = [cpu_seconds(pid) - was if pid else 0.0 for pid, was in zip(pids, before, strict=True)]
    readings = GATEWAYS * batches * batch
    await _check_stored(stage, readings, GATEWAYS * batches)
    seconds = answer["seconds"]
    print(
        f"batch {batch}: {seconds:.1f} s, {commits} commits that took {commit_s:.1f} s; "
        f"load generator {answer['cpu_s'] / seconds:.2f} cores",
        file=sys.stderr,
    )
    cores = [round(value / seconds, 2) for value in used]
    return Result(batch, round(readings / seconds), 0.0, *cores)


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise SystemExit(f"the load generator ended with {await process.wait()}")
    return line


@asynccontextmanager
async def _load(plan: Plan) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.ingest_load",
        json.dumps(asdict(plan)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert (await _line(process)).strip() == b"ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _hub(stage: Stage, args: argparse.Namespace, batch: int) -> AsyncIterator[tuple[int, str]]:
    """Run a hub process until the block is left; give its process id and the address of its API."""
    words = ["-m", "cli.main", "hub", "--port", "0"]
    if args.profile:
        words = ["-m", "cProfile", "-o", f"{args.profile}.{batch}", *words]
    environment = {
        **os.environ,
        "HENG_DATABASE_URL": stage.dsn,
        "HENG_MQTT_URL": stage.broker.hub_url,
        "HENG_IDENTITY": str(stage.folder / "ca" / "hubs" / "hub"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr
    )
    try:
        address = (await _line(process)).decode().rpartition(" ")[2].strip()
        yield process.pid, address
    finally:
        process.terminate()
        await process.wait()


def _commits(address: str) -> tuple[int, float]:
    """Return how many commits the hub made and how long they took, from its metrics."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    found = dict(line.split(" ", 1) for line in lines if line.startswith("heng_ingest_commit_seconds_"))
    return (
        round(float(found["heng_ingest_commit_seconds_count"])),
        float(found["heng_ingest_commit_seconds_sum"]),
    )


async def _introduced(stage: Stage, gateways: int) -> None:
    """Wait until the hub knows all keys and points."""
    async with open_connection(stage.dsn, "bench") as connection:
        for _ in range(600):
            cursor = await connection.execute(
                "SELECT count(DISTINCT key_id) FROM gateway_keys UNION ALL SELECT count(*) FROM declarations"
            )
            if all(row[0] >= gateways for row in await cursor.fetchall()):
                await asyncio.sleep(1.5)
                return
            await asyncio.sleep(0.1)
    raise SystemExit("the hub did not learn all gateways within a minute")


async def _check_stored(stage: Stage, readings: int, batches: int) -> None:
    async with open_connection(stage.dsn, "bench") as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM readings UNION ALL SELECT count(*) FROM batches WHERE state = 'placed'"
        )
        stored = [row[0] for row in await cursor.fetchall()]
    if stored != [readings, batches]:
        raise SystemExit(f"stored {stored}, expected {[readings, batches]}")
