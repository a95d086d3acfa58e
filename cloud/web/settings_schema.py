"""What the settings models say of themselves, for forms: fields with type, unit, range, default and help.

Everything comes from the structs of `wire.settings`: types and ranges from their annotations, help from the
docstrings behind their fields. Nothing about a driver stands here. Pure.
"""

import ast
import inspect as source
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import pairwise
from typing import Literal

import msgspec
from msgspec import inspect

from wire.settings.gateway import Device
from wire.settings.shadow import ShadowDocument

Kind = Literal[
    "text",
    "whole",
    "number",
    "decimal",
    "truth",
    "choice",
    "texts",
    "choices",
    "pairs",
    "table",
    "tables",
]
_SCALARS: Mapping[type[inspect.Type], Kind] = {
    inspect.StrType: "text",
    inspect.IntType: "whole",
    inspect.FloatType: "number",
    inspect.DecimalType: "decimal",
    inspect.BoolType: "truth",
    inspect.LiteralType: "choice",
    inspect.EnumType: "choice",
}
_UNITS = {
    "ms": "ms",
    "s": "s",
    "h": "h",
    "d": "d",
    "m": "m",
    "w": "W",
    "kb": "kB",
    "bytes": "B",
    "pct": "%",
    "ppm": "ppm",
    "deg": "°",
    "dbm": "dBm",
    "kbit_s": "kbit/s",
    "minute": "1/min",
}
"""End of a key (before `_min`, `_max`) -> unit."""
LISTS = ("device", "interlock", "portal", "equipment", "regulation")
"""Lists of tables of a document; each entry is a part of its own."""
SECTIONS = ("panel", "control", "journal", "clock", "shutdown", "media")
"""Its other tables, each a part."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a table."""

    key: str
    kind: Kind
    required: bool
    default: str = ""
    """As it is shown; empty where there is none."""
    help: str = ""
    """English; empty where the model says nothing."""
    unit: str = ""
    low: str = ""
    high: str = ""
    expected: str = ""
    """What a text has to be, in English, where the model says so."""
    choices: tuple[str, ...] = ()
    item: Kind = "text"
    """Of `texts` and the values of `pairs`: what each is."""
    fields: tuple["Field", ...] = ()
    """Of `table` and `tables`; of tables of several kinds those that every kind has."""
    tag: str = ""
    """Of tables of several kinds: the key that says which kind each is."""
    variants: tuple["Variant", ...] = ()
    """Of tables of several kinds: the kinds."""
    optional: bool = False
    """Of a table: it may be absent, which means something else than an empty one."""
    words: tuple[str, ...] = ()
    """What each choice is, in English, where the model says so."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of the tables of a list."""

    name: str
    about: str
    """English."""
    fields: tuple[Field, ...]


def entry_fields(field: Field, entry: Mapping[str, object]) -> tuple[Field, ...]:
    """Return the fields of one of the tables of a list; of an unknown kind those that every kind has."""
    kind = entry.get(field.tag)
    return next((one.fields for one in field.variants if one.name == kind), field.fields)


@cache
def section_field(section: str) -> Field:
    """Return a section, or a list other than that of devices; its `fields` are those of each entry."""
    return next(field for field in _fields(ShadowDocument) if field.key == section)


def section_fields(section: str) -> tuple[Field, ...]:
    """Return the fields of one of `SECTIONS`."""
    return section_field(section).fields


def list_fields(name: str) -> tuple[Field, ...]:
    """Return the fields of an entry of one of `LISTS`; none for devices, whose driver has them."""
    return () if name == "device" else section_field(name).fields


@cache
def drivers() -> Mapping[str, type]:
    """Return driver -> the struct of its settings, sorted."""
    return {str(kind.__struct_config__.tag): kind for kind in sorted(_kinds(), key=_tag)}


@cache
def driver_fields(driver: str) -> tuple[Field, ...]:
    """Return the fields of a device of a driver; empty for a driver that is not known."""
    kind = drivers().get(driver)
    return () if kind is None else tuple(_fields(kind))


def title(model: type) -> str:
    """Return the first sentence of a struct's own docstring."""
    return (model.__doc__ or "").strip().split("\n")[0].replace("`", "")


def section_title(name: str) -> str:
    """Return what a section, or an entry of a list other than that of devices, is, in English."""
    found = next(one for one in inspect_fields(ShadowDocument) if one.encode_name == name)
    bare, _, _ = _bare(found.type)
    kinds = _structs(bare.item_type if isinstance(bare, inspect.ListType) else bare)
    return title(kinds[0].cls) if len(kinds) == 1 else ""


def every_help() -> set[str]:
    """Return every sentence that a form may show as help, for the catalogues."""
    found = {section_title(name) for name in (*LISTS, *SECTIONS)} | {title(kind) for kind in _kinds()}
    waiting = [*_fields(ShadowDocument)]
    for driver in drivers():
        waiting += driver_fields(driver)
    while waiting:
        field = waiting.pop()
        found |= {field.help, "" if field.kind == "pairs" else field.expected, *field.words}
        waiting += [*field.fields, *(inner for one in field.variants for inner in one.fields)]
    return found - {""}


def inspect_fields(model: type) -> tuple[inspect.Field, ...]:
    """Return the fields of a struct as msgspec sees them."""
    found = inspect.type_info(model)
    assert isinstance(found, inspect.StructType)
    return found.fields


def _kinds() -> tuple[type[msgspec.Struct], ...]:
    return Device.__args__


