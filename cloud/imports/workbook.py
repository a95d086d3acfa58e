"""Reads an .xlsx into rows of text: bounded in bytes, rows and columns; no formula is ever computed.

A workbook is a zip of XML: its directory is judged before anything is unpacked, and no part may declare
entities. What is wrong with a cell is a fault of that cell, so that all are told at once.
"""

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

FILE_BYTES_MAX = 5 * 1024 * 1024
UNPACKED_MAX = 60 * 1024 * 1024
PARTS_MAX = 300
ROWS_MAX = 5000
COLUMNS_MAX = 30
TEXT_MAX = 500
REMARK = "#"
"""A row whose first cell begins with this is not read: examples and remarks."""
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, InvalidFileException, SyntaxError, UnicodeError, EOFError, OSError),
    *(KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError),
    RuntimeError,
)
"""What zipfile, expat and openpyxl raise for a damaged file."""
_DECLARES = re.compile(rb"<\0?!\0?(D\0?O\0?C\0?T\0?Y\0?P\0?E|E\0?N\0?T\0?I\0?T\0?Y)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as expected; `row` counts from 1 as in Excel, 0: the whole sheet or file."""

    sheet: str
    row: int
    column: str
    value: str
    expected: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text and where it is."""

    text: str
    column: str
    """Its letter, or its letter and heading."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet: its number, and its cells in order."""

    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet; empty rows and remarks are left out."""

    name: str
    rows: tuple[Row, ...]


class UnreadableError(Exception):
    """The file is no workbook that is read; the text says why."""


def read_workbook(body: bytes) -> tuple[list[Sheet], list[Fault]]:
    """Return the sheets of a file and the faults of their cells; raises `UnreadableError`."""
    if len(body) > FILE_BYTES_MAX:
        raise UnreadableError(f"{len(body)} bytes: expected at most {FILE_BYTES_MAX}")
    _check_parts(body)
    faults: list[Fault] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(body), read_only=True, keep_links=False)
            sheets = [
                Sheet(sheet.title, tuple(_rows(sheet, faults))) for sheet in book.worksheets[:PARTS_MAX]
            ]
            book.close()
    except _DAMAGE as error:
        raise UnreadableError(f"expected an .xlsx workbook: {error}") from None
    return sheets, faults


def _check_parts(body: bytes) -> None:
    """Judge the zip before openpyxl sees it; sizes are those really unpacked, not those declared."""
    left = UNPACKED_MAX
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if len(archive.infolist()) > PARTS_MAX:
                raise UnreadableError(f"{len(archive.infolist())} parts: expected at most {PARTS_MAX}")
            for part in archive.infolist():
                left -= _check_part(archive, part, left=left)
    except _DAMAGE as error:
        raise UnreadableError(f"expected an .xlsx workbook: {error}") from None


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, *, left: int) -> int:
    """Return how large a part is; `UnreadableError` when it is too large or declares entities."""
    size, tail = 0, b""
    with archive.open(part) as file:
        while chunk := file.read(1 << 16):
            size += len(chunk)
            if size > left:
                raise UnreadableError(f"more than {UNPACKED_MAX} bytes unpacked: expected a smaller workbook")
            if part.filename.lower().endswith((".xml", ".rels", ".vml")) and _DECLARES.search(tail + chunk):
                raise UnreadableError("a part declares a document type or an entity: expected plain XML")
            tail = chunk[-32:]
    return size


def _rows(sheet: Any, faults: list[Fault]) -> Iterator[Row]:
    sheet.reset_dimensions()
    for number, values in enumerate(sheet.iter_rows(max_col=COLUMNS_MAX, values_only=True), start=1):
        if number > ROWS_MAX:
            faults.append(Fault(sheet.title, number, "", "", f"at most {ROWS_MAX} rows"))
            return
        found: list[Fault] = []
        cells = tuple(_cells(sheet.title, number, values, faults=found))
        first = cells[0].text if cells else ""
        if first.startswith(REMARK) or not (found or any(cell.text for cell in cells)):
            continue
        faults += found
        yield Row(number, cells)


def _cells(sheet: str, number: int, values: Sequence[Any], *, faults: list[Fault]) -> Iterator[Cell]:
    for place, value in enumerate(values, start=1):
        column = get_column_letter(place)
        text = text_of(value)
        expected = None
        if text is None:
            expected = "a text, a number or a day"
        elif text.startswith("="):
            expected = "a value, no formula"
        elif len(text) > TEXT_MAX or not text.isprintable():
            expected = f"at most {TEXT_MAX} characters in one line"
        if expected is not None:
            faults.append(Fault(sheet, number, column, str(value)[:60], expected))
            text = ""
        yield Cell(text or "", column)


def text_of(value: Any) -> str | None:
    """Return a cell's value as text, None when it is of no kind that is read."""
    match value:
        case None:
            return ""
        case bool():
            return None
        case str():
            return value.strip()
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case datetime():
            return value.date().isoformat() if value.time() == datetime.min.time() else None
        case date():
            return value.isoformat()
    return None
