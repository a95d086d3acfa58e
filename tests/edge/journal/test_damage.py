"""Files that were really truncated, flipped or taken away: set aside, and what can be read is still sent."""

import itertools
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.journal.errors import JournalDamagedError
from edge.journal.file import JournalFile
from edge.journal.group import gather
from edge.journal.salvage import Salvaged, salvage
from edge.journal.schema import PAGE_BYTES
from edge.journal.sealer import Sealed
from tests.edge.journal.conftest import SYNCHRONISED
from wire.messages import Clock, ClockFound, Event, Gap
from wire.status import ClockState, GapCause

if TYPE_CHECKING:
    from tests.edge.journal.conftest import Bench

Drain = Callable[[JournalFile], list[Sealed]]
GROUPS = 200


def fill(bench: "Bench", *, folded: bool = True) -> tuple[list[Sealed], list[int]]:
    """Journal with two sealed batches and many groups; everything in the file itself when `folded`."""
    journal = bench.open()
    sealed = [one for tick in (0, 1) for one in journal.append(bench.groups(tick), seal=1)]
    for tick in range(2, GROUPS):
        journal.append(bench.groups(tick), seal=0)
    if folded:
        journal.close(clean=True)
    else:
        bench.kill(journal)
    return sealed, list(range(GROUPS))


