"""Writes a settings document as TOML; `tomllib` reads it back as it was. It knows no model.

Comments are lost on the way through values, so it only writes what nobody wrote as text: documents that came
as JSON, and those that a gateway reports of its own file.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import cast

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 100


def to_toml(document: Mapping[str, object]) -> str:
    """Return a document as TOML text; `ValueError` names what TOML has no way to write."""
    return "\n".join(_table(document, ())).strip("\n") + "\n"


def _table(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    """Yield plain values first, then tables and lists of tables, which end the ones before them."""
    later = {key: value for key, value in table.items() if _is_table(value) or _is_tables(value)}
    for key, value in table.items():
        if key not in later:
            yield f"{_key(key)} = {_value(value, (*path, key))}"
    for key, value in later.items():
        inner = (*path, key)
        name = ".".join(map(_key, inner))
        for one in cast("list[Mapping[str, object]]", value if isinstance(value, list) else [value]):
            yield ""
            yield f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            yield from _table(one, inner)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    """A JSON string is a TOML one, but for DEL and lone surrogates."""
    written = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    try:
        written.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text[:40]!r}: expected text that UTF-8 can carry") from None
    return written


def _value(value: object, path: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = (f"{_key(key)} = {_value(item, (*path, key))}" for key, item in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list | tuple):
        return _list([_value(item, path) for item in value])
    raise ValueError(f"{'.'.join(path)}: {value!r}: expected a value that TOML can write")


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return ("inf" if value > 0 else "-inf") if math.isinf(value) else repr(value)


def _list(items: Sequence[str]) -> str:
    line = f"[{', '.join(items)}]"
    return line if len(line) <= _WIDTH else "[\n" + "".join(f"    {item},\n" for item in items) + "]"
