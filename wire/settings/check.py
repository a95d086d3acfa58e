"""Checks settings against their models and gathers every fault at once.

It walks the model field by field instead of stopping at the first error as a decoder does. It reads no
file and starts nothing.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import cache
from inspect import getattr_static
from typing import TypeVar, cast

import msgspec
from msgspec import inspect, structs

from wire.settings.base import MISSING, Fault, Settings

_S = TypeVar("_S", bound=Settings)
Walk = Callable[[object, inspect.Type, str], Iterator[Fault]]


def check(data: object, model: type[_S]) -> tuple[_S | None, list[Fault]]:
    """Return the model's instance and no faults, or None and every fault of `data` (a TOML document)."""
    faults = list(_walk(data, _described(model), ""))
    return (None, faults) if faults else (msgspec.convert(data, model), [])


@cache
def _described(model: type) -> inspect.Type:
    return inspect.type_info(model)


def _walk(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    description = ""
    while isinstance(kind, inspect.Metadata):
        description = (kind.extra_json_schema or {}).get("description", description)
        kind = kind.type
    walk = _WALKS.get(type(kind), _anything)
    for fault in walk(value, kind, path):
        told = bool(description) and fault.path == path
        yield replace(fault, expectation=description) if told else fault


def _struct(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    assert isinstance(kind, inspect.StructType)
    if not isinstance(value, Mapping):
        yield Fault(path, value, "a table of " + _words(f.encode_name for f in kind.fields))
        return
    faulty = list(_fields(value, kind, path))
    yield from faulty
    if issubclass(kind.cls, Settings):
        yield from _names_twice(value, kind.cls, path)
        yield from _cross(value, kind, path, whole=not faulty)


def _fields(value: Mapping[str, object], kind: inspect.StructType, path: str) -> Iterator[Fault]:
    known = {field.encode_name: field for field in kind.fields}
    for key, item in value.items():
        if key == kind.tag_field:
            if item != kind.tag:
                yield Fault(_join(path, key), item, repr(kind.tag))
        elif key in known:
            yield from _walk(item, known[key].type, _join(path, key))
        else:
            yield Fault(_join(path, key), item, "no such key here; known are " + _words(known))
    for name, field in known.items():
        if field.required and name not in value:
            yield Fault(_join(path, name), MISSING, _expectation(field.type))


def _names_twice(value: Mapping[str, object], model: type[Settings], path: str) -> Iterator[Fault]:
    for field, (key, expected) in model.names_once.items():
        tables = value.get(field)
        holders: dict[str, int] = {}
        for index, table in enumerate(tables if isinstance(tables, list) else ()):
            name = table.get(key) if isinstance(table, Mapping) else None
            if isinstance(name, str) and name in holders:
                told = f"{expected}; {field}[{holders[name]}] has it"
                yield Fault(_join(path, f"{field}[{index}].{key}"), name, told)
            elif isinstance(name, str):
                holders[name] = index


_Entry = tuple[str, int]
"""An entry of a list field: the field's name and the place in the list."""


class _Unread(Exception):
    """A model asked for a field that is faulty itself; `entry` is the list's one it stands in, if any."""

    def __init__(self, entry: _Entry | None = None) -> None:
        self.entry = entry


class _Partly:
    """Stands for a model of which some fields are faulty: the others can be asked.

    So can the entries of a list of which some are faulty; those in `without` are left out.
    """

    def __init__(
        self, value: Mapping[str, object], kind: inspect.StructType, *, entry: _Entry | None = None
    ) -> None:
        self.without: set[_Entry] = set()
        self._value = value
        self._model = kind.cls
        self._kinds = {field.encode_name: field.type for field in kind.fields}
        self._entry = entry
        self._lists: dict[str, list[object]] = {}

    @property
    def __class__(self) -> type:
        """What `isinstance` sees: cross-checks tell kinds of devices apart by it."""
        return self._model

    @__class__.setter
    def __class__(self, _: type) -> None:
        raise TypeError("a model that stands for another keeps its kind")

    def __getattr__(self, name: str) -> object:
        field = next((field for field in structs.fields(self._model) if field.name == name), None)
        if field is None:
            found = getattr_static(self._model, name)
            return found.__get__(self, self._model) if hasattr(found, "__get__") else found
        if name in self._value:
            if name not in self._lists:
                self._read(name, field.type)
            return self.__dict__[name] if name in self.__dict__ else self._entries(name)
        if field.required:
            raise _Unread(self._entry)
        return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()

    def _read(self, name: str, into: object) -> None:
        """Keep a field that is right as an attribute, and the entries of a list of which some are faulty."""
        value, kind = self._value[name], self._kinds[name]
        bare = _bare(kind)
        if not any(_walk(value, kind, name)):
            self.__dict__[name] = msgspec.convert(value, into)
        elif self._entry is None and isinstance(value, list) and isinstance(bare, inspect.ListType):
            self._lists[name] = [
                self._one(item, bare.item_type, (name, index)) for index, item in enumerate(value)
            ]
        else:
            raise _Unread(self._entry)

    def _entries(self, name: str) -> list[object]:
        found = [one for index, one in enumerate(self._lists[name]) if (name, index) not in self.without]
        for one in found:
            if type(one) is _Unread:
                raise one
        return found

    def _one(self, item: object, kind: inspect.Type, entry: _Entry) -> object:
        """Return an entry that is right, or what stands for a table with faults, or why it cannot be read."""
        bare = _bare(kind)
        members = bare.types if isinstance(bare, inspect.UnionType) else (bare,)
        models = [member for member in map(_bare, members) if isinstance(member, inspect.StructType)]
        if not models:
            return _Unread(entry) if any(_walk(item, kind, "")) else item
        tag = item.get(models[0].tag_field) if isinstance(item, Mapping) and models[0].tag_field else None
        model = next((model for model in models if len(models) == 1 or model.tag == tag), None)
        if model is None or not isinstance(item, Mapping):
            return _Unread(entry)
        faulty = any(_walk(item, model, ""))
        return _Partly(item, model, entry=entry) if faulty else msgspec.convert(item, model.cls)


def _cross(
    value: Mapping[str, object], kind: inspect.StructType, path: str, *, whole: bool
) -> Iterator[Fault]:
    """Ask the model itself, as far as the fields it looks at are right.

    Where it meets a faulty entry of a list, it is asked again without that entry.
    """
    assert issubclass(kind.cls, Settings)
    if whole:
        for fault in kind.cls.faults(msgspec.convert(value, kind.cls)):
            yield replace(fault, path=_join(path, fault.path))
        return
    partly = _Partly(value, kind)
    told: list[Fault] = []
    asking = True
    while asking:
        asking = False
        try:
            for fault in kind.cls.faults(cast("Settings", partly)):
                own = replace(fault, path=_join(path, _placed(fault.path, partly.without)))
                if own not in told:
                    told.append(own)
                    yield own
        except _Unread as unread:
            if unread.entry is not None:
                partly.without.add(unread.entry)
                asking = True


def _placed(path: str, without: Collection[_Entry]) -> str:
    """Return a path into a list that lacks entries as one into the list of the file."""
    found = re.match(r"(\w+)\[(\d+)\]", path)
    if found is None:
        return path
    place = int(found[2])
    for gone in sorted(index for field, index in without if field == found[1]):
        place += gone <= place
    return f"{found[1]}[{place}]{path[found.end() :]}"


def _list(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    assert isinstance(kind, inspect.ListType | inspect.VarTupleType)
    if not isinstance(value, list):
        yield Fault(path, value, _expectation(kind))
        return
    least, most = kind.min_length or 0, kind.max_length
    if len(value) < least or (most is not None and len(value) > most):
        yield Fault(path, value, f"{least} to {'any number of' if most is None else most} entries")
    for index, item in enumerate(value):
        yield from _walk(item, kind.item_type, f"{path}[{index}]")


def _dict(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    assert isinstance(kind, inspect.DictType)
    if not isinstance(value, Mapping):
        yield Fault(path, value, "a table")
        return
    for key, item in value.items():
        yield from _walk(key, kind.key_type, _join(path, str(key)))
        yield from _walk(item, kind.value_type, _join(path, str(key)))


def _union(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    assert isinstance(kind, inspect.UnionType)
    structs = [member for member in map(_bare, kind.types) if isinstance(member, inspect.StructType)]
    if structs and isinstance(value, Mapping):
        yield from _tagged(value, structs, path)
        return
    attempts = [list(_walk(value, member, path)) for member in kind.types]
    if all(attempts):
        # The member of the same type says most precisely what is wrong with the value.
        alike = [found for found, member in zip(attempts, kind.types, strict=True) if _alike(value, member)]
        yield from alike[0] if alike else (Fault(path, value, _expectation(kind)),)


def _tagged(value: Mapping[str, object], structs: list[inspect.StructType], path: str) -> Iterator[Fault]:
    if len(structs) == 1:
        yield from _struct(value, structs[0], path)
        return
    field = structs[0].tag_field
    assert field is not None, "a union of tables needs a tag field"
    tag = value.get(field, MISSING)
    chosen = next((member for member in structs if member.tag == tag), None)
    if chosen is None:
        yield Fault(_join(path, field), tag, "one of " + _words(str(member.tag) for member in structs))
    else:
        yield from _struct(value, chosen, path)


def _integer(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    if not isinstance(value, int) or isinstance(value, bool) or not _in_range(value, kind):
        yield Fault(path, value, _expectation(kind))


def _number(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    number = _float(value)
    if not math.isfinite(number) or not _in_range(number, kind):
        yield Fault(path, value, _expectation(kind))


def _float(value: object) -> float:
    """Return the number that `value` is, or not-a-number; an integer beyond all floats is infinite."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _in_range(value: float, kind: inspect.Type) -> bool:
    assert isinstance(kind, inspect.IntType | inspect.FloatType)
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
        and (kind.multiple_of is None or value % kind.multiple_of == 0)
    )


def _text(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    assert isinstance(kind, inspect.StrType)
    if (
        not isinstance(value, str)
        or len(value) < (kind.min_length or 0)
        or (kind.max_length is not None and len(value) > kind.max_length)
        or (kind.pattern is not None and not re.search(kind.pattern, value))
    ):
        yield Fault(path, value, _expectation(kind))


def _truth(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield Fault(path, value, _expectation(kind))


def _choice(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    if not any(type(value) is type(choice) and value == choice for choice in _choices(kind)):
        yield Fault(path, value, _expectation(kind))


def _choices(kind: inspect.Type) -> list[object]:
    if isinstance(kind, inspect.EnumType):
        return [member.value for member in kind.cls]
    assert isinstance(kind, inspect.LiteralType)
    return list(kind.values)


def _nothing(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    if value is not None:
        yield Fault(path, value, _expectation(kind))


def _decimal(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    """TOML has no decimals: a number, or a text that is one."""
    try:
        good = not isinstance(value, bool) and Decimal(str(value)).is_finite()
    except InvalidOperation:
        good = False
    if not good:
        yield Fault(path, value, _expectation(kind))


def _anything(value: object, kind: inspect.Type, path: str) -> Iterator[Fault]:
    if not isinstance(kind, inspect.AnyType):
        raise TypeError(f"{path}: settings models cannot use {type(kind).__name__}")
    return iter(())


def _expectation(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        described = (kind.extra_json_schema or {}).get("description")
        return str(described) if described else _expectation(kind.type)
    if isinstance(kind, inspect.UnionType):
        return " or ".join(_expectation(member) for member in kind.types if not _is_none(member))
    if isinstance(kind, inspect.EnumType | inspect.LiteralType):
        return "one of " + _words(str(choice) for choice in _choices(kind))
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        return _NAMES[type(kind)] + _range_words(kind)
    if isinstance(kind, inspect.StrType):
        return "a text" + (f" that matches {kind.pattern}" if kind.pattern else _length_words(kind))
    return _NAMES.get(type(kind), "a value that can be read")


def _length_words(kind: inspect.StrType) -> str:
    if kind.min_length is None and kind.max_length is None:
        return ""
    if kind.max_length is None:
        return f" of at least {kind.min_length} character{'' if kind.min_length == 1 else 's'}"
    return f" of {kind.min_length or 0} to {kind.max_length} characters"


def _range_words(kind: inspect.IntType | inspect.FloatType) -> str:
    bounds = (("at least", kind.ge), ("above", kind.gt), ("at most", kind.le), ("below", kind.lt))
    told = [f"{word} {bound:.15g}" for word, bound in bounds if bound is not None]
    return " " + " and ".join(told) if told else ""


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _is_none(kind: inspect.Type) -> bool:
    return isinstance(_bare(kind), inspect.NoneType)


def _alike(value: object, kind: inspect.Type) -> bool:
    wanted = _PYTHON.get(type(_bare(kind)))
    return wanted is not None and isinstance(value, wanted) and not isinstance(value, bool)


def _join(path: str, key: str) -> str:
    if not path or not key:
        return path or key
    return f"{path}{key}" if key.startswith("[") else f"{path}.{key}"


def _words(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


_NAMES: dict[type[inspect.Type], str] = {
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.StructType: "a table",
    inspect.DictType: "a table",
    inspect.ListType: "a list",
    inspect.VarTupleType: "a list",
    inspect.NoneType: "nothing",
    inspect.DecimalType: "a decimal number",
}

_PYTHON: dict[type[inspect.Type], type] = {
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.StrType: str,
    inspect.LiteralType: str,
    inspect.EnumType: str,
    inspect.ListType: list,
    inspect.VarTupleType: list,
    inspect.DictType: dict,
    inspect.StructType: dict,
}

_WALKS: dict[type[inspect.Type], Walk] = {
    inspect.StructType: _struct,
    inspect.ListType: _list,
    inspect.VarTupleType: _list,
    inspect.DictType: _dict,
    inspect.UnionType: _union,
    inspect.IntType: _integer,
    inspect.FloatType: _number,
    inspect.StrType: _text,
    inspect.BoolType: _truth,
    inspect.EnumType: _choice,
    inspect.LiteralType: _choice,
    inspect.NoneType: _nothing,
    inspect.DecimalType: _decimal,
}
