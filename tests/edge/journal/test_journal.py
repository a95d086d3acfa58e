"""The journal as the gateway uses it: callers are cancelled, disks fill up, files break; all is kept."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.journal.errors import JournalFullError
from edge.journal.file import BatchKey
from edge.journal.journal import Journal, Past
from edge.journal.memory import KnownClock
from edge.journal.spare import keep_clock, newest_clock
from wire.messages import Clock, Event
from wire.status import ClockState

if TYPE_CHECKING:
    from tests.edge.journal.conftest import Bench

FilesUpTo = Callable[[int], AbstractContextManager[None]]
CLOCK = Clock(ClockState.SYNCHRONISED, 179_000_000_000, 5, "system")


class Gate:
    """Holds the journal's thread where it asks for the time, inside a transaction."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.passable = threading.Event()
        self.passable.set()

    def utc_s(self) -> int:
        self.reached.set()
        assert self.passable.wait(30)
        return 1_800_000_000

    async def cancel_behind(self, work: Coroutine[object, object, object], before: Awaitable[object]) -> None:
        """Begin `work`, cancel it while the thread stands at the gate and `before` is true, and open."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
            await before
            task.cancel()
            await asyncio.sleep(0)
            self.passable.set()

    async def close(self) -> None:
        self.reached.clear()
        self.passable.clear()

    async def stood_at(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 30)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def journal(bench: "Bench", gate: Gate) -> Journal:
    ticking = iter(range(10**9))
    return Journal(
        bench.folder,
        replace(bench.given(), utc_s=gate.utc_s),
        boot=bench.boot,
        clock=lambda: CLOCK,
        now=lambda: float(next(ticking)),
        memory_bytes_max=10**6,
    )


def test_commit_that_was_cancelled_as_it_was_written_is_not_written_again(
    bench: "Bench", journal: Journal, gate: Gate
) -> None:
    async def story() -> None:
        async with journal:
            await journal.open([bench.layout])
            journal.intake.add(bench.poll(1))
            journal.intake.add(Event("gateway_stopped", "lab-1", 1))
            await gate.close()
            await gate.cancel_behind(journal.commit(), gate.stood_at())
            await journal.commit()
            batches = [bench.batch(sealed) for sealed in await journal.seal_backlog(9)]
            assert sum(len(batch.polls) for batch in batches) == 1
            assert sum(len(batch.events) for batch in batches) == 1

    asyncio.run(story())


def test_what_a_driver_keeps_is_there_in_the_next_run(bench: "Bench", journal: Journal) -> None:
    async def story() -> None:
        async with journal:
            await journal.open([bench.layout])
            journal.intake.add(bench.poll(1))
            journal.remember("line/counter", b"7")
            await journal.commit()
            journal.remember("line/counter", b"8")
            assert journal.recall("line/counter") == b"8"
            await journal.commit()

    asyncio.run(story())
    assert bench.open().memory.notes() == {"line/counter": b"8"}


def test_clock_of_this_boot_outlives_a_journal_that_lost_it(bench: "Bench", journal: Journal) -> None:
    async def run() -> Past:
        async with journal:
            past = await journal.open([bench.layout])
            assert past is not None
            journal.intake.add(bench.poll(7))
            await journal.commit()
            return past

    assert asyncio.run(run()).clock is None
    for file in bench.folder.glob("journal.db*"):
        file.unlink()
    (bench.folder / "journal.db").write_bytes(b"no journal")
    known = asyncio.run(run()).clock
    assert known is not None
    assert (known.boot, known.clock, known.tick) == (bench.boot, CLOCK, 7)


@pytest.mark.parametrize("spoilt", [b"", b"abc", b"\0" * 40])
def test_clock_beside_the_journal_that_is_damaged_or_of_another_boot_is_none(
    spoilt: bytes, tmp_path: Path
) -> None:
    known = KnownClock(b"B" * 16, CLOCK, 7)
    keep_clock(tmp_path, known)
    assert newest_clock(tmp_path, None, b"B" * 16) == known
    assert newest_clock(tmp_path, None, b"C" * 16) is None
    newer = replace(known, tick=8)
    assert newest_clock(tmp_path, newer, b"B" * 16) == newer
    (tmp_path / "clock.known").write_bytes(spoilt)
    assert newest_clock(tmp_path, None, b"B" * 16) is None


def test_fresh_batch_of_a_cancelled_commit_is_ready(bench: "Bench", journal: Journal, gate: Gate) -> None:
    async def story() -> None:
        async with journal:
            await journal.open([bench.layout])
            journal.room = 1
            journal.intake.add(bench.poll(1))
            await gate.close()
            await gate.cancel_behind(journal.commit(), gate.stood_at())
            assert [bench.ticks(sealed) for sealed in journal.ready] == [[1]]

    asyncio.run(story())


def test_backlog_sealed_as_the_line_broke_is_handed_out_again(
    bench: "Bench", journal: Journal, gate: Gate
) -> None:
    async def story() -> None:
        async with journal:
            await journal.open([bench.layout])
            journal.intake.add(bench.poll(1))
            await journal.commit()
            assert await journal.unsent(9) == []
            await gate.close()
            await gate.cancel_behind(journal.seal_backlog(4), gate.stood_at())
            assert await journal.unsent(9) == []
            journal.rewind()
            assert [bench.ticks(sealed) for sealed in await journal.unsent(9)] == [[1]]
            assert await journal.unsent(9) == []

    asyncio.run(story())


def test_ack_is_not_forgotten_with_a_caller_that_was_cancelled(
    bench: "Bench", journal: Journal, gate: Gate
) -> None:
    async def story() -> None:
        async with journal:
            await journal.open([bench.layout])
            journal.room = 1
            journal.intake.add(bench.poll(1))
            await journal.commit()
            sealed = journal.ready.popleft()
            key = BatchKey(sealed.epoch, sealed.seq)
            await gate.close()
            journal.intake.add(bench.poll(2))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(journal.commit())
                await gate.stood_at()
                journal.acknowledge(key)
                await gate.cancel_behind(journal.frame_of(key), asyncio.sleep(0))
            assert await journal.frame_of(key) is None

    asyncio.run(story())


def test_ack_that_came_last_is_taken_with_the_stop(bench: "Bench", journal: Journal) -> None:
    async def story() -> None:
        async with journal:
            await journal.open([bench.layout])
            journal.room = 1
            journal.intake.add(bench.poll(1))
            await journal.commit()
            sealed = journal.ready.popleft()
            journal.acknowledge(BatchKey(sealed.epoch, sealed.seq))

    asyncio.run(story())
    assert bench.open().unsent(0, 9)[1] == []


def spoiled(bench: "Bench") -> None:
    """Leave a journal whose oldest group cannot be read, which shows only when it is to be sealed."""
    journal = bench.open()
    for tick in range(200):
        journal.append(bench.groups(tick), seal=0)
    journal.close(clean=True)
    file = bench.folder / "journal.db"
    with closing(sqlite3.connect(file)) as connection:
        (body,) = connection.execute("SELECT body FROM pending ORDER BY id LIMIT 1").fetchone()
    data = bytearray(file.read_bytes())
    data[data.index(body[:48]) + 24] ^= 1
    file.write_bytes(data)


def test_damage_found_on_a_full_disk_is_salvaged_once_there_is_room(
    bench: "Bench", journal: Journal, files_up_to: FilesUpTo
) -> None:
    async def story() -> None:
        spoiled(bench)
        async with journal:
            past = await journal.open([bench.layout])
            assert past is not None
            assert past.damage is None
            with files_up_to(4096):
                assert await journal.seal_backlog(9) == []
                with pytest.raises(JournalFullError):
                    await journal.frame_of(BatchKey(b"e" * 16, 1))
                journal.intake.add(bench.poll(200))
                await journal.commit()
            await journal.commit()
            ticks = [tick for sealed in await journal.seal_backlog(9) for tick in bench.ticks(sealed)]
            assert ticks[-1] == 200
            assert len(ticks) > 100
            assert len(journal.damages) == 1

    asyncio.run(story())


def test_stop_ends_the_wait_for_a_disk_that_lets_no_journal_be_made(
    bench: "Bench", journal: Journal, files_up_to: FilesUpTo
) -> None:
    async def story() -> None:
        stop = asyncio.Event()
        async with asyncio.timeout(30), journal, asyncio.TaskGroup() as tasks:
            with files_up_to(100):
                opening = tasks.create_task(journal.open([bench.layout], stop))
                await asyncio.sleep(0)
                stop.set()
                assert await opening is None

    asyncio.run(story())


def test_journal_is_opened_once_the_disk_lets_it(
    bench: "Bench", journal: Journal, files_up_to: FilesUpTo
) -> None:
    async def story() -> None:
        async with journal:
            full = files_up_to(100)
            with full:
                stop = asyncio.Event()
                stop.set()
                assert await journal.open([bench.layout], stop) is None
            past = await journal.open([bench.layout])
            assert past is not None

    asyncio.run(story())


def test_commit_says_whether_the_disk_took_it(
    bench: "Bench", journal: Journal, files_up_to: FilesUpTo
) -> None:
    async def story() -> None:
        async with journal:
            await journal.open([bench.layout])
            assert await journal.commit()  # there is nothing that is not durable
            journal.intake.add(bench.poll(1))
            with files_up_to(100):
                assert not await journal.commit()
                assert not await journal.commit()
            assert await journal.commit()
            journal.remember("note", b"1")
            with files_up_to(100):
                assert not await journal.commit()
            assert await journal.commit()

    asyncio.run(story())


def test_journal_knows_when_the_disk_took_something_last(
    bench: "Bench", journal: Journal, files_up_to: FilesUpTo
) -> None:
    """Interlocks trip by it: a commit with nothing to write says nothing of the disk."""

    async def story() -> None:
        async with journal:
            await journal.open([bench.layout])
            journal.intake.add(bench.poll(1))
            assert await journal.commit()
            taken_at = journal.taken_at
            assert await journal.commit()
            assert journal.taken_at == taken_at
            for keep in (lambda: journal.intake.add(bench.poll(2)), lambda: journal.remember("note", b"1")):
                keep()
                with files_up_to(100):
                    assert not await journal.commit()
                assert journal.taken_at == taken_at
                assert await journal.commit()
                assert journal.taken_at > taken_at
                taken_at = journal.taken_at

    asyncio.run(story())
