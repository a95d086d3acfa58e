"""What pages show of interlocks: state, causes and votes, what is missing, what may be done. Pure; no markup.

What a gateway that is not heard said last is shown as that and as nothing else: never as how things stand.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from cloud.command_rules import PERMISSIONS, needs_second, refusal
from cloud.store.commands import Command
from cloud.store.control_status import Held
from cloud.web.figures import milliseconds
from cloud.web.interlocks_words import (
    CAUSE_KINDS,
    CAUSE_STATES,
    COMMANDS,
    EFFECT_STATES,
    EFFECTS,
    NOT_KNOWN,
    NOT_STEADY,
    PHASE_KINDS,
    PHASES,
    STATE_KINDS,
    STATES,
    VERDICTS,
    first_out,
    say_cause_words,
    say_first_out,
    say_reason_word,
    say_refusal,
    say_word,
)
from cloud.web.language import Language
from cloud.web.reasons import Said
from rules.interlock.reasons import Reason
from rules.permissions import Permission
from wire.control import CauseNow, EffectNow, InterlockNow, UnmetNow
from wire.messages import Scalar


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as shown: `kind` picks shape and colour, `word` says it, `element` is where it stands."""

    kind: str
    word: str
    element: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One interlock in the list."""

    name: str
    title: str
    gateway: str
    address: str
    state: Badge
    known: bool
    heard_ms: int | None
    votes: int
    first_out: Sequence[Said]
    bypasses: int
    breach: int
    tripped_ms: int | None


@dataclass(frozen=True, slots=True)
class CauseLine:
    """One row of the matrix."""

    name: str
    group: str
    words: Said
    said: Said
    """Why it votes, with what was read when it began to; empty: it does not, or that was not told."""
    vote: str
    state: Badge
    votes: bool
    value: str
    uncertainty: str
    verdict: str
    flags: Sequence[str]
    bypass_ends_ms: int | None
    bypass_words: str
    may_bypass: bool
    may_check: bool
    """Whether a person may say that its check was passed."""
    first: bool
    """Whether it was the first out."""


@dataclass(frozen=True, slots=True)
class EffectColumn:
    """One column of the matrix."""

    words: str
    target: str
    state: Badge


@dataclass(frozen=True, slots=True)
class Unmet:
    """One thing that is missing before a reset."""

    cause: str
    words: str
    ends_ms: int | None
    """Hub time at which it may be over at the earliest; None: time alone does not do it."""
    why: Said = field(default_factory=lambda: Said(""))
    """What was outside last, with value and limit; empty: that was not told."""
    then_s: float | None = None
    """How long it has to stay inside without a break, once it is: nothing runs yet."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that may be done."""

    do: str
    words: str
    allowed: bool
    why_not: str
    """What stands in the way, in words; empty: nothing does."""
    second: bool
    """Whether another person has to approve it."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One command in a history."""

    id: str
    name: str
    about: str
    state: Badge
    word: str
    asker: str
    second: str
    asked_ms: int
    refusal: Said | None
    waits_until_ms: int | None


def address_of(gateway: str, name: str) -> str:
    """Return where the page of an interlock is."""
    return f"/interlocks/{gateway}/{quote(name, safe='')}"


def badge_of(now: InterlockNow, *, known: bool, language: Language, element: str = "") -> Badge:
    """Return the state as a badge; grey where nobody knows it."""
    word = say_word(language, PHASES, now.phase)
    if not known:
        return Badge("unmonitored", language.say(NOT_KNOWN), element)
    return Badge(PHASE_KINDS.get(now.phase, "late"), word, element)


