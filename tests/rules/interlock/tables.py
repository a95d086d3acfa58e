"""Reads the tables of the page that specifies interlocks: what is signed is what is tested."""

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs/explanation/interlocks.md"
Row = dict[str, str]


@cache
def _tables() -> tuple[tuple[Row, ...], ...]:
    blocks = re.findall(r"(?:^\|.*\n)+", PAGE.read_text("utf-8"), re.MULTILINE)
    return tuple(_parsed(block) for block in blocks)


def _parsed(block: str) -> tuple[Row, ...]:
    lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
    head, _, *body = lines
    assert all(len(line) == len(head) for line in body), block
    return tuple(dict(zip(head, line, strict=True)) for line in body)


def table(*columns: str, place: int = 0) -> tuple[Row, ...]:
    """Return the table of the page with these columns, in order; `place` chooses among several."""
    found = [rows for rows in _tables() if tuple(rows[0]) == columns]
    return found[place]
