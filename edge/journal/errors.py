"""What can be wrong with a journal.

Tree::

    JournalError
    ├── JournalDamagedError   its file is not what was written
    └── JournalFullError      the disk takes nothing more; what was to be written is still in memory
"""


class JournalError(Exception):
    """The journal cannot be used as it is; the text says why."""


class JournalDamagedError(JournalError):
    """The file is not what was written: it has to be set aside."""


class JournalFullError(JournalError):
    """The disk refuses to take more; try again later."""
