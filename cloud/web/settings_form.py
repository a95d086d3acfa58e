"""A settings document as forms, one for each part, and what such a form sends back.

A form changes what it shows and nothing else: keys that no model knows, values of another type and everything
that was not touched stay as they were. What is wrong is said by `wire.settings`, never here. Pure.
"""

import copy
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from cloud.web.settings_parts import Values, field_at, is_named, look_up, name_of, parent_of, part_fields
from cloud.web.settings_schema import Field, entry_fields
from wire.settings.base import Fault, shorten

Sent = Mapping[str, Sequence[str]]
"""Name of an input -> what was sent of it."""
Found = Mapping[str, Sequence[Fault]]
ENTRIES_MAX = 2100
FIELDS_MAX = 3000
"""A part with more fields than a page can show is left to the text."""
DRAWN = "~"
"""Behind the name of boxes to tick: sent with them, because boxes that are not ticked send nothing."""
CHOSEN = "+"
"""Behind the name of a list of tables of several kinds: which kind a new one is to be."""
_NAMING = ("name", "prefix", "point", "output", "channel", "command", "target")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_ENTRY = re.compile(r"(\[[0-9]+\]|\.[^.\[\]]*)$")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one field, in English as the gateway says it."""

    value: str
    expected: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One field with what stands in it."""

    field: Field
    path: str
    """As faults name it; name and id of its input."""
    text: str = ""
    chosen: tuple[str, ...] = ()
    """Of boxes to tick: those that are, as they stand there or by default."""
    wrong: tuple[Wrong, ...] = ()
    tables: tuple["Table", ...] = ()
    """Of a table that is there, and of a list of them."""
    fits: bool = True
    """Whether what stands there can be shown at all."""

    @property
    def offered(self) -> tuple[str, ...]:
        """Everything that can be chosen, with what was chosen though it is not offered."""
        return (*self.field.choices, *(one for one in self.chosen if one not in self.field.choices))


@dataclass(frozen=True, slots=True)
class Table:
    """One table with its fields."""

    path: str
    fields: tuple[Shown, ...]
    wrong: tuple[Wrong, ...] = ()

    @property
    def label(self) -> str:
        """By what people tell it from the others; empty for one that has no name yet."""
        texts = {one.field.key: one.text for one in self.fields}
        return next((texts[key] for key in _NAMING if texts.get(key)), "")

    @property
    def faulty(self) -> bool:
        """Whether something in it is wrong."""
        return bool(self.wrong) or any(one.wrong or any(t.faulty for t in one.tables) for one in self.fields)


def shown(values: Mapping[str, object], part: str, faults: Sequence[Fault]) -> Table | None:
    """Return a part as it is drawn; None where the text alone can show it."""
    fields = part_fields(values, part)
    table = look_up(values, part)
    if not fields or not isinstance(table, dict | None):
        return None
    name = name_of(table, part.partition("[")[0])
    named = tuple(_wrong(one) for one in faults if is_named(one, part, name))
    drawn = _table(fields, table or {}, part, faults=_by_path(faults))
    drawn = Table(part, drawn.fields, (*drawn.wrong, *named))
    return drawn if _count(drawn) <= FIELDS_MAX else None


def _count(table: Table) -> int:
    return sum(1 + sum(map(_count, one.tables)) for one in table.fields)


def _by_path(faults: Sequence[Fault]) -> Found:
    """Return the faults by their path, and those of an entry of a list by that of the list too."""
    found: dict[str, list[Fault]] = {}
    for one in faults:
        found.setdefault(one.path, []).append(one)
        if (held := _ENTRY.sub("", one.path)) != one.path:
            found.setdefault(held + DRAWN, []).append(one)
    return found


def _table(fields: Sequence[Field], values: Mapping[str, object], path: str, *, faults: Found) -> Table:
    wrong = tuple(_wrong(one) for one in faults.get(path, ()))
    return Table(
        path, tuple(_shown(one, values, f"{path}.{one.key}", faults=faults) for one in fields), wrong
    )


