"""Alarms in words: conditions, priorities, states, and why something was not done. No markup, no data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloud.alarm_acts import RefusedError
from cloud.identity.acts import ActError
from cloud.store.alarms_read import Alarm
from cloud.store.control_status import Held
from cloud.web.interlocks_words import say_cause, say_cause_words
from cloud.web.language import Language
from cloud.web.words import mark
from rules.alarm.desk import Reason

CONDITIONS = {
    "lolo": mark("Very low"),
    "lo": mark("Low"),
    "hi": mark("High"),
    "hihi": mark("Very high"),
    "rate": mark("Changes too fast"),
    "comms": mark("No communication"),
    "device": mark("Device gives no value"),
    "calibration": mark("Calibration overdue"),
    "tamper": mark("Tampered with"),
    "event": mark("Reported alarm"),
}
WHATS = {
    "interlock": mark("Interlock tripped"),
    "duress": mark("Entry under duress"),
    "door-forced": mark("Door forced"),
    "door-held": mark("Door held open"),
    "lock-down": mark("Lock-down"),
    "gas": mark("Gas alarm"),
    "fire-release": mark("Fire release"),
    "power": mark("Mains lost"),
    "unauthorised-entry": mark("Entry without a right"),
    "too-few": mark("Too few people in the room"),
    "visitor-alone": mark("Visitor alone"),
    "regulation": mark("Regulation calls a person"),
}
"""What an event told of, by the first part of its name."""
KINDS = {
    "process": mark("Process"),
    "comms": mark("Communication"),
    "device": mark("Device"),
    "calibration": mark("Calibration"),
    "tamper": mark("Tampering"),
}
PRIORITIES = {
    "urgent": mark("Urgent"),
    "high": mark("High priority"),
    "medium": mark("Medium priority"),
    "low": mark("Low priority"),
}
STATES = {
    "unacknowledged": mark("Unacknowledged"),
    "acknowledged": mark("Acknowledged"),
    "returned_unacknowledged": mark("Over, unacknowledged"),
    "shelved": mark("Shelved"),
    "suppressed": mark("Suppressed by design"),
    "out_of_service": mark("Out of service"),
    "not_monitored": mark("Not monitored"),
    "normal": mark("Normal"),
}
STATE_KINDS = {
    "unacknowledged": "attention",
    "acknowledged": "bad",
    "returned_unacknowledged": "late",
    "shelved": "muted",
    "suppressed": "muted",
    "out_of_service": "muted",
    "not_monitored": "unmonitored",
    "normal": "good",
}
"""State -> look of its badge; what is muted or not monitored is never green."""
ENDS = {
    "returned": mark("back in range"),
    "rule_changed": mark("its rules were changed"),
}
WHYS = {
    "alarms": mark("Alarms"),
    "flood_began": mark("Flood began"),
    "digest": mark("Digest of a flood"),
    "flood_ended": mark("Flood over"),
}
DELIVERIES = {
    "waiting": mark("waits"),
    "sent": mark("handed over"),
    "given_up": mark("given up"),
}
WAYS = {
    "email": mark("E-mail"),
    "webhook": mark("Webhook"),
    "wecom": mark("WeCom robot"),
    "dingtalk": mark("DingTalk robot"),
    "sms": mark("Text message"),
}
REFUSED = {
    Reason.NO_PERSON: mark("Nobody is named who does it."),
    Reason.NO_REASON: mark("Say why, in 1 to 500 characters."),
    Reason.NOTHING_OPEN: mark("This alarm is not open any more."),
    Reason.ALREADY_ACKNOWLEDGED: mark("Somebody has acknowledged it already."),
    Reason.NOT_SHELVABLE: mark("An alarm of tampering cannot be shelved."),
    Reason.ALREADY_SHELVED: mark("It is shelved already."),
    Reason.NOT_SHELVED: mark("It is not shelved."),
    Reason.NOTHING_STANDS: mark("It does not stand: choose a time until which it is shelved."),
    Reason.IN_THE_PAST: mark("The time is over already."),
    Reason.TOO_LONG: mark("So long nothing may be shelved at this site."),
    Reason.ALREADY_OUT: mark("The point is out of service already."),
    Reason.NOT_OUT: mark("The point is in service."),
}
FAULTS = {
    "text": mark("A text has at most 500 characters, in one line."),
    "reason": mark("Say why, in 1 to 500 characters."),
    "point": mark("Nothing of this name is watched at this site."),
    "points": mark("Choose points of the quantity that the template is for."),
    "name": mark("A name has 1 to 63 of a-z, 0-9 and '-', and is not in use where it is to be removed."),
    "target": mark("Enter addresses or numbers separated by commas, or the whole address of a hook."),
}
DESIGNS = {"no_job": mark("no job is under way here")}
"""Which design suppresses -> in words."""


Titles = Mapping[tuple[int, str], str]


def titles_of(held: Iterable[Held]) -> Titles:
    """Return (site, name of its alarms) -> title, of interlocks that have one."""
    return {
        (one.site_id, f"interlock/{interlock.name}"): interlock.title
        for one in held
        if one.site_id is not None
        for interlock in one.status.interlocks
        if interlock.title
    }


@dataclass(frozen=True, slots=True)
class Shown:
    """One alarm as a page shows it."""

    alarm: Alarm
    what: str
    priority: str
    state: str
    look: str
    ended: str
    muted: str
    """Why it is shelved, suppressed or out of service."""
    causes: str
    """What the event told of its causes, as it was written; what is no cause of a rule is in words."""
    title: str
    """What people call the point or the interlock; empty: they call it by its name."""


def what_of(alarm: Alarm) -> str:
    """Return the message of what is the matter."""
    return what_told(alarm.point, alarm.condition)


def what_told(point: str, condition: str) -> str:
    """Return the message of what a condition of a point says."""
    told = WHATS.get(point.partition("/")[0]) if condition == "event" else None
    return told or CONDITIONS[condition]


def show(alarm: Alarm, language: Language, titles: Titles) -> Shown:
    """Return an alarm in the words of the page; `titles` of interlocks by site and name."""
    say = language.say
    told = [alarm.detail.get(name) for name in ("first_out", "causes", "reason", "text")]
    votes = str(alarm.detail.get("words") or "")
    return Shown(
        alarm,
        say(what_of(alarm)),
        say(PRIORITIES[alarm.priority]),
        say(STATES[alarm.state]),
        STATE_KINDS[alarm.state],
        say(ENDS[alarm.ended]) if alarm.ended in ENDS else "",
        say(DESIGNS[alarm.mute_reason]) if alarm.mute_reason in DESIGNS else alarm.mute_reason,
        _votes(votes, language) if votes else next((_causes(one, language) for one in told if one), ""),
        alarm.title or titles.get((alarm.site_id, alarm.point), ""),
    )


def say_fault(fault: ActError, language: Language) -> str:
    """Return in the page's language why something was not done; what has no words there stays English."""
    if isinstance(fault, RefusedError):
        return language.say(REFUSED[fault.reason])
    known = FAULTS.get(fault.field)
    return language.say(known) if known else str(fault)


def _votes(words: str, language: Language) -> str:
    """Return why causes voted, as an event of an interlock has it."""
    return say_cause_words(language, words).text


def _causes(told: object, language: Language) -> str:
    causes = map(str, told) if isinstance(told, list | tuple) else str(told).split(", ")
    return ", ".join(say_cause(language, one) for one in causes)
