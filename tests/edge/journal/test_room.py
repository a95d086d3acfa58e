"""A full journal: oldest readings first, sealed batches leave tombstones, events last, everything told."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from edge.journal.errors import JournalFullError
from edge.journal.file import JournalFile
from edge.journal.group import Group, gather
from edge.journal.held import Held
from edge.journal.room import Limits
from edge.journal.sealer import Sealed
from wire.messages import Clock, Event, Poll
from wire.status import ClockState, GapCause

if TYPE_CHECKING:
    from tests.edge.journal.conftest import Bench

Drain = Callable[[JournalFile], list[Sealed]]
CLOCK = Clock(ClockState.SYNCHRONISED, 179_000_000_000, 5, "system")


def bulky(bench: "Bench", tick: int, *, event: bool = False) -> list[Group]:
    """A poll that hardly deflates, with an event now and then."""
    counts = [hash((tick, place)) % 2**62 for place in range(4)]
    items: list[Poll | Event] = [Poll(bench.layout.id, tick, list(counts))]
    if event:
        items.append(Event("door_opened", "door-1", tick))
    return gather(items, bench.boot, CLOCK)


def accounted(bench: "Bench", found: list[Sealed]) -> tuple[set[int], list[tuple[int, int]], int]:
    """Ticks that came out, stretches told as lost for room/0, events that came out."""
    ticks: set[int] = set()
    lost: list[tuple[int, int]] = []
    events = 0
    for batch in map(bench.batch, found):
        ticks |= {batch.base_tick + poll.tick for poll in batch.polls}
        events += len(batch.events)
        for gap in batch.gaps:
            assert gap.cause is GapCause.STORAGE
            assert gap.from_tick is not None
            assert gap.to_tick is not None
            if gap.point == "room/0":
                lost.append((batch.base_tick + gap.from_tick, batch.base_tick + gap.to_tick))
    return ticks, lost, events


@pytest.mark.requirement("G-3.6")
def test_full_journal_drops_the_oldest_readings_and_tells_them(bench: "Bench", drain: Drain) -> None:
    bench.limits = Limits(200_000, 1e9)
    journal = bench.open()
    for tick in range(4000):
        journal.append(bulky(bench, tick, event=tick % 100 == 0), seal=0)
        assert journal.used_bytes <= 210_000
    ticks, lost, events = accounted(bench, drain(journal))
    assert ticks
    assert lost == [(0, min(ticks) - 1)]
    assert ticks == set(range(min(ticks), 4000))
    assert events == 40


def test_readings_older_than_the_journal_keeps_are_told(bench: "Bench", drain: Drain) -> None:
    bench.limits = Limits(10**9, 100.0)
    journal = bench.open()
    for tick in range(50):
        journal.append(bench.groups(tick), seal=0)
    bench.utc_s = 1_800_000_000 + 500
    for tick in range(50, 200):
        journal.append(bench.groups(tick), seal=0)
    ticks, lost, _ = accounted(bench, drain(journal))
    assert lost == [(0, 49)]
    assert ticks == set(range(50, 200))


@pytest.mark.requirement("G-7.2b")
def test_sealed_batch_that_must_go_leaves_a_tombstone(bench: "Bench", drain: Drain) -> None:
    bench.limits = Limits(60_000, 1e9)
    journal = bench.open()
    sealed = [one for tick in range(400) for one in journal.append(bulky(bench, tick), seal=1)]
    journal.close(clean=True)
    found = drain(bench.open())
    stones = [stone for batch in map(bench.batch, found) for stone in batch.tombstones]
    kept = {one.seq for one in found}
    gone = [one for one in sealed if one.seq not in kept]
    assert gone
    assert {(stone.seq, stone.hash) for stone in stones} == {(one.seq, one.hash) for one in gone}
    ticks, lost, _ = accounted(bench, found)
    assert set(range(400)) <= ticks | {tick for first, last in lost for tick in range(first, last + 1)}


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let the kernel refuse every write beyond a file size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def append_until_refused(bench: "Bench", journal: JournalFile) -> int:
    """Return how many commits the disk took before it refused one."""
    with files_up_to(64 * 1024):
        for tick in range(1, 10_000):
            try:
                journal.append(bulky(bench, tick), seal=0)
            except JournalFullError:
                return tick - 1
    raise AssertionError("nothing was refused")


def test_refused_write_is_reported_and_the_next_one_goes_on(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    journal.append(bulky(bench, 0), seal=0)
    appended = 1 + append_until_refused(bench, journal)
    journal.append(bulky(bench, appended), seal=0)
    ticks, lost, _ = accounted(bench, drain(journal))
    assert ticks == set(range(appended + 1))
    assert lost == []


def test_held_groups_are_bounded_and_what_goes_is_remembered(bench: "Bench") -> None:
    held = Held(64 * 100)
    for tick in range(200):
        held.add(bulky(bench, tick, event=tick == 3))
    assert sum(group.weight for group in held.groups) <= 100
    assert [event.kind for group in held.groups for event in group.events] == ["door_opened"]
    (lost,) = held.lost()
    kept = [poll.tick for group in held.groups for poll in group.polls]
    assert (lost.span.first, lost.span.last) == (0, min(kept) - 1)
    held.written()
    assert held.lost() == []