def flip(file: Path, at: int, bit: int = 0) -> None:
    """Turn one bit."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1 << bit
    file.write_bytes(data)


def reopened(bench: "Bench") -> tuple[JournalFile, Salvaged]:
    """Open a damaged journal."""
    journal, salvaged = bench.open_any()
    assert salvaged is not None
    assert list(bench.folder.glob("journal.db.damaged-1"))
    return journal, salvaged


def saved_ticks(bench: "Bench", found: list[Sealed]) -> list[int]:
    return [tick for sealed in found for tick in bench.ticks(sealed)]


@pytest.mark.requirement("G-7.2b")
@pytest.mark.parametrize("at", [0, 16, 18, 28, 44, 56, 68, 100, 103, 105])
def test_flipped_bit_in_the_first_page_costs_no_reading(bench: "Bench", drain: Drain, at: int) -> None:
    sealed, ticks = fill(bench)
    flip(bench.folder / "journal.db", at, bit=6)
    journal, _ = bench.open_any()
    found = drain(journal)
    assert saved_ticks(bench, found) == ticks
    assert [one.frame for one in found[:2]] == [one.frame for one in sealed]


def test_bit_that_makes_a_column_another_one_costs_no_reading(bench: "Bench", drain: Drain) -> None:
    sealed, ticks = fill(bench)
    file = bench.folder / "journal.db"
    flip(file, file.read_bytes().index(b"PRIMARY KEY, epoch"))
    journal, _ = reopened(bench)
    found = drain(journal)
    assert saved_ticks(bench, found) == ticks
    assert [one.frame for one in found[:2]] == [one.frame for one in sealed]


@pytest.mark.requirement("G-7.2b")
def test_damaged_journal_begins_a_new_epoch_and_keeps_sealed_bytes(bench: "Bench", drain: Drain) -> None:
    sealed, _ = fill(bench)
    flip(bench.folder / "journal.db", 0)
    journal, salvaged = reopened(bench)
    assert journal.head.epoch != sealed[0].epoch
    assert salvaged.sealed == 2
    epochs = [one.epoch for one in drain(journal)]
    assert epochs[:2] == [sealed[0].epoch] * 2
    assert set(epochs[2:]) == {journal.head.epoch}


@pytest.mark.slow
@pytest.mark.requirement("G-7.2b")
def test_any_flipped_bit_is_noticed_or_harmless(bench: "Bench", drain: Drain) -> None:
    """Whatever bit turns: no wrong reading comes out, none twice, and what does not come out is noticed."""
    fill(bench)
    pristine = (bench.folder / "journal.db").read_bytes()

    @settings(max_examples=80, deadline=None)
    @given(at=st.integers(0, len(pristine) - 1), bit=st.integers(0, 7))
    def turn(at: int, bit: int) -> None:
        shutil.rmtree(bench.folder)
        bench.folder.mkdir()
        (bench.folder / "journal.db").write_bytes(pristine)
        flip(bench.folder / "journal.db", at, bit)
        check_what_comes_out(bench, take_everything(bench, drain))

    turn()


def take_everything(bench: "Bench", drain: Drain) -> list[Sealed]:
    """Drain; damage that shows only then is salvaged as the gateway does it."""
    journal, _ = bench.open_any()
    try:
        return drain(journal)
    except JournalDamagedError as error:
        journal.close(clean=False)
        journal, _ = salvage(bench.folder, bench.given(), str(error))
        return drain(journal)
    finally:
        journal.close(clean=False)


def check_what_comes_out(bench: "Bench", found: list[Sealed]) -> None:
    ticks = saved_ticks(bench, found)
    assert len(ticks) == len(set(ticks))
    assert ticks == list(range(GROUPS)) or list(bench.folder.glob("*.damaged-1"))
    for batch in map(bench.batch, found):
        for poll in batch.polls:
            tick = batch.base_tick + poll.tick
            assert 0 <= tick < GROUPS
            assert poll.counts == [tick, tick + 1, None, 3]


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9])
def test_truncated_file_is_set_aside_and_read_as_far_as_it_goes(
    bench: "Bench", drain: Drain, keep: float
) -> None:
    fill(bench)
    file = bench.folder / "journal.db"
    size = int(file.stat().st_size * keep) // PAGE_BYTES * PAGE_BYTES + 100
    with file.open("r+b") as handle:
        handle.truncate(size)
    journal, _ = reopened(bench)
    ticks = saved_ticks(bench, drain(journal))
    assert len(ticks) == len(set(ticks))
    assert set(ticks) <= set(range(GROUPS))
    journal.append(bench.groups(GROUPS), seal=0)


def test_missing_log_of_a_killed_journal_is_damage(bench: "Bench", drain: Drain) -> None:
    fill(bench, folded=False)
    (bench.folder / "journal.db-wal").unlink()
    _, salvaged = reopened(bench)
    assert "log" in salvaged.reason


def test_cut_log_of_a_killed_journal_is_damage(bench: "Bench", drain: Drain) -> None:
    fill(bench, folded=False)
    log = bench.folder / "journal.db-wal"
    with log.open("r+b") as handle:
        handle.truncate(log.stat().st_size // 2)
    journal, _ = reopened(bench)
    ticks = saved_ticks(bench, drain(journal))
    assert ticks == list(range(len(ticks)))


def test_flipped_bit_in_the_log_is_damage(bench: "Bench", drain: Drain) -> None:
    fill(bench, folded=False)
    log = bench.folder / "journal.db-wal"
    flip(log, 32 + 24 + 10)
    reopened(bench)


def test_log_cut_inside_its_last_transaction_is_what_a_power_cut_leaves(bench: "Bench", drain: Drain) -> None:
    """Only the transaction that was being written, and was never said to be durable, is gone."""
    journal = bench.open()
    log = bench.folder / "journal.db-wal"
    before = tick = 0
    while not before or log.stat().st_size == before:
        tick += 1
        before = log.stat().st_size
        journal.append(bench.groups(tick), seal=0)
    bench.kill(journal)
    with log.open("r+b") as handle:
        handle.truncate(before + 500)
    (bench.folder / "journal.db-shm").unlink()
    assert saved_ticks(bench, drain(bench.open())) == list(range(1, tick))


def spoil(bench: "Bench", place: int) -> None:
    """Turn one bit inside the body of a group, counted from the oldest."""
    file = bench.folder / "journal.db"
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT body FROM pending ORDER BY id LIMIT 1 OFFSET ?"
        (body,) = connection.execute(query, (place,)).fetchone()
    flip(file, file.read_bytes().index(body[:48]) + 24)


def test_group_lost_inside_a_backlog_is_told_between_its_neighbours(bench: "Bench", drain: Drain) -> None:
    fill(bench)
    spoil(bench, 1)
    journal = bench.open()
    with pytest.raises(JournalDamagedError):
        journal.seal_backlog(100)
    journal.close(clean=False)
    journal, _ = salvage(bench.folder, bench.given(), "wrong checksum")
    found = drain(journal)
    ticks = saved_ticks(bench, found)
    missing = set(range(GROUPS)) - set(ticks)
    assert missing
    told = [(batch.base_tick, gap) for batch in map(bench.batch, found) for gap in batch.gaps]
    stretches = {(base + gap.from_tick, base + gap.to_tick) for base, gap in told if gap.point == "room/0"}
    assert stretches == {(min(missing) - 1, max(missing) + 1)}
    assert {gap.cause for _, gap in told} == {GapCause.STORAGE}
    assert {gap.point for _, gap in told} == set(bench.layout.points)


def test_oldest_group_lost_is_told_since_the_last_reading_stored(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    for tick in range(GROUPS):
        journal.append(bench.groups(tick), seal=0)
    journal.close(clean=True)
    spoil(bench, 0)
    journal, _ = salvage(bench.folder, bench.given(), "wrong checksum")
    found = drain(journal)
    first = min(saved_ticks(bench, found))
    assert first > 0
    batches = [bench.batch(sealed) for sealed in found]
    told = {(gap.from_tick, batch.base_tick + gap.to_tick) for batch in batches for gap in batch.gaps}
    assert told == {(None, first)}


def test_salvaged_journal_owes_its_clock_record_again(bench: "Bench") -> None:
    journal = bench.open()
    journal.append(bench.groups(1, clock=Clock(ClockState.UNSYNCHRONISED)), seal=0)
    journal.append(
        gather([ClockFound(bench.boot, 5, 10, "gnss")], bench.boot, bench.groups(1)[0].clock), seal=0
    )
    assert not journal.memory.clock_owed(bench.boot)
    journal.close(clean=False)
    journal, _ = salvage(bench.folder, bench.given(), "wrong checksum")
    assert journal.memory.clock_owed(bench.boot)


def test_interrupted_salvage_is_taken_up_again(bench: "Bench", drain: Drain) -> None:
    _, ticks = fill(bench)
    flip(bench.folder / "journal.db", 0)
    (bench.folder / "journal.db").rename(bench.folder / "journal.db.damaged-1")
    (bench.folder / "journal.new").write_bytes(b"half written")
    journal, salvaged = bench.open_any()
    assert salvaged is not None
    assert saved_ticks(bench, drain(journal)) == ticks


def test_damage_is_owed_until_it_is_told_however_often_the_gateway_is_killed(bench: "Bench") -> None:
    fill(bench)
    file = bench.folder / "journal.db"
    flip(file, file.read_bytes().index(b"last/"))
    journal, salvaged = reopened(bench)
    bench.kill(journal)  # before anything of the new run was committed
    journal = bench.open()
    owed = dict.fromkeys(bench.layout.points, salvaged.reason)
    assert (journal.memory.untold_damage(), journal.memory.owed_damage()) == (salvaged.reason, owed)

    first, *rest = bench.layout.points
    told = Event("journal_damaged", "lab-1", 300, {"reason": salvaged.reason})
    gaps = [Gap(point, GapCause.STORAGE, None, 301, salvaged.reason) for point in rest]
    journal.append(gather([told, *gaps], bench.boot, SYNCHRONISED), seal=0)
    bench.kill(journal)
    journal = bench.open()
    assert journal.memory.untold_damage() is None
    assert journal.memory.owed_damage() == {first: salvaged.reason}


def test_rows_that_vanish_with_a_count_of_a_page_are_told(bench: "Bench", drain: Drain) -> None:
    """Every page of rows, every bit of its count: what does not come out lies in a gap."""
    fill(bench)
    pristine = (bench.folder / "journal.db").read_bytes()
    leaves = [at for at in range(PAGE_BYTES, len(pristine), PAGE_BYTES) if pristine[at] in (0x05, 0x0D)]
    for at, bit in itertools.product(leaves, range(4)):
        shutil.rmtree(bench.folder)
        bench.folder.mkdir()
        (bench.folder / "journal.db").write_bytes(pristine)
        flip(bench.folder / "journal.db", at + 4, bit)
        journal, _ = bench.open_any()
        owed = journal.memory.owed_damage()
        found = drain(journal)
        missing = set(range(GROUPS)) - set(saved_ticks(bench, found))
        assert not missing or owed, (at, bit)
        told = [
            (batch.base_tick + gap.from_tick, batch.base_tick + gap.to_tick)
            for batch in map(bench.batch, found)
            for gap in batch.gaps
            if gap.from_tick is not None and gap.to_tick is not None
        ]
        of_backlog = missing - {0, 1}  # what was sealed before lies since the last reading that is stored
        assert all(any(first <= tick <= last for first, last in told) for tick in of_backlog), (at, bit)
        journal.close(clean=False)


def spoil_pending(bench: "Bench") -> None:
    """Change every group that waits."""
    with closing(sqlite3.connect(bench.folder / "journal.db")) as connection:
        connection.execute("UPDATE pending SET crc = crc + 1")
        connection.commit()


def told_gaps(bench: "Bench", found: list[Sealed]) -> list[tuple[str, int, int]]:
    """All gaps, with absolute ticks; none of them is open."""
    told = []
    for batch in map(bench.batch, found):
        for gap in batch.gaps:
            assert gap.from_tick is not None
            assert gap.to_tick is not None
            told.append((gap.point, batch.base_tick + gap.from_tick, batch.base_tick + gap.to_tick))
    return told


def test_backlog_lost_after_fresh_readings_went_is_told_from_where_it_began(
    bench: "Bench", drain: Drain
) -> None:
    journal = bench.open()
    for tick in range(10, 15):  # the line is down
        journal.append(bench.groups(tick), seal=0)
    journal.close(clean=True)
    spoil_pending(bench)
    journal = bench.open()
    (fresh,) = journal.append(bench.groups(20), seal=1)  # the line is back, and fresh readings go first
    with pytest.raises(JournalDamagedError):
        journal.seal_backlog(8)
    journal.close(clean=False)
    journal, _ = salvage(bench.folder, bench.given(), "a row")
    found = drain(journal)
    assert saved_ticks(bench, found) == bench.ticks(fresh)
    assert told_gaps(bench, found) == [(point, 10, 20) for point in bench.layout.points]


def test_backlog_of_an_earlier_boot_that_is_lost_is_told_to_its_end(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    for tick in range(1000, 1005):
        journal.append(bench.groups(tick), seal=0)
    journal.close(clean=True)
    spoil_pending(bench)
    bench.boot = b"C" * 16
    journal = bench.open()
    journal.append(bench.groups(20), seal=1)
    journal.close(clean=False)
    journal, _ = salvage(bench.folder, bench.given(), "a row")
    found = [one for one in drain(journal) if bench.batch(one).gaps]
    assert {bench.batch(one).boot for one in found} == {b"B" * 16}
    assert told_gaps(bench, found) == [(point, 1000, 1004) for point in bench.layout.points]


def test_backlog_that_went_is_not_told_with_the_next_one(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    journal.append(bench.groups(10), seal=0)
    drain(journal)
    journal.append(bench.groups(500), seal=0)
    journal.close(clean=True)
    spoil_pending(bench)
    journal = bench.open()
    journal.append(bench.groups(600), seal=1)
    journal.close(clean=False)
    journal, _ = salvage(bench.folder, bench.given(), "a row")
    assert {gap[1:] for gap in told_gaps(bench, drain(journal))} == {(500, 600)}
