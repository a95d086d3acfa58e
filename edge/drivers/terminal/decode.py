"""What a terminal posted becomes who, by which factor, with what outcome; everything else is dropped at once.

No template, picture or other long value gets out of here, and no error says what stood in a field.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from edge.credential import Credential
from wire.settings.terminal import Factor, TerminalMap, is_biometric

JSON_BYTES_MAX = 64 * 1024
VALUE_CHARACTERS_MAX = 64
"""Longer values are dropped whatever they are called: a template is never so short."""
DEPTH_MAX = 16
PARTS_MAX = 16
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_NAMED = re.compile(r'[;\s]name="([^"]*)"')


class TerminalError(Exception):
    """What was posted cannot be read; the text holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something about a person at a terminal."""

    person: Credential
    factor: Factor
    granted: bool
    door: str
    time: str
    """As the terminal gave it."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A request as read: what happened, None when it only shows that the terminal is alive."""

    happening: Happening | None
    dropped: int
    """Fields that were dropped since they could hold a template, a picture or something else of length."""


def read(body: bytes, content_type: str, mapping: TerminalMap) -> Posted:
    """Read what a terminal posted, or raise `TerminalError`."""
    data, parts = _json_part(body, content_type, mapping.form_field)
    if len(data) > JSON_BYTES_MAX:
        raise TerminalError(f"{len(data)} bytes of JSON: expected at most {JSON_BYTES_MAX}")
    try:
        document = json.loads(data, parse_constant=_no_number, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise TerminalError("not JSON in UTF-8") from None
    values = dict[str, str]()
    dropped = parts + _collect(document, "", values, depth=0)
    return Posted(_happening(values, mapping), dropped)


def _happening(values: Mapping[str, str], mapping: TerminalMap) -> Happening | None:
    if mapping.event is not None and values.get(mapping.event) not in mapping.events:
        return None
    person = values.get(mapping.person, "").strip()
    if not person:
        raise TerminalError(f"{mapping.person}: expected the person")
    said = values.get(mapping.factor, "") if mapping.factor is not None else ""
    result = values.get(mapping.result) if mapping.result is not None else None
    return Happening(
        person=Credential("terminal", "person", person),
        factor=mapping.factors.get(said, mapping.factor_default),
        granted=mapping.result is None or mapping.results.get(result or "") == "granted",
        door=values.get(mapping.door, "") if mapping.door is not None else "",
        time=values.get(mapping.time, "") if mapping.time is not None else "",
    )


def _collect(value: object, path: str, values: dict[str, str], *, depth: int) -> int:
    """Gather the short values by their pointer; return how many fields were dropped."""
    if depth > DEPTH_MAX:
        return 1
    if isinstance(value, dict):
        dropped = 0
        for name, item in value.items():
            if is_biometric(name):
                dropped += 1
            else:
                dropped += _collect(item, f"{path}/{_escaped(name)}", values, depth=depth + 1)
        return dropped
    if isinstance(value, list):
        # Rows of numbers are what embeddings look like; a list of a few tables is how events are batched.
        if len(value) > PARTS_MAX:
            return 1
        return sum(
            _collect(item, f"{path}/{index}", values, depth=depth + 1) for index, item in enumerate(value)
        )
    text = _text(value)
    if len(text) > VALUE_CHARACTERS_MAX or "\0" in text:
        return 1
    values[path] = text
    return 0


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _escaped(name: str) -> str:
    """Source: RFC 6901, 3."""
    return name.replace("~", "~0").replace("/", "~1")


def _json_part(body: bytes, content_type: str, form_field: str) -> tuple[bytes, int]:
    """Return the JSON of a request, and how many other parts of a form were dropped unread (RFC 7578)."""
    if not content_type.lower().startswith("multipart/"):
        return body, 0
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise TerminalError("a form without a boundary")
    mark = b"--" + (boundary[1] or boundary[2]).encode("latin-1", "replace")
    parts = body.split(mark, PARTS_MAX + 1)[1:-1]
    found = [
        data
        for head, gap, data in (part.partition(b"\r\n\r\n") for part in parts)
        if _is_json(head, form_field)
    ]
    if not found:
        raise TerminalError("a form without a part of JSON")
    return found[0].removesuffix(b"\r\n"), len(parts) - 1


def _is_json(head: bytes, form_field: str) -> bool:
    text = head.decode("latin-1").lower()
    if form_field:
        named = _NAMED.search(text)
        return named is not None and named[1] == form_field.lower()
    return "content-type: application/json" in text


def _no_number(_: str) -> NoReturn:
    raise ValueError
