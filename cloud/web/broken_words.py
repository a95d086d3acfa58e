"""What of a gateway's control does not do its work, in plain words. No markup, no data."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud.web.language import Language
from cloud.web.reasons import Said, say_reason
from cloud.web.words import mark
from wire.control import FaultNow

FEW = 3
BROKEN = mark("Control is broken")
CONTROL_OF = mark("Control of gateway %(what)s")
_SAFE = mark("output %(what)s: making it safe fails")
_RELEASE = mark("output %(what)s: releasing it fails")
_READ_BACK = mark("output %(what)s: reading it back fails")
_OUTPUT = mark("output %(what)s is not what it was told to be")
_LOCK = mark("the lock of door %(what)s fails")
_FEEDBACK = mark("what reader %(what)s shows fails")
_INTERLOCKS = mark("the interlocks fail")
_DOORS = mark("doors and cards fail")
_EQUIPMENT = mark("the enabling of equipment fails")
_COMMANDS = mark("commands fail")
_REGULATION = mark("regulation fails")
_PANEL = mark("the panel fails")
_STATUS = mark("telling the hub how things stand fails")
_ANY = mark("a part of it fails: %(what)s")
_MORE = mark("and %(count)s more")
_PARTS = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (r"interlock output (?P<what>.+): safe", _SAFE),
        (r"interlock output (?P<what>.+): release", _RELEASE),
        (r"interlock output (?P<what>.+): read-back", _READ_BACK),
        (r"output (?P<what>.+)", _OUTPUT),
        (r"lock of (?P<what>.+)", _LOCK),
        (r"feedback of (?P<what>.+)", _FEEDBACK),
        (r"interlocks|interlock permits|interlock journal|enable output", _INTERLOCKS),
        (r"access|access rights", _DOORS),
        (r"equipment", _EQUIPMENT),
        (r"commands", _COMMANDS),
        (r"regulation", _REGULATION),
        (r"panel", _PANEL),
        (r"control status", _STATUS),
    )
)


@dataclass(frozen=True, slots=True)
class BrokenPart:
    """Something of control that does not do its work, as shown."""

    words: str
    reason: Said
    since_ms: int | None


def say_part(language: Language, part: str) -> str:
    """Return what fails in the language of the page; a part that is not known by its name."""
    for pattern, message in _PARTS:
        if found := pattern.fullmatch(part):
            return language.say(message) % found.groupdict()
    return language.say(_ANY) % {"what": part}


def say_parts(language: Language, parts: Sequence[str]) -> str:
    """Return the first few in one line, and how many more there are."""
    said = list(dict.fromkeys(say_part(language, part) for part in parts))
    more = [language.say(_MORE) % {"count": len(said) - FEW}] if len(said) > FEW else []
    return ", ".join([*said[:FEW], *more])


def broken_parts(language: Language, faults: Iterable[FaultNow]) -> list[BrokenPart]:
    """Return each with the gateway's own reason, and since when it is so."""
    return [
        BrokenPart(say_part(language, one.part), say_reason(language, one.reason), one.at_ms)
        for one in faults
    ]


def failing_outputs(faults: Iterable[FaultNow]) -> frozenset[str]:
    """Return the outputs of which nobody knows what they are: what sets or reads them fails."""
    held = (_SAFE, _RELEASE, _READ_BACK, _OUTPUT)
    return frozenset(
        found["what"]
        for one in faults
        for pattern, message in _PARTS
        if message in held and (found := pattern.fullmatch(one.part))
    )
