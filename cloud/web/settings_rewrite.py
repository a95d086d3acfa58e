"""Takes changed values into a TOML text line by line, so that remarks and order stay. Pure.

It looks for the lines of what differs and knows little of TOML; what it wrote is read again, and where that
is not exactly what was wanted, the whole text is written anew, without remarks.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from wire.settings.toml import to_toml

_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^(\s*([A-Za-z0-9_-]+)\s*=\s*)(.*)$", re.DOTALL)
_PLAIN = re.compile(r'("[^"\\\n]*"|[-+0-9.]+|true|false)\s*(#.*)?$')
"""A value that needs no reader, and the remark behind it."""
_VALUE_LINES_MAX = 200
_STEPS_MAX = 200

Path = tuple[str | int, ...]


def rewritten(text: str, values: Mapping[str, object]) -> str:
    """Return the text with these values; `ValueError` for values that TOML cannot write."""
    whole = to_toml(values)
    try:
        before = tomllib.loads(text)
        if same(before, values):
            return text
        lines = _Lines(text.splitlines(keepends=True))
        steps = list(islice(_steps(before, values, ()), _STEPS_MAX + 1))
        if len(steps) > _STEPS_MAX:
            return whole
        for step in steps:
            step.take(lines)
        patched = "".join(lines.lines)
        return patched if same(tomllib.loads(patched), values) else whole
    except (_Lost, ValueError, RecursionError):
        return whole


def same(one: object, other: object) -> bool:
    """Whether two values are the same in TOML, where 1, 1.0 and true differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


class _Lost(Exception):
    """A line is not where it was looked for."""


@dataclass(slots=True)
class _Lines:
    """The lines of a text, and where its tables and keys stand."""

    lines: list[str]
    tables: list[tuple[Path, int]] = field(default_factory=list)
    """Each header: its path and its line."""
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Each key: its first line, and the one behind its last."""

    def __post_init__(self) -> None:
        self.scan()

    def scan(self) -> None:
        """Find everything anew."""
        self.tables, self.keys = [((), -1)], {}
        counts: dict[Path, int] = {}
        table: Path = ()
        number = 0
        while number < len(self.lines):
            line = self.lines[number]
            if header := _HEADER.match(line):
                table = _path(header[2], counts, many=header[1] == "[[")
                self.tables.append((table, number))
            elif found := _KEY.match(line):
                behind = self._behind(number, found[3])
                self.keys[*table, found[2]] = number, behind
                number = behind
                continue
            number += 1

    def _behind(self, number: int, value: str) -> int:
        """Return the line behind a value that begins on a line."""
        if _PLAIN.match(value):
            return number + 1
        for behind in range(number + 1, min(len(self.lines), number + _VALUE_LINES_MAX) + 1):
            whole = value + "".join(self.lines[number + 1 : behind])
            if _is_toml(f"x = {whole}"):
                return behind
        raise _Lost

    def replace(self, first: int, behind: int, new: list[str]) -> None:
        """Put lines in the place of others."""
        if first and new and not self.lines[first - 1].endswith("\n"):
            self.lines[first - 1] += "\n"
        self.lines[first:behind] = new
        self.scan()

    def span(self, path: Path) -> tuple[int, int]:
        """Return the lines of a table with all below it, without remarks that belong to what follows."""
        starts = [line for table, line in self.tables if table[: len(path)] == path and line >= 0]
        if not starts:
            raise _Lost
        after = [line for table, line in self.tables if line > starts[-1]]
        behind = after[0] if after else len(self.lines)
        if after:
            while behind > starts[-1] + 1 and _is_remark(self.lines[behind - 1]):
                behind -= 1
        return starts[0], behind

    def own_end(self, path: Path) -> int:
        """Return the line behind a table's own keys."""
        start = next((line for table, line in self.tables if table == path), None)
        if start is None:
            raise _Lost
        ends = [behind for key, (_, behind) in self.keys.items() if key[:-1] == path]
        return max([start + 1, *ends])


@dataclass(frozen=True, slots=True)
class _Set:
    """A key that is new or has another value."""

    path: Path
    value: object

    def take(self, lines: _Lines) -> None:
        written = _assignment(str(self.path[-1]), self.value)
        if self.path not in lines.keys:
            end = lines.own_end(self.path[:-1])
            lines.replace(end, end, [written])
            return
        first, behind = lines.keys[self.path]
        found = _KEY.match(lines.lines[first])
        assert found is not None
        whole = found[3] + "".join(lines.lines[first + 1 : behind])
        _, _, value = written.partition(" = ")
        remark = _remark(whole)
        lines.replace(first, behind, [f"{found[1]}{value.rstrip()}{f'  {remark}' if remark else ''}\n"])


