"""The real gateway on a mobile link with a data budget: events pass, readings wait, and each comes once."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.acker import Acker, Arrival
from benchmarks.edge import Load, settings_text, simulated
from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning.identity import GatewayIdentity, HubIdentity

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-5.2")]
LOAD = Load(units=1, points=5, interval_ms=200)
"""No other poll of this gateway has five values."""
BUDGET = 24_000_000
SHARE = BUDGET // 24
HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
NETWORK = """
[[device]]
driver = "network"
name = "uplink"
root = "{root}"
interval_ms = 1000
[device.budget]
day_bytes = {budget}
day_starts_h = {hour}
"""


@dataclass
class Kernel:
    """Files as the kernel shows them: a cable that is there or not, and a modem."""

    root: Path

    def begin(self) -> None:
        self.write("proc/sys/kernel/random/boot_id", "one\n")
        for name in ("eth0", "wwan0"):
            self.write(f"sys/class/net/{name}/uevent", "DEVTYPE=wwan\n" if name == "wwan0" else "")
            self.spent(0, name)
        self.route("wwan0")

    def route(self, interface: str) -> None:
        self.write(
            "proc/net/route", f"{HEAD}{interface}\t00000000\t010200C0\t0003\t0\t0\t1\t00000000\t0\t0\t0\n"
        )

    def spent(self, count: int, name: str = "wwan0") -> None:
        self.write(f"sys/class/net/{name}/statistics/rx_bytes", "0\n")
        self.write(f"sys/class/net/{name}/statistics/tx_bytes", f"{count}\n")

    def write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(file.name + ".new")
        part.write_text(text)
        part.rename(file)


@dataclass
class Site:
    folder: Path
    broker: EmbeddedMosquitto
    hub: HubIdentity
    identity: GatewayIdentity
    kernel: Kernel
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def settings(self) -> Path:
        return self.folder / "gateway.toml"

    def write_settings(self, ports: list[int], *, uplink: str = "") -> None:
        text = settings_text(self.identity.gateway, self.broker.gateway_port, ports, load=LOAD)
        text = text.replace(
            "[uplink]\n", f"identity = '{self.identity.folder}'\n[uplink]\nresend_s = 1\n{uplink}\n"
        )
        hour = datetime.now(UTC).hour
        self.settings.write_text(text + NETWORK.format(root=self.kernel.root, budget=BUDGET, hour=hour))

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "cli.main", "edge", "--verbose", "--settings", self.settings]
        with (self.folder / "log").open("ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        return self.processes[-1]

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        assert process.wait(10) == 0, (self.folder / "log").read_text()


@pytest.fixture
def site(
    tmp_path: Path,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> Iterator[Site]:
    kernel = Kernel(tmp_path / "kernel")
    kernel.begin()
    made = Site(tmp_path, broker, hub_identity, gateway_identity("within-budget"), kernel)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


@asynccontextmanager
async def watched(site: Site) -> AsyncIterator[Acker]:
    acker = await asyncio.to_thread(Acker(site.hub, site.broker.hub_port).__enter__)
    try:
        yield acker
    finally:
        await asyncio.to_thread(acker.__exit__)


async def until(what: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.05)


def once(arrivals: list[Arrival]) -> list[Arrival]:
    """The batches as a ledger would keep them."""
    first: dict[tuple[bytes, int], Arrival] = {}
    for arrival in list(arrivals):
        key = (arrival.batch.epoch, arrival.batch.seq)
        assert first.setdefault(key, arrival).batch == arrival.batch
    return list(first.values())


def ticks(arrivals: list[Arrival]) -> list[int]:
    """Absolute ticks of the polls of the simulated unit, as often as each would be stored."""
    return [
        one.batch.base_tick + poll.tick
        for one in once(arrivals)
        for poll in one.batch.polls
        if len(poll.counts) == LOAD.points
    ]


def gaps(arrival: Arrival) -> list[tuple[int, int]]:
    """Absolute first and last tick of the closed gaps of a batch."""
    base = arrival.batch.base_tick
    return [
        (gap.from_tick + base, gap.to_tick + base)
        for gap in arrival.batch.gaps
        if gap.from_tick is not None and gap.to_tick is not None
    ]


def kinds(arrivals: list[Arrival]) -> list[str]:
    return [event.kind for one in once(arrivals) for event in one.batch.events]


def test_readings_wait_while_the_budget_is_spent_and_all_come_over_a_cheap_link(site: Site) -> None:
    async def story() -> None:
        async with simulated(LOAD) as ports, watched(site) as acker:
            site.write_settings(ports)
            process = site.start()
            await until(lambda: len(ticks(acker.arrivals)) > 10)
            site.kernel.spent(4 * SHARE)
            await until(lambda: "budget_thinning" in kinds(acker.arrivals))
            mark = max(ticks(acker.arrivals))
            await until(lambda: sum(tick > mark for tick in ticks(acker.arrivals)) >= 3)
            thinned = sorted(tick for tick in ticks(acker.arrivals) if tick > mark)
            assert all(b - a >= 60 for a, b in pairwise(thinned))
            site.kernel.spent(BUDGET)
            await until(lambda: "budget_spent" in kinds(acker.arrivals))
            before = len(ticks(acker.arrivals))
            site.write_settings(ports, uplink="window = 30")
            process.send_signal(signal.SIGHUP)
            await until(lambda: "settings_refused" in kinds(acker.arrivals))
            site.stop(process)
            process = site.start()
            await until(lambda: kinds(acker.arrivals).count("gateway_started") == 2)
            await asyncio.sleep(2)
            assert len(ticks(acker.arrivals)) == before
            assert kinds(acker.arrivals).count("budget_spent") == 1
            site.kernel.route("eth0")
            await until(lambda: "budget_full_rate" in kinds(acker.arrivals))
            await until(lambda: len(ticks(acker.arrivals)) > before + 20)
            site.stop(process)
        found = sorted(ticks(acker.arrivals))
        assert len(found) == len(set(found))
        told = {span for one in once(acker.arrivals) for span in gaps(one)}
        assert {(a, b) for a, b in pairwise(found) if b - a > 60} <= told
        numbers = sorted(one.batch.seq for one in once(acker.arrivals))
        assert numbers == list(range(1, len(numbers) + 1))

    asyncio.run(story())
