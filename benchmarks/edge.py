"""`heng bench edge`: memory, processor time, bytes, latency and peak rate of one real gateway process.

A simulated Modbus unit with 100 registers is read in one burst a second; the gateway is `heng edge` in a
process of its own, the broker is Mosquitto with TLS 1.3. Instead of a hub an acker answers with signed
acks, so that a hub on the same machine does not distort the figures. Everything is measured from outside:
/proc of the gateway's process, TCP counters of the kernel, and a subscriber on the broker.
"""

import argparse
import asyncio
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from benchmarks.acker import Acker, Arrival
from benchmarks.tcp_bytes import bytes_sent_to
from provisioning.ca import CertificateAuthority
from provisioning.identity import HubIdentity
from simulators.devices.modbus import RegisterValue, Unit, modbus_server
from wire.messages import TICK_MS

POINTS = 100
SPREAD_UNITS = 20
STAGGER_MS = 3
"""Each further connection is read so much more rarely, so that the polls spread over the second."""
WARM_UP_S = 10.0
PEAK_WARM_UP_S = 5.0
PEAK_S = 15.0
STOP_S = 10.0
TICK_NS = TICK_MS * 1_000_000


class Broker(Protocol):
    """A running broker with the two listeners of this project."""

    @property
    def gateway_port(self) -> int:
        """For gateways."""

    @property
    def hub_port(self) -> int:
        """For the hub."""


StartBroker = Callable[[Path, CertificateAuthority], AbstractAsyncContextManager[Broker]]


@dataclass(frozen=True, slots=True)
class Site:
    """What the runs share."""

    folder: Path
    broker: Broker
    hub: HubIdentity