def _shown(field: Field, values: Mapping[str, object], path: str, *, faults: Found) -> Shown:
    value, there = values.get(field.key), field.key in values
    below = faults.get(path + DRAWN, ()) if field.kind in ("texts", "choices", "pairs") else ()
    wrong = tuple(_wrong(one) for one in [*faults.get(path, ()), *below])
    if there and not _fits(field, value):
        return Shown(field, path, text=shorten(value), wrong=wrong, fits=False)
    if field.kind == "tables":
        entries = value if isinstance(value, list) else []
        tables = (
            _table(entry_fields(field, one), one, f"{path}[{index}]", faults=faults)
            for index, one in enumerate(entries)
        )
        return Shown(field, path, wrong=wrong, tables=tuple(tables))
    if field.kind == "table":
        drawn = there or not field.optional
        inner = _table(field.fields, value if isinstance(value, dict) else {}, path, faults=faults)
        return Shown(field, path, wrong=() if drawn else wrong, tables=(inner,) if drawn else ())
    if field.kind == "choices":
        return Shown(field, path, chosen=_ticked(field, value), wrong=wrong)
    return Shown(field, path, text=_written(field, value) if there else "", wrong=wrong)


def _ticked(field: Field, value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(map(_text, value))
    return tuple(field.default.split(", ")) if field.default else ()


def _wrong(fault: Fault) -> Wrong:
    return Wrong(shorten(fault.value), fault.expectation)


def _fits(field: Field, value: object) -> bool:
    if field.kind == "tables":
        return isinstance(value, list) and all(isinstance(one, dict) for one in value)
    if field.kind == "table":
        return isinstance(value, dict)
    if field.kind in ("texts", "choices"):
        return isinstance(value, list) and all(map(_is_plain, value))
    if field.kind == "pairs":
        return isinstance(value, dict) and all(map(_is_plain, value.values()))
    return _is_plain(value)


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float) or (
        isinstance(value, str) and "\n" not in value and "\r" not in value
    )


