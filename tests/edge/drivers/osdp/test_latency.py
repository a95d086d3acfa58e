"""How long a card takes from the reader to the journal, with the real recorder and journal."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from edge.clock import Rules
from edge.credential import FORMATS, frame_of
from edge.driver import Given
from edge.drivers.osdp.driver import OsdpDriver
from edge.journal.file import Surroundings
from edge.journal.journal import Journal
from edge.journal.room import Limits
from edge.journal.sealer import Sealer
from edge.recorder import Recorder
from edge.timekeeper import Timekeeper
from provisioning.keys import Ed25519Signer
from simulators.devices.osdp import Reader, reader_line
from wire import frame
from wire.codec import decode_body
from wire.messages import Batch, Event
from wire.settings.osdp import OsdpDevice, OsdpReader

CARDS = 200
P99_MAX_MS = 100.0
KEY = bytes.fromhex("00112a33445566778899aabbccddeeff")


class Stopwatch(Recorder):
    """The recorder, with the time at which each card's event was accepted for the journal."""

    accepted: asyncio.Queue[float]

    async def event(self, event: Event) -> None:
        await super().event(event)
        if event.kind in ("card_read", "reader_online"):
            self.accepted.put_nowait(time.monotonic())


def make_journal(folder: Path, timekeeper: Timekeeper) -> Journal:
    sealer = Sealer("lab-1", Ed25519Signer.generate())
    return Journal(
        folder / "journal",
        Surroundings(sealer, lambda: b"i" * 16, lambda: None, Limits(10**9, 1e9)),
        boot=b"B" * 16,
        clock=timekeeper.reading,
        now=time.monotonic,
        memory_bytes_max=10**6,
    )


def make_driver(folder: Path) -> OsdpDriver:
    file = folder / "doors" / "entry.key"
    file.parent.mkdir(mode=0o700)
    file.touch(mode=0o600)
    file.write_text(KEY.hex(), encoding="ascii")
    reader = OsdpReader(name="entry", address=1)
    settings = OsdpDevice(name="doors", path=str(folder / "line"), baud=115200, reader=[reader])
    return OsdpDriver(settings, Given(time.monotonic_ns, folder))


async def show_cards(reader: Reader, accepted: asyncio.Queue[float]) -> list[float]:
    """Show cards at times that follow no pattern of polls; return how many ms each took."""
    chance = random.Random(20)
    took = []
    await accepted.get()
    for _ in range(CARDS):
        await asyncio.sleep(chance.uniform(0.02, 0.12))
        at = time.monotonic()
        card = frame_of(FORMATS["h10301"], chance.randrange(2**16), chance.randrange(2**8))
        assert reader.present(card, 26)
        took.append((await asyncio.wait_for(accepted.get(), 5) - at) * 1000)
    return sorted(took)


async def journalled(journal: Journal) -> int:
    """How many cards' events are in the journal's file."""
    count = 0
    while sealed := await journal.seal_backlog(1000):
        for one in sealed:
            batch = decode_body(frame.decode(one.frame).body, Batch)
            count += sum(event.kind == "card_read" for event in batch.events)
    return count


@pytest.mark.slow
@pytest.mark.requirement("G-3.5", "G-6.4b")
def test_card_is_journalled_within_100_ms(tmp_path: Path) -> None:
    async def scenario() -> list[float]:
        driver = make_driver(tmp_path)
        reader = Reader(1, KEY)
        timekeeper = Timekeeper(Rules(), sources=["hub"], monotonic_ns=time.monotonic_ns, system=lambda: None)
        async with reader_line(tmp_path / "line", [reader]), make_journal(tmp_path, timekeeper) as journal:
            await journal.open(driver.layouts, points=driver.points)
            recorder = Stopwatch(
                journal,
                timekeeper,
                gateway="lab-1",
                boot=b"B" * 16,
                now_tick=lambda: time.monotonic_ns() // 10**7,
                points=driver.points,
                layouts=driver.layouts,
            )
            recorder.accepted = asyncio.Queue()
            tasks = [asyncio.ensure_future(journal.run()), asyncio.ensure_future(driver.run(recorder))]
            try:
                took = await show_cards(reader, recorder.accepted)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            await journal.commit()
            assert await journalled(journal) == CARDS
            return took

    took = asyncio.run(scenario())
    p50, p99, worst = took[CARDS // 2], took[int(CARDS * 0.99)], took[-1]
    assert p99 <= P99_MAX_MS, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {worst:.1f} ms"
