"""Damage is real, small and repeatable."""

import sqlite3
from pathlib import Path
from random import Random

import pytest

from cli.faults import journal_damage


def make_journal(folder: Path) -> Path:
    path = folder / "journal.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"reading {n}",) for n in range(2000)])
    connection.close()
    return path


def test_truncated_journal_is_shorter(tmp_path: Path) -> None:
    journal = make_journal(tmp_path)
    before = journal.read_bytes()
    journal_damage.truncate(journal, Random(1))
    after = journal.read_bytes()
    assert len(after) < len(before)
    assert before.startswith(after)


def test_exactly_one_bit_is_flipped(tmp_path: Path) -> None:
    journal = make_journal(tmp_path)
    before = journal.read_bytes()
    journal_damage.flip_bit(journal, Random(1))
    after = journal.read_bytes()
    changed = [(a ^ b).bit_count() for a, b in zip(before, after, strict=True) if a != b]
    assert changed == [1]


@pytest.mark.parametrize("whole", [True, False])
def test_restored_journal_is_the_backed_up_one(tmp_path: Path, whole: bool) -> None:
    journal = make_journal(tmp_path)
    before = journal.read_bytes()
    mark = journal.with_name("journal.mark")
    mark.write_bytes(b"old")
    journal_damage.back_up(journal, tmp_path / "backup")
    journal.write_bytes(b"something newer")
    mark.write_bytes(b"new")
    journal.with_name("journal.db-wal").write_bytes(b"written since")
    journal_damage.restore(journal, tmp_path / "backup", whole=whole)
    assert journal.read_bytes() == before
    assert not journal.with_name("journal.db-wal").exists()
    assert mark.read_bytes() == (b"old" if whole else b"new")
