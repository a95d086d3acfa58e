"""What a person does to the settings of gateways: save, go back to an earlier revision, keep templates.

Each act is one transaction with its audit row; who may do what was judged before, by what the connection
lets be seen. Documents are checked by the code that the gateway uses, as far as it needs no driver; what only
the gateway can know it answers itself, and the answer is shown as what it reported.
"""

import asyncio
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from cloud import interlock_rules
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.store import accounts, settings_templates, shadow
from cloud.store.connection import Connection
from cloud.store.shadow import Desired, NewRevision, Owner
from rules.permissions import Permission
from wire.settings.base import Fault, shorten
from wire.settings.shadow import check_text
from wire.settings.toml import to_toml
from wire.shadow import COUNTER_MAX, DOCUMENT_BYTES_MAX, document_hash

REASON_MAX = 500
SITE_KINDS = ("laboratory", "mobile_lab", "vehicle")
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_LINES_MAX, _LINE_MAX = 200, 300
_COMPARED_MAX = 1500
"""Lines; beyond that a text is told as exchanged, because to compare line with line may take minutes."""
_PLACE = re.compile(r"\{\{([a-z0-9_]{1,40})\}\}")

Values = Mapping[str, str | int | float | bool]
"""Place of a template -> what stands there."""


class DocumentError(Exception):
    """A document with faults; nothing was saved."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = list(faults)


class ConflictError(Exception):
    """Somebody else saved meanwhile."""

    def __init__(self, based_on: int, newest: int) -> None:
        super().__init__(f"revision {newest} was saved meanwhile, and this one is based on {based_on}")
        self.newest = newest


async def save(act: Act, gateway: str, document: str, *, based_on: int, reason: str) -> int:
    """Save a document as the gateway's next revision, have it run there, and return its number.

    A text that the newest revision has already, and that is wanted, makes no revision: its number is given;
    unless the gateway refused it or went back, then it is to be tried again.
    Raises `DocumentError` with every fault, `ConflictError`, `ActError`.
    """
    owner = await _owner(act, gateway)
    reason = _reason(reason)
    if faults := await faults_of(act.connection, owner, document):
        raise DocumentError(faults)
    await shadow.hold(act.connection, owner.id)
    newest = await shadow.newest(act.connection, owner.id)
    if based_on != newest:
        raise ConflictError(based_on, newest)
    wanted = await shadow.desired(act.connection, owner.id)
    is_wanted = wanted is not None and wanted.number == newest and not await _failed(act, wanted)
    if is_wanted and await shadow.by_hash(act.connection, owner.id, document_hash(document)) == newest:
        return newest
    return await _add(act, owner, document, based_on=based_on, reason=reason, action="settings.save")


async def revert(act: Act, gateway: str, number: int, *, based_on: int, reason: str) -> int:
    """Save the document of an earlier revision as the newest one, and return its number."""
    owner = await _owner(act, gateway)
    reason = _reason(reason)
    await shadow.hold(act.connection, owner.id)
    newest = await shadow.newest(act.connection, owner.id)
    document = await shadow.document(act.connection, owner.id, number)
    if document is None:
        raise MissingError("number", number, "the number of a revision")
    if based_on != newest:
        raise ConflictError(based_on, newest)
    if faults := await faults_of(act.connection, owner, document):
        raise DocumentError(faults)
    return await _add(act, owner, document, based_on=based_on, reason=reason, action="settings.revert")


async def save_template(
    act: Act,
    organisation_id: int,
    name: str,
    *,
    site_kind: str,
    document: str,
    reason: str,
    fresh: bool = False,
) -> int:
    """Keep a template in the place of one of this name, and return its id; gateways keep what they have.

    With `fresh` there must not be one of this name yet.
    """
    if organisation_id not in await accounts.all_organisations(act.connection):
        raise MissingError("organisation_id", organisation_id, "an existing organisation")
    act.need(Permission.SETTINGS_WRITE, organisation_id, thing="template")
    reason = _reason(reason)
    _template(name, site_kind, document)
    before = await settings_templates.find_template(act.connection, organisation_id, name)
    if fresh and before is not None:
        raise ActError("name", name, "a name that no template has")
    made = await settings_templates.put_template(
        act.connection,
        organisation_id,
        name,
        site_kind=site_kind,
        document=document,
        by=act.viewer.login,
        at=act.at,
        reason=reason,
    )
    changed = difference(before.document if before else "", document)
    await act.note(
        "settings.template",
        f"template {name}",
        organisation_id=organisation_id,
        old=None if before is None else {"site_kind": before.site_kind, "lines": _lines(changed, "-")},
        new={"site_kind": site_kind, "lines": _lines(changed, "+")},
        why=reason,
    )
    return made


def _template(name: str, site_kind: str, document: str) -> None:
    if not _NAME.fullmatch(name):
        raise ActError("name", name, "1 to 63 characters of a-z, 0-9, '-'")
    if site_kind not in SITE_KINDS:
        raise ActError("site_kind", site_kind, f"one of {', '.join(SITE_KINDS)}")
    if not document.strip() or "\0" in document or len(document.encode()) > DOCUMENT_BYTES_MAX:
        raise ActError("document", shorten(document), f"a text of 1 to {DOCUMENT_BYTES_MAX} bytes")


async def save_filled(
    act: Act, gateway: str, template_id: int, *, values: Values, based_on: int, reason: str
) -> int:
    """Save a template, filled in, as the gateway's next revision; raises as `save` does."""
    owner = await _owner(act, gateway)
    template = await settings_templates.get_template(act.connection, template_id)
    if template is None or template.organisation_id != owner.organisation_id:
        raise MissingError("template", template_id, "a template of the gateway's organisation")
    document = filled(template.document, values)
    return await save(act, gateway, document, based_on=based_on, reason=reason)


