"""The settings of one gateway: what is wanted, what runs, a text to change, what that changes, and history.

What is done there is done by `cloud.settings_acts`, as for the API.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import settings_acts
from cloud.api.acting import acting
from cloud.api.errors import ApiError
from cloud.api.guard import needs, viewer_of
from cloud.settings_acts import ConflictError, DocumentError
from cloud.store import shadow
from cloud.store.connection import Connection
from cloud.store.shadow import Desired, Owner, Told
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form
from cloud.web.overview import State
from cloud.web.render import language_of
from cloud.web.settings_lines import line_of
from cloud.web.settings_words import STATES
from rules.permissions import Permission
from wire.settings.shadow import check_text
from wire.shadow import DOCUMENT_BYTES_MAX

FORM_BYTES_MAX = 3 * DOCUMENT_BYTES_MAX + 16 * 1024
"""A form spells most characters outside ASCII with nine of them, and lines end in two."""
_DIGITS = 9
_HISTORY = 100


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
    reason: str
    based_on: int
    faults: Sequence[ShownFault] = ()
    changes: Sequence[str] | None = None
    """What it changes; None where that was not asked for."""
    conflict: int | None = None
    """The revision that was saved meanwhile."""
    refused: str = ""


def add_settings_pages(router: APIRouter, web: Web) -> None:
    """Add /gateways/{gateway}/settings."""
    pages = SettingsPages(web)
    router.add_api_route("/gateways/{gateway}/settings", pages.show)
    router.add_api_route("/gateways/{gateway}/settings", pages.change, methods=["POST"])


class SettingsPages:
    """The routes about the settings of gateways."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.SETTINGS_READ)
    async def show(self, request: Request, gateway: str) -> HTMLResponse:
        """Return the settings; with `from` and `to` also what two revisions say differently."""
        return await self._page(request, gateway)

    @needs(Permission.SETTINGS_WRITE)
    async def change(self, request: Request, gateway: str) -> Response:
        """Show what a text would change, save it, or go back to an earlier revision, as the form asks."""
        form = await read_form(request, bytes_max=FORM_BYTES_MAX)
        document = form.get("document", "").replace("\r\n", "\n")
        draft = Draft(document, form.get("reason", ""), _number(form.get("based_on", "")))
        try:
            if form.get("do") == "check":
                return await self._checked(request, gateway, draft)
            async with acting(request, self._web.pool, self._web.now()) as act:
                if form.get("do") == "revert":
                    number = _number(form.get("number", ""))
                    await settings_acts.revert(
                        act, gateway, number, based_on=draft.based_on, reason=draft.reason
                    )
                elif form.get("do") == "save":
                    await settings_acts.save(
                        act, gateway, document, based_on=draft.based_on, reason=draft.reason
                    )
                else:
                    raise NotHereError
        except DocumentError as error:
            faults = [_shown(settings_acts.told(fault), document) for fault in error.faults]
            return await self._page(request, gateway, Draft(document, draft.reason, draft.based_on, faults))
        except ConflictError as error:
            again = Draft(document, draft.reason, draft.based_on, conflict=error.newest)
            return await self._page(request, gateway, again if document else None, status=409)
        except ApiError as error:
            if error.status == 404:
                raise NotHereError from None
            if error.status != 422:
                raise
            again = Draft(document, draft.reason, draft.based_on, refused=error.detail)
            return await self._page(request, gateway, again)
        return RedirectResponse(f"/gateways/{gateway}/settings", 303)

    async def _checked(self, request: Request, gateway: str, draft: Draft) -> HTMLResponse:
        _, faults = check_text(draft.document)
        shown = [_shown(settings_acts.told(fault), draft.document) for fault in faults]
        async with snapshot(self._web.pool) as connection:
            owner = await self._owner(connection, gateway)
            newest = await shadow.newest(connection, owner.id)
            before = await shadow.document(connection, owner.id, newest) or ""
        changes = settings_acts.difference(before, draft.document, context=3)
        done = Draft(draft.document, draft.reason, draft.based_on, shown, changes)
        return await self._page(request, gateway, done, status=422 if faults else 200)

    async def _page(
        self, request: Request, gateway: str, draft: Draft | None = None, *, status: int | None = None
    ) -> HTMLResponse:
        async with snapshot(self._web.pool) as connection:
            owner = await self._owner(connection, gateway)
            newest = await shadow.newest(connection, owner.id)
            wanted = await shadow.desired(connection, owner.id)
            told = await shadow.told(connection, owner.id)
            history = await shadow.revisions(connection, owner.id, limit=_HISTORY)
            document = await shadow.document(connection, owner.id, newest) or ""
            compared = await self._compared(request, connection, owner)
        word = _word(wanted, told)
        kind, said = STATES[word]
        shows = {
            "page": "devices",
            "gateway": owner.name,
            "state": State("settings-state", kind, language_of(request).say(said)),
            "word": word,
            "wanted": None if wanted is None else wanted.number,
            "told": told,
            "faults": [_shown(_three(one), document) for one in told.faults] if told else [],
            "newest": newest,
            "draft": draft or Draft(document, "", newest),
            "changed": draft is not None,
            "history": history,
            "compared": compared,
            "ms": milliseconds,
            "write": viewer_of(request).may(Permission.SETTINGS_WRITE, owner.organisation_id, owner.site_id),
            "reason_max": settings_acts.REASON_MAX,
        }
        response = self._web.render.page(request, "settings.html", shows)
        wrong = draft is not None and (draft.faults or draft.refused)
        response.status_code = status or (422 if wrong else 200)
        return response

    async def _compared(
        self, request: Request, connection: Connection, owner: Owner
    ) -> dict[str, Any] | None:
        numbers = [_number(request.query_params.get(name, "")) for name in ("from", "to")]
        texts = [await shadow.document(connection, owner.id, number) for number in numbers]
        before, after = texts
        if before is None or after is None:
            return None
        lines = settings_acts.difference(before, after, context=3)
        return {"before": numbers[0], "after": numbers[1], "lines": lines}

    async def _owner(self, connection: Connection, gateway: str) -> Owner:
        owner = await shadow.owner(connection, gateway, self._web.now())
        if owner is None:
            raise NotHereError
        return owner


def _word(wanted: Desired | None, told: Told | None) -> str:
    """Return what became of what is wanted, as far as the gateway has said."""
    if told is None:
        return "unheard" if wanted is None else "sent"
    if wanted is None:
        return "file"
    heard = (told.incarnation, told.number) == (wanted.incarnation, wanted.number)
    return told.state if heard else "sent"


def _shown(fault: tuple[str, str, str], document: str) -> ShownFault:
    path, value, expected = fault
    return ShownFault(path, value, expected, line_of(document, path, value))


def _three(fault: Sequence[str]) -> tuple[str, str, str]:
    path, value, expected = fault
    return path, value, expected


def _number(text: str) -> int:
    """Return a number that a form or an address gives; what is none stands for no revision."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
