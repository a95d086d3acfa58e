"""The journal file: what is appended comes out once, sealed in an unbroken chain."""

import random
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from edge.backlog import Waiting
from edge.journal.errors import JournalDamagedError, JournalError
from edge.journal.file import BatchKey, JournalFile
from edge.journal.group import WEIGHT_MAX, gather
from edge.journal.schema import SCHEMA_VERSION, VERSION_KEY, checksum, translated
from edge.journal.sealer import NO_HASH, Sealed
from tests.edge.journal.conftest import SYNCHRONISED
from wire.messages import Event, Gap
from wire.status import GapCause

if TYPE_CHECKING:
    from tests.edge.journal.conftest import Bench

Drain = Callable[[JournalFile], list[Sealed]]


@pytest.mark.requirement("G-3.6")
def test_what_was_appended_offline_comes_out_in_order(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    for tick in range(300):
        journal.append(bench.groups(tick), seal=0)
    assert [tick for sealed in drain(journal) for tick in bench.ticks(sealed)] == list(range(300))


def test_clock_of_the_last_commit_is_known_to_the_next_run(bench: "Bench") -> None:
    journal = bench.open()
    assert journal.memory.clock() is None
    for tick in (7, 9, 7007, 7009):
        journal.append(bench.groups(tick), seal=0)
    journal.close(clean=False)
    known = bench.open().memory.clock()
    assert known is not None
    assert (known.boot, known.clock, known.tick) == (bench.boot, SYNCHRONISED, 7007)


def test_backlog_is_merged_into_full_batches(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    for tick in range(1000):
        journal.append(bench.groups(tick), seal=0)
    found = drain(journal)
    assert sum(sealed.readings for sealed in found) == 4000
    assert all(sealed.readings <= WEIGHT_MAX and len(sealed.frame) <= 64 * 1024 for sealed in found)
    assert len(found) <= 4


def test_fresh_group_is_sealed_with_its_commit(bench: "Bench") -> None:
    journal = bench.open()
    (sealed,) = journal.append(bench.groups(7), seal=1)
    assert bench.ticks(sealed) == [7]
    assert not journal.has_pending


def test_what_waits_is_counted_until_it_is_acknowledged_or_on_its_way(
    bench: "Bench", acknowledge: Callable[[JournalFile, Sealed], None]
) -> None:
    journal = bench.open()
    assert journal.waiting(()) == Waiting(0, 0)
    for tick in range(100):
        journal.append(bench.groups(tick), seal=0)
    (sealed,) = journal.append(bench.groups(100), seal=1)
    assert journal.waiting(()) == Waiting(404, 1)
    assert journal.waiting([BatchKey(sealed.epoch, sealed.seq)]) == Waiting(400, 0)
    acknowledge(journal, sealed)
    for one in journal.seal_backlog(10):
        acknowledge(journal, one)
    assert journal.waiting(()) == Waiting(0, 0)


@pytest.mark.requirement("G-7.2b")
def test_chain_has_no_hole_and_names_the_batch_before(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    chain = []
    for tick in range(20):
        chain += journal.append(bench.groups(tick), seal=tick % 2)
    chain += journal.seal_backlog(10)
    previous = NO_HASH
    for number, sealed in enumerate(chain, start=1):
        batch = bench.batch(sealed)
        assert (batch.seq, batch.previous) == (number, previous)
        previous = sealed.hash


def test_sealed_batch_keeps_its_bytes_over_a_restart(bench: "Bench") -> None:
    journal = bench.open()
    (sealed,) = journal.append(bench.groups(1), seal=1)
    journal.close(clean=True)
    _, found = bench.open().unsent(0, 10)
    assert [one.frame for one in found] == [sealed.frame]


def test_acknowledged_row_goes_with_the_next_commit(
    bench: "Bench", acknowledge: Callable[[JournalFile, Sealed], None]
) -> None:
    journal = bench.open()
    (sealed,) = journal.append(bench.groups(1), seal=1)
    acknowledge(journal, sealed)
    journal.append(bench.groups(2), seal=0)
    journal.close(clean=True)
    assert bench.open().unsent(0, 10)[1] == []


def test_new_epoch_begins_a_new_chain_for_the_epoch_named_alone(bench: "Bench") -> None:
    journal = bench.open()
    (first,) = journal.append(bench.groups(1), seal=1)
    assert not journal.new_epoch([b"x" * 16])
    assert journal.new_epoch([first.epoch])
    (second,) = journal.append(bench.groups(2), seal=1)
    assert second.epoch != first.epoch
    assert (second.seq, bench.batch(second).previous) == (1, NO_HASH)


def test_groups_of_two_boots_never_share_a_batch(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    journal.append(bench.groups(5), seal=0)
    journal.close(clean=True)
    bench.boot = b"C" * 16
    journal = bench.open()
    journal.append(bench.groups(1), seal=0)
    assert [bench.batch(sealed).boot for sealed in drain(journal)] == [b"B" * 16, b"C" * 16]


def test_boots_are_numbered_in_the_order_in_which_they_began(bench: "Bench", drain: Drain) -> None:
    for boot in (b"B" * 16, b"A" * 16, b"A" * 16, b"D" * 16):
        bench.boot = boot
        journal = bench.open()
        journal.append(bench.groups(1), seal=0)
        journal.close(clean=True)
    numbers = [(batch.boot[:1], batch.boot_number) for batch in map(bench.batch, drain(bench.open()))]
    assert numbers == [(b"B", 1), (b"A", 2), (b"D", 3)]


def test_group_too_large_for_one_frame_is_sealed_in_parts(bench: "Bench", drain: Drain) -> None:
    noise = random.Random(1)
    huge = Event("said", "room", 200, {"all": noise.randbytes(600_000).hex()})
    noisy = [Event("said", "room", tick, {"k": noise.randbytes(2000).hex()}) for tick in range(200)]
    journal = bench.open()
    found = journal.append(
        gather([*noisy, huge, bench.poll(201)], bench.boot, bench.groups(1)[0].clock), seal=9
    )
    assert len(found) > 1
    taken = [event for batch in map(bench.batch, found) for event in batch.events]
    assert len(taken) == 201
    assert taken[-1].data == {"too_large": True}
    assert [tick for sealed in found for tick in bench.ticks(sealed)] == [201]
    assert [sealed.seq for sealed in found] == list(range(1, len(found) + 1))


def test_misuse_of_sqlite_is_neither_damage_nor_a_full_disk() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
    connection.execute("INSERT INTO one VALUES (1)")
    with pytest.raises(JournalDamagedError), translated():
        connection.execute("INSERT INTO one VALUES (1)")
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError), translated():
        connection.execute("SELECT 1")


def test_last_tick_and_open_gap_survive_a_kill(bench: "Bench") -> None:
    journal = bench.open()
    gap = Gap("room/3", GapCause.BUS, 8, None, "no answer")
    journal.append(gather([bench.poll(7), gap], bench.boot, bench.groups(1)[0].clock), seal=0)
    bench.kill(journal)
    journal = bench.open()
    assert not journal.stopped_cleanly
    assert journal.memory.last_ticks()[bench.layout.id].tick == 7
    assert journal.memory.open_gaps()["room/3"].gap == gap
    closed = Gap("room/3", GapCause.BUS, 8, 20, "no answer")
    journal.append(gather([closed], bench.boot, bench.groups(1)[0].clock), seal=0)
    assert journal.memory.open_gaps() == {}


def test_failed_commit_leaves_everything_as_it_was(bench: "Bench", drain: Drain) -> None:
    journal = bench.open()
    journal.append(bench.groups(1), seal=0)
    head = journal.head
    bad = gather([Event("x", "y", 2, {"a": object()})], bench.boot, bench.groups(1)[0].clock)  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        journal.append([*bench.groups(2), *bad], seal=1)
    assert journal.head == head
    assert [tick for sealed in drain(journal) for tick in bench.ticks(sealed)] == [1]


def test_journal_of_newer_software_is_refused_and_left_alone(bench: "Bench") -> None:
    bench.open().close(clean=True)
    file = bench.folder / "journal.db"
    connection = sqlite3.connect(file)
    newer = SCHEMA_VERSION + 1
    connection.execute(f"PRAGMA user_version={newer}")
    value = str(newer).encode()
    row = (value, checksum(VERSION_KEY, value), VERSION_KEY)
    connection.execute("UPDATE state SET value = ?, crc = ? WHERE key = ?", row)
    connection.commit()
    connection.close()
    with pytest.raises(JournalError, match="schema version"):
        bench.open_any()
    assert file.exists()
