"""Says in words what is wrong with the shape of something: which field, what stands there, what was expected.

The decoder's own sentences are for programmers; every place that takes what people wrote words them here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from wire.settings.base import shorten

_PLACE = re.compile(r"^(?P<words>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\.\.\.)\]")
_KINDS = {
    "array": "a list",
    "object": "a table of fields",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "null": "nothing",
    "datetime": "a time with its zone, such as 2026-01-01T00:00:00Z",
}
_LENGTHS = {"array": "entries", "str": "characters", "object": "fields"}
_PATTERNS = {
    "^[a-z0-9-]{1,63}$": "1 to 63 characters of a-z, 0-9, '-'",
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "1 to 64 characters of a-z, A-Z, 0-9, '.', '_', '-'; no sign first",
}
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


@dataclass(frozen=True, slots=True)
class Misshapen:
    """One fault of shape."""

    place: str
    """Such as `windows 1 days`, counted from 1; empty: the whole."""
    value: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{place}{self.value}: expected {self.expected}"


def misshapen(error: msgspec.ValidationError, given: object, model: Any) -> Misshapen:
    """Return the fault that decoding `given` as `model` told of."""
    found = _PLACE.match(str(error))
    assert found is not None  # it matches any text
    words, path = found["words"], found["path"] or ""
    places, value, kind = [], given, inspect.type_info(model)
    for name, number in _STEP.findall(path):
        step: str | int = name or (int(number) if number.isdigit() else 0)
        shown, kind = _inside(kind, step)
        places.append(shown)
        value = _at(value, step)
    missing = re.fullmatch(r"Object missing required field `(.*)`", words)
    stranger = re.fullmatch(r"Object contains unknown field `(.*)`", words)
    if missing:
        return Misshapen(" ".join([*places, missing[1]]), "nothing", "a value")
    if stranger:
        known = ", ".join(_names(kind))
        value = _at(value, stranger[1])
        return Misshapen(
            " ".join([*places, stranger[1]]), _said(value), f"no field of this name; known are {known}"
        )
    return Misshapen(" ".join(places), _said(value), _expected(words, kind))


def _expected(words: str, kind: inspect.Type) -> str:
    one = re.fullmatch(r"Expected `([^`]*)`(.*)", words, re.DOTALL)
    if words.startswith("Invalid enum value"):
        return f"one of {', '.join(_choices(kind))}"
    if one is None:
        return words[:1].lower() + words[1:]
    names, rest = one[1].split(" | "), one[2]
    if pattern := re.fullmatch(r" matching regex '(.*)'", rest, re.DOTALL):
        plain = pattern[1].removesuffix(r"(?!\\n)").removesuffix(r"(?!\n)")
        return _PATTERNS.get(plain, f"a text that matches {plain}")
    if length := re.fullmatch(r" of length (>=|<=) (\d+)", rest):
        unit = _LENGTHS.get(names[0], "entries")
        return f"{_BOUNDS[length[1]]} {length[2]} {unit if length[2] != '1' else _single(unit)}"
    if bound := re.fullmatch(r" (>=|<=|>|<) (\S+)", rest):
        return f"{_KINDS.get(names[0], names[0])}, {_BOUNDS[bound[1]]} {bound[2]}"
    return " or ".join(_KINDS.get(name, name) for name in names)


def _single(unit: str) -> str:
    return {"entries": "entry", "characters": "character", "fields": "field"}[unit]


def _inside(kind: inspect.Type, step: str | int) -> tuple[str, inspect.Type]:
    """Return what a step into a value is called, and the type behind it as far as that is known."""
    for one in _alternatives(kind):
        if isinstance(one, inspect.StructType):
            by_place = one.fields[step] if isinstance(step, int) and step < len(one.fields) else None
            named = by_place or next((field for field in one.fields if field.encode_name == step), None)
            if named is not None:
                return named.encode_name, named.type
        elif isinstance(one, inspect.VarTupleType | inspect.ListType | inspect.SetType) and step != "":
            return str(int(step) + 1) if isinstance(step, int) else step, one.item_type
        elif isinstance(one, inspect.DictType):
            return str(step), one.value_type
    return str(step + 1) if isinstance(step, int) else step, inspect.AnyType()


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        yield from _alternatives(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _alternatives(one)
    else:
        yield kind


def _choices(kind: inspect.Type) -> Iterator[str]:
    for one in _alternatives(kind):
        if isinstance(one, inspect.EnumType):
            yield from (str(member.value) for member in one.cls)
        elif isinstance(one, inspect.LiteralType):
            yield from map(str, one.values)


def _names(kind: inspect.Type) -> Iterator[str]:
    for one in _alternatives(kind):
        if isinstance(one, inspect.StructType):
            yield from (field.encode_name for field in one.fields)


def _at(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _said(value: object) -> str:
    if value in ([], (), {}, "", None):
        return "nothing"
    return value[:80] if isinstance(value, str) else shorten(value)