def _written(field: Field, value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    if isinstance(value, dict):
        return "\n".join(f"{key} = {_text(item)}" for key, item in value.items())
    return _text(value)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- what was sent -----------------------------------------------------------------------------------


def merged(values: Mapping[str, object], part: str, sent: Sent) -> Values:
    """Return the document with what the form of one part sent."""
    result = copy.deepcopy(dict(values))
    fields, table = part_fields(result, part), look_up(result, part)
    if not fields or not isinstance(table, dict | None):
        return result
    read = _read_table(fields, table or {}, sent, path=part)
    if table is not None:
        table.clear()
        table.update(read)
    elif read:
        result[part] = read
    return result


def _read_table(fields: Sequence[Field], old: Mapping[str, object], sent: Sent, *, path: str) -> Values:
    table = dict(old)
    for field in fields:
        _read(field, table, sent, path=f"{path}.{field.key}")
    return table


def _read(field: Field, table: Values, sent: Sent, *, path: str) -> None:
    """Take over what was sent of one field; a field that was not drawn stays as it is."""
    old, there = table.get(field.key), field.key in table
    if there and not _fits(field, old):
        return
    if field.kind in ("table", "tables"):
        _read_tables(field, table, sent, path=path)
        return
    if path not in sent and path + DRAWN not in sent:
        return
    new = (
        _chosen(field, old, sent, path=path)
        if field.kind == "choices"
        else _value(field, old, sent[path][-1])
    )
    if new is None:
        table.pop(field.key, None)
    elif not there or new != old or type(new) is not type(old):
        table[field.key] = new


def _read_tables(field: Field, table: Values, sent: Sent, *, path: str) -> None:
    if path not in sent:
        return
    old = table.get(field.key)
    if field.kind == "table":
        inner = _read_table(field.fields, old if isinstance(old, dict) else {}, sent, path=path)
        if inner or field.key in table or field.optional or field.required:
            table[field.key] = inner
        return
    number = sent[path][-1]
    count = min(int(number), ENTRIES_MAX) if _WHOLE.fullmatch(number) else 0
    entries = old if isinstance(old, list) else []
    read = [
        _read_entry(field, entries[index] if index < len(entries) else {}, sent, path=f"{path}[{index}]")
        for index in range(count)
    ]
    if read or field.key in table:
        table[field.key] = read


def _read_entry(field: Field, old: Mapping[str, object], sent: Sent, *, path: str) -> Values:
    """Take over one of the tables of a list; what only its kind of before has goes with that kind."""
    table = dict(old)
    for tag in (one for one in field.fields if one.key == field.tag):
        _read(tag, table, sent, path=f"{path}.{tag.key}")
    fields = entry_fields(field, table)
    if any(one.name == table.get(field.tag) for one in field.variants):
        gone = {one.key for one in entry_fields(field, old)} - {one.key for one in fields}
        table = {key: value for key, value in table.items() if key not in gone}
    return _read_table(fields, table, sent, path=path)


def _chosen(field: Field, old: object, sent: Sent, *, path: str) -> object:
    """Return what was ticked, in the order of before; what was not touched is what it was."""
    before = _ticked(field, old)
    ticked = list(dict.fromkeys(sent.get(path, ())))
    if set(ticked) == set(before):
        return old
    kept = [one for one in before if one in ticked]
    new = [_scalar("choice", one) for one in [*kept, *(one for one in ticked if one not in kept)]]
    return new if new or field.default else None


def _value(field: Field, old: object, text: str) -> object:
    """Return the value of an input, None for an empty one; what was not touched is what it was."""
    text = text.replace("\r\n", "\n")
    if old is not None and text.strip("\n") == _written(field, old).strip("\n"):
        return old
    lines = [line for line in text.split("\n") if line.strip()]
    if field.kind == "texts":
        return [_scalar(field.item, line.strip()) for line in lines] or None
    if field.kind == "pairs":
        pairs = (line.partition("=") for line in lines)
        return {key.strip(): _scalar(field.item, value.strip()) for key, _, value in pairs} or None
    return None if text == "" else _scalar(field.kind, text)


def _scalar(kind: str, text: str) -> object:
    """Return a text as its type; what is none of it stays a text, for which the check has the right words."""
    if kind == "truth":
        return {"true": True, "false": False}.get(text, text)
    if kind in ("whole", "number", "decimal", "choice") and _WHOLE.fullmatch(text.strip()):
        return int(text)
    if kind in ("number", "decimal"):
        return _fraction(text.strip(), exact=kind == "decimal")
    return text


def _fraction(text: str, *, exact: bool) -> object:
    try:
        number = float(text)
        if not math.isfinite(number) or (exact and Decimal(repr(number)) != Decimal(text)):
            return text
    except (ValueError, InvalidOperation):
        return text
    return number


# --- adding and leaving out --------------------------------------------------------------------------


def added(values: Mapping[str, object], path: str, *, kind: str = "") -> Values | None:
    """Return the document with a table more, as `device[0].unit` or `media`; None where it cannot be.

    `kind` is that of the new table where the list has several.
    """
    result = copy.deepcopy(dict(values))
    field = field_at(result, path)
    parent, key = parent_of(result, path)
    if field is None or not isinstance(parent, dict) or not isinstance(key, str):
        return None
    if field.kind == "tables":
        entries = parent.setdefault(key, [])
        if not isinstance(entries, list) or len(entries) >= ENTRIES_MAX:
            return None
        entries.append({field.tag: kind} if kind in {one.name for one in field.variants} else {})
    elif field.kind == "table" and key not in parent:
        parent[key] = {}
    return result


def without(values: Mapping[str, object], path: str) -> Values | None:
    """Return the document without a table; None where there is none."""
    result = copy.deepcopy(dict(values))
    parent, key = parent_of(result, path)
    if isinstance(parent, list) and isinstance(key, int) and key < len(parent):
        del parent[key]
        return result
    if isinstance(parent, dict) and isinstance(key, str) and isinstance(parent.get(key), dict):
        del parent[key]
        return result
    return None
