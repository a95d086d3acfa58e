"""The real gateway on a mobile link with a data budget: events pass, readings wait, and each comes once."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.acker import Arrival
from benchmarks.edge import Load, simulated
from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning.identity import GatewayIdentity, HubIdentity
from tests.edge.gateway_site import Site, ended, once, until, watched

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-5.2")]
LOAD = Load(units=1, points=6, interval_ms=200)
"""No other poll of this gateway has six values."""
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


@dataclass(kw_only=True)
class BudgetSite(Site):
    kernel: Kernel

    def write_settings(self, ports: list[int], *, uplink: str = "") -> None:
        hour = datetime.now(UTC).hour
        network = NETWORK.format(root=self.kernel.root, budget=BUDGET, hour=hour)
        self.write(ports, load=LOAD, uplink=uplink, more=network)


@pytest.fixture
def site(
    tmp_path: Path,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> Iterator[BudgetSite]:
    kernel = Kernel(tmp_path / "kernel")
    kernel.begin()
    identity = gateway_identity("within-budget")
    with ended(BudgetSite(tmp_path, broker, hub_identity, identity, kernel=kernel)) as site:
        yield site


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


def test_readings_wait_while_the_budget_is_spent_and_all_come_over_a_cheap_link(site: BudgetSite) -> None:
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
            site.stop(process, within_s=10)
            process = site.start()
            await until(lambda: kinds(acker.arrivals).count("gateway_started") == 2)
            await asyncio.sleep(2)
            assert len(ticks(acker.arrivals)) == before
            assert kinds(acker.arrivals).count("budget_spent") == 1
            site.kernel.route("eth0")
            await until(lambda: "budget_full_rate" in kinds(acker.arrivals))
            await until(lambda: len(ticks(acker.arrivals)) > before + 20)
            site.stop(process, within_s=10)
        found = sorted(ticks(acker.arrivals))
        assert len(found) == len(set(found))
        told = {span for one in once(acker.arrivals) for span in gaps(one)}
        assert {(a, b) for a, b in pairwise(found) if b - a > 60} <= told
        numbers = sorted(one.batch.seq for one in once(acker.arrivals))
        assert numbers == list(range(1, len(numbers) + 1))

    asyncio.run(story())
