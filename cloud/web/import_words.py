"""The words of imports for the page: fields, what a row is about, what is wrong with it. No markup, no data.

The sentences are written where a workbook is judged; each stands here once as a pattern with its variable
parts, and a test compares them. One that is not known is shown as it was written.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from cloud.imports.service import FieldChange
from cloud.web.language import Language
from cloud.web.reasons import Said, matching, unknown_name
from cloud.web.rights_words import CARD_STATES, ROLES
from cloud.web.words import mark
from rules.permissions import Role

FIELDS = {
    "number": mark("Staff number"),
    "name": mark("Name"),
    "department": mark("Department"),
    "email": mark("E-mail"),
    "login": mark("Login"),
    "role": mark("Role"),
    "kind": mark("Kind"),
    "format": mark("Card format"),
    "ending": mark("Last digits"),
    "valid": mark("Valid"),
    "state": mark("State"),
    "title": mark("Title"),
    "calibration_due": mark("Calibration due"),
    "model": mark("Model"),
    "serial": mark("Serial number"),
    "tag": mark("Tag"),
    "home_zone": mark("Home zone"),
}
ASSET_KINDS = {
    "instrument": mark("Instrument"),
    "standard": mark("Standard"),
    "sample": mark("Sample"),
    "equipment": mark("Equipment"),
}
ROWS = (
    mark("person %(number)s"),
    mark("account of person %(number)s"),
    mark("role %(role)s of person %(number)s in the whole organisation"),
    mark("role %(role)s of person %(number)s at %(site)s"),
    mark("card …%(ending)s of person %(number)s"),
    mark("point %(name)s"),
    mark("asset %(name)s"),
)
"""What a row is about."""
EXPECTED = (
    # of the file
    mark("%(count)s bytes: expected at most %(most)s"),
    mark("%(count)s parts: expected at most %(most)s"),
    mark("more than %(count)s bytes unpacked: expected a smaller workbook"),
    mark("a part declares a document type or an entity: expected plain XML"),
    mark("expected an .xlsx workbook: %(why)s"),
    # of sheets and cells
    mark("at most %(count)s rows"),
    mark("a text, a number or a day"),
    mark("a value, no formula"),
    mark("at most %(count)s characters in one line"),
    mark("a sheet named one of: %(names)s"),
    mark("at least one row below a heading"),
    mark("one of, once: %(names)s"),
    mark("also the columns %(names)s"),
    mark("a value"),
    # of any row
    mark("the permission %(permission)s of who imports it"),
    mark("each once; it stands in %(sheet)s row %(row)s already"),
    mark("at most %(count)s characters"),
    mark("a day such as 2026-01-31"),
    # of people and cards
    mark("an address such as li.na@lab.example"),
    mark("beside a role an address of a-z, 0-9, '.', '_', '-', '@', which is the login"),
    mark("an address that is nobody's login yet"),
    mark("some of %(names)s, in the whole organisation, or with @site"),
    mark("an existing site behind the @"),
    mark("a role that you have there yourself"),
    mark("one of %(names)s, or raw with the number of bits, such as raw32"),
    mark("nothing: %(format)s has none"),
    mark("hexadecimal digits of %(count)s bits, as a text"),
    mark("0 to %(most)s"),
    mark("a card that nobody else has"),
    mark("the staff number of a person who is here or in this file"),
    mark("a day that is not before the first"),
    # of points and instruments
    mark("the name of a site of this organisation"),
    mark("the name of a point of %(site)s"),
    mark("nothing or %(day)s, which the calibration in force says; enter the new calibration"),
    mark("a label that nothing else has; it is that of %(name)s"),
    mark("beside a home zone the name of its site"),
    mark("the name of a zone of %(site)s"),
    mark("one of %(names)s"),
)
"""What is expected where something is wrong."""
OPEN = mark("no end")


def say_row(language: Language, what: str) -> Said:
    """Return what a row is about in the page's language."""
    found = None if language.code == "en" else matching(what, ROWS)
    if found is None:
        return Said(what)
    message, parts = found
    if parts.get("role") in set(Role):
        parts["role"] = language.say(ROLES[Role(parts["role"])])
    return Said(language.say(message) % parts)


def say_expected(language: Language, expected: str) -> Said:
    """Return in the page's language what is expected; an unknown sentence is marked as English."""
    if language.code == "en":
        return Said(expected)
    found = matching(expected, EXPECTED)
    if found is None:
        return Said(expected, "en")
    message, parts = found
    return Said(language.say(message) % parts)


def say_field(language: Language, change: FieldChange, zone: ZoneInfo) -> tuple[Said, str, str]:
    """Return a field's name, and what it is before and after; times are in `zone`."""
    known = FIELDS.get(change.field)
    name = Said(language.say(known)) if known else unknown_name(language, change.field)
    before, after = (
        _value(language, change.field, text, zone=zone) for text in (change.before, change.after)
    )
    return name, before, after


def _value(language: Language, field: str, text: str, *, zone: ZoneInfo) -> str:
    if field == "valid" and text:
        first, _, last = text[1:-1].replace('"', "").partition(",")
        return f"{_time(first, zone)} – {_time(last, zone) or language.say(OPEN)}"
    if field == "role" and text in set(Role):
        return language.say(ROLES[Role(text)])
    for words in (CARD_STATES, ASSET_KINDS) if field in ("state", "kind") else ():
        if text in words:
            return language.say(words[text])
    return text


def _time(text: str, zone: ZoneInfo) -> str:
    """Return a moment as PostgreSQL writes it within a range, in a zone."""
    return f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M}" if text else ""
