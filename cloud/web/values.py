"""One point's newest reading as a page shows it; the same words for the first page and for the live stream.

Reads nothing: it is given rows of `cloud.store.latest`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from cloud.store.latest import SILENT_PERIODS, Latest
from cloud.web.attention import concern, is_usual
from cloud.web.figures import NONE, exact, milliseconds, unit
from cloud.web.language import Language
from cloud.web.point_words import state_word
from cloud.web.words import LAST_VALUE, NEVER, SILENT, STATUSES, duration


@dataclass(frozen=True, slots=True)
class Shown:
    """One row of a table of values."""

    id: int
    text: str
    """Every digit of the value, a word, or a dash."""
    exact: str
    """Every digit, with its unit; empty when there is no value."""
    look: str
    """`number`, `word` or `absent`."""
    flag: str
    """Why there is no value, or what is wrong with it; empty when it is good."""
    weight: str
    """Of the flag: `urgent` (needs a person), `remark`, or `usual` (said, but nothing is wrong)."""
    due: int | None
    """The period now, ms."""
    at: int | None
    """ms since 1970."""
    clock: str
    count: int | None
    stale: bool
    """Silent: the value is the last one, and says nothing of now."""
    exponent: int
    """The value is exactly `count * 10**exponent`; for charts."""


def show(latest: Latest, language: Language, zone: ZoneInfo) -> Shown:
    """Return how a newest reading is written."""
    value = Decimal(latest.value) if latest.value is not None else None
    quantity = latest.point.quantity
    exponent = _exponent(value) if value is not None else latest.point.exponent or 0
    return Shown(
        id=latest.point.id,
        text=_text(latest, value, language),
        exact=f"{exact(value)} {unit(quantity)}".strip() if value is not None else "",
        look=_look(latest, value),
        flag=_flag(latest, language),
        weight=_weight(latest),
        due=latest.point.period_ms,
        at=milliseconds(latest.observed_at) if latest.observed_at else None,
        clock=clock_text(latest.observed_at, zone) if latest.observed_at else "",
        count=int(value.scaleb(-exponent)) if value is not None else None,
        stale=latest.state == "silent",
        exponent=exponent,
    )


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _text(latest: Latest, value: Decimal | None, language: Language) -> str:
    if value is None:
        return NONE
    if latest.word is not None:
        return state_word(language, latest.word)
    return exact(value)


def _look(latest: Latest, value: Decimal | None) -> str:
    if value is None:
        return "absent"
    return "word" if latest.word is not None else "number"


def _flag(latest: Latest, language: Language) -> str:
    """Return the remark; that a point is silent weighs more than what it said last."""
    if latest.state == "never":
        return language.say(NEVER)
    if latest.state == "silent" and latest.value is not None and latest.age_s is not None:
        return language.say(LAST_VALUE) % {"time": duration(language, round(latest.age_s * 1000))}
    if latest.state == "silent":
        return language.say(SILENT)
    urgent = concern(latest)
    if urgent is not None:
        return language.say(urgent)
    if latest.status in (None, "good"):
        return ""
    known = STATUSES.get(latest.status or "")
    return language.say(known) if known is not None else str(latest.status).replace("_", " ")


def _weight(latest: Latest) -> str:
    if concern(latest) is not None:
        return "urgent"
    return "usual" if is_usual(latest) else "remark"


def clock_text(moment: datetime, zone: ZoneInfo) -> str:
    """Return date, time and offset in a zone, e.g. `2026-11-20 19:30:02 +08:00`."""
    local = moment.astimezone(zone)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:]}"


def since_text(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Return time of day and offset in a zone, e.g. `19:30:02 +08:00`; with the date on another day."""
    text = clock_text(moment, zone)
    same = moment.astimezone(zone).date() == now.astimezone(zone).date()
    return text.partition(" ")[2] if same else text


def offset_text(now: datetime, zone: ZoneInfo) -> str:
    """Return a zone's offset now, e.g. `UTC+08:00`."""
    return f"UTC{clock_text(now, zone).rpartition(' ')[2]}"


assert SILENT_PERIODS == 3, "live.js counts the same periods"
