"""Files and functions stay small enough to be read in one go."""

import ast
from collections.abc import Iterator
from typing import Protocol

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
POSITIONAL_MAX = 3
TABLES = frozenset({"wire/quantities.py"})
"""Pure tables, exempt from the length of files by name."""

FIRST = frozenset({"self", "cls", "connection"})
"""What a function works on; it stands first and is not counted."""
CALLED_BY_NAME = ("cloud/api/routes/", "cloud/web/pages.py")
"""Request handlers: FastAPI passes every argument by its name."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(Protocol):
    path: str
    text: str
    tree: ast.Module


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _lines(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _positional(node: Function) -> int:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return len(names) - (names[0] in FIRST if names else 0)


def test_files_are_at_most_500_lines(python_files: list[Module]) -> None:
    lengths = {m.path: m.text.count("\n") for m in python_files if m.path not in TABLES}
    assert {path: n for path, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_functions_are_at_most_70_lines(python_files: list[Module]) -> None:
    long = [
        f"{m.path}:{node.lineno} {node.name}: {_lines(node)}"
        for m in python_files
        for node in _functions(m.tree)
        if _lines(node) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_more_than_three_parameters_are_keyword_only(modules: list[Module]) -> None:
    many = [
        f"{m.path}:{node.lineno} {node.name}: {_positional(node)}"
        for m in modules
        if not m.path.startswith(CALLED_BY_NAME)
        for node in _functions(m.tree)
        if _positional(node) > POSITIONAL_MAX
    ]
    assert many == []


def test_module_docstrings_say_what_a_module_is_for(modules: list[Module]) -> None:
    silent = [m.path for m in modules if m.text.strip() and not ast.get_docstring(m.tree)]
    assert silent == []