@dataclass(frozen=True, slots=True)
class Load:
    """How many units with how many points, read how often."""

    units: int
    points: int
    interval_ms: int
    connections: int = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used."""

    cpu_s: float
    rss_mb: float
    written_bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    readings: int
    seconds: float
    cpu_s: float
    rss_first_mb: float
    rss_mb: float
    sent_bytes: int
    written_bytes: int
    latencies_ms: Sequence[float]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seconds", type=float, default=180.0, help="of the main run (default 180)")
    parser.add_argument("--all", action="store_true", help="a gateway with every driver, at the demo's load")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print; `args.start_broker` makes the broker, `args.write_gateway` a gateway's files."""
    with tempfile.TemporaryDirectory(prefix="heng-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        if args.all:
            from benchmarks import everything  # it needs what this module has

            broker, write = args.start_broker, args.write_gateway
            return everything.run(folder, broker, write, seconds=args.seconds, as_json=args.json)
        burst, spread, peak = asyncio.run(_measure(folder, args.start_broker, args.seconds))
    result = {
        "rss_mb": round(burst.rss_mb, 1),
        "cpu_s_per_1000": round(burst.cpu_s / burst.readings * 1000, 4),
        "bytes_per_reading": round(burst.sent_bytes / burst.readings, 2),
        "latency_ms": {
            "p50": round(percentile(burst.latencies_ms, 50), 1),
            "p99": round(percentile(burst.latencies_ms, 99), 1),
        },
        "max_readings_per_s": round(peak.readings / peak.seconds),
    }
    print(json.dumps(result)) if args.json else _table(burst, spread, peak)
    return 0


async def _measure(
    folder: Path, start_broker: StartBroker, seconds: float
) -> tuple[Measured, Measured, Measured]:
    now = datetime.now(UTC)
    authority = CertificateAuthority.create(folder / "ca", now=now)
    hub = authority.issue_hub("bench", now=now)
    async with start_broker(folder / "broker", authority) as broker:
        site = Site(folder, broker, hub)
        burst = await _gateway_run(
            site, authority, "burst", load=Load(1, POINTS, 1000), warm_up_s=WARM_UP_S, seconds=seconds
        )
        spread_load = Load(SPREAD_UNITS, POINTS // SPREAD_UNITS, 1000, connections=SPREAD_UNITS)
        spread = await _gateway_run(
            site, authority, "spread", load=spread_load, warm_up_s=WARM_UP_S, seconds=min(30.0, seconds)
        )
        peak = await _gateway_run(
            site, authority, "peak", load=Load(8, POINTS, 20, 8), warm_up_s=PEAK_WARM_UP_S, seconds=PEAK_S
        )
    return burst, spread, peak


async def _gateway_run(
    site: Site, authority: CertificateAuthority, name: str, *, load: Load, warm_up_s: float, seconds: float
) -> Measured:
    folder = site.folder / name
    folder.mkdir()
    authority.issue_gateway(f"bench-{name}", folder / "identity", now=datetime.now(UTC))
    async with simulated(load) as ports:
        settings = folder / "gateway.toml"
        settings.write_text(settings_text(f"bench-{name}", site.broker.gateway_port, ports, load=load))
        with Acker(site.hub, site.broker.hub_port) as acker:
            async with gateway_process(settings, folder / "gateway.log") as pid:
                await asyncio.sleep(warm_up_s)
                return await measured(pid, site.broker.gateway_port, acker, seconds=seconds)


async def measured(pid: int, port: int, acker: Acker, *, seconds: float) -> Measured:
    """Watch a gateway's process and what it sends to the broker's port for a while."""
    before, sent, first = usage(pid), bytes_sent_to(port), len(acker.arrivals)
    started = time.monotonic()
    await asyncio.sleep(seconds)
    after, sent_after = usage(pid), bytes_sent_to(port)
    took = time.monotonic() - started
    arrivals = acker.arrivals[first:]
    return Measured(
        readings=sum(readings_of(arrival) for arrival in arrivals),
        seconds=took,
        cpu_s=after.cpu_s - before.cpu_s,
        rss_first_mb=before.rss_mb,
        rss_mb=after.rss_mb,
        sent_bytes=sent_after - sent,
        written_bytes=after.written_bytes - before.written_bytes,
        latencies_ms=[latency for arrival in arrivals for latency in latencies_of(arrival)],
    )


def readings_of(arrival: Arrival) -> int:
    """Return how many readings a batch holds."""
    return sum(len(poll.counts) for poll in arrival.batch.polls)


def latencies_of(arrival: Arrival) -> list[float]:
    """Return for each reading the time from its sample to the broker's subscriber, in ms."""
    base = arrival.batch.base_tick
    return [
        (arrival.at_ns - (base + poll.tick) * TICK_NS) / 1e6
        for poll in arrival.batch.polls
        for _ in poll.counts
    ]


def usage(pid: int) -> Usage:
    """Return what a process has used so far."""
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(stat[11]) + int(stat[12])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return Usage(
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
        rss_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        written_bytes=int(io["write_bytes"]),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@asynccontextmanager
async def simulated(load: Load) -> AsyncIterator[list[int]]:
    """Serve the units, spread over connections; gives a port for each connection."""
    if load.connections > 1:
        async with simulated(Load(1, load.points, load.interval_ms)) as first:
            rest = Load(load.units - 1, load.points, load.interval_ms, load.connections - 1)
            async with simulated(rest) as others:
                yield [*first, *others]
        return
    units = [unit(address, load.points) for address in range(1, load.units + 1)]
    async with modbus_server(units, now=lambda: (time.monotonic_ns(), time.time_ns() // 10**6)) as (_, port):
        yield [port]


def unit(address: int, points: int) -> Unit:
    """Return a unit of `points` temperatures, a tenth of a degree each, that wander slowly."""

    def truth(name: str) -> float:
        now, place = time.monotonic(), int(name)
        return 20 + 3 * math.sin(now / 600 + place) + 0.05 * math.sin(now * place)

    made = Unit(address=address, model="xy-md02", truth=truth)
    made.values = [
        RegisterValue(function=3, register=place, encoding="int16", truth=str(place), scale=Decimal("0.01"))
        for place in range(points)
    ]
    return made


def settings_text(gateway: str, port: int, ports: Sequence[int], *, load: Load) -> str:
    """Return the settings file of a gateway that reads the simulated units."""
    parts = [f'[gateway]\nid = "{gateway}"\n[uplink]\nhost = "127.0.0.1"\nport = {port}\n']
    units = load.units // load.connections
    for number, device_port in enumerate(ports):
        parts.append(
            f'[[device]]\ndriver = "modbus"\nname = "line-{number}"\nhost = "127.0.0.1"\n'
            f"port = {device_port}\ninterval_ms = {load.interval_ms + STAGGER_MS * number}\n"
        )
        parts += [
            f'[[device.unit]]\naddress = {address}\nprofile = "wide"\nprefix = "line-{number}/{address}"\n'
            for address in range(1, units + 1)
        ]
        parts.append('[[device.profile]]\nname = "wide"\ntitle = "wide"\nsource = "heng bench edge"\n')
        parts += [
            f'[[device.profile.value]]\npoint = "t{place}"\nquantity = "temperature"\nfunction = 3\n'
            f'register = {place}\ntype = "int16"\nscale = "0.01"\n'
            for place in range(load.points)
        ]
    return "\n".join(parts)


@asynccontextmanager
async def gateway_process(
    settings: Path, log: Path, *, environment: Mapping[str, str] | None = None
) -> AsyncIterator[int]:
    """Run `heng edge` while the context is open, with more in its environment; gives its process id."""
    arguments = ("-m", "cli.main", "edge", "--verbose", "--settings", str(settings))
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield process.pid
        finally:
            if process.returncode is not None:
                raise RuntimeError(f"gateway ended by itself: {_end_of(log)}")
            process.terminate()
            async with asyncio.timeout(STOP_S):
                await process.wait()


def _end_of(log: Path) -> str:
    return log.read_text()[-2000:]


def _table(burst: Measured, spread: Measured, peak: Measured) -> None:
    rows = [
        ("memory (RSS)", f"{burst.rss_first_mb:.1f} MB at first, {burst.rss_mb:.1f} MB at the end"),
        ("CPU per 1,000 readings", f"{burst.cpu_s / burst.readings * 1000:.4f} s"),
        ("sent per reading, TLS included", f"{burst.sent_bytes / burst.readings:.2f} bytes"),
        ("written to disk", f"{burst.written_bytes / burst.seconds * 86400 / 1e9:.2f} GB a day"),
        ("sample to broker, one burst a second", _latency(burst)),
        ("sample to broker, spread over the second", _latency(spread)),
        ("most readings, durable and acknowledged", f"{peak.readings / peak.seconds:,.0f} per s"),
    ]
    print(f"heng bench edge: {POINTS} points at 1 Hz, {burst.seconds:.0f} s, {burst.readings:,} readings")
    for what, figure in rows:
        print(f"  {what:<44} {figure}")


def _latency(measured: Measured) -> str:
    p50, p99 = (percentile(measured.latencies_ms, percent) for percent in (50, 99))
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"
