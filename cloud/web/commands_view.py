"""What a command of an interlock would do, for who asks for it and for who approves it. Pure; no markup."""

from collections.abc import Iterable, Mapping
from typing import Any

from cloud.store.commands import Command
from cloud.web.language import Language
from cloud.web.words import mark
from rules.interlock.model import EffectKind
from wire.control import InterlockNow

_TRIPS: Mapping[str, str] = {
    EffectKind.HOLD_WORK: mark("The work in %(target)s is held."),
    EffectKind.LOCK_ENTRY: mark("Entry at %(target)s is locked; the way out stays open."),
    EffectKind.INHIBIT_OUTPUT: mark("The output %(target)s is blocked."),
    EffectKind.ISOLATE_POWER: mark("The power of %(target)s is cut."),
}
_GIVES_BACK: Mapping[str, str] = {
    EffectKind.HOLD_WORK: mark("The work in %(target)s may go on."),
    EffectKind.LOCK_ENTRY: mark("Entry at %(target)s is no longer locked by it."),
    EffectKind.INHIBIT_OUTPUT: mark("The output %(target)s is no longer blocked by it."),
    EffectKind.ISOLATE_POWER: mark("The power of %(target)s comes back."),
}
_BYPASSED = mark("For %(minutes)s min %(cause)s does not trip it, whatever is measured.")


def happens(name: str, arguments: Mapping[str, Any], now: InterlockNow, *, language: Language) -> list[str]:
    """Return a sentence for each thing that follows when a command is done."""
    if name == "interlock.bypass":
        minutes = f"{float(arguments.get('seconds', 0)) / 60:g}"
        return [language.say(_BYPASSED) % {"minutes": minutes, "cause": arguments.get("cause", "")}]
    words = {"interlock.trip": _TRIPS, "interlock.enable": _GIVES_BACK}.get(name, {})
    return [
        language.say(words[effect.kind]) % {"target": effect.target}
        for effect in now.effects
        if effect.kind in words
    ]


def cuts_power(now: InterlockNow) -> bool:
    """Whether a trip does what a reference standard may not survive."""
    return any(one.kind == EffectKind.ISOLATE_POWER for one in now.effects)


def of_same_breach(command: Command, history: Iterable[Command]) -> list[Command]:
    """Return what else was asked of the interlock of a command in its breach, the newest first."""
    about = ("interlock", "breach")
    wanted = [command.arguments.get(name) for name in about]
    return [
        one
        for one in history
        if one.id != command.id
        and one.name.startswith("interlock.")
        and [one.arguments.get(name) for name in about] == wanted
    ]
