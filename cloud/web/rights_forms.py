"""What forms of rights and visits share: times as they are typed, and what is said of a fault."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from cloud.identity.acts import Act, ActError
from cloud.rights_acts import Place
from cloud.store.rights_items import find_item
from cloud.web.doors_words import FAULT
from cloud.web.language import Language

_FORMS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")


def say(fault: ActError | None, language: Language) -> str:
    """Return what is said of an act that was not done."""
    if fault is None:
        return ""
    return language.say(FAULT) % {"field": fault.field, "value": fault.value, "expected": fault.expected}


async def refuse_taken(act: Act, place: Place, *, kind: str, name: str) -> None:
    """Refuse a new item whose short name another has: nothing is overwritten unseen."""
    found = await find_item(act.connection, place.organisation_id, place.site_id, kind=kind, name=name)
    if found is not None:
        raise ActError("id", name, f"a short name that no other {kind} has, unless it is to be changed")


def moment(field: str, text: str, zone: ZoneInfo) -> datetime | None:
    """Return a moment typed in a site's time zone; None where nothing was typed. Raises `ActError`."""
    text = text.strip()
    if not text:
        return None
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
    raise ActError(field, text, "a time such as 2026-01-31T08:00")


def needed(field: str, text: str, zone: ZoneInfo) -> datetime:
    """Return a moment that has to be typed; raises `ActError`."""
    found = moment(field, text, zone)
    if found is None:
        raise ActError(field, "", "a time such as 2026-01-31T08:00")
    return found


def words_of(text: str) -> list[str]:
    """Return words that were typed with commas or spaces between them, each once."""
    return list(dict.fromkeys(text.replace(",", " ").replace("，", " ").replace(";", " ").split()))


def whole(field: str, text: str) -> int | None:
    """Return a whole number that was typed; None where nothing was. Raises `ActError`."""
    text = text.strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ActError(field, text, "a whole number")
    return int(text)


def text_of(form: Mapping[str, str], name: str) -> str:
    """Return a field of a form, empty where it is not there."""
    return form.get(name, "").strip()


def millis(at: datetime | None) -> int | None:
    """Return ms since 1970."""
    return None if at is None else round(at.timestamp() * 1000)
