"""Writes the text of a round for one way: subject and body, in its language, in the site's time. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.notify.words import CONDITIONS, PRIORITIES, SENTENCES, WHATS
from cloud.store.alarm_messages import SiteFacts, Way
from cloud.store.ticks import datetime_of_us, us_of_tick
from rules.alarm.calls import Call, Notification
from rules.alarm.model import Occurrence, Priority
from wire.quantities import QUANTITIES

LINES_MAX = 40
"""Alarms that one message names; what is beyond it is counted, and all are on the page."""


def write_message(
    site: SiteFacts, round_: Notification, calls: Sequence[Call], *, way: Way
) -> tuple[str, str]:
    """Return subject and body of what one way is told in a round."""
    say = SENTENCES[way.language]
    steps = sorted(calls, key=lambda call: call.escalated)  # of several steps of one the escalation stays
    ones = sorted({call.occurrence.id: call for call in steps}.values(), key=_urgent_first)
    most = min((call.occurrence.priority for call in ones), default=Priority.LOW)
    counted = say[round_.why.value].format(count=len(ones), priority=PRIORITIES[way.language][most - 1])
    named = _urgent(site, round_, ones, language=way.language)
    subject = say["site"].format(site=site.title) + say["then"].join([*named, counted])
    lines = []
    if len(ones) > 1:
        lines.append(say["counts"].format(counts=_counts(ones, way.language)))
        first = min(ones, key=lambda call: (call.occurrence.onset, call.occurrence.id))
        lines += [say["first"].format(alarm=_line(site, first, way.language)), ""]
    lines += [_line(site, call, way.language) for call in ones[:LINES_MAX]]
    if len(ones) > LINES_MAX:
        lines.append(say["more"].format(count=len(ones) - LINES_MAX))
    return subject, "\n".join([*lines, "", say["foot"]])


def _urgent(site: SiteFacts, round_: Notification, ones: Sequence[Call], *, language: str) -> list[str]:
    """Return what a subject says before its counts: an escalation, or the first urgent alarm that stands.

    What this round tells goes before what was told earlier.
    """
    say = SENTENCES[language]
    told = [call for call in ones if call.occurrence.priority is Priority.URGENT]
    if raised := [call.occurrence for call in told if call.escalated]:
        parts = [say["escalated"].format(alarm=_said(site, raised[0], language))]
        return [*parts, say["urgent"].format(count=len(round_.urgent))]
    now = [call.occurrence for call in told if call.occurrence.stands]
    standing = now or sorted(round_.urgent, key=lambda one: (one.onset, one.id))
    if not standing:
        return []
    count = len({one.id for one in (*now, *round_.urgent)})
    return [say["urgent_first"].format(count=count, alarm=_said(site, standing[0], language))]


def write_test(way: Way, who: str, at: datetime) -> tuple[str, str]:
    """Return subject and body of a test message."""
    say = SENTENCES[way.language]
    return say["test"].format(name=way.name), say["test_body"].format(
        who=who, time=f"{at:%Y-%m-%d %H:%M:%S} UTC"
    )


def _urgent_first(call: Call) -> tuple[int, int, str]:
    return call.occurrence.priority, call.occurrence.onset, call.occurrence.id


def _counts(calls: Sequence[Call], language: str) -> str:
    found = [call.occurrence.priority for call in calls]
    words = PRIORITIES[language]
    return ", ".join(f"{words[one - 1]} {found.count(one)}" for one in Priority if one in found)


def _line(site: SiteFacts, call: Call, language: str) -> str:
    said = f"[{PRIORITIES[language][call.occurrence.priority - 1]}] {_said(site, call.occurrence, language)}"
    if call.count > 1:
        said += ", " + SENTENCES[language]["again"].format(count=call.count)
    return said


def _said(site: SiteFacts, one: Occurrence, language: str) -> str:
    """Return what, where, since when, value and limit."""
    say = SENTENCES[language]
    time = _time(one.onset, site.time_zone)
    parts = [
        f"{one.point}: {what_text(one, language)}",
        say["since" if one.stands else "was"].format(time=time),
    ]
    if one.limit is not None and one.worst is not None:
        unit = _unit(site, one.point)
        worst, limit = _number(one.worst), _number(one.limit)
        parts.append(say["value"].format(value=f"{worst}{unit}", limit=f"{limit}{unit}"))
    return ", ".join(parts)


def what_text(one: Occurrence, language: str) -> str:
    """Return what is the matter, in words: what was told, or the condition of a point."""
    told = WHATS[language].get(one.point.partition("/")[0]) if one.condition.value == "event" else None
    return told or CONDITIONS[language][one.condition.value]


def _unit(site: SiteFacts, point: str) -> str:
    quantity = QUANTITIES.get(site.units.get(point, ""))
    return f" {quantity.unit}" if quantity is not None and quantity.unit else ""


def _number(value: Decimal) -> str:
    return f"{value:f}"


def _time(tick: int, zone: str) -> str:
    try:
        where: ZoneInfo = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        where = ZoneInfo("UTC")
    at = datetime_of_us(us_of_tick(tick)).astimezone(where)
    return f"{at:%Y-%m-%d %H:%M:%S %z}"
