"""What a gateway adds to a decision of a door, in the language of the page."""

from cloud.web.interlocks_words import PHASES
from cloud.web.language import Language
from cloud.web.words import EVENTS, mark
from rules.access.reasons import Reason
from rules.interlock.sentences import chinese

WHY = (
    mark("somebody tripped it"),
    mark("it is new here and was never enabled"),
    mark("the gateway was started again"),
    mark("it started without a record of how it stood before"),
    mark("its rule was changed"),
)
"""What stands first-out beside causes, as a gateway writes it (`edge.control.picture`)."""

_JOINED_MAX = 3


def say_detail(language: Language, reason: object, detail: str) -> str:
    """Return the detail of a decision: `title: words, words` of an interlock in the language of the page.

    What is not known stays as the gateway wrote it, as a whole.
    """
    if language.code == "en" or reason != Reason.INTERLOCK:
        return detail
    title = ""
    rest = detail
    while ": " in rest:
        more, _, rest = rest.partition(": ")
        title = f"{title}: {more}" if title else more
        said = _listed(language, rest.split(", "))
        if said is not None:
            return f"{title}: {'；'.join(said)}"
    return detail


def _listed(language: Language, parts: list[str]) -> list[str] | None:
    """Return what is listed, each in its words; None: something of it is not known.

    Words may hold a comma themselves, so parts are joined as far as is needed.
    """
    known: list[list[str] | None] = [None] * len(parts) + [[]]
    for start in reversed(range(len(parts))):
        for end in range(start + 1, min(start + _JOINED_MAX, len(parts)) + 1):
            rest = known[end]
            said = None if rest is None else _one(language, ", ".join(parts[start:end]))
            if rest is not None and said is not None:
                known[start] = [said, *rest]
                break
    return known[0]


def _one(language: Language, words: str) -> str | None:
    if words in WHY:
        return language.say(words)
    phase = PHASES.get(words.replace(" ", "_"))
    if phase is not None:
        return language.say(phase)
    return chinese(words, event=lambda kind: language.say(EVENTS.get(kind, kind)))