def _tag(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


def _fields(model: type) -> Iterator[Field]:
    helps = _helps(model)
    for one in inspect_fields(model):
        if model is not ShadowDocument or one.encode_name != "device":
            yield _field(one, helps.get(one.name, ""))


def _field(one: inspect.Field, text: str) -> Field:
    kind, description, nullable = _bare(one.type)
    unit = _unit(one.encode_name)
    if isinstance(kind, inspect.StructType):
        fields = tuple(_fields(kind.cls))
        told = text or title(kind.cls)
        return Field(one.encode_name, "table", one.required, help=told, fields=fields, optional=nullable)
    if isinstance(kind, inspect.DictType):
        value, _, _ = _bare(kind.value_type)
        item = "text" if isinstance(value, inspect.LiteralType) else _SCALARS[type(value)]
        expected = ", ".join(_choices(value))
        return Field(one.encode_name, "pairs", one.required, help=text, item=item, expected=expected)
    if isinstance(kind, inspect.ListType):
        return _list(one, kind, text)
    low, high = _range(kind)
    return Field(
        one.encode_name,
        _SCALARS[type(kind)],
        one.required,
        default=_default(one),
        help=text,
        unit=unit,
        low=low,
        high=high,
        expected=description,
        choices=_choices(kind),
    )


def _list(one: inspect.Field, kind: inspect.ListType, text: str) -> Field:
    if len(structs := _structs(kind.item_type)) > 1:
        return _tagged(one, structs, text)
    item, description, _ = _bare(kind.item_type)
    if isinstance(item, inspect.StructType):
        told = text or title(item.cls)
        return Field(one.encode_name, "tables", one.required, help=told, fields=tuple(_fields(item.cls)))
    choices = _choices(item)
    return Field(
        one.encode_name,
        "choices" if choices else "texts",
        one.required,
        default=_default(one),
        help=text,
        expected=description,
        choices=choices,
        item=_SCALARS[type(item)],
    )


def _tagged(one: inspect.Field, kinds: Sequence[inspect.StructType], text: str) -> Field:
    """Return a list of tables of several kinds; one key of each says which it is."""
    names = tuple(str(kind.tag) for kind in kinds)
    words = tuple(title(kind.cls) for kind in kinds)
    tag = Field(str(kinds[0].tag_field), "choice", required=True, choices=names, words=words)
    variants = tuple(
        Variant(name, about, (tag, *_own_first(kind.cls)))
        for name, about, kind in zip(names, words, kinds, strict=True)
    )
    shared = set.intersection(*({field.key for field in variant.fields} for variant in variants))
    fields = tuple(field for field in variants[0].fields if field.key in shared)
    return Field(
        one.encode_name, "tables", one.required, help=text, fields=fields, tag=tag.key, variants=variants
    )


def _own_first(model: type) -> list[Field]:
    """Return the fields of a kind: what must be there, what it alone has, what all kinds have."""
    own = source.get_annotations(model)
    return sorted(_fields(model), key=lambda field: (not field.required, field.key not in own))


def _bare(kind: inspect.Type) -> tuple[inspect.Type, str, bool]:
    """Return a type without its wrapping, what it is described as, and whether it may be absent."""
    description, nullable = "", False
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.Metadata):
            description = str((kind.extra_json_schema or {}).get("description", description))
            kind = kind.type
        else:
            (kind,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
            nullable = True
    return kind, description, nullable


def _structs(kind: inspect.Type) -> list[inspect.StructType]:
    """Return the structs that a type may be."""
    if isinstance(kind, inspect.Metadata):
        return _structs(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [found for one in kind.types for found in _structs(one)]
    return [kind] if isinstance(kind, inspect.StructType) else []


def _choices(kind: inspect.Type) -> tuple[str, ...]:
    if isinstance(kind, inspect.EnumType):
        return tuple(str(member.value) for member in kind.cls)
    return tuple(map(str, kind.values)) if isinstance(kind, inspect.LiteralType) else ()


def _range(kind: inspect.Type) -> tuple[str, str]:
    """Return the lowest and the highest value, `> 0` for what must be above 0."""
    if not isinstance(kind, inspect.IntType | inspect.FloatType):
        return "", ""
    low = f"{kind.ge:.15g}" if kind.ge is not None else f"> {kind.gt:.15g}" if kind.gt is not None else ""
    high = f"{kind.le:.15g}" if kind.le is not None else f"< {kind.lt:.15g}" if kind.lt is not None else ""
    return low, high


def _default(one: inspect.Field) -> str:
    value = one.default
    if value is msgspec.NODEFAULT:
        value = one.default_factory() if one.default_factory is not msgspec.NODEFAULT else None
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}"
    return "" if value is None else str(value)


def _unit(key: str) -> str:
    stem = key.removesuffix("_max").removesuffix("_min")
    parts = stem.split("_")
    for count in (2, 1):
        if unit := _UNITS.get("_".join(parts[-count:])):
            return unit
    return ""


@cache
def _helps(model: type) -> Mapping[str, str]:
    """Return field -> the docstring behind it, of a struct and those it is made from."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, msgspec.Struct) and kind.__module__.startswith("wire."):
            found |= _docstrings(kind.__module__).get(kind.__name__, {})
    return found


@cache
def _docstrings(module: str) -> Mapping[str, Mapping[str, str]]:
    """Return class -> field -> the text behind it."""
    tree = ast.parse(source.getsource(sys.modules[module]))
    return {one.name: dict(_told(one)) for one in tree.body if isinstance(one, ast.ClassDef)}


def _told(struct: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for one, after in pairwise(struct.body):
        if not isinstance(one, ast.AnnAssign) or not isinstance(one.target, ast.Name):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            yield one.target.id, " ".join(str(after.value.value).split()).replace("`", "")
