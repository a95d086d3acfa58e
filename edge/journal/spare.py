"""The clock of the running boot beside the journal, for a journal that lost it with what was damaged.

Readings of one boot must not be placed by a worse clock after a restart than before. The file needs no sync:
after a power cut it tells of a boot that is over.
"""

import zlib
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.journal.memory import KnownClock
from wire.messages import Clock

FILE_NAME = "clock.known"
_CRC_BYTES = 4


def keep_clock(folder: Path, known: KnownClock) -> None:
    """Write the clock into the folder; a disk that refuses it costs no more than the file."""
    body = msgspec.msgpack.encode((known.boot, known.clock, known.tick))
    new = folder / (FILE_NAME + ".new")
    with suppress(OSError):
        new.write_bytes(zlib.crc32(body).to_bytes(_CRC_BYTES, "big") + body)
        new.replace(folder / FILE_NAME)


def newest_clock(folder: Path, journal: KnownClock | None, boot: bytes) -> KnownClock | None:
    """Return what the journal knows, or what stands beside it when only that is of this boot, or is newer."""
    spare = _read(folder / FILE_NAME)
    if spare is None or spare.boot != boot:
        return journal
    if journal is None or journal.boot != boot or journal.tick < spare.tick:
        return spare
    return journal


def _read(file: Path) -> KnownClock | None:
    try:
        data = file.read_bytes()
        crc, body = data[:_CRC_BYTES], data[_CRC_BYTES:]
        if crc != zlib.crc32(body).to_bytes(_CRC_BYTES, "big"):
            return None
        return KnownClock(*msgspec.msgpack.decode(body, type=tuple[bytes, Clock, int]))
    except (OSError, msgspec.DecodeError):
        return None
