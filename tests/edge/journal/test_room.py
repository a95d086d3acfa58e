"""A full journal: oldest readings first, sealed batches leave tombstones, events last, everything told."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

from edge.journal.errors import JournalFullError
from edge.journal.file import JournalFile
from edge.journal.fold import fold
from edge.journal.group import Group, Item, gather
from edge.journal.held import Held
from edge.journal.memory import Lost, LostEvents
from edge.journal.room import Limits
from edge.journal.sealer import Sealed
from wire.messages import Clock, ClockFound, Event, Gap, Poll, Tombstone
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
    later = range(50_000, 50_150)
    for tick in later:
        journal.append(bench.groups(tick), seal=0)
    ticks, lost, _ = accounted(bench, drain(journal))
    assert lost == [(0, 49)]
    assert ticks == set(later)


def test_readings_of_an_earlier_boot_grow_old_by_utc(bench: "Bench", drain: Drain) -> None:
    bench.limits = Limits(10**9, 100.0)
    journal = bench.open()
    journal.append(bench.groups(*range(50)), seal=0)
    journal.close(clean=True)
    bench.boot, bench.utc_s = b"C" * 16, 1_800_000_000 + 500
    journal = bench.open()
    journal.append(bench.groups(7), seal=0)
    ticks, lost, _ = accounted(bench, drain(journal))
    assert (ticks, lost) == ({7}, [(0, 49)])


def test_corrected_clock_makes_no_reading_of_this_boot_old(bench: "Bench", drain: Drain) -> None:
    bench.limits = Limits(10**9, 100.0)
    bench.utc_s = 1_000_000_000
    journal = bench.open()
    for tick in range(50):
        journal.append(bench.groups(tick), seal=tick % 2)
    bench.utc_s = 1_800_000_000
    journal.append(bench.groups(50), seal=0)
    journal.close(clean=True)
    ticks, lost, _ = accounted(bench, drain(bench.open()))
    assert (ticks, lost) == (set(range(51)), [])


def test_emptied_journal_tells_what_it_drops_after_a_restart(bench: "Bench", drain: Drain) -> None:
    bench.limits = Limits(30_000, 1e9)
    journal = bench.open()
    for tick in range(1000):
        journal.append(bulky(bench, tick), seal=0)
    assert accounted(bench, drain(journal))[1]
    journal.close(clean=True)
    journal = bench.open()
    for tick in range(1000, 2000):
        journal.append(bulky(bench, tick, event=tick % 100 == 0), seal=0)
    ticks, lost, events = accounted(bench, drain(journal))
    assert lost == [(1000, min(ticks) - 1)]
    assert ticks == set(range(min(ticks), 2000))
    assert events == 10


def test_clock_record_tombstone_and_open_gap_outlive_a_journal_full_of_events(
    bench: "Bench", drain: Drain
) -> None:
    bench.limits = Limits(60_000, 1e9)
    journal = bench.open()
    told: list[Item] = [
        ClockFound(bench.boot, 5, 10, "gnss"),
        Tombstone(b"e" * 16, 1, b"h" * 32, "journal full"),
        Gap("room/1", GapCause.BUS, 0, None, "no answer"),
    ]
    journal.append(gather(told, bench.boot, CLOCK), seal=0)
    noise = random.Random(1)
    for tick in range(300):
        event = Event("door_opened", "door-1", tick, {"who": noise.randbytes(400).hex()})
        journal.append(gather([event], bench.boot, CLOCK), seal=0)
    batches = [bench.batch(sealed) for sealed in drain(journal)]
    assert [stone for batch in batches for stone in batch.tombstones] == [told[1]]
    assert [found for batch in batches for found in batch.clocks] == [told[0]]
    assert [gap.point for batch in batches for gap in batch.gaps] == ["room/1"]
    events = [event for batch in batches for event in batch.events]
    (lost,) = [event for event in events if event.kind == "events_lost"]
    kept = [event for event in events if event.kind == "door_opened"]
    assert lost.data == {"count": 300 - len(kept)}
    assert lost.subject == "lab-1"
    assert kept


def flaps(first: int, count: int) -> list[Item]:
    """Gaps of one point that open and close."""
    return [
        Gap("room/0", GapCause.BUS, tick, end, "no answer")
        for tick in range(first, first + 2 * count, 2)
        for end in (None, tick + 1)
    ]


def test_journal_full_of_gaps_makes_them_coarser_and_stays_in_its_bounds(
    bench: "Bench", drain: Drain
) -> None:
    bench.limits = Limits(30_000, 1e9)
    journal = bench.open()
    for tick in range(0, 40_000, 100):
        journal.append(gather(flaps(tick, 50), bench.boot, CLOCK), seal=0)
        assert journal.used_bytes <= 40_000
    covered: set[int] = set()
    for batch in map(bench.batch, drain(journal)):
        for gap in batch.gaps:
            if gap.from_tick is not None and gap.to_tick is not None:
                covered |= set(range(batch.base_tick + gap.from_tick, batch.base_tick + gap.to_tick + 1))
    assert covered >= set(range(40_000))


def test_fold_keeps_a_gap_whose_beginning_was_journalled_before(bench: "Bench") -> None:
    closing = Gap("room/1", GapCause.BUS, 3, 9, "no answer")
    still_open = Gap("room/2", GapCause.BUS, 4, None, "no answer")
    groups, lost = fold(gather([closing, *flaps(10, 2), still_open], bench.boot, CLOCK))
    assert [gap for group in groups for gap in group.gaps] == [closing, still_open]
    assert [(one.span.key, one.span.first, one.span.last) for one in lost] == [
        ("@room/0", 10, 11),
        ("@room/0", 12, 13),
    ]


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


def append_until_refused(bench: "Bench", journal: JournalFile) -> int:
    """Return how many commits the disk took before it refused one."""
    for tick in range(1, 10_000):
        try:
            journal.append(bulky(bench, tick), seal=0)
        except JournalFullError:
            return tick - 1
    raise AssertionError("nothing was refused")


def test_refused_write_is_reported_and_the_next_one_goes_on(
    bench: "Bench", drain: Drain, files_up_to: Callable[[int], AbstractContextManager[None]]
) -> None:
    journal = bench.open()
    journal.append(bulky(bench, 0), seal=0)
    with files_up_to(64 * 1024):
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
    assert isinstance(lost, Lost)
    kept = [poll.tick for group in held.groups for poll in group.polls]
    assert (lost.span.first, lost.span.last) == (0, min(kept) - 1)
    held.written()
    assert held.lost() == []


def test_held_clock_records_and_gaps_stay_when_events_go(bench: "Bench") -> None:
    held = Held(64 * 100)
    told: list[Item] = [
        ClockFound(bench.boot, 5, 10, "gnss"),
        Gap("room/1", GapCause.BUS, 0, None, "no answer"),
    ]
    held.add(gather(told, bench.boot, CLOCK))
    for tick in range(200):
        held.add(gather([Event("door_opened", "door-1", tick), *flaps(2 * tick, 1)], bench.boot, CLOCK))
    assert sum(group.weight for group in held.groups) <= 100
    assert [found for group in held.groups for found in group.clocks] == [told[0]]
    assert told[1] in [gap for group in held.groups for gap in group.gaps]
    kept = sum(len(group.events) for group in held.groups)
    (events,) = [lost for lost in held.lost() if isinstance(lost, LostEvents)]
    assert events.count == 200 - kept
    assert [lost.span.key for lost in held.lost() if isinstance(lost, Lost)] == ["@room/0"]
