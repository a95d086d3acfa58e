"""What the page of a gateway's settings shows of what is stored, and of a draft. It changes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cloud import settings_acts
from cloud.store import settings_templates, shadow
from cloud.store.connection import Connection
from cloud.store.settings_templates import SettingsTemplate
from cloud.store.shadow import Desired, Owner, Revision, Told
from cloud.web.figures import milliseconds
from cloud.web.language import Language
from cloud.web.overview import State
from cloud.web.settings_draft import Draft, Filling, number, shown_fault
from cloud.web.settings_form import shown as shown_part
from cloud.web.settings_parts import Part, entries, parts
from cloud.web.settings_schema import LISTS, SECTIONS, drivers, section_title, title
from cloud.web.settings_words import GROUPS, NEW, STATES
from cloud.web.words import KINDS
from wire.settings.base import Fault

_HISTORY = 100
_FAILED = ("refused", "rolled_back", "aside")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is stored of a gateway's settings."""

    owner: Owner
    newest: int
    document: str
    """Of the newest revision."""
    wanted: Desired | None
    told: Told | None
    history: Sequence[Revision]
    templates: Sequence[SettingsTemplate]
    site_kind: str | None

    @property
    def word(self) -> str:
        """What became of what is wanted, as far as the gateway has said."""
        wanted, told = self.wanted, self.told
        if told is None:
            return "unheard" if wanted is None else "sent"
        if wanted is None:
            return "file"
        if not told.heard(wanted):
            return "sent"
        return "aside" if told.state == "applied" and not told.runs(wanted) else told.state

    @property
    def faults(self) -> list[Fault]:
        """What the gateway finds wrong with the newest text."""
        wanted, told = self.wanted, self.told
        if told is None or wanted is None or wanted.number != self.newest or self.word not in _FAILED:
            return []
        return [Fault(*_three(one)) for one in told.faults]


async def look(connection: Connection, owner: Owner) -> Seen:
    """Read everything that the page shows."""
    newest = await shadow.newest(connection, owner.id)
    return Seen(
        owner,
        newest,
        await shadow.document(connection, owner.id, newest) or "",
        await shadow.desired(connection, owner.id),
        await shadow.told(connection, owner.id),
        await shadow.revisions(connection, owner.id, limit=_HISTORY),
        await settings_templates.of_organisation(connection, owner.organisation_id),
        await shadow.site_kind(connection, owner),
    )


async def template_of(connection: Connection, owner: Owner, asked: str) -> SettingsTemplate | None:
    """Return a template of the gateway's organisation by the number that was asked for."""
    found = await settings_templates.get_template(connection, number(asked)) if asked else None
    return found if found is not None and found.organisation_id == owner.organisation_id else None


def shown(
    seen: Seen, draft: Draft | None, language: Language, *, part: str, filling: Filling | None
) -> dict[str, Any]:
    """Return what the template is given, but for who may do what."""
    kind, said = STATES[seen.word]
    if draft is not None and not draft.document and draft.part == "":
        draft = replace(draft, document=seen.document)  # Of going back: there is no text with it.
    given = draft or Draft(seen.document, based_on=seen.newest, part=part)
    told = seen.told
    return {
        "page": "devices",
        "gateway": seen.owner.name,
        "organisation": seen.owner.organisation_id,
        "state": State("settings-state", kind, language.say(said)),
        "word": seen.word,
        "failed": seen.word in _FAILED,
        "wanted": None if seen.wanted is None else seen.wanted.number,
        "told": told,
        "faults": [shown_fault(_three(one), seen.document) for one in told.faults] if told else [],
        "newest": seen.newest,
        "draft": given,
        "changed": draft is not None,
        "form": form_of(given, language, faults=given.faults if draft else seen.faults),
        "filling": filling,
        "templates": seen.templates,
        "restarts": restarts(seen.document, given) if draft is not None else [],
        "kinds": {kind: language.say(word) for kind, word in KINDS.items()},
        "site_kind": seen.site_kind or "laboratory",
        "history": seen.history,
        "ms": milliseconds,
        "reason_max": settings_acts.REASON_MAX,
    }


def restarts(document: str, draft: Draft) -> list[str]:
    """Return the sections that a draft changes and a gateway takes over from its own file alone."""
    before, after = Draft(document).values, draft.values
    if before is None or after is None:
        return []
    return [name for name in (*LISTS, *SECTIONS) if name != "device" and before.get(name) != after.get(name)]


def form_of(draft: Draft, language: Language, *, faults: Sequence[Fault]) -> dict[str, Any] | None:
    """Return the parts of a text and the open one as a form; None where the text is no TOML."""
    values = draft.values
    if values is None:
        return None
    found = parts(values, faults)
    open_path = draft.part or (found[0].path if found else "")
    part = next((one for one in found if one.path == open_path), None)
    table = shown_part(values, open_path, faults) if part is not None and not part.addable else None
    model = drivers().get(part.beside) if part is not None and part.of_list == "device" else None
    about = title(model) if model else section_title(part.of_list or part.path) if part else ""

    def say(text: str) -> str:
        return language.say(text) if text else ""

    return {
        "groups": list(_groups(found, language)),
        "open": part,
        "table": table,
        "about": say(about),
        "say": say,
        "trips": bool(entries(values, "interlock")),
        "drivers": [(name, say(title(kind))) for name, kind in drivers().items()],
    }


def _groups(found: Sequence[Part], language: Language) -> Iterator[dict[str, Any]]:
    """Yield the parts in groups: what each is called, its parts, and what adds one to it."""
    for key, word in GROUPS.items():
        here = [one for one in found if (one.of_list or ("panel" if one.path == "panel" else "")) == key]
        yield {
            "key": key,
            "word": language.say(word),
            "parts": here,
            "new": language.say(NEW[key]) if key in NEW else "",
        }


def _three(fault: Sequence[str]) -> tuple[str, str, str]:
    path, value, expected = fault
    return path, value, expected
