"""Which sheets and columns an import knows, in Chinese and English; rows of text become rows of fields."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from cloud.imports.workbook import Fault, Row, Sheet

EXAMPLE = "# 例 example: "
_SEPARATOR = " / "


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    """Here."""
    chinese: str
    english: str

    def is_called(self, text: str) -> bool:
        """Whether a workbook names it so: in one of the languages, or in both as the template does."""
        both = (f"{self.chinese}{_SEPARATOR}{self.english}", f"{self.chinese} {self.english}")
        return text.casefold() in (*(one.casefold() for one in both), self.chinese, self.english.casefold())


@dataclass(frozen=True, slots=True)
class Column(_Named):
    """A column: its headings, whether every row needs it, an example."""

    example: str
    required: bool = False
    secret: bool = False
    """Told by its last two characters alone."""

    @property
    def heading(self) -> str:
        """As the template writes it."""
        return f"{self.chinese}{_SEPARATOR}{self.english}"


@dataclass(frozen=True, slots=True)
class Kind(_Named):
    """A sheet that is known."""

    columns: tuple[Column, ...]

    @property
    def title(self) -> str:
        """As the template names it."""
        return f"{self.chinese} {self.english}"


_T = TypeVar("_T", bound=_Named)

KINDS = (
    Kind(
        "people",
        "人员",
        "People",
        (
            Column("number", "工号", "Staff number", "1001", required=True),
            Column("name", "姓名", "Name", "李娜", required=True),
            Column("department", "部门", "Department", "质量室"),
            Column("email", "电子邮箱", "E-mail", "li.na@lab.example"),
            Column("role", "角色", "Role", "laboratory"),
        ),
    ),
    Kind(
        "cards",
        "卡片",
        "Cards",
        (
            Column("person", "工号", "Staff number", "1001", required=True),
            Column("format", "卡格式", "Card format", "h10301", required=True),
            Column("facility", "区域码", "Facility code", "118"),
            Column("number", "卡号", "Card number", "1603", required=True, secret=True),
            Column("from_on", "生效日期", "Valid from", "2026-01-01"),
            Column("to_on", "失效日期", "Valid to", "2027-12-31"),
            Column("state", "状态", "State", "active"),
        ),
    ),
    Kind(
        "points",
        "测点",
        "Points",
        (
            Column("site", "站点", "Site", "lab-1", required=True),
            Column("point", "测点", "Point", "room-1/air/temperature", required=True),
            Column("title", "名称", "Title", "恒温室温度"),
            Column("calibration_due", "校准到期", "Calibration due", "2027-01-06"),
        ),
    ),
    Kind(
        "instruments",
        "仪器",
        "Instruments",
        (
            Column("name", "名称", "Name", "砝码 E2-1", required=True),
            Column("kind", "类别", "Kind", "standard", required=True),
            Column("model", "型号", "Model", "E2 1 mg–500 mg"),
            Column("serial", "出厂编号", "Serial number", "S-20417"),
            Column("tag", "标签", "Tag", "e200001d"),
            Column("site", "站点", "Site", "lab-1"),
            Column("zone", "存放区域", "Home zone", "room-1"),
        ),
    ),
)
"""In the order in which they are applied: cards name people."""


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a known sheet: its fields by the names of columns, trimmed; empty where nothing stands."""

    kind: str
    sheet: str
    row: int
    fields: dict[str, str]
    letters: dict[str, str]
    whole: bool = True
    """False: a field that every row needs is empty; its other fields are still looked at."""

    def fault(self, column: str, expected: str) -> Fault:
        """Return that a field is not as expected; a secret one is told by its end."""
        known = next(
            one for kind in KINDS if kind.name == self.kind for one in kind.columns if one.name == column
        )
        value = self.fields.get(column, "")
        shown = masked(value) if known.secret else value
        place = f"{self.letters.get(column, '')} {known.heading}".strip()
        return Fault(self.sheet, self.row, place, shown[:200], expected)


