"""Where in a TOML text the thing stands that a fault names, for an editor that shows faults by line.

It is a reader of lines, not of TOML: it follows table headers and keys, and gives the nearest line that it
knows. Pure.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from cloud.web.settings_schema import LISTS

_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\"' -]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*=")
_SYNTAX = re.compile(r"at line (\d+)")
_NAMED = re.compile(rf"^({'|'.join(LISTS)}) ([^/]+)")
_NAME = re.compile(r"^\s*(?:name|id)\s*=\s*\"([^\"]*)\"")
_ENTRY = re.compile(rf"({'|'.join(LISTS)})\[\d+\]")


def line_of(text: str, path: str, value: str = "") -> int | None:
    """Return the line (from 1) of `device[1].unit[0].address`, `device room` or a syntax fault; else None."""
    if path == "document":
        found = _SYNTAX.search(value)
        return int(found[1]) if found else None
    lines, names = _places(text)
    named = _NAMED.match(path)
    if named:
        return names.get(f"{named[1]} {named[2]}")
    while path:
        if path in lines:
            return lines[path]
        path = re.sub(r"(?:\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", path)
    return None


@lru_cache(maxsize=4)
def _places(text: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Return path -> line, and list and name of an entry, as `device room` -> line."""
    lines: dict[str, int] = {}
    names: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _table(header[2], counts, many=header[1] == "[[")
            lines.setdefault(table, number)
            lines.setdefault(table.split("[")[0].split(".")[0], number)
        elif key:
            lines.setdefault(f"{table}.{key[1].strip(chr(34))}".lstrip("."), number)
            name = _NAME.match(line)
            if name and (entry := _ENTRY.fullmatch(table)):
                names.setdefault(f"{entry[1]} {name[1]}", number)
    return lines, names


def _table(header: str, counts: dict[str, int], *, many: bool) -> str:
    """Return the path of the table that a header begins; lists of tables are counted."""
    path = ""
    steps = [step.strip().strip("\"'") for step in header.split(".")]
    for place, step in enumerate(steps):
        path = f"{path}.{step}".lstrip(".")
        if many and place == len(steps) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = f"{path}[{counts[path]}]"
    return path
