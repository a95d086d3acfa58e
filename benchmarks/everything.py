"""`heng bench edge --all`: memory, processor time and bytes of one real gateway process with every driver.

Around it are the simulated devices of the scenario `everything` and a card reader on two pins. Broker and
acker are those of `heng bench edge`. Memory is that of the gateway's own process: the program that reads the
camera's video is a child, and is told apart.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from benchmarks.acker import Acker, Arrival
from benchmarks.edge import Measured, Site, StartBroker, gateway_process, measured, usage
from provisioning.ca import CertificateAuthority
from simulators.devices.gpio import Board
from simulators.devices.osdp import wiegand_26
from simulators.running import Clocks, running
from simulators.scenario import load_scenario
from wire import frame
from wire.codec import decode_body
from wire.messages import Points

GATEWAY = "everything"
WIEGAND = {"driver": "wiegand", "name": "old-door", "prefix": "old-door", "d0_pin": 20, "d1_pin": 21}
CARD_S = 20.0
WARM_UP_S = 60.0
"""By then every library was used and the journal has its first pages."""
LOOK_S = 1.0
TARGET_MB = 120.0
FLAT_MB = 1.0
"""So much more may the last third of a run have than the first, on average, to be called flat."""
_ENDED = (FileNotFoundError, ProcessLookupError)
THIRD_S = 20.0
"""Thirds that are shorter tell nothing."""


class WriteGateway(Protocol):
    """Writes what a gateway among simulated devices needs."""

    def __call__(self, home: Path, offered: Mapping[str, Any], *, identity: Path, port: int) -> Path:
        """Write settings and keys below `home`; return the settings file. `port` is the broker's."""


class NothingReadError(Exception):
    """A device gave nothing at all; the text names it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the processes had at one moment, in MB."""

    at_s: float
    gateway: float
    video: float


@dataclass(frozen=True, slots=True)
class Result:
    """One run."""

    measured: Measured
    memory: Sequence[Memory]
    readings_of: Mapping[str, int]
    """Device -> how many readings it gave."""
    events: int

    @property
    def max_mb(self) -> float:
        """The most that the gateway ever had."""
        return max(one.gateway for one in self.memory)

    @property
    def growth_mb(self) -> float | None:
        """How much more the last third has than the first; None for a run that is too short."""
        return growth_mb(self.memory)


def growth_mb(memory: Sequence[Memory]) -> float | None:
    """Return by how many MB the mean of the last third is above that of the first."""
    third = len(memory) // 3
    if not third or memory[third - 1].at_s - memory[0].at_s < THIRD_S - 2 * LOOK_S:
        return None
    first, last = ([one.gateway for one in part] for part in (memory[:third], memory[-third:]))
    return sum(last) / third - sum(first) / third


def slope_mb_per_h(memory: Sequence[Memory]) -> float:
    """Return the slope of the straight line that fits best."""
    times, values = [one.at_s for one in memory], [one.gateway for one in memory]
    middle, level = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in times)
    pairs = zip(times, values, strict=True)
    return 3600 * sum((at - middle) * (value - level) for at, value in pairs) / spread if spread else 0.0


def run(
    folder: Path, start_broker: StartBroker, write: WriteGateway, *, seconds: float, as_json: bool
) -> int:
    """Measure and print; 1 when a device gave nothing."""
    (folder / "far").mkdir()
    try:
        result = asyncio.run(_measure(folder, start_broker, write, seconds=seconds))
    except NothingReadError as error:
        print(f"heng bench: {error}")
        return 1
    except ExceptionGroup as errors:
        raise innermost(errors) from None  # devices stand in one another: what is far inside is not printed
    print(json.dumps(answer(result))) if as_json else _table(result)
    return 0


def innermost(errors: ExceptionGroup[Exception]) -> Exception:
    """Return the first error that is no group itself."""
    first = errors.exceptions[0]
    return innermost(first) if isinstance(first, ExceptionGroup) else first


async def _measure(folder: Path, start_broker: StartBroker, write: WriteGateway, *, seconds: float) -> Result:
    far, now = folder / "far", datetime.now(UTC)
    authority = CertificateAuthority.create(folder / "ca", now=now)
    hub = authority.issue_hub("bench", now=now)
    home = folder / GATEWAY
    authority.issue_gateway(GATEWAY, home / "identity", now=now)
    async with start_broker(folder / "broker", authority) as broker, _devices(far) as offered:
        site = Site(folder, broker, hub)
        settings = write(home, offered, identity=home / "identity", port=broker.gateway_port)
        with Acker(hub, broker.hub_port) as acker:
            started = gateway_process(settings, home / "gateway.log", environment=offered["environment"])
            async with started as pid:
                await asyncio.sleep(WARM_UP_S)
                return await _watch(pid, site, acker, seconds=seconds)


@asynccontextmanager
async def _devices(folder: Path) -> AsyncIterator[dict[str, Any]]:
    """Run every device while the context is open; gives what a gateway needs to reach them."""
    clocks = Clocks(lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time)
    async with running(load_scenario(GATEWAY), seed=1, folder=folder, clocks=clocks) as state:
        offered: dict[str, Any] = dict(state.gateways[GATEWAY])
        board = state.devices[f"{GATEWAY}/pins"]
        assert isinstance(board, Board)
        async with asyncio.TaskGroup() as tasks:
            visiting = tasks.create_task(_visit(board, random.Random(GATEWAY)))
            try:
                yield {**offered, "device": [*offered["device"], WIEGAND]}
            finally:
                visiting.cancel()