def line(held: Held, now: InterlockNow, *, at: datetime, language: Language) -> Line:
    """Return an interlock as it stands in the list."""
    known = held.is_known(at)
    return Line(
        name=now.name,
        title=now.title,
        gateway=held.gateway,
        address=address_of(held.gateway, now.name),
        state=badge_of(now, known=known, language=language),
        known=known,
        heard_ms=None if held.heard_at is None else milliseconds(held.heard_at),
        votes=sum(one.votes and not one.bypassed for one in now.causes),
        first_out=say_first_out(language, first_out(now)),
        bypasses=len(now.bypasses),
        breach=now.breach,
        tripped_ms=now.tripped_at_ms,
    )


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Return what needs a person first: tripped, then what is not known, then what waits for somebody."""
    weights = {"attention": 0, "unmonitored": 1, "late": 2}
    return sorted(lines, key=lambda one: (weights.get(one.state.kind, 3), one.gateway, one.name))


def causes(held: Held, now: InterlockNow, *, known: bool, language: Language) -> list[CauseLine]:
    """Return the rows of the matrix."""
    groups = {one.name: f"{one.votes} / {one.needed}" for one in now.groups}
    aside = {one.cause: one for one in now.bypasses}
    closed = {one.group for one in now.causes if one.name in aside}
    found = []
    for one in now.causes:
        bypass = aside.get(one.name)
        words = "" if bypass is None else f"{bypass.reason} ({bypass.by}, {bypass.second})"
        ends = None if bypass is None else ends_ms(held, bypass.remaining_s)
        found.append(
            CauseLine(
                name=one.name,
                group=one.group,
                words=say_cause_words(language, one.words),
                said=say_cause_words(language, one.said if one.votes else ""),
                vote=groups.get(one.group, ""),
                state=_cause_state(one, known=known, language=language),
                votes=one.votes,
                value=one.value,
                uncertainty=one.uncertainty,
                verdict=say_word(language, VERDICTS, one.verdict) if one.verdict else "",
                flags=_flags(one, language),
                bypass_ends_ms=ends,
                bypass_words=words,
                may_bypass=one.group not in closed and _may(one, one.bypassable),
                may_check=_may(one, one.check_due),
                first=one.name in now.first_out,
            )
        )
    return found


def _cause_state(one: CauseNow, *, known: bool, language: Language) -> Badge:
    if not known:
        return Badge("unmonitored", language.say(NOT_KNOWN))
    kind = CAUSE_KINDS.get(one.state, "late")
    return Badge(
        "late" if kind == "good" and one.stale else kind, say_word(language, CAUSE_STATES, one.state)
    )


def _may(one: CauseNow, told: bool | None) -> bool:
    """Return what a gateway says of a cause; of one that does not say it, every cause of the rule may."""
    return not one.name.startswith("@") if told is None else told


def _flags(one: CauseNow, language: Language) -> list[str]:
    said = []
    if one.stale:
        said.append(say_reason_word(language, "stale"))
    return said


def effects(
    now: InterlockNow, *, failing: Collection[str] = (), known: bool, language: Language
) -> list[EffectColumn]:
    """Return the columns of the matrix; `failing` names outputs that the gateway fails to set or to read."""
    return [
        EffectColumn(
            words=say_word(language, EFFECTS, one.kind),
            target=one.target,
            state=Badge("bad", say_word(language, EFFECT_STATES, "failing"))
            if known and one.target in failing
            else _effect_state(one, known=known, language=language),
        )
        for one in now.effects
    ]


def _effect_state(one: EffectNow, *, known: bool, language: Language) -> Badge:
    if not known:
        return Badge("unmonitored", language.say(NOT_KNOWN))
    if one.safe and one.confirmed:
        return Badge("late", say_word(language, EFFECT_STATES, "safe"))
    if one.safe:
        word = "safe_unread" if one.confirmed is None else "safe_contradicted"
        return Badge("late" if one.confirmed is None else "bad", say_word(language, EFFECT_STATES, word))
    if one.confirmed is False:
        return Badge("bad", say_word(language, EFFECT_STATES, "contradicted"))
    return Badge("good", say_word(language, EFFECT_STATES, "released"))


def unmet(held: Held, now: InterlockNow, language: Language) -> list[Unmet]:
    """Return what is missing before a reset, in the order of the rule."""
    return [_unmet(held, one, language) for one in now.unmet]


def _unmet(held: Held, one: UnmetNow, language: Language) -> Unmet:
    words, why = say_reason_word(language, one.reason), say_cause_words(language, one.words)
    if one.reason == Reason.NOT_STEADY:
        return Unmet(one.cause, language.say(NOT_STEADY) if one.words else words, None, why, one.remaining_s)
    ends = None if one.remaining_s is None else ends_ms(held, one.remaining_s)
    return Unmet(one.cause, words, ends, why)


def ends_ms(held: Held, remaining_s: float) -> int | None:
    """Return when something is over that lasts so long from when it was told."""
    if held.heard_at is None:
        return None
    return milliseconds(held.heard_at + timedelta(seconds=remaining_s))


def acts(
    held: Held,
    now: InterlockNow,
    *,
    known: bool,
    may: Mapping[Permission, bool],
    language: Language,
) -> list[Act]:
    """Return what may be done with an interlock, and what stands in the way of each."""
    status = held.status if known else None
    arguments: dict[str, Scalar] = {"interlock": now.name, "breach": now.breach}
    found = []
    for do in ("acknowledge", "reset", "enable", "trip"):
        name = f"interlock.{do}"
        refused = refusal(name, arguments, status)
        if not may[PERMISSIONS[name]]:
            why = say_reason_word(language, "no_right")
        elif refused is not None:
            why = say_reason_word(language, refused.word)
        else:
            why = ""
        found.append(
            Act(do, say_word(language, COMMANDS, name), not why, why, needs_second(name, arguments, status))
        )
    return found


def command_line(command: Command, *, at: datetime, language: Language) -> CommandLine:
    """Return a command as it stands in a history."""
    state = command.state(at)
    about = [str(command.arguments[key]) for key in _ABOUT if key in command.arguments]
    return CommandLine(
        id=command.id,
        name=say_word(language, COMMANDS, command.name),
        about=" · ".join(about),
        state=Badge(STATE_KINDS.get(state, "unmonitored"), say_word(language, STATES, state)),
        word=state,
        asker=command.asker or command.by,
        second=command.approver,
        asked_ms=milliseconds(command.asked_at),
        refusal=say_refusal(language, command),
        waits_until_ms=milliseconds(command.approve_until)
        if state == "waiting" and command.approve_until is not None
        else None,
    )


_ABOUT = (
    *("interlock", "cause", "output", "value", "device", "procedure", "portal", "side", "zone", "person"),
    *("name", "breach", "reason", "comment", "record", "seconds"),
)
"""Arguments in the order in which they are shown."""
