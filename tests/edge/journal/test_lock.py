"""The lock of a data folder: one holder, freed by the kernel, without anything stale and without the disk."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge.journal.errors import JournalFullError, JournalInUseError
from edge.journal.lock import FILE_NAME, FolderLock

FilesUpTo = Callable[[int], AbstractContextManager[None]]
HOLDER = """
import sys
from pathlib import Path
from edge.journal.lock import FolderLock
lock = FolderLock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_held_folder_is_refused_with_the_holders_number(tmp_path: Path) -> None:
    lock = FolderLock.take(tmp_path / "new" / "data")
    with pytest.raises(JournalInUseError, match=rf"data is in use by process {os.getpid()}$"):
        FolderLock.take(tmp_path / "new" / "data")
    lock.release()
    FolderLock.take(tmp_path / "new" / "data").release()


def test_killed_holder_leaves_nothing_that_refuses_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalInUseError, match=f"process {holder.pid}$"):
            FolderLock.take(tmp_path)
        holder.kill()
        holder.wait()
        assert (tmp_path / FILE_NAME).exists()
        FolderLock.take(tmp_path).release()


@pytest.mark.parametrize("text", ["", "12", "word\n", "\n"])
def test_unreadable_number_is_another_process(text: str, tmp_path: Path) -> None:
    lock = FolderLock.take(tmp_path)
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(JournalInUseError, match=r"is in use by another process$"):
        FolderLock.take(tmp_path)
    lock.release()


def test_full_disk_costs_the_number_and_no_more(tmp_path: Path, files_up_to: FilesUpTo) -> None:
    with files_up_to(0):
        lock = FolderLock.take(tmp_path)
    with pytest.raises(JournalInUseError, match="another process"):
        FolderLock.take(tmp_path)
    lock.release()


def test_folder_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(JournalFullError):
        FolderLock.take(tmp_path / "data")
