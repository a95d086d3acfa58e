"""Runs tests against a mutant, in a child that was forked with everything imported but the rules."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import hypothesis
import msgspec
import mutants
import pytest

PATIENCE_S = 60
"""A test that takes so long against a mutant has noticed it: every one takes seconds against the rules."""
_NOTICED, _UNNOTICED = 3, 4
_LOADED = (hypothesis, msgspec)  # imported once, before the first fork


@dataclass(frozen=True)
class Reach:
    """Which tests of a room reach which lines."""

    seconds: dict[str, float]
    """Test -> how long it takes."""
    lines: dict[tuple[str, int], frozenset[str]]
    """File and line -> tests that run it; lines that run on import alone are missing."""

    def tests(self, file: str, first: int, last: int) -> list[str]:
        """Return the tests that reach one of some lines, else all, quickest first."""
        found = {name for line in range(first, last + 1) for name in self.lines.get((file, line), ())}
        return sorted(found or self.seconds, key=lambda name: (self.seconds[name], name))


def reach_of(tree: Path, room: str) -> Reach:
    """Run the tests of a room once, unchanged, and note what they reach."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        noted = _Noting(tree)
        code = _pytest(tree, [f"tests/rules/{room}"], noted)
        rows = [(file, line, sorted(names)) for (file, line), names in noted.lines.items()]
        with os.fdopen(writer, "wb") as out:
            out.write(msgspec.json.encode((noted.seconds, rows)))
        os._exit(int(code))
    os.close(writer)
    with os.fdopen(reader, "rb") as read:
        body = read.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise SystemExit(f"the tests of rules/{room} fail without any change")
    seconds, rows = msgspec.json.decode(body, type=tuple[dict[str, float], list[tuple[str, int, list[str]]]])
    return Reach(seconds, {(file, line): frozenset(names) for file, line, names in rows})


def fate_of(tree: Path, mutant: mutants.Mutant, reach: Reach) -> str:
    """Return `killed`, `killed by time` or `survived`."""
    tests = reach.tests(mutant.file, mutant.line, mutant.line)
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE_S)
        os.setsid()
        sys.meta_path.insert(0, _Finder(mutant))
        only = _Only(tests)
        code = _pytest(tree, sorted({name.split("::")[0] for name in tests}), only, "-x")
        os._exit(_UNNOTICED if code == 0 else _NOTICED)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed by time"
    return "survived" if os.WEXITSTATUS(status) == _UNNOTICED else "killed"


def _pytest(tree: Path, paths: Sequence[str], plugin: object, *words: str) -> int:
    """Run tests with nothing said."""
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    return int(pytest.main(["-q", "--no-header", "--tb=no", *words, *paths], plugins=[plugin]))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutated module in place of the one on disk."""

    def __init__(self, mutant: mutants.Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        is_package = self._mutant.file.endswith("/__init__.py")
        spec = importlib.util.spec_from_loader(fullname, self, is_package=is_package)
        if spec is not None and is_package:
            spec.submodule_search_locations = [str(Path(self._mutant.file).parent.absolute())]
        return spec

    def exec_module(self, module: ModuleType) -> None:
        source = Path(self._mutant.file).read_text("utf-8")  # the working directory is the copy
        code: CodeType = compile(self._mutant.changed(source), self._mutant.file, "exec")
        exec(code, module.__dict__)  # noqa: S102 - a mutant of our own source


class _Only:
    """Keeps the tests that reach the mutant, in their order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {name: place for place, name in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )


class _Noting:
    """Notes how long each test takes, and which lines of the rules run in it."""

    def __init__(self, tree: Path) -> None:
        self._folder = f"{tree}/"
        self._within = f"{tree}/rules/"
        self.seconds: dict[str, float] = {}
        self.lines: dict[tuple[str, int], set[str]] = {}
        self._test = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Any:
        begun, self._test = time.perf_counter(), item.nodeid
        sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seconds[item.nodeid] = time.perf_counter() - begun

    def _enter(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename.startswith(self._within) else None

    def _line(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        place = (frame.f_code.co_filename.removeprefix(self._folder), frame.f_lineno)
        self.lines.setdefault(place, set()).add(self._test)
        return self._line
