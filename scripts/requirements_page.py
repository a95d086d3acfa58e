"""Builds docs/reference/requirements.md: requirement -> tests that show it -> pages that cite it -> state.

Tests are read, not imported: `@pytest.mark.requirement("…")` on a test function, a test class or a module.
"""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

PAGE = "requirements.md"
_ID = re.compile(r"\b[GHSQX]-[A-Za-z]?\.?\d[A-Za-z0-9.]*\b")
_HEAD = """# Requirements

Generated from `requirements.toml`, the marks of the tests and the pages that cite an id; do not edit. After a
change: `.venv/bin/python scripts/generate_docs.py`.

*shown*: at least one test shows it, or the part of it that the software has today. *described*: a page cites
it, no test does. *open*: neither.

"""


def load_requirements(root: Path) -> dict[str, dict[str, str]]:
    """Return guidance text -> id -> statement."""
    return tomllib.loads((root / "docs/reference/requirements.toml").read_text("utf-8"))


def cited_by_tests(root: Path) -> dict[str, list[str]]:
    """Return id -> tests (`path::name`) that are marked with it, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((root / "tests").rglob("test_*.py")):
        name = path.relative_to(root).as_posix()
        for test, identifier in _marks(ast.parse(path.read_text("utf-8"))):
            found[identifier].add(f"{name}::{test}" if test else name)
    return {identifier: sorted(tests) for identifier, tests in found.items()}


def _marks(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (test name, id) of every mark; the name is empty for a mark of the whole module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                yield from ((node.name, identifier) for identifier in _ids(decorator))
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            yield from (("", identifier) for part in ast.walk(node.value) for identifier in _ids(part))


def _ids(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
        return [str(ast.literal_eval(argument)) for argument in node.args]
    return []


def cited_by_pages(root: Path, known: set[str]) -> dict[str, list[str]]:
    """Return id -> pages below docs/ that name it, sorted; a thing that only looks like an id is left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((root / "docs").rglob("*.md")):
        name = path.relative_to(root / "docs").as_posix()
        if name == f"reference/{PAGE}":
            continue
        for identifier in _ID.findall(path.read_text("utf-8")):
            if identifier.rstrip(".") in known:
                found[identifier.rstrip(".")].add(name)
    return {identifier: sorted(pages) for identifier, pages in found.items()}


def _test_link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name or Path(path).stem}](../../{path})"


def _page_link(page: str) -> str:
    return f"[{Path(page).stem}](../{page})"


def requirements_page(root: Path) -> str:
    """Return the whole page as text."""
    texts = load_requirements(root)
    known = {identifier for statements in texts.values() for identifier in statements}
    tests, pages = cited_by_tests(root), cited_by_pages(root, known)
    counts = {"shown": len(known & tests.keys()), "described": len(known & (pages.keys() - tests.keys()))}
    counts["open"] = len(known) - sum(counts.values())
    parts = [_HEAD, ", ".join(f"{count} {state}" for state, count in counts.items()), ".\n"]
    for title, statements in texts.items():
        parts.append(f"\n## {title[0].upper()}{title[1:]}\n\n| id | requirement | tests | pages | state |\n")
        parts.append("|---|---|---|---|---|\n")
        parts += [_row(identifier, text, tests=tests, pages=pages) for identifier, text in statements.items()]
    return "".join(parts)


def _row(
    identifier: str, text: str, *, tests: Mapping[str, list[str]], pages: Mapping[str, list[str]]
) -> str:
    state = "shown" if identifier in tests else "described" if identifier in pages else "open"
    shown = ", ".join(map(_test_link, tests.get(identifier, [])))
    cited = ", ".join(map(_page_link, pages.get(identifier, [])))
    return f"| {identifier} | {text.replace('|', '/')} | {shown} | {cited} | {state} |\n"
