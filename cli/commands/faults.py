"""`heng faults`: break a running system by a seeded script, then account for every reading given out."""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from cli.embedded.processes import ProcessError
from cli.faults.accounting import Verdict
from cli.faults.build import Built, Ground, build
from cli.faults.campaign import Outcome, play
from cli.faults.evidence import audit
from cli.faults.script import make_script
from cli.faults.wall_clock import find_library

GATEWAYS = ("bench-1", "bench-2", "bench-3")
_FINDINGS_SHOWN = 40


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's words."""
    parser.add_argument("--kills", type=_kills, default=20, help="how often kill -9 (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="draws the script; without it one is drawn and printed")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("HENG_FAULTS_DATABASE_URL"),
        help="an empty database of your own, as its owner, instead of a private server",
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep everything in this new folder")


def run(arguments: argparse.Namespace) -> int:
    """Run a campaign; 0 when nothing is lost, doubled or unexplained."""
    library = find_library()
    if library is None:
        print("heng faults: needs libfaketime (Debian: apt install faketime)", file=sys.stderr)
        return 2
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    try:
        with tempfile.TemporaryDirectory(prefix="heng-faults-") as temporary:
            folder = arguments.keep or Path(temporary)
            ground = Ground(
                folder.absolute(),
                GATEWAYS,
                seed,
                arguments.database_url,
                library,
                keep=arguments.keep is not None,
            )
            return asyncio.run(_run(ground, arguments.kills, as_json=arguments.json))
    except ProcessError as error:
        print(f"heng faults: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        print("heng faults: stopped before the end, nothing is accounted for", file=sys.stderr)
        return 1


async def _run(ground: Ground, kills: int, *, as_json: bool) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    started = time.monotonic()
    steps = make_script(kills, ground.seed, ground.gateways)
    _tell(f"seed {ground.seed}: {kills} kills in {len(steps)} steps; starting the system in {ground.folder}")
    async with build(ground) as built:
        _tell("database, broker, hub, gateways and devices run")

        async def account_until(until: float) -> Verdict:
            return await audit(built.dsn, built.units(), until, others=GATEWAYS)

        outcome = await play(built.stage, steps, audit=account_until, tell=_tell)
        _report(ground, built, outcome, as_json=as_json, duration_s=time.monotonic() - started)
    return 0 if outcome.good else 1


def _report(ground: Ground, built: Built, outcome: Outcome, *, as_json: bool, duration_s: float) -> None:
    verdict = outcome.verdict
    for finding in verdict.findings[:_FINDINGS_SHOWN]:
        _tell(finding)
    if len(verdict.findings) > _FINDINGS_SHOWN:
        _tell(f"and {len(verdict.findings) - _FINDINGS_SHOWN} more findings")
    result = {
        "kills": outcome.kills,
        "seed": ground.seed,
        "given_out": verdict.given_out,
        "stored": verdict.stored,
        "explained": verdict.explained,
        "lost": verdict.lost,
        "duplicated": verdict.duplicated,
        "unexplained": verdict.unexplained,
        "others": verdict.others,
        "explained_by": dict(verdict.explained_by),
        "faults": dict(outcome.faults),
        "not_done": outcome.not_done,
        "ended_by_themselves": dict(outcome.ended_by_themselves),
        "database": "TimescaleDB" if built.timescaledb else "PostgreSQL",
        "drain_s": round(outcome.drain_s, 1),
        "duration_s": round(duration_s, 1),
    }
    if as_json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:20} {value}")


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def _kills(text: str) -> int:
    kills = int(text)
    if not 1 <= kills <= 10_000:
        raise argparse.ArgumentTypeError("expected 1 to 10000")
    return kills
