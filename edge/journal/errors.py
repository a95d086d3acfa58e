"""What can be wrong with a journal.

Tree::

    JournalError
    ├── JournalDamagedError   its file is not what was written
    ├── JournalFullError      the disk takes nothing more; what was to be written is still in memory
    └── JournalInUseError     another process writes it
"""

from pathlib import Path


class JournalError(Exception):
    """The journal cannot be used as it is; the text says why."""


class JournalDamagedError(JournalError):
    """The file is not what was written: it has to be set aside."""


class JournalFullError(JournalError):
    """The disk refuses to take more; try again later."""


class JournalInUseError(JournalError):
    """Another process holds the lock of the folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        """`pid` is the number which that process left, None when it cannot be read."""
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{folder} is in use by {holder}")
