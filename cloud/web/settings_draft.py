"""What somebody does to a text of settings that is not saved: change it in a form, add, leave out, fill in.

Every step gives the whole text anew; nothing is kept between two steps but what the page carries. Pure.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cloud import settings_acts
from cloud.settings_acts import DocumentError, told
from cloud.store.settings_templates import SettingsTemplate
from cloud.web.settings_form import CHOSEN, Sent, added, merged, without
from cloud.web.settings_lines import line_of
from cloud.web.settings_parts import Values, entries, with_entry
from cloud.web.settings_rewrite import rewritten
from wire.settings.base import Fault
from wire.settings.shadow import read_text

PLACE = "place."
"""Before the name of a place of a template."""
FAULTS_SHOWN = 100
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class ShownFault:
    """One thing that is wrong, in English as the gateway says it."""

    path: str
    value: str
    expected: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that is not saved."""

    document: str
    reason: str = ""
    based_on: int = 0
    part: str = ""
    """The section or entry of a list whose form is open."""
    faults: Sequence[Fault] = ()
    changes: Sequence[str] | None = None
    """What it changes; None where that was not asked for."""
    conflict: int | None = None
    """The revision that was saved meanwhile."""
    refused: str = ""

    @property
    def values(self) -> Values | None:
        """What the text says; None where it is no TOML."""
        found, _ = read_text(self.document)
        return None if found is None else dict(found)

    @property
    def shown_faults(self) -> list[ShownFault]:
        """What is wrong, with the lines."""
        return [shown_fault(told(one), self.document) for one in self.faults[:FAULTS_SHOWN]]

    @property
    def more_faults(self) -> int:
        """How many faults are not among those."""
        return max(0, len(self.faults) - FAULTS_SHOWN)


@dataclass(frozen=True, slots=True)
class Filling:
    """A template whose places are to be filled in."""

    template: SettingsTemplate
    sent: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[Fault] = ()

    @property
    def values(self) -> dict[str, str]:
        """Place -> what was sent for it."""
        return {
            name: self.sent.get(PLACE + name, "") for name in settings_acts.places(self.template.document)
        }


def shown_fault(fault: tuple[str, str, str], document: str) -> ShownFault:
    """Return a fault with its line."""
    path, value, expected = fault
    return ShownFault(path, value, expected, line_of(document, path, value))


def sent_draft(pairs: Sequence[tuple[str, str]]) -> tuple[Draft, str]:
    """Return what a form sent, with the fields of an open part taken in, and what is to be done."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        found[name].append(value)
    one = {name: values[-1] for name, values in found.items()}
    draft = Draft(
        one.get("document", "").replace("\r\n", "\n"),
        one.get("reason", ""),
        number(one.get("based_on", "")),
        one.get("part", ""),
    )
    if "fields" in one:
        draft = with_fields(draft, found)
    return draft, one.get("do", "")


def with_fields(draft: Draft, sent: Sent) -> Draft:
    """Return the draft with what the form of its part sent."""
    values = draft.values
    return draft if values is None else _with(draft, merged(values, draft.part, sent))


def edited(draft: Draft, do: str, form: Mapping[str, str]) -> Draft | None:
    """Return the draft after `open X`, `add X`, `remove X` or `new X`; None where that cannot be done.

    The form says which driver a new device has, and which kind a new table.
    """
    word, _, path = do.partition(" ")
    values = draft.values
    if word == "open":
        return replace(draft, part=path)
    if values is None:
        return None
    if word == "add":
        new = added(values, path, kind=form.get(path + CHOSEN, ""))
        part = path if "[" not in path else draft.part
    elif word == "remove":
        new, part = without(values, path), draft.part
        part = "" if part == path else part
    elif word == "new":
        key = path or "device"
        new = with_entry(values, key, driver=form.get("driver", ""))
        part = "" if new is None else f"{key}[{len(entries(new, key)) - 1}]"
    else:
        return None
    return None if new is None else replace(_with(draft, new), part=part)


def _with(draft: Draft, values: Values) -> Draft:
    try:
        return replace(draft, document=rewritten(draft.document, values))
    except (ValueError, RecursionError) as error:
        return replace(draft, refused=str(error))


def filled(draft: Draft, filling: Filling) -> Draft:
    """Return a template with its places filled in as the draft; `DocumentError` names what is left over."""
    values = filling.values
    empty = [Fault(f"values.{name}", "", "a value for this place") for name, one in values.items() if not one]
    if empty:
        raise DocumentError(empty)
    return replace(draft, document=settings_acts.filled(filling.template.document, values), part="")


def number(text: str) -> int:
    """Return a number that a form or an address gives; what is none stands for no revision."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
