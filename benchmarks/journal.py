"""`heng bench journal`: rates, size, start-up time and wear of the gateway's journal.

The journal is the gateway's own, in a process of its own folder; 20 readings/s come as one poll of 20 points
a second, each a noisy temperature. Days are gone through as fast as the disk allows: the journal's clock is
passed in. What is written is what the kernel counts for this process (`write_bytes` of /proc/self/io).
"""

import argparse
import json
import random
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from edge.journal.declared import Declared
from edge.journal.file import BatchKey, JournalFile, Surroundings
from edge.journal.group import Group, gather, pack
from edge.journal.room import Limits
from edge.journal.salvage import open_journal
from edge.journal.schema import checksum, transaction, used_bytes
from edge.journal.sealer import Sealed, Sealer
from provisioning.keys import Ed25519Signer
from wire.layouts import make_layout
from wire.messages import TICKS_PER_S, Clock, Poll
from wire.status import ClockState

READINGS_PER_S = 20
DAY_S = 86_400
FULL_BYTES = 10**9
FULL_BATCH = 2000
FRESH_EVERY_S = 1.0
BOOT = secrets.token_bytes(16)
CLOCK = Clock(ClockState.SYNCHRONISED, 179_000_000_000, 5, "system")
LAYOUT = make_layout([f"room/{place}" for place in range(READINGS_PER_S)], [-2] * READINGS_PER_S)
WIDE = make_layout([f"hall/{place}" for place in range(500)], [-2] * 500)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--commits", type=int, default=3000, help="for wear, one a second (default 3000)")
    parser.add_argument("--days", type=float, default=0.25, help="of backlog that is drained (default 0.25)")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="heng-bench-") as name:
        folder = Path(name)
        result = {
            "append_per_s": round(append_rate(folder / "append")),
            **drain(folder / "drain", args.days),
            "start_s_at_1gb": round(start_time(folder / "full"), 4),
            "gb_written_per_day": round(wear(folder / "wear", args.commits), 2),
        }
    fresh_s = result.pop("fresh_s")
    print(json.dumps(result)) if args.json else _table(result, fresh_s)
    return 0


def opened(folder: Path, *, bytes_max: int = 10**12) -> JournalFile:
    """Open the journal of a folder as a gateway would."""
    given = Surroundings(
        Sealer("bench", Ed25519Signer.generate()),
        lambda: secrets.token_bytes(16),
        lambda: 1_800_000_000,
        Limits(bytes_max, 1e9),
    )
    journal, _ = open_journal(folder, given)
    journal.start(BOOT, Declared(layouts=[LAYOUT, WIDE]))
    return journal


def seconds(first: int, count: int) -> Iterator[list[Group]]:
    """Yield the groups of one second after another."""
    noise = random.Random(1)
    level = [2000.0 + 10 * place for place in range(READINGS_PER_S)]
    for second in range(first, first + count):
        level = [value + noise.gauss(0, 0.5) for value in level]
        counts = [round(value + noise.gauss(0, 1.5)) for value in level]
        yield gather([Poll(LAYOUT.id, second * TICKS_PER_S, list(counts))], BOOT, CLOCK)


def append_rate(folder: Path) -> float:
    """Return durable readings per second, a full batch a commit, as the gateway commits at its peak."""
    journal = opened(folder)
    noise = random.Random(2)
    polls = [
        Poll(WIDE.id, tick * 10, [noise.randint(1900, 2600) for _ in range(500)]) for tick in range(4 * 100)
    ]
    groups = [gather(polls[at : at + 4], BOOT, CLOCK) for at in range(0, len(polls), 4)]
    started = time.perf_counter()
    for group in groups:
        journal.append(group, seal=1)
    took = time.perf_counter() - started
    journal.close(clean=True)
    return len(groups) * FULL_BATCH / took


