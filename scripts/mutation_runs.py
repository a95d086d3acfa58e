"""Runs the tests of a room against its mutants.

The tests are collected once. Then each mutant has a child of its own, forked of that: the code of the
function it changes is exchanged there, and the tests that call this function run, quick ones first, until one
fails. What runs on import alone, such as a constant, is tried where everything is imported anew, against all.
"""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType

import hypothesis
import msgspec
import mutants
import pytest
from _pytest.runner import runtestprotocol

PATIENCE_S = 15.0
"""Of computing. Tests that take so long against a mutant, and twice as long as without it, noticed it."""
_NOTICED, _UNNOTICED, _ON_IMPORT, _UNREACHED = 3, 4, 5, 6
_FATES = {_NOTICED: "killed", _UNNOTICED: "survived", _ON_IMPORT: "on import", _UNREACHED: "unreached"}
_LOADED = (hypothesis, msgspec)  # imported once, before the first fork
Fate = tuple[mutants.Mutant, str]


def fates(tree: Path, room: str, wanted: Sequence[mutants.Mutant]) -> Iterator[Fate]:
    """Yield each mutant with its fate: `killed`, `killed by time`, `survived`, or `unreached` by every test.

    Raises:
        SystemExit: tests fail although nothing is changed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = _pytest(tree, [f"tests/rules/{room}"], _Trial(tree, wanted, writer))
        os._exit(code)
    os.close(writer)
    later: list[mutants.Mutant] = []
    with os.fdopen(reader, encoding="utf-8") as lines:
        seconds: dict[str, float] = json.loads(next(lines, "{}"))
        for mutant, line in zip(wanted, lines, strict=False):
            fate = line.strip()
            if fate == _FATES[_ON_IMPORT]:
                later.append(mutant)
            else:
                yield mutant, fate
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise SystemExit(f"the tests of rules/{room} fail without any change")
    if later and _fate_on_import(tree, mutants.unchanged(later[0]), seconds) != "survived":
        raise SystemExit(f"the tests of rules/{room} fail where nothing is changed")
    for mutant in later:
        yield mutant, _fate_on_import(tree, mutant, seconds)


def _pytest(tree: Path, paths: Sequence[str], plugin: object, *words: str) -> int:
    """Run tests with nothing said."""
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    _silence()
    return int(pytest.main(["-q", "--no-header", "--tb=no", *words, *paths], plugins=[plugin]))


def _silence() -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)


def _patience_s(seconds: dict[str, float]) -> float:
    return max(PATIENCE_S, 2 * sum(seconds.values()))


def _fate(child: int) -> str:
    _, status = os.waitpid(child, 0)
    return "killed by time" if os.WIFSIGNALED(status) else _FATES[os.WEXITSTATUS(status)]


# --- code exchanged where everything is collected -------------------------------------------------------


class _Trial:
    """Runs every test once, then those that matter against each mutant; tells times, then fates."""

    def __init__(self, tree: Path, wanted: Sequence[mutants.Mutant], writer: int) -> None:
        self._folder = f"{tree}/"
        self._within = f"{tree}/rules/"
        self._wanted = wanted
        self._out = os.fdopen(writer, "w", encoding="utf-8")
        self._seconds: dict[str, float] = {}
        self._callers: dict[tuple[str, str], set[pytest.Item]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed or not session.items:
            raise pytest.UsageError("tests cannot be collected")
        for item in session.items:
            self._note(item)
        self._tell(json.dumps(self._seconds))
        for mutant in self._wanted:
            child = os.fork()
            if child == 0:
                self._try(mutant)
            self._tell(_fate(child))
        return True

    def _tell(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()

    def _note(self, item: pytest.Item) -> None:
        """Note how long a test takes, and which functions of the rules it calls."""

        def called(frame: FrameType, event: str, argument: object) -> None:
            code = frame.f_code
            if event == "call" and code.co_filename.startswith(self._within):
                file = code.co_filename.removeprefix(self._folder)
                self._callers.setdefault((file, _outermost(code.co_qualname)), set()).add(item)

        begun = time.process_time()
        sys.setprofile(called)
        try:
            reports = runtestprotocol(item, log=False, nextitem=None)
        finally:
            sys.setprofile(None)
        if any(report.failed for report in reports):
            raise pytest.UsageError(f"{item.nodeid} fails")
        self._seconds[item.nodeid] = time.process_time() - begun

    def _try(self, mutant: mutants.Mutant) -> None:
        """Run tests against a mutant and end this process with what came of it."""
        code = _NOTICED  # also where the tests can run no more
        try:
            _silence()
            signal.setitimer(signal.ITIMER_VIRTUAL, _patience_s(self._seconds))
            code = self._judged(mutant)
        finally:
            os._exit(code)

    def _judged(self, mutant: mutants.Mutant) -> int:
        changed = _exchange(mutant)
        if not changed:
            return _ON_IMPORT
        tests = {item for name in changed for item in self._callers.get((mutant.file, name), ())}
        if not tests:
            return _UNREACHED
        for item in sorted(tests, key=lambda one: (self._seconds[one.nodeid], one.nodeid)):
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
                return _NOTICED
        return _UNNOTICED


def _outermost(name: str) -> str:
    return name.split(".<locals>")[0]


def _exchange(mutant: mutants.Mutant) -> list[str]:
    """Give the functions of a module the code they have in the mutant; return which ones differ."""
    module = sys.modules[mutant.module]
    assert module.__file__ is not None
    mutated = ModuleType(mutant.module)
    mutated.__dict__.update({name: module.__dict__[name] for name in ("__package__", "__file__")})
    sys.modules[mutant.module] = mutated  # classes look into the module that they are made in
    try:
        source = Path(mutant.file).read_text("utf-8")
        exec(_compiled(mutant, source, module.__file__), mutated.__dict__)  # noqa: S102 - our own source, changed
    finally:
        sys.modules[mutant.module] = module
    ours, changed = dict(_functions(module, mutant.module)), []
    for name, theirs in _functions(mutated, mutant.module):
        own = ours[name]  # every function is there: a mutant adds none
        if own.__code__.co_filename != module.__file__:
            continue  # made from the fields of a class, on import
        if not _is_same(own.__code__, theirs.__code__):
            own.__code__ = theirs.__code__
            changed.append(name)
        for part in ("__defaults__", "__kwdefaults__"):
            if repr(getattr(own, part)) != repr(getattr(theirs, part)):
                setattr(own, part, getattr(theirs, part))
                changed.append(name)
    return changed


def _compiled(mutant: mutants.Mutant, source: str, file: str) -> CodeType:
    code: CodeType = compile(mutant.changed(source), file, "exec")
    return code


def _functions(holder: object, module: str) -> Iterator[tuple[str, FunctionType]]:
    """Yield every function of a module, of its classes too, by its full name."""
    for value in list(vars(holder).values()):
        if isinstance(value, type):
            if value.__module__ == module:
                yield from _functions(value, module)
            continue
        parts = (value, *(getattr(value, name, None) for name in ("__func__", "fget", "func", "__wrapped__")))
        for part in parts:
            if isinstance(part, FunctionType) and part.__module__ == module:
                yield part.__qualname__, part


def _is_same(one: CodeType, other: CodeType) -> bool:
    if (one.co_code, one.co_names, len(one.co_consts)) != (
        other.co_code,
        other.co_names,
        len(other.co_consts),
    ):
        return False
    return all(
        _is_same(a, b)
        if isinstance(a, CodeType) and isinstance(b, CodeType)
        else (type(a), a) == (type(b), b)
        for a, b in zip(one.co_consts, other.co_consts, strict=True)
    )


# --- everything imported anew -----------------------------------------------------------------------------


def _fate_on_import(tree: Path, mutant: mutants.Mutant, seconds: dict[str, float]) -> str:
    """Run all tests of a room against a mutant, quick ones first."""
    child = os.fork()
    if child == 0:
        code = _NOTICED
        with contextlib.suppress(BaseException):
            signal.setitimer(signal.ITIMER_VIRTUAL, 2 * _patience_s(seconds))
            sys.meta_path.insert(0, _Finder(mutant))
            paths = sorted({name.split("::")[0] for name in seconds})
            code = _UNNOTICED if _pytest(tree, paths, _Ordered(seconds), "-x") == 0 else _NOTICED
        os._exit(code)
    return _fate(child)


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
        exec(_compiled(self._mutant, source, self._mutant.file), module.__dict__)  # noqa: S102 - as above


class _Ordered:
    """Runs the quick tests first."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: (self._seconds.get(item.nodeid, 0.0), item.nodeid))
