"""Workbooks are read within bounds, and nothing in them is computed or followed."""

import contextlib
import io
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.imports import workbook
from cloud.imports.workbook import UnreadableError, read_workbook
from tests.cloud.imports.conftest import make_book


def rezipped(body: bytes, **changed: bytes) -> bytes:
    """The same workbook with parts of other content, named by their end without the dot."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            content = old.read(part)
            for ending, other in changed.items():
                if part.filename.endswith(f"/{ending}.xml"):
                    content = other
            new.writestr(part.filename, content)
    return made.getvalue()


BOOK = make_book({"People": [["Staff number", "Name"], ["1001", "Li"]]})


def test_rows_come_with_their_numbers_and_remarks_are_left_out() -> None:
    rows = [["a", "b"], ["# 1001", "x"], [None, None], [1.0, "  y "], [2.5, None]]
    (sheet,), faults = read_workbook(make_book({"S": rows}))
    assert faults == []
    assert [(row.number, row.cells[0].text, row.cells[1].text) for row in sheet.rows] == [
        (1, "a", "b"),
        (4, "1", "y"),
        (5, "2.5", ""),
    ]


@pytest.mark.parametrize("cell", ["=1+1", '=HYPERLINK("http://x")', True, "x" * 501, "a\nb"])
def test_cell_that_is_no_plain_value_is_a_fault_at_its_place(cell: object) -> None:
    _, faults = read_workbook(make_book({"S": [["a"], ["x", cell]]}))
    assert [(fault.sheet, fault.row, fault.column) for fault in faults] == [("S", 2, "B")]


def test_rows_beyond_the_bound_are_a_fault_and_are_not_read() -> None:
    (sheet,), faults = read_workbook(make_book({"S": [[n] for n in range(workbook.ROWS_MAX + 5)]}))
    assert len(sheet.rows) == workbook.ROWS_MAX
    assert [fault.expected for fault in faults] == [f"at most {workbook.ROWS_MAX} rows"]


def test_row_number_that_is_far_away_costs_no_more_than_the_bound() -> None:
    far = BOOK
    text = zipfile.ZipFile(io.BytesIO(far)).read("xl/worksheets/sheet1.xml")
    far = rezipped(far, sheet1=text.replace(b'r="2"', b'r="999999999"').replace(b'"A2"', b'"A999999999"'))
    _, faults = read_workbook(far)
    assert [fault.expected for fault in faults] == [f"at most {workbook.ROWS_MAX} rows"]


def test_bomb_is_refused_before_it_is_unpacked_whole() -> None:
    bomb = rezipped(BOOK, sheet1=b" " * (workbook.UNPACKED_MAX + 1))
    assert len(bomb) < 200_000
    with pytest.raises(UnreadableError, match="unpacked"):
        read_workbook(bomb)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_entities_are_refused(encoding: str) -> None:
    xml = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    for part in ("sheet1", "workbook", "styles"):
        with pytest.raises(UnreadableError, match="entity"):
            read_workbook(rezipped(BOOK, **{part: xml.encode(encoding)}))


def test_too_large_or_too_many_parts_are_refused() -> None:
    with pytest.raises(UnreadableError, match="at most"):
        read_workbook(b"PK" + bytes(workbook.FILE_BYTES_MAX))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(workbook.PARTS_MAX + 1):
            archive.writestr(f"{number}.xml", b"")
    with pytest.raises(UnreadableError, match="parts"):
        read_workbook(made.getvalue())


@pytest.mark.parametrize("body", [b"", b"PK", b"%PDF-", BOOK[:-30], zlib.compress(BOOK)])
def test_what_is_no_workbook_is_told_so(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_workbook(body)


@given(st.integers(0, len(BOOK) - 1), st.integers(0, 255))
def test_damage_is_never_a_defect(place: int, byte: int) -> None:
    with contextlib.suppress(UnreadableError):
        read_workbook(BOOK[:place] + bytes([byte]) + BOOK[place + 1 :])
