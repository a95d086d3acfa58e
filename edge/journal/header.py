"""Gives a journal file whose first page is unreadable the first page of a healthy one.

All journals of one schema version have the same tables on the same root pages, so that only the size in
the header differs. Source: https://www.sqlite.org/fileformat2.html#the_database_header
"""

import shutil
from pathlib import Path

from edge.journal.schema import PAGE_BYTES, connect

_SIZE_AT = 28
_FREELIST_AT = 32


def graft_header(damaged: Path) -> Path:
    """Return a copy of a damaged file with a healthy first page; made for reading alone."""
    template = damaged.with_name(damaged.name + ".template")
    template.unlink(missing_ok=True)
    connect(template).close()
    page = bytearray(template.read_bytes()[:PAGE_BYTES])
    template.unlink()
    pages = damaged.stat().st_size // PAGE_BYTES
    page[_SIZE_AT : _SIZE_AT + 4] = pages.to_bytes(4, "big")
    page[_FREELIST_AT : _FREELIST_AT + 8] = bytes(8)
    copy = damaged.with_name(damaged.name + ".grafted")
    shutil.copyfile(damaged, copy)
    with copy.open("r+b") as handle:
        handle.write(page)
    return copy
