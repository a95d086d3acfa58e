"""Every reason the edge says has Chinese words, as far as its source shows; the rest is shown as it came."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.web.language import language
from cloud.web.reasons import KEYS, REASONS, SOURCES, Said, match, say_detail, say_reason
from cloud.web.words import EVENTS
from edge.drivers.camera.complaints import REASONS as COMPLAINTS
from edge.lateness import Stalls
from edge.recorder import LATE

EDGE = Path(__file__).resolve().parents[3] / "edge"
ZH, EN = language("zh"), language("en")
ROOTS = {
    "DeviceUnavailable",
    "BusError",
    "NutError",
    "GpsdError",
    "ReportError",
    "JournalDamagedError",
    "OutputError",
    "RadioError",
    "GoneError",
    "ModemError",
    "StuckError",
}
"""What is said when these are raised becomes a reason."""
TELLING = {"Gap", "Stretch", "Tombstone", "as_text", "_unavailable", "_bury", "_rebuild", "silent"}
"""What is said to these becomes a reason too."""
FOREIGN = {"X: X", "X in X", "X X"}
"""Texts of an unexpected error, of a line that could not be read (another library's words), and of the event
that a picture was taken for."""


def _trees() -> Iterator[ast.Module]:
    for file in sorted(EDGE.rglob("*.py")):
        yield ast.parse(file.read_text(encoding="utf-8"), str(file))


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _failures() -> set[str]:
    """Return the names of `ROOTS` and of everything that derives from them."""
    bases = {
        node.name: {_name(base) for base in node.bases}
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = set(ROOTS)
    while more := {name for name, own in bases.items() if own & found} - found:
        found |= more
    return found


def _texts(node: ast.AST) -> Iterator[str]:
    """Return the texts an expression may be, variable parts as `X`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    elif isinstance(node, ast.BoolOp):
        for part in node.values:
            yield from _texts(part)
    elif isinstance(node, ast.IfExp):
        yield from [*_texts(node.body), *_texts(node.orelse)]
    elif isinstance(node, ast.Subscript):
        yield from _texts(node.value)


def _expressions(tree: ast.Module, failures: set[str]) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in failures:
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and _name(call.func) == "__init__":
                    yield from call.args
        elif isinstance(node, ast.Call):
            if _name(node.func) in failures:
                yield from node.args[:1]
            elif _name(node.func) in TELLING:
                yield from node.args
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "reason")
        elif isinstance(node, ast.Assign) and any(_name(one) == "reason" for one in node.targets):
            yield node.value
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "reason":
                    yield value


def _constants(tree: ast.Module) -> dict[str, ast.AST]:
    """Return the values of a module's own names, for reasons that are written once and named."""
    return {
        _name(target): node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }


def _said_by_the_edge() -> set[str]:
    failures = _failures()
    found = {LATE}
    for tree in _trees():
        named = _constants(tree)
        for place in _expressions(tree, failures):
            meant = named.get(place.id, place) if isinstance(place, ast.Name) else place
            found |= {text for text in _texts(meant) if text}
    return found


def _told_by_the_edge() -> Iterator[ast.Call]:
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in ("tell", "_tell", "Event", "ClockChange"):
                yield node


SAID = sorted((_said_by_the_edge() | COMPLAINTS) - FOREIGN)


def test_reasons_of_the_edge_are_found_in_its_source() -> None:
    assert {
        "gateway was not running",
        "the gateway was stopped or overloaded",
        "the next reading came late",
        "no answer within X s",
        "NUT answers X",
        "the receiver reported nothing for X s",
        "journal full or damaged",
        "log: X frames were written, X are left",
    } <= set(SAID)
    assert len(SAID) > 30


@pytest.mark.parametrize("text", SAID)
def test_reason_of_the_edge_is_known_and_said_in_chinese(text: str) -> None:
    if text in SOURCES:
        said = say_detail(ZH, "reason", text).value
    else:
        assert match(text) is not None, f"{text!r}: expected a pattern in cloud/web/reasons.py"
        said = say_reason(ZH, text)
    assert said.lang == ""
    assert any("\u4e00" <= sign <= "\u9fff" for sign in said.text)
    assert say_reason(EN, text) == Said(text)


@pytest.mark.parametrize("message", REASONS)
def test_pattern_finds_itself_and_no_earlier_one(message: str) -> None:
    parts = dict.fromkeys(_parts(message), "7")
    assert match(message % parts) == (message, parts)


def _parts(message: str) -> list[str]:
    return [piece.split(")s")[0] for piece in message.split("%(")[1:]]


def test_a_stall_found_by_the_gateway_is_said_in_chinese() -> None:
    stalls = Stalls()
    stalls.beat(0)
    stalls.beat(100_000)
    (stall,) = stalls.within(0, 100_000)
    assert say_reason(ZH, stall.reason) == Said("网关停顿或过载")


def test_variable_parts_stay_and_what_the_system_says_is_translated_inside() -> None:
    text = "cannot connect to NUT at 127.0.0.1 port 3493: Connection refused"
    assert say_reason(ZH, text).text == "无法连接 NUT（127.0.0.1 端口 3493）：连接被拒绝"


def test_unknown_text_is_shown_as_it_is_and_marked_as_english() -> None:
    assert say_reason(ZH, "supply of the cabinet lost") == Said("supply of the cabinet lost", "en")
    assert say_reason(EN, "supply of the cabinet lost") == Said("supply of the cabinet lost")
    assert say_reason(ZH, "检修") == Said("检修")
    assert say_reason(ZH, "") == Said("")


def test_every_kind_of_event_of_the_edge_has_its_word() -> None:
    kinds = {text for call in _told_by_the_edge() for text in _texts((call.args or [ast.Constant(0)])[0])}
    assert "part_failed" in kinds
    assert kinds - set(EVENTS) == set()


def test_every_field_of_an_event_of_the_edge_has_its_name() -> None:
    keys = {
        key.value
        for call in _told_by_the_edge()
        for node in ast.walk(call)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    assert {"bound_ms", "reason", "software"} <= keys
    assert keys - set(KEYS) == set()


def test_detail_is_said_in_the_language_of_the_page() -> None:
    detail = say_detail(ZH, "source", "hub")
    assert (detail.name.text, detail.value.text) == ("来源", "中心")
    assert say_detail(ZH, "clean_stop_before", value=False).value == Said("否")
    assert say_detail(ZH, "why", "the camera was not there").value == Said("摄像机不在线")
    assert say_detail(ZH, "plate_count", 3).name == Said("plate count", "en")
    assert say_detail(ZH, "bound_ms", None).value == Said("—")
