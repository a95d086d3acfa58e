"""The application over three places, and workbooks made by a program as people make them."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from openpyxl import Workbook

from tests.cloud.identity.asking import World, open_world


def make_book(sheets: dict[str, list[list[Any]]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as made:
        lab.execute(
            "INSERT INTO zones (organisation_id, site_id, name, title, kind)"
            " VALUES (1, %s, 'room-1', 'Room 1', 'room')",
            made.places["here"].site,
        )
        yield made
