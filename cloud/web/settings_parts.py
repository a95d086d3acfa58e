"""The parts of a settings document, one form each: sections, and the entries of its lists of tables. Pure.

A part has a path as faults name it: `clock`, `device[0]`, `interlock[2]`.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cloud.web.settings_schema import (
    LISTS,
    SECTIONS,
    Field,
    driver_fields,
    drivers,
    entry_fields,
    list_fields,
    section_field,
)
from wire.settings.base import Fault

Values = dict[str, object]
_STEP = re.compile(r"([A-Za-z0-9_-]+)|\[([0-9]{1,6})\]")
_ENTRY = re.compile(rf"({'|'.join(LISTS)})\[([0-9]{{1,3}})\]")
_NAMED_BY = {"equipment": "id"}
"""Key that names an entry; `name` of all others."""
_BESIDE = {"device": "driver", "interlock": "title", "equipment": "output", "regulation": "output"}
"""Key of what is told of an entry beside its name."""


@dataclass(frozen=True, slots=True)
class Part:
    """One section or entry of a document."""

    path: str
    name: str
    beside: str
    """What tells more of it: the driver of a device, the title of an interlock."""
    there: bool
    faults: int

    @property
    def of_list(self) -> str:
        """The list that it is an entry of; empty for a section."""
        found = _ENTRY.fullmatch(self.path)
        return found[1] if found else ""

    @property
    def addable(self) -> bool:
        """Whether it is absent, which means something else than its defaults."""
        return not self.there and section_field(self.path).optional


def parts(values: Mapping[str, object], faults: Sequence[Fault]) -> list[Part]:
    """Return the entries and then the sections of a document, with how many faults each has."""
    found = []
    for key in LISTS:
        for index, entry in enumerate(entries(values, key)):
            path, name = f"{key}[{index}]", name_of(entry, key)
            beside = entry.get(_BESIDE.get(key, ""), "") if isinstance(entry, dict) else ""
            wrong = sum(1 for one in faults if _is_within(one, path) or is_named(one, path, name))
            found.append(Part(path, name, str(beside), there=True, faults=wrong))
    for section in SECTIONS:
        wrong = sum(1 for one in faults if _is_within(one, section))
        found.append(Part(section, section, "", there=section in values, faults=wrong))
    return found


def part_fields(values: Mapping[str, object], part: str) -> tuple[Field, ...]:
    """Return the fields of a part; none for one that is not there or whose driver is not known."""
    if part in SECTIONS:
        return section_field(part).fields
    found = _ENTRY.fullmatch(part)
    entry = look_up(values, part) if found else None
    if found is None or not isinstance(entry, dict):
        return ()
    return driver_fields(str(entry.get("driver", ""))) if found[1] == "device" else list_fields(found[1])


def with_entry(values: Mapping[str, object], key: str, *, driver: str = "") -> Values | None:
    """Return the document with a new entry at the end of a list; None where it cannot be.

    A device needs a driver that is known.
    """
    if key not in LISTS or (key == "device" and driver not in drivers()):
        return None
    there = entries(values, key)
    if not there and values.get(key, []) != []:
        return None
    taken = {name_of(one, key) for one in there}
    first = driver if key == "device" else key
    names = (first if number == 1 else f"{first}-{number}" for number in range(1, len(there) + 2))
    name = {_NAMED_BY.get(key, "name"): next(one for one in names if one not in taken)}
    result = copy.deepcopy(dict(values))
    result[key] = [*entries(result, key), {"driver": driver, **name} if key == "device" else name]
    return result


def entries(values: Mapping[str, object], key: str) -> list[object]:
    """Return what a list holds; nothing where it is none."""
    found = values.get(key)
    return found if isinstance(found, list) else []


def name_of(entry: object, key: str) -> str:
    """Return what names an entry of a list; empty when nothing does."""
    return str(entry.get(_NAMED_BY.get(key, "name"), "")) if isinstance(entry, Mapping) else ""


def is_named(fault: Fault, part: str, name: str) -> bool:
    """Whether a fault names an entry as `device room` does, or what is below it as `interlock room/fire`."""
    found = _ENTRY.fullmatch(part)
    called = f"{found[1]} {name}" if found and name else ""
    return bool(called) and (fault.path == called or fault.path.startswith(f"{called}/"))


def _is_within(fault: Fault, path: str) -> bool:
    return fault.path == path or fault.path.startswith((f"{path}.", f"{path}["))


# --- paths -------------------------------------------------------------------------------------------


def field_at(values: Mapping[str, object], path: str) -> Field | None:
    """Return the model's field at a path, whatever stands there."""
    if path in SECTIONS:
        return section_field(path)
    found = _ENTRY.match(path)
    part = found[0] if found else path.partition(".")[0]
    fields, place, field = part_fields(values, part), look_up(values, part), None
    for step in steps_of(path[len(part) :]):
        place = _below(place, step)
        if isinstance(step, str):
            field = next((one for one in fields if one.key == step), None)
            fields = field.fields if field is not None else ()
        elif field is not None:
            fields = entry_fields(field, place if isinstance(place, Mapping) else {})
    return field


def look_up(values: Mapping[str, object], path: str) -> object:
    """Return what stands at a path; None when nothing does."""
    parent, key = parent_of(values, path)
    return _below(parent, key)


def parent_of(values: object, path: str) -> tuple[object, str | int]:
    """Return what holds a path's last step, and that step."""
    steps = list(steps_of(path))
    for step in steps[:-1]:
        values = _below(values, step)
    return values, steps[-1] if steps else ""


def steps_of(path: str) -> Iterator[str | int]:
    """Yield the keys and places of a path."""
    for found in _STEP.finditer(path):
        yield found[1] if found[1] is not None else int(found[2])


def _below(place: object, step: str | int) -> object:
    if isinstance(place, Mapping):
        return place.get(step)
    return place[step] if isinstance(place, list) and isinstance(step, int) and step < len(place) else None
