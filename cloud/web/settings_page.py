"""The settings of one gateway: what is wanted, what runs, forms and a text to change, differences, history.

What is done there is done by `cloud.settings_acts`, as for the API.
"""

from dataclasses import replace
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
from cloud.store.shadow import Owner
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.forms import read_pairs
from cloud.web.render import language_of
from cloud.web.settings_draft import Draft, Filling, edited, filled, number, sent_draft
from cloud.web.settings_view import look, shown, template_of
from cloud.web.uploads import body_limit, read_upload
from rules.permissions import Permission
from wire.shadow import DOCUMENT_BYTES_MAX

FORM_BYTES_MAX = 6 * DOCUMENT_BYTES_MAX + 16 * 1024
"""The text and its open part; a form spells most characters outside ASCII with nine of them."""
FORM_FIELDS_MAX = 8000


def add_settings_pages(router: APIRouter, web: Web) -> None:
    """Add /gateways/{gateway}/settings, its file, and its import."""
    pages = SettingsPages(web)
    path = "/gateways/{gateway}/settings"
    router.add_api_route(path, pages.show)
    router.add_api_route(path, pages.change, methods=["POST"])
    router.add_api_route(path + "/file", pages.file)
    limit = body_limit(DOCUMENT_BYTES_MAX)
    router.add_api_route(path + "/import", pages.take_file, methods=["POST"], max_body_size=limit)


class SettingsPages:
    """The routes about the settings of gateways."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.SETTINGS_READ)
    async def show(self, request: Request, gateway: str) -> HTMLResponse:
        """Return the settings; `part` opens a form, `from` and `to` compare, `template` is filled in."""
        return await self._page(request, gateway)

    @needs(Permission.SETTINGS_READ)
    async def file(self, request: Request, gateway: str) -> Response:
        """Return a revision's text as a file; the newest one's without `revision`."""
        async with snapshot(self._web.pool) as connection:
            owner = await self._owner(connection, gateway)
            asked = request.query_params.get("revision")
            revision = await shadow.newest(connection, owner.id) if asked is None else number(asked)
            document = await shadow.document(connection, owner.id, revision)
        if document is None:
            raise NotHereError
        return toml_file(document, f"{owner.name}-{revision}")

    @needs(Permission.SETTINGS_WRITE)
    async def take_file(self, request: Request, gateway: str) -> HTMLResponse:
        """Show what a file would change; nothing is saved yet."""
        upload = await read_upload(request, file_bytes_max=DOCUMENT_BYTES_MAX)
        draft = Draft(text_of(upload.file), based_on=number(upload.fields.get("based_on", "")))
        return await self._compared_with_newest(request, gateway, draft)

    @needs(Permission.SETTINGS_WRITE)
    async def change(self, request: Request, gateway: str) -> Response:
        """Change the draft, show what it changes, save it, or go back to a revision, as the form asks."""
        pairs = await read_pairs(request, bytes_max=FORM_BYTES_MAX, fields_max=FORM_FIELDS_MAX)
        form = dict(pairs)
        draft, do = sent_draft(pairs)
        try:
            if do == "check" or draft.refused:
                return await self._compared_with_newest(request, gateway, draft)
            if do == "fill":
                return await self._filled(request, gateway, draft, form=form)
            if do not in ("save", "revert"):
                new = edited(draft, do, form)
                if new is None:
                    raise NotHereError
                return await self._page(request, gateway, new)
            async with acting(request, self._web.pool, self._web.now()) as act:
                based_on, reason = draft.based_on, draft.reason
                if do == "revert":
                    back = number(form.get("number", ""))
                    await settings_acts.revert(act, gateway, back, based_on=based_on, reason=reason)
                else:
                    await settings_acts.save(act, gateway, draft.document, based_on=based_on, reason=reason)
        except DocumentError as error:
            return await self._page(request, gateway, replace(draft, faults=error.faults))
        except ConflictError as error:
            again = replace(draft, conflict=error.newest) if draft.document else None
            return await self._page(request, gateway, again, status=409)
        except ApiError as error:
            if error.status == 404:
                raise NotHereError from None
            if error.status != 422:
                raise
            return await self._page(request, gateway, replace(draft, refused=error.detail))
        return RedirectResponse(f"/gateways/{gateway}/settings", 303)

    async def _filled(
        self, request: Request, gateway: str, draft: Draft, *, form: dict[str, str]
    ) -> HTMLResponse:
        async with snapshot(self._web.pool) as connection:
            owner = await self._owner(connection, gateway)
            template = await template_of(connection, owner, form.get("template", ""))
        if template is None:
            raise NotHereError
        filling = Filling(template, form)
        try:
            draft = filled(draft, filling)
        except DocumentError as error:
            return await self._page(request, gateway, filling=replace(filling, faults=error.faults))
        return await self._compared_with_newest(request, gateway, draft)

    async def _compared_with_newest(self, request: Request, gateway: str, draft: Draft) -> HTMLResponse:
        async with snapshot(self._web.pool) as connection:
            owner = await self._owner(connection, gateway)
            faults = await settings_acts.faults_of(connection, owner, draft.document)
            newest = await shadow.newest(connection, owner.id)
            before = await shadow.document(connection, owner.id, newest) or ""
        changes = settings_acts.difference(before, draft.document, context=3)
        return await self._page(request, gateway, replace(draft, changes=changes, faults=faults))

    async def _page(
        self,
        request: Request,
        gateway: str,
        draft: Draft | None = None,
        *,
        status: int | None = None,
        filling: Filling | None = None,
    ) -> HTMLResponse:
        async with snapshot(self._web.pool) as connection:
            owner = await self._owner(connection, gateway)
            seen = await look(connection, owner)
            compared = await self._compared(request, connection, owner)
            template = await template_of(connection, owner, request.query_params.get("template", ""))
        viewer = viewer_of(request)
        filling = filling or (Filling(template) if template else None)
        rights = {
            "write": viewer.may(Permission.SETTINGS_WRITE, owner.organisation_id, owner.site_id),
            "keep": viewer.may(Permission.SETTINGS_WRITE, owner.organisation_id),
        }
        part = request.query_params.get("part", "")
        shows = shown(seen, draft, language_of(request), part=part, filling=filling)
        response = self._web.render.page(request, "settings.html", {**shows, **rights, "compared": compared})
        wrong = (draft and (draft.faults or draft.refused)) or (filling and filling.faults)
        response.status_code = status or (422 if wrong else 200)
        return response

    async def _compared(
        self, request: Request, connection: Connection, owner: Owner
    ) -> dict[str, Any] | None:
        numbers = [number(request.query_params.get(name, "")) for name in ("from", "to")]
        texts = [await shadow.document(connection, owner.id, one) for one in numbers]
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


def toml_file(document: str, name: str) -> Response:
    """Return a text as a file to be kept; `name` is of `a-z 0-9 -`."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.toml"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(document, media_type="application/toml", headers=headers)


def text_of(file: bytes) -> str:
    """Return a file's text; what is no UTF-8 has marks in its place, which no settings may hold."""
    return file.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\0", "\ufffd")