def drain(folder: Path, days: float) -> dict[str, float]:
    """Fill a backlog of so many days, drain it while fresh seconds come; return rates and size."""
    journal = opened(folder)
    count = int(days * DAY_S)
    empty = journal.used_bytes
    for groups in seconds(0, count):
        journal.append(groups, seal=0)
    size = (journal.used_bytes - empty) / (count * READINGS_PER_S)
    drained, slowest = 0, 0.0
    fresh = seconds(count, 10**6)
    started = due = time.perf_counter()
    while sealed := journal.seal_backlog(4):
        drained += acknowledge(journal, sealed)
        now = time.perf_counter()
        if now >= due:
            acknowledge(journal, journal.append(next(fresh), seal=1))
            slowest = max(slowest, time.perf_counter() - due)
            due += FRESH_EVERY_S
    took = time.perf_counter() - started
    journal.close(clean=True)
    return {
        "drain_per_s": round(drained / took),
        "bytes_per_reading": round(size, 2),
        "fresh_s": round(slowest, 4),
    }


def acknowledge(journal: JournalFile, sealed: list[Sealed]) -> int:
    """Acknowledge batches at once; return their readings."""
    for batch in sealed:
        journal.acknowledge(BatchKey(batch.epoch, batch.seq))
    return sum(batch.readings for batch in sealed)


def start_time(folder: Path) -> float:
    """Return how long a journal with 1 GB of backlog takes from opening to its first commit."""
    opened(folder).close(clean=True)
    fill(folder / "journal.db")
    started = time.perf_counter()
    journal = opened(folder)
    journal.append(next(seconds(10**6, 1)), seal=1)
    took = time.perf_counter() - started
    journal.close(clean=True)
    return took


def fill(file: Path) -> None:
    """Write packed groups of full batches until the file holds 1 GB; quicker than a month of commits."""
    noise = random.Random(3)
    bodies = []
    for place in range(20):
        counts = [[noise.randint(1900, 2600) for _ in range(500)] for _ in range(4)]
        polls = [Poll(WIDE.id, 4 * place + at, list(row)) for at, row in enumerate(counts)]
        bodies.append(pack(gather(polls, BOOT, CLOCK)[0]))
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        row_id = 0
        while used_bytes(connection) < FULL_BYTES:
            with transaction(connection):
                for _ in range(5000):
                    row_id += 1
                    values = (row_id, 1_800_000_000, FULL_BATCH, 1, bodies[row_id % len(bodies)])
                    connection.execute(
                        "INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?)", (*values, checksum(*values))
                    )


def wear(folder: Path, commits: int) -> float:
    """Return GB a day at one commit a second with 20 readings, each acknowledged before the next."""
    journal = opened(folder)
    before = written_bytes()
    for groups in seconds(0, commits):
        acknowledge(journal, journal.append(groups, seal=1))
    written = written_bytes() - before
    journal.close(clean=True)
    return written / commits * DAY_S / 1e9


def written_bytes() -> int:
    """Return what this process has written to disks so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def _table(result: dict[str, float], fresh_s: float) -> None:
    size_30_days = result["bytes_per_reading"] * 30 * DAY_S * READINGS_PER_S / 1e9
    times = result["drain_per_s"] / READINGS_PER_S
    rows = [
        ("appended, durable", f"{result['append_per_s']:,.0f} readings per s"),
        (
            "drained, sealed and signed",
            f"{result['drain_per_s']:,.0f} readings per s ({times:,.0f} x real time)",
        ),
        ("slowest fresh second meanwhile", f"{fresh_s * 1000:.1f} ms"),
        ("size while waiting", f"{result['bytes_per_reading']:.2f} bytes a reading"),
        ("30 days at 20 readings/s", f"{size_30_days:.2f} GB"),
        ("start with 1 GB of backlog", f"{result['start_s_at_1gb']:.3f} s"),
        ("written a day at 20 readings/s", f"{result['gb_written_per_day']:.2f} GB"),
    ]
    print("heng bench journal")
    for what, figure in rows:
        print(f"  {what:<34} {figure}")
