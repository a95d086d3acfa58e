"""Every field of an import, every row and everything that can be wrong with a workbook has Chinese words."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud import imports
from cloud.imports.service import FieldChange
from cloud.store.imports import TABLES
from cloud.web.import_words import EXPECTED, FIELDS, ROWS, say_expected, say_field, say_row
from cloud.web.language import language
from cloud.web.reasons import matching
from cloud.web.render import zone_of

ZH, EN = language("zh"), language("en")
ROOMS = [Path(str(place)) for place in imports.__path__]
FAULTS = {"Fault", "fault", "_fault", "UnreadableError"}
NEVER = {"left_at", "password_at", "disabled_at", "ended_at", "key_id", "token"}
"""Columns that a preview never shows: an import leaves them as they are."""


def sample(node: ast.expr) -> str | None:
    """Return a text of the source with an X for each part that varies; None when it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else "X" for one in node.values)
    return None


def sentences(*, called: set[str], named: set[str]) -> Iterator[str]:
    for room in ROOMS:
        for file in sorted(room.glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                given: list[ast.expr] = []
                if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in called:
                    given = node.args[-1:]
                if isinstance(node, ast.Assign) and any(ast.unparse(one) in named for one in node.targets):
                    given = [node.value]
                yield from (said for one in given if (said := sample(one)))


def test_whatever_is_expected_of_a_workbook_has_words() -> None:
    said = set(sentences(called=FAULTS, named={"expected", "FORMAT_WORDS"}))
    assert len(said) > 30
    assert [one for one in sorted(said) if matching(one, EXPECTED) is None] == []


def test_every_row_of_an_import_has_words() -> None:
    keys = set(sentences(called=set(), named={"key", "name", "account_key"}))
    assert {"person X", "account of X", "card …X of person X", "role X of X X"} <= keys
    assert matching("role laboratory of person 1 in the whole organisation", ROWS) is not None
    assert (
        say_row(ZH, "role laboratory of person 1 at lab-1").text == "人员 1 在站点 lab-1 的角色：实验室人员"
    )
    assert say_row(EN, "person 1").text == "person 1"


def test_every_column_that_is_written_has_words() -> None:
    shown = {one for columns in TABLES.values() for one in columns if not one.endswith("_id")} - NEVER
    assert shown <= FIELDS.keys()


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("kind", "standard", "标准器"),
        ("state", "lost", "已挂失"),
        ("role", "viewer", ZH.say("Viewer")),
        (
            "valid",
            '["2026-01-01 16:00:00+00","2026-12-31 16:00:00+00")',
            "2026-01-02 00:00 – 2027-01-01 00:00",
        ),
        ("valid", "(,)", " – 无期限"),
        ("name", "standard", "standard"),
    ],
)
def test_value_is_said_in_the_language_of_the_page(field: str, text: str, said: str) -> None:
    change = FieldChange(field, "", text)
    assert say_field(ZH, change, zone_of("Asia/Shanghai"))[1:] == ("", said)


def test_what_has_no_words_is_marked_as_english() -> None:
    assert say_expected(ZH, "something new").lang == "en"