async def _visit(board: Board, chance: random.Random) -> None:
    """Show a card at the reader with two wires every now and then."""
    for pin in (20, 21):
        board.drive(pin, 1)
    while True:
        await asyncio.sleep(chance.uniform(CARD_S / 2, CARD_S))
        card = wiegand_26(chance.randrange(256), chance.randrange(65536))
        await board.send_card(20, 21, f"{card:026b}")


async def _watch(pid: int, site: Site, acker: Acker, *, seconds: float) -> Result:
    memory: list[Memory] = []
    first = len(acker.arrivals)

    async def look() -> None:
        started = time.monotonic()
        while (at_s := time.monotonic() - started) < seconds:
            video = sum(map(rss_mb, children(pid)))
            memory.append(Memory(at_s, usage(pid).rss_mb, video))
            await asyncio.sleep(LOOK_S)

    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(look())
        taken = await measured(pid, site.broker.gateway_port, acker, seconds=seconds)
        looking.cancel()
    arrivals = acker.arrivals[first:]
    found = readings_of_devices(acker.arrivals, acker.others)
    if silent := [device for device, count in found.items() if not count]:
        raise NothingReadError(f"{', '.join(silent)}: no reading within {WARM_UP_S + seconds:.0f} s")
    return Result(taken, memory, found, sum(len(arrival.batch.events) for arrival in arrivals))


def children(pid: int) -> list[int]:
    """Return the processes that a process has started; a thread that ends meanwhile has none."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(*_ENDED):
            found += map(int, (task / "children").read_text().split())
    return found


def rss_mb(pid: int) -> float:
    """Return the memory of a process; 0 when it has ended, as one that took a picture soon has."""
    with suppress(*_ENDED):
        return usage(pid).rss_mb
    return 0.0


def readings_of_devices(arrivals: Sequence[Arrival], others: Sequence[tuple[str, bytes]]) -> dict[str, int]:
    """Return how many readings and fixes each declared device gave."""
    declared = [decode_body(frame.decode(body).body, Points) for topic, body in others if "points" in topic]
    devices = {point.name: point.device for points in declared for point in points.points}
    layouts = {layout.id: devices[layout.points[0]] for points in declared for layout in points.layouts}
    found = Counter(dict.fromkeys(devices.values(), 0))
    for arrival in arrivals:
        for poll in arrival.batch.polls:
            found[layouts[poll.layout]] += sum(count is not None for count in poll.counts)
        for position in arrival.batch.positions:
            found[devices[position.point]] += 1
    return dict(found)


def answer(result: Result) -> dict[str, object]:
    """Return what `--json` prints."""
    taken, growth = result.measured, result.growth_mb
    return {
        "devices": len(result.readings_of),
        "rss_mb": round(taken.rss_mb, 1),
        "rss_max_mb": round(result.max_mb, 1),
        "rss_growth_mb": None if growth is None else round(growth, 2),
        "rss_slope_mb_per_h": round(slope_mb_per_h(result.memory), 2),
        "video_rss_mb": round(max(one.video for one in result.memory), 1),
        "cpu_percent": round(100 * taken.cpu_s / taken.seconds, 1),
        "cpu_s_per_1000": round(taken.cpu_s / taken.readings * 1000, 4),
        "readings_per_s": round(taken.readings / taken.seconds, 1),
        "events": result.events,
        "bytes_per_reading": round(taken.sent_bytes / taken.readings, 2),
        "sent_bytes_per_s": round(taken.sent_bytes / taken.seconds),
        "written_gb_per_day": round(taken.written_bytes / taken.seconds * 86400 / 1e9, 2),
    }


def _table(result: Result) -> None:
    taken, growth = result.measured, result.growth_mb
    flat = "too short to tell" if growth is None else f"{growth:+.2f} MB from first to last third"
    word = "" if growth is None else " (flat)" if growth <= FLAT_MB else " (NOT flat)"
    within = "within" if result.max_mb <= TARGET_MB else "ABOVE"
    per_day_gb = taken.written_bytes / taken.seconds * 86400 / 1e9
    rows = [
        ("memory (RSS), the video program left out", f"{taken.rss_mb:.1f} MB at the end"),
        ("most memory", f"{result.max_mb:.1f} MB, {within} {TARGET_MB:.0f} MB"),
        ("growth", f"{flat}{word}, {slope_mb_per_h(result.memory):+.1f} MB an hour"),
        ("memory of the video program", f"{max(one.video for one in result.memory):.1f} MB"),
        ("CPU", f"{100 * taken.cpu_s / taken.seconds:.1f} % of a core"),
        ("CPU per 1,000 readings", f"{taken.cpu_s / taken.readings * 1000:.4f} s"),
        ("readings and events", f"{taken.readings / taken.seconds:.1f} a second; {result.events} events"),
        ("sent per reading, TLS included", f"{taken.sent_bytes / taken.readings:.2f} bytes"),
        ("written to disk", f"{per_day_gb:.2f} GB a day"),
    ]
    print(f"heng bench edge --all: {len(result.readings_of)} devices, {taken.seconds:.0f} s")
    for what, figure in rows:
        print(f"  {what:<44} {figure}")
