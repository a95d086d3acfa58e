"""The words of interlocks and commands: phases, states, reasons, what is asked. No markup, no data."""

from collections.abc import Iterable, Mapping

from cloud.store.commands import Command
from cloud.web.language import Language
from cloud.web.reasons import Said, say_reason
from cloud.web.words import EVENTS, mark
from rules.interlock.sentences import chinese
from wire.control import InterlockNow

PHASES = {
    "healthy": mark("Healthy"),
    "tripped": mark("Tripped"),
    "ready_to_reset": mark("Ready to reset"),
    "reset": mark("Reset, not enabled"),
    "starting": mark("Starting, in the safe state"),
}
PHASE_KINDS = {
    "healthy": "good",
    "tripped": "attention",
    "ready_to_reset": "late",
    "reset": "late",
    "starting": "late",
}
NOT_KNOWN = mark("Not known")
CAUSE_STATES = {
    "unknown": mark("Not heard since the start"),
    "normal": mark("Within bounds"),
    "pending": mark("Out, its delay runs"),
    "voting": mark("Votes to trip"),
    "clearing": mark("Back, its delay runs; votes"),
}
CAUSE_KINDS = {
    "unknown": "unmonitored",
    "normal": "good",
    "pending": "late",
    "voting": "bad",
    "clearing": "late",
}
EFFECTS = {
    "hold_work": mark("holds the work"),
    "lock_entry": mark("locks entry"),
    "inhibit_output": mark("blocks the output"),
    "isolate_power": mark("cuts the power"),
}
EFFECT_STATES = {
    "safe": mark("In its safe state, confirmed"),
    "safe_unread": mark("In its safe state, which is not read back"),
    "safe_contradicted": mark("Commanded to its safe state, the device contradicts"),
    "failing": mark("Not known: what sets it or reads it back fails"),
    "released": mark("Released"),
    "contradicted": mark("Released, the device contradicts"),
}
VERDICTS = {
    "in": mark("within the limits"),
    "out": mark("outside of the limits"),
    "undetermined": mark("undetermined: its uncertainty reaches over a limit"),
}
OUTSIDE = {
    "@asked": mark("a person or a command asked for it"),
    "@new": mark("the interlock is new"),
    "@restart": mark("the gateway was started again"),
    "@state_lost": mark("it started without a record of how it stood before"),
    "@rule_changed": mark("the rule was changed"),
}
"""First-out that is no cause of the rule."""
SENTENCES = {
    "no_right": mark("this person may not do that here"),
    "not_tripped": mark("the interlock is not tripped"),
    "other_breach": mark("another breach came in between: look again, then decide"),
    "already_acknowledged": mark("this breach was acknowledged before"),
    "not_reset": mark("the interlock has to be reset first"),
    "unknown_cause": mark("the interlock has no cause of that name"),
    "not_bypassable": mark("this cause may not be bypassed"),
    "no_reason": mark("a bypass needs a reason in words"),
    "no_second_person": mark("a bypass needs a second person who may bypass"),
    "same_person": mark("the second person must be another one"),
    "bad_duration": mark("a bypass lasts more than 0 s and at most 8 h"),
    "group_bypassed": mark("one cause of this group is bypassed already"),
    "not_bypassed": mark("this cause is not bypassed"),
    "no_check_due": mark("no check is due there"),
    "not_heard": mark("nothing was heard of it since the start"),
    "window": mark("its rate of change is not known yet: too few readings since the start"),
    "stale": mark("no good reading comes"),
    "out": mark("it is out of bounds"),
    "off_delay": mark("it is back, but not for long enough"),
    "not_steady": mark("mean, spread or rate of change is outside"),
    "steadying": mark("it is steady, but not for long enough"),
    "not_acknowledged": mark("nobody has acknowledged it"),
    "expired": mark("its time is over"),
    "ended_by_person": mark("a person ended it"),
    "time_unknown": mark("after the restart nobody knows whether its time is over"),
    "rule_changed": mark("the rule was changed"),
    "tripped": mark("the interlock holds this device in its safe state"),
    "check_first": mark("the device has to be checked first; it accepts the commands of that check alone"),
}
"""Reasons of interlocks by their word, as `rules.interlock.reasons` has them."""
NOT_STEADY = mark("it is not steady")
"""Where what is outside is told beside it."""
REFUSALS = {
    "other_gateway": mark("it is for another gateway"),
    "out_of_order": mark("a later command came before it"),
    "time_untrusted": mark("the gateway does not know what time it is, so it may be late"),
    "book_lost": mark("it was asked for before the gateway lost what it had executed: ask again"),
    "late": mark("its time is over"),
    "other_boot": mark("the gateway was started again since it was asked for"),
    "life_too_long": mark("its deadline is more than 600 s after it was asked for"),
    "unknown_command": mark("this gateway does not know the command"),
    "bad_arguments": mark("its arguments are not as expected"),
    "interlock": mark("an interlock forbids it"),
    "busy": mark("too many commands wait"),
    "disk": mark("what permits something is written down first, and the disk takes nothing now"),
    "not_possible": mark("it cannot be done here"),
    "not_done": mark("it was begun, and was not done"),
    "interrupted": mark("the gateway ended while it was being done: it is not known to be done"),
    "unknown_interlock": mark("the gateway has no interlock of that name"),
}
"""Reasons of commands beside them, as `rules.command` has them, and the hub's own."""
PROOF_STATES = {
    "not_asked": mark("No proof test is asked for"),
    "never": mark("Never proved with this rule"),
    "in_date": mark("Proved, in date"),
    "due": mark("Due soon"),
    "overdue": mark("Overdue"),
    "unknown": mark("Not known"),
}
PROOF_KINDS = {"in_date": "good", "due": "late", "overdue": "bad", "never": "bad"}
STEPS = {
    "cause": mark("Make it happen, and wait until it votes:"),
    "effect": mark("Go there and see for yourself that it is safe:"),
    "reset": mark("Undo the causes; acknowledge, reset, enable. See that nothing is released before that."),
}
COMMANDS = {
    "interlock.trip": mark("Trip"),
    "interlock.acknowledge": mark("Acknowledge"),
    "interlock.reset": mark("Reset"),
    "interlock.enable": mark("Enable"),
    "interlock.bypass": mark("Bypass a cause"),
    "interlock.end_bypass": mark("End a bypass"),
    "interlock.pass_check": mark("Check passed"),
    "output.set": mark("Set an output"),
    "instrument.run": mark("Run a procedure"),
    "portal.open": mark("Open a door"),
    "access.lock_down": mark("Lock down"),
    "access.release": mark("Release a lock-down"),
    "access.place": mark("Correct where a person is"),
    "regulation.set": mark("Set a regulation"),
}
STATES = {
    "waiting": mark("Waits for a second person"),
    "lapsed": mark("Nobody approved it in time"),
    "not_sent": mark("Refused at the hub, not sent"),
    "sent": mark("On its way, no receipt yet"),
    "accepted": mark("Accepted, not confirmed yet"),
    "executed": mark("Executed, confirmed by the gateway"),
    "refused": mark("Refused by the gateway"),
    "expired": mark("Came too late, nothing was done"),
    "failed": mark("Begun, not known to be done"),
    "unknown": mark("Unknown: no receipt in time, it may or may not have been done"),
}
STATE_KINDS = {
    "executed": "good",
    "sent": "late",
    "accepted": "late",
    "waiting": "late",
    "unknown": "attention",
    "failed": "bad",
    "refused": "bad",
    "not_sent": "bad",
}
"""Any other is grey."""


