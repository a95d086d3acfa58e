"""What the page of an interlock shows of its past breaches. Pure; no markup."""

from dataclasses import dataclass

from cloud.store.breaches import Breach
from cloud.web.figures import milliseconds
from cloud.web.interlocks_words import say_cause, say_cause_words
from cloud.web.language import Language
from cloud.web.reasons import Said
from cloud.web.words import mark

_ENDS = {
    "interlock_enabled": mark("Enabled"),
    "interlock_resumed": mark("went on by itself"),
    "interlock_tripped": mark("tripped anew"),
}
_OPEN = mark("not enabled yet")


@dataclass(frozen=True, slots=True)
class BreachLine:
    """One breach in the list; people as the gateway names them, empty: not told."""

    number: int | None
    tripped_ms: int
    why: Said
    asked_by: str
    acknowledged_by: str
    reset_by: str
    end: str
    enabled_by: str
    ended_ms: int | None


def breach_line(one: Breach, language: Language) -> BreachLine:
    """Return a breach in the words of the page."""
    names = ", ".join(say_cause(language, name) for name in one.first_out)
    return BreachLine(
        number=one.number,
        tripped_ms=milliseconds(one.tripped_at),
        why=say_cause_words(language, one.words) if one.words else Said(names),
        asked_by=one.asked_by,
        acknowledged_by=one.acknowledged_by,
        reset_by=one.reset_by,
        end=language.say(_ENDS.get(one.end, _OPEN)),
        enabled_by=one.enabled_by,
        ended_ms=None if one.ended_at is None else milliseconds(one.ended_at),
    )
