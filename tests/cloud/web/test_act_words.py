"""Every act that the hub writes down has words in both languages."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cloud.imports.plan import THINGS
from cloud.web.act_words import ACTORS, ACTS, acts_by_word, say_act
from cloud.web.language import language

ROOT = Path(__file__).resolve().parents[3]
WRITERS = {"note", "entry", "Entry", "_note", "_entry", "_noted"}
CODE = re.compile(r"[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*")


def trees() -> Iterator[ast.Module]:
    for room in ("cloud", "cli", "provisioning"):
        for file in sorted((ROOT / room).rglob("*.py")):
            yield ast.parse(file.read_text(encoding="utf-8"), str(file))


def texts(node: ast.expr) -> Iterator[str]:
    """Yield the codes that an argument may be: a text, or one of two; of an f-string each it can become."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.JoinedStr) and "THINGS" in ast.unparse(node):
        yield from (f"{thing}.{end}" for thing in THINGS.values() for end in ("add", "change", "remove"))


def places(node: ast.AST) -> list[ast.expr]:
    """Return where a code may stand: the first arguments of who writes, and whatever is named action."""
    if isinstance(node, ast.Call):
        named = [one.value for one in node.keywords if one.arg == "action"]
        return named + (node.args[:3] if ast.unparse(node.func).rpartition(".")[2] in WRITERS else [])
    if isinstance(node, ast.Assign) and any(ast.unparse(one) == "action" for one in node.targets):
        return [node.value]
    return []


@cache
def written() -> frozenset[str]:
    found = {
        text
        for tree in trees()
        for node in ast.walk(tree)
        for place in places(node)
        for text in texts(place)
        if CODE.fullmatch(text) or text in ACTS
    }
    return frozenset(found)


def test_every_act_that_is_written_down_has_words() -> None:
    codes = written()
    assert {"role.grant", "import.apply", "retention.delete", "gateway.revoke", "asset.remove"} <= codes
    assert sorted(codes - ACTS.keys()) == []


def test_no_act_has_words_that_nobody_writes() -> None:
    assert sorted(ACTS.keys() - written()) == []


@pytest.mark.parametrize("code", ["en", "zh"])
def test_acts_are_told_apart_by_their_words(code: str) -> None:
    words = [word for _, word in acts_by_word(language(code))]
    assert len(set(words)) == len(words)
    assert all(language(code).say(word) for word in ACTORS.values())


def test_act_without_words_is_readable_and_marked() -> None:
    assert say_act(language("zh"), "something.odd-new").lang == "en"
    assert say_act(language("zh"), "role.grant").lang == ""
