"""Looks at SQLite's write-ahead log before SQLite does: it would silently go back to what is left of it.

Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log and walformat.html (wal-index header).
It only reads.
"""

import struct
from pathlib import Path

from edge.journal.errors import JournalDamagedError
from edge.journal.schema import PAGE_BYTES

_HEADER_BYTES = 32
_FRAME_HEADER = struct.Struct(">IIIIII")
_FRAME_BYTES = _FRAME_HEADER.size + PAGE_BYTES
_INDEX_MAX_FRAME_AT = 16
_INDEX_SALTS_AT = 32


def check_log(file: Path) -> None:
    """Raise `JournalDamagedError` when the log of a file is gone, cut or changed after it was written.

    A log that ends in the middle of its last transaction is what a power cut leaves, and no damage.
    """
    log = file.with_name(file.name + "-wal")
    if not file.exists() or file.stat().st_size == 0:
        if log.exists() and log.stat().st_size > 0:
            raise JournalDamagedError("the file is gone, its log is there")
        return
    data = log.read_bytes() if log.exists() else b""
    if not data:
        return
    frames, commits_behind = _walk(data)
    if commits_behind > 1:
        raise JournalDamagedError(f"log: frame {frames + 1} was changed after it was written")
    known = _frames_known(file.with_name(file.name + "-shm"), data)
    if known > frames:
        raise JournalDamagedError(f"log: {known} frames were written, {frames} are left")


def _walk(data: bytes) -> tuple[int, int]:
    """Return how many frames are good, and how many later ones of the same log end a transaction."""
    magic = int.from_bytes(data[:4], "big")
    order = ">" if magic & 1 else "<"
    salts = data[16:24]
    sums = _sum(data[:24], (0, 0), order)
    if len(data) < _HEADER_BYTES or struct.pack(">II", *sums) != data[24:32]:
        return 0, (len(data) - _HEADER_BYTES) // _FRAME_BYTES
    good = behind = 0
    broken = False
    for at in range(_HEADER_BYTES, len(data) - _FRAME_BYTES + 1, _FRAME_BYTES):
        frame = data[at : at + _FRAME_BYTES]
        _, size, _, _, first, second = _FRAME_HEADER.unpack_from(frame)
        if frame[8:16] != salts:
            if broken:
                continue
            break
        if not broken:
            sums = _sum(frame[:8] + frame[24:], sums, order)
            broken = sums != (first, second)
            good += not broken
        if broken and size:
            behind += 1
    return good, behind


def _sum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return first, second


def _frames_known(index: Path, data: bytes) -> int:
    """Return how many frames the index, which outlives a killed process, knows of this log."""
    try:
        head = index.read_bytes()[:48]
    except OSError:
        return 0
    if len(head) < 48 or head[_INDEX_SALTS_AT : _INDEX_SALTS_AT + 8] != data[16:24]:
        return 0
    return int(struct.unpack_from("=I", head, _INDEX_MAX_FRAME_AT)[0])