def say_word(language: Language, words: Mapping[str, str], word: str) -> str:
    """Return a word in the page's language; one that is not known comes readable."""
    known = words.get(word)
    return language.say(known) if known else word.replace("_", " ")


def say_cause(language: Language, cause: str) -> str:
    """Return a first-out in words; a cause of the rule is its own name."""
    return say_word(language, OUTSIDE, cause) if cause.startswith("@") else cause


def say_cause_words(language: Language, words: str) -> Said:
    """Return what a cause watches in the page's language; what is not known stays as the gateway wrote it."""
    if language.code == "en" or not words:
        return Said(words)
    said = chinese(words, event=lambda kind: language.say(EVENTS.get(kind, kind)))
    return Said(words, "en") if said is None else Said(said)


def first_out(now: InterlockNow) -> tuple[tuple[str, str], ...]:
    """Return the name of each cause that tripped an interlock first, and why it voted; empty: not told."""
    words = {one.name: one.words for one in now.first_votes}
    return tuple((name, words.get(name, "")) for name in now.first_out)


def say_first_out(language: Language, first: Iterable[tuple[str, str]]) -> list[Said]:
    """Return causes as `first_out` has them: why each voted, else its name."""
    return [
        say_cause_words(language, words) if words else Said(say_cause(language, name))
        for name, words in first
    ]


def say_reason_word(language: Language, word: str) -> str:
    """Return the sentence of a reason of an interlock or a command."""
    return say_word(language, {**REFUSALS, **SENTENCES}, word)


def say_refusal(language: Language, command: Command) -> Said | None:
    """Return why a command was not sent, or what the gateway says of why it was not done; None: it was."""
    word, text = command.answer_word or command.refused, command.answer or command.refused_text
    known = {**REFUSALS, **SENTENCES}.get(word)
    if not known:
        return say_reason(language, text or word) if text or word else None
    if not command.answer or command.answer == known:
        return Said(language.say(known))
    said = say_reason(language, command.answer)
    return Said(f"{language.say(known)}: {said.text}", said.lang)