@dataclass(frozen=True, slots=True)
class _Leave:
    """A key or a table that is gone."""

    path: Path

    def take(self, lines: _Lines) -> None:
        first, behind = lines.keys[self.path] if self.path in lines.keys else lines.span(self.path)
        if self.path not in lines.keys:
            while first and lines.lines[first - 1].lstrip().startswith("#"):
                first -= 1
        lines.replace(first, behind, [])


@dataclass(frozen=True, slots=True)
class _Add:
    """A table that is new, or one more of a list of tables."""

    path: Path
    value: Mapping[str, object]
    many: bool

    def take(self, lines: _Lines) -> None:
        names = [step for step in self.path if isinstance(step, str)]
        nested: object = [self.value] if self.many else self.value
        for name in reversed(names):
            nested = {name: nested}
        assert isinstance(nested, Mapping)
        header = f"[[{'.'.join(names)}]]" if self.many else f"[{'.'.join(names)}]"
        written = to_toml(nested)
        new = [*written[written.index(header) :].splitlines(keepends=True)]
        place = self._place(lines)
        gap = ["\n"] if place and lines.lines[place - 1].strip() else []
        tail = ["\n"] if place < len(lines.lines) and lines.lines[place].strip() else []
        lines.replace(place, place, [*gap, *new, *tail])

    def _place(self, lines: _Lines) -> int:
        """Return the line before which it stands: behind the one before it, else behind what holds it."""
        *held, last = self.path
        if isinstance(last, int):
            if last:
                return lines.span((*held, last - 1))[1]
            held.pop()
        return lines.span(tuple(held))[1] if held else len(lines.lines)


_Step = _Set | _Leave | _Add


def _steps(before: Mapping[str, object], after: Mapping[str, object], path: Path) -> Iterator[_Step]:
    for key in before:
        if key not in after:
            yield _Leave((*path, key))
    for key, value in after.items():
        here = (*path, key)
        old = before.get(key)
        if key in before and same(old, value):
            continue
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            yield from _steps(old, value, here)
        elif _is_tables(old) and _is_tables(value):
            yield from _entries(old, value, here)
        elif key not in before and isinstance(value, Mapping):
            yield _Add(here, value, many=False)
        elif (key not in before or old == []) and _is_tables(value):
            if key in before:
                yield _Leave(here)
            yield from (_Add((*here, index), one, many=True) for index, one in enumerate(_listed(value)))
        elif _is_tables(old) and value == []:
            yield from (_Leave((*here, index)) for index in reversed(range(len(_listed(old)))))
            yield _Set(here, value)
        elif isinstance(value, Mapping) or _is_tables(value) or _is_tables(old) or isinstance(old, Mapping):
            raise _Lost
        else:
            yield _Set(here, value)


def _entries(before: object, after: object, path: Path) -> Iterator[_Step]:
    old, new = _listed(before), _listed(after)
    if len(new) == len(old) - 1:
        gone = next((index for index, one in enumerate(new) if not same(one, old[index])), len(new))
        yield _Leave((*path, gone))
        old = [*old[:gone], *old[gone + 1 :]]
    if len(new) < len(old):
        raise _Lost
    for index, one in enumerate(new[: len(old)]):
        yield from _steps(old[index], one, (*path, index))
    for index in range(len(old), len(new)):
        yield _Add((*path, index), new[index], many=True)


def _listed(value: object) -> list[Mapping[str, object]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _path(header: str, counts: dict[Path, int], *, many: bool) -> Path:
    """Return the path of the table that a header begins; lists of tables are counted."""
    path: Path = ()
    names = header.split(".")
    for place, name in enumerate(names):
        path = (*path, name)
        if many and place == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _assignment(key: str, value: object) -> str:
    return to_toml({key: value})


def _remark(whole: str) -> str:
    """Return the remark behind a value, with its `#`; empty where there is none."""
    for found in re.finditer("#", whole):
        if _is_toml(f"x = {whole[: found.start()]}"):
            return whole[found.start() :].strip()
    return ""


def _is_remark(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