def masked(number: str) -> str:
    """Return what may be shown of a card's number."""
    return "…" + (number[-2:] if len(number) >= 5 else "")


def read_records(sheets: Sequence[Sheet], found: Sequence[Fault]) -> tuple[list[Record], list[Fault]]:
    """Return the rows of known sheets in the order of `KINDS`, and every fault of headings and cells."""
    faults: list[Fault] = []
    records: list[Record] = []
    named = {sheet.name: _find(KINDS, sheet.name.strip()) for sheet in sheets}
    for fault in found:
        kind = named.get(fault.sheet)
        secret = kind is not None and any(column.secret for column in kind.columns)
        faults.append(replace(fault, value=masked(fault.value)) if secret else fault)
    for kind in KINDS:
        for sheet in sheets:
            if named[sheet.name] is kind:
                records += _records(kind, sheet, faults)
    strangers = [name for name, kind in named.items() if kind is None]
    wanted = ", ".join(kind.title for kind in KINDS)
    faults += [Fault(name, 0, "", name, f"a sheet named one of: {wanted}") for name in strangers]
    if not records and not faults:
        faults.append(Fault("", 0, "", "", "at least one row below a heading"))
    return records, faults


def _find(among: Iterable[_T], text: str) -> _T | None:
    return next((one for one in among if one.is_called(text)), None)


def _records(kind: Kind, sheet: Sheet, faults: list[Fault]) -> Iterator[Record]:
    if not sheet.rows:
        return
    head, *rows = sheet.rows
    places: dict[str, int] = {}
    for place, cell in enumerate(head.cells):
        column = _find(kind.columns, cell.text.rstrip("* ").strip())
        if cell.text and (column is None or column.name in places):
            wanted = ", ".join(one.heading for one in kind.columns if one.name not in places)
            faults.append(Fault(sheet.name, head.number, cell.column, cell.text, f"one of, once: {wanted}"))
        elif column is not None:
            places[column.name] = place
    lacking = [one.heading for one in kind.columns if one.required and one.name not in places]
    if lacking:
        faults.append(Fault(sheet.name, head.number, "", "", f"also the columns {', '.join(lacking)}"))
        return
    damaged = {(fault.sheet, fault.row) for fault in faults}
    for row in rows:
        yield from _record(
            kind, sheet.name, row, places=places, faults=faults, damaged=(sheet.name, row.number) in damaged
        )


def _record(
    kind: Kind, sheet: str, row: Row, *, places: dict[str, int], faults: list[Fault], damaged: bool
) -> Iterator[Record]:
    fields = {name: row.cells[place].text for name, place in places.items()}
    letters = {name: get_column_letter(place + 1) for name, place in places.items()}
    empty = [one.name for one in kind.columns if one.required and not fields.get(one.name)]
    record = Record(kind.name, sheet, row.number, fields, letters, whole=not empty)
    if empty and not damaged:
        faults += [record.fault(name, "a value") for name in empty]
    yield record


def template() -> bytes:
    """Return a workbook with every sheet, its headings in both languages and a row that shows how."""
    book = Workbook()
    book.remove(book.active)
    for kind in KINDS:
        sheet = book.create_sheet(kind.title)
        sheet.append([column.heading + (" *" if column.required else "") for column in kind.columns])
        first, *rest = (column.example for column in kind.columns)
        sheet.append([EXAMPLE + first, *rest])
        sheet.freeze_panes = "A2"
        for place in range(1, len(kind.columns) + 1):
            letter = get_column_letter(place)
            sheet[f"{letter}1"].font = Font(bold=True)
            sheet[f"{letter}1"].fill = PatternFill("solid", fgColor="DDE8E8")
            sheet[f"{letter}2"].font = Font(italic=True, color="52606A")
            sheet.column_dimensions[letter].width = 26
            for row in range(1, 500):
                sheet[f"{letter}{row}"].number_format = "@"
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()
