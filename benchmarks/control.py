"""`heng bench control`: how quickly a gateway trips, decides at a door, and does what it is told.

The gateway is that of the demo's laboratory with all its devices and readings. For trips and doors its broker
is not there at all, so hub and network are dead; once more with 20 ms added to every fsync. Breach to
confirmed safe state is measured from outside: a simulated sensor changes, the gateway says when it is safe.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import control_hub
from benchmarks.edge import percentile
from benchmarks.everything import innermost
from provisioning.ca import CertificateAuthority
from simulators.devices.modbus import ModbusLine, Unit
from simulators.running import Clocks, Running, running
from simulators.scenario import Scenario, load_scenario

GATEWAY = "lab-1"
TRIPS, BREACHES, CARDS, COMMANDS = 10_000, 60, 10_000, 200
SLOW_MS = 20.0
LINES = (
    ("room-1", 1, "room-1/air/temperature", "doors/source"),
    ("room-2", 240, "room-2/air/temperature", "doors/bench"),
    ("room-2", 1, "room-2/bench/temperature", "doors/power"),
    ("plant", 4, "room-2/air-conditioner/temperature", "doors/lamp"),
)
"""Modbus line, unit, point and output of each interlock."""
DOORS = ("entrance", "archive", "between")
PATIENCE_S = 3600.0
RELEASED_S = 60.0
HIGH, BEYOND = 30, 60.0
"""The limit of each interlock, and what a sensor says that is beyond it."""
_DEAD_PORT = 9
Write = Callable[..., Path]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a gateway's files are, and the devices around it."""

    folder: Path
    settings: Path
    environment: Mapping[str, str]
    devices: Running


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--trips", type=int, default=TRIPS, help="of interlocks (default %(default)s)")
    parser.add_argument("--breaches", type=int, default=BREACHES, help="from outside (default %(default)s)")
    parser.add_argument("--cards", type=int, default=CARDS, help="held to readers (default %(default)s)")
    parser.add_argument(
        "--commands", type=int, default=COMMANDS, help="and revocations (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print; 2 when there is no compiler for what a slow fsync needs."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        needs = "expected a C compiler on PATH, gcc or cc (on Debian: apt-get install gcc libc6-dev)"
        print(f"heng bench control: {needs}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="heng-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        slow = _library(folder, compiler)
        (folder / "hub").mkdir()
        (folder / "hub").chmod(0o755)
        try:
            result = asyncio.run(_measure(folder, args, slow))
        except ExceptionGroup as errors:
            raise innermost(errors) from None  # devices stand in one another
    print(json.dumps(result)) if args.json else _table(result)
    return 0


def _library(folder: Path, compiler: str) -> Path:
    library, source = folder / "slow_fsync.so", Path(__file__).with_name("slow_fsync.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


async def _measure(folder: Path, args: argparse.Namespace, slow: Path) -> dict[str, Any]:
    delay = {"LD_PRELOAD": str(slow), "HENG_FSYNC_DELAY_US": str(round(SLOW_MS * 1000))}
    found: dict[str, Any] = {}

    def tell(what: str, values: Sequence[float]) -> None:
        found[what] = told(values)
        print(f"{what}: {found[what]}", file=sys.stderr, flush=True)

    revocations, commands = await control_hub.measure(
        folder / "hub",
        args.start_server,
        args.start_broker,
        gateway=lambda port, authority: _site(
            folder / "online", args.write_gateway, port=port, authority=authority
        ),
        number=args.commands,
    )
    tell("revocation_ms", revocations)
    tell("command_ms", commands)
    async with _site(folder / "doors", args.write_gateway) as site:
        tell("access_ms", await _cards(site, args.cards))
    async with _site(folder / "breach", args.write_gateway) as site:
        breaches, bound_s = await _breaches(site, args.breaches)
    tell("breach_to_safe_ms", breaches)
    found["breach_to_safe_ms"]["bound"] = round(bound_s * 1000)
    async with _site(folder / "plain", args.write_gateway) as site:
        tell("interlock_ms", await _trips(site, args.trips, {}))
    async with _site(folder / "slow", args.write_gateway) as site:
        tell("interlock_slow_fsync_ms", await _trips(site, args.trips, delay))
    return found


def told(values: Sequence[float]) -> dict[str, float]:
    """Return what is told of durations in ms."""
    return {
        "p50": round(percentile(values, 50), 2),
        "p99": round(percentile(values, 99), 2),
        "max": round(max(values), 2),
        "n": len(values),
    }


@asynccontextmanager
async def _site(
    folder: Path, write: Write, *, port: int = _DEAD_PORT, authority: CertificateAuthority | None = None
) -> AsyncIterator[Site]:
    """Run the devices of the demo's laboratory while the context is open, and write its gateway's files.

    With an authority it has nothing but doors, and a broker at `port`.
    """
    far, home = folder / "far", folder / GATEWAY
    far.mkdir(parents=True)
    alone = authority is None
    authority = authority or CertificateAuthority.create(folder / "ca", now=datetime.now(UTC))
    authority.issue_gateway(GATEWAY, home / "identity", now=datetime.now(UTC))
    clocks = Clocks(lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time)
    demo = load_scenario("demo")
    laboratory = Scenario(title=demo.title, gateway=[one for one in demo.gateway if one.id == GATEWAY])
    async with running(laboratory, seed=1, folder=far, clocks=clocks) as state:
        offered: dict[str, Any] = dict(state.gateways[GATEWAY])
        settings = write(home, offered, identity=home / "identity", port=port)
        with settings.open("a", encoding="utf-8") as file:
            rules = map(_interlock, range(len(LINES))) if alone else ()
            file.write("".join([*rules, *map(_portal, DOORS)]))
        yield Site(folder, settings, offered["environment"], state)


def _interlock(number: int) -> str:
    _, _, point, output = LINES[number]
    return (
        f'\n[[interlock]]\nname = "bench-{number}"\n[[interlock.group]]\nname = "g"\n'
        f'[[interlock.group.cause]]\nkind = "limit"\nname = "c"\npoint = "{point}"\nhigh = {HIGH}\n'
        f'guarded = false\nstale_after_s = 10\n[[interlock.effect]]\nkind = "inhibit_output"\n'
        f'target = "{output}"\n'
    )


def _portal(name: str) -> str:
    part = f"doors/{name}"
    return (
        f'\n[[portal]]\nname = "{name}"\nreader_in = "{part}"\nlock_output = "{part}/lock"\n'
        f'contact_point = "{part}/contact"\nexit_button_point = "{part}/button"\n'
    )


@asynccontextmanager
async def _gateway(
    site: Site, environment: Mapping[str, str], *words: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    with (site.folder / "gateway.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.control_gateway", str(site.settings), *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**os.environ, **site.environment, **environment},
            limit=2**24,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _line(site: Site, process: asyncio.subprocess.Process, timeout_s: float) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(timeout_s):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"the gateway ended: {(site.folder / 'gateway.log').read_text()[-2000:]}")
    found: dict[str, Any] = json.loads(line)
    return found


async def _trips(site: Site, trips: int, environment: Mapping[str, str]) -> list[float]:
    async with _gateway(site, environment, "--trips", str(trips)) as process:
        await _line(site, process, RELEASED_S)
        found: list[float] = (await _line(site, process, PATIENCE_S))["interlock_ms"]
    return found


async def _cards(site: Site, cards: int) -> list[float]:
    async with _gateway(site, {}, "--cards", str(cards)) as process:
        await _line(site, process, RELEASED_S)
        found: list[float] = (await _line(site, process, PATIENCE_S))["access_ms"]
    return found


async def _breaches(site: Site, breaches: int) -> tuple[list[float], float]:
    """Have a sensor go beyond its limit again and again; return ms until the output is confirmed safe."""
    chance = random.Random(11)
    found: list[float] = []
    released: set[str] = set()
    async with _gateway(site, {}, "--trips", "0", "--cards", "0") as process:
        bound_s = float((await _line(site, process, RELEASED_S))["bound_s"])
        while len(found) < breaches:
            number = len(found) % len(LINES)
            name = f"bench-{number}"
            while name not in released:
                said = await _line(site, process, RELEASED_S)
                released.add(said.get("released", ""))
            await asyncio.sleep(chance.uniform(0, 1))
            unit = _unit(site, number)
            good, begun = unit.truth, time.monotonic_ns()
            unit.truth = _beyond
            while (said := await _line(site, process, RELEASED_S)).get("safe") != name:
                released.add(said.get("released", ""))
            found.append((said["at_ns"] - begun) / 1e6)
            unit.truth = good
            released.discard(name)
    return found, bound_s


def _beyond(what: str) -> float:
    return BEYOND if what == "temperature" else 0.0


def _unit(site: Site, number: int) -> Unit:
    line, address, *_ = LINES[number]
    device = site.devices.devices[f"{GATEWAY}/{line}"]
    assert isinstance(device, ModbusLine)
    return device.units[address]


def _table(result: Mapping[str, Any]) -> None:
    print("heng bench control")
    for what, figures in result.items():
        print(f"  {what:<28} " + ", ".join(f"{name} {value}" for name, value in figures.items()))