async def _add(act: Act, owner: Owner, document: str, *, based_on: int, reason: str, action: str) -> int:
    before = "" if based_on == 0 else await shadow.document(act.connection, owner.id, based_on) or ""
    who = act.viewer.entry(action, "")
    new = NewRevision(document, document_hash(document), who.actor_kind, who.actor, reason, act.at, based_on)
    number = await shadow.add(act.connection, owner, new)
    await shadow.want(act.connection, owner, number, incarnation=await _unseen(act, owner, number))
    changed = difference(before, document)
    await act.note(
        action,
        f"gateway {owner.name}",
        organisation_id=owner.organisation_id,
        old={"revision": based_on, "lines": _lines(changed, "-")},
        new={"revision": number, "lines": _lines(changed, "+")},
        why=reason,
    )
    return number


async def _failed(act: Act, wanted: Desired) -> bool:
    """Whether the gateway said that it does not run what is wanted."""
    told = await shadow.told(act.connection, wanted.gateway_id)
    return told is not None and told.heard(wanted) and not told.runs(wanted) and told.state != "trying"


async def _unseen(act: Act, owner: Owner, number: int) -> int | None:
    """Return the incarnation in which a gateway takes this number for a new one; None: that of before."""
    told = await shadow.told(act.connection, owner.id)
    wanted = await shadow.desired(act.connection, owner.id)
    now = wanted.incarnation if wanted is not None else 0
    if told is None or (told.incarnation, told.number) < (now, number):
        return None
    return min(told.incarnation + 1, COUNTER_MAX)


async def _owner(act: Act, gateway: str) -> Owner:
    owner = await shadow.owner(act.connection, gateway, act.at)
    if owner is None:
        raise MissingError("gateway", gateway, "an existing gateway")
    if not act.viewer.may(Permission.SETTINGS_WRITE, owner.organisation_id, owner.site_id):
        raise ForbiddenError("gateway", gateway, f"the permission {Permission.SETTINGS_WRITE} there")
    if owner.revoked:
        raise ActError("gateway", gateway, "one that is not revoked")
    return owner


async def checked(document: str) -> list[Fault]:
    """Return every fault of a document; a long one takes seconds, in which nothing else waits."""
    return (await asyncio.to_thread(check_text, document))[1]


async def faults_of(connection: Connection, owner: Owner, document: str) -> list[Fault]:
    """Return every fault of a document for a gateway, of its interlocks too as far as they show here."""
    return await checked(document) or await interlock_rules.faults(connection, owner, document)


def difference(before: str, after: str, *, context: int = 0) -> list[str]:
    """Return the lines that differ, `-` before and `+` after, with ` ` lines of context and `@` between."""
    old, new = before.splitlines(), after.splitlines()
    head = _alike(zip(old, new, strict=False))
    tail = _alike(zip(reversed(old[head:]), reversed(new[head:]), strict=False))
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(gone), len(come)) > _COMPARED_MAX:
        place = f"@@ -{head + 1},{len(gone)} +{head + 1},{len(come)} @@"
        return [place, *(f"-{line}" for line in gone), *(f"+{line}" for line in come)]
    lines = list(difflib.unified_diff(old, new, lineterm="", n=context))
    return lines[2:]


def _alike(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _lines(changed: Sequence[str], sign: str) -> list[str]:
    """Return the lines for the audit log, which leads to the revisions where they are too many."""
    found = [line[1:_LINE_MAX] for line in changed if line.startswith(sign)]
    return found if len(found) <= _LINES_MAX else [*found[:_LINES_MAX], "..."]


def places(document: str) -> list[str]:
    """Return the places of a template, each once, as they come."""
    return list(dict.fromkeys(_PLACE.findall(document)))


def filled(document: str, values: Values) -> str:
    """Return a template's document with its places filled in; `DocumentError` names what is left over."""
    named = places(document)
    faults = [
        Fault(f"values.{name}", "missing", "a value for this place") for name in named if name not in values
    ]
    faults += [
        Fault(f"values.{name}", values[name], "no value: there is no such place")
        for name in values
        if name not in named
    ]
    if faults:
        raise DocumentError(faults)
    return _PLACE.sub(lambda found: _written(values[found[1]]), document)


def _written(value: str | int | float | bool) -> str:
    """A text goes between the quotes that stand around its place; so what would end them is escaped."""
    if not isinstance(value, str):
        return to_toml({"v": value}).removeprefix("v = ").strip()
    return to_toml({"v": value}).removeprefix('v = "').rstrip("\n")[:-1]


def told(fault: Fault) -> tuple[str, str, str]:
    """Return a fault as the API and the pages give it: where, what stands there, what was expected."""
    return fault.path, shorten(fault.value), fault.expectation


def _reason(text: str) -> str:
    text = " ".join(text.split())
    if not 1 <= len(text) <= REASON_MAX or "\0" in text:
        raise ActError("reason", text, f"a text of 1 to {REASON_MAX} characters")
    return text
