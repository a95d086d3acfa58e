"""One gateway process to a data folder: whoever writes the journal holds the lock of its folder.

Two writers would give one number to different batches. The kernel keeps the lock (flock) and takes it back
when the process ends, however it ends; so the file is never deleted, and one that is there means nothing. Who
only reads the journal, or copies it, needs no lock.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from edge.journal.errors import JournalFullError, JournalInUseError

FILE_NAME = "gateway.lock"
"""Not named after the journal: what copies or restores a journal leaves the lock alone."""
_PID_BYTES_MAX = 20


class FolderLock:
    """The lock of one folder, held until `release` or the end of the process."""

    def __init__(self, handle: int) -> None:
        """Use `take`."""
        self._handle = handle

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Make the folder and lock it.

        Raises `JournalInUseError` when another process holds the lock, `JournalFullError` when the disk lets
        the lock's file be neither made nor opened; what it lets later may be tried again.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalFullError(f"disk: {error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _pid_in(handle)
            os.close(handle)
            raise JournalInUseError(folder, pid) from None
        except OSError as error:
            os.close(handle)
            raise JournalFullError(f"disk: {folder / FILE_NAME} cannot be locked: {error}") from error
        _write_pid(handle)
        return cls(handle)

    def release(self) -> None:
        """Let another process take the folder."""
        os.close(self._handle)


def _write_pid(handle: int) -> None:
    """Leave the process's number for who is refused; a full disk costs them that and no more."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, b"%d\n" % os.getpid(), 0)


def _pid_in(handle: int) -> int | None:
    """Return the number that stands in the file as a whole; None when there is none."""
    with suppress(OSError):
        text = os.pread(handle, _PID_BYTES_MAX, 0)
        if text.endswith(b"\n") and text[:-1].isdigit():
            return int(text)
    return None
