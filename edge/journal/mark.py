"""A small file beside the journal: up to which group the backlog was ever sealed.

Should SQLite come back with an older state (its log lost or cut), groups that had been sealed and perhaps
sent would look unsealed again; the mark says which. It is written in place, synced, before such a batch is
sent.
"""

import os
import struct
import zlib
from pathlib import Path

_LAYOUT = struct.Struct(">16sQI")


class Mark:
    """The mark of one journal file, named by the journal's own random id."""

    def __init__(self, file: Path, journal: bytes | None) -> None:
        """`journal` is 16 bytes; a mark of another journal does not count. None reads any."""
        self._file = file
        self._journal = journal
        self.upto = self._read()

    def _read(self) -> int:
        try:
            journal, upto, crc = _LAYOUT.unpack(self._file.read_bytes())
        except (OSError, struct.error):
            return 0
        good = self._journal in (None, journal) and crc == zlib.crc32(journal + upto.to_bytes(8, "big"))
        return int(upto) if good else 0

    def raise_to(self, upto: int) -> None:
        """Make the mark durable; `OSError` when the disk refuses."""
        if upto <= self.upto or self._journal is None:
            return
        crc = zlib.crc32(self._journal + upto.to_bytes(8, "big"))
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, _LAYOUT.pack(self._journal, upto, crc), 0)
            os.fdatasync(handle)
        finally:
            os.close(handle)
        self.upto = upto
