"""Templates of settings as pages: listed, read, kept, changed, taken from a file and given as one.

What is done there is done by `cloud.settings_acts`, as for the API.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import settings_acts
from cloud.api.acting import acting
from cloud.api.errors import ApiError
from cloud.api.guard import needs, viewer_of
from cloud.store import accounts, settings_templates
from cloud.store.connection import Connection
from cloud.store.settings_templates import SettingsTemplate
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form
from cloud.web.render import language_of
from cloud.web.settings_draft import number
from cloud.web.settings_page import FORM_BYTES_MAX, text_of, toml_file
from cloud.web.uploads import body_limit, read_upload
from cloud.web.words import KINDS
from rules.permissions import Permission
from wire.shadow import DOCUMENT_BYTES_MAX

_TEMPLATES_MAX = 1000


def add_settings_template_pages(router: APIRouter, web: Web) -> None:
    """Add /settings-templates."""
    pages = TemplatePages(web)
    path = "/settings-templates"
    router.add_api_route(path, pages.show)
    router.add_api_route(path, pages.keep, methods=["POST"])
    limit = body_limit(DOCUMENT_BYTES_MAX)
    router.add_api_route(path + "/import", pages.take_file, methods=["POST"], max_body_size=limit)
    router.add_api_route(path + "/{template}", pages.one)
    router.add_api_route(path + "/{template}/file", pages.file)


class TemplatePages:
    """The routes of templates."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.SETTINGS_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return every template that may be seen."""
        return await self._list(request)

    @needs(Permission.SETTINGS_READ)
    async def one(self, request: Request, template: str) -> HTMLResponse:
        """Return one template, to be read and changed."""
        return await self._one(request, await self._found(template))

    @needs(Permission.SETTINGS_READ)
    async def file(self, request: Request, template: str) -> Response:
        """Return a template's text as a file."""
        found = await self._found(template)
        return toml_file(found.document, found.name)

    @needs(Permission.SETTINGS_WRITE)
    async def keep(self, request: Request) -> Response:
        """Keep a text as a template; a new one must not stand in the place of another."""
        form = await read_form(request, bytes_max=FORM_BYTES_MAX)
        return await self._keep(request, form, form.get("document", "").replace("\r\n", "\n"))

    @needs(Permission.SETTINGS_WRITE)
    async def take_file(self, request: Request) -> Response:
        """Keep a file as a template."""
        upload = await read_upload(request, file_bytes_max=DOCUMENT_BYTES_MAX)
        return await self._keep(request, upload.fields, text_of(upload.file))

    async def _keep(self, request: Request, form: Mapping[str, str], document: str) -> Response:
        try:
            async with acting(request, self._web.pool, self._web.now()) as act:
                made = await settings_acts.save_template(
                    act,
                    number(form.get("organisation", "")),
                    form.get("name", ""),
                    site_kind=form.get("site_kind", ""),
                    document=document,
                    reason=form.get("reason", ""),
                    fresh=form.get("do") != "change",
                )
        except ApiError as error:
            if error.status == 404:
                raise NotHereError from None
            if error.status != 422:
                raise
            return await self._list(request, refused=error.detail)
        return RedirectResponse(f"/settings-templates/{made}", 303)

    async def _found(self, asked: str) -> SettingsTemplate:
        async with snapshot(self._web.pool) as connection:
            found = await settings_templates.get_template(connection, number(asked))
        if found is None:
            raise NotHereError
        return found

    async def _list(self, request: Request, *, refused: str = "") -> HTMLResponse:
        async with snapshot(self._web.pool) as connection:
            found = await settings_templates.list_templates(connection, limit=_TEMPLATES_MAX)
            bodies = await self._bodies(request, connection)
        shows = {
            **self._common(request),
            "templates": sorted(found, key=lambda one: (one.site_kind, one.name)),
            "bodies": bodies,
            "refused": refused,
        }
        response = self._web.render.page(request, "settings_templates.html", shows)
        response.status_code = 422 if refused else 200
        return response

    async def _one(self, request: Request, template: SettingsTemplate) -> HTMLResponse:
        shows = {
            **self._common(request),
            "one": template,
            "places": settings_acts.places(template.document),
            "write": viewer_of(request).may(Permission.SETTINGS_WRITE, template.organisation_id),
        }
        return self._web.render.page(request, "settings_template.html", shows)

    def _common(self, request: Request) -> dict[str, object]:
        say = language_of(request).say
        kinds = {kind: say(word) for kind, word in KINDS.items()}
        return {"page": "devices", "kinds": kinds, "ms": milliseconds, "reason_max": settings_acts.REASON_MAX}

    async def _bodies(self, request: Request, connection: Connection) -> list[tuple[int, str]]:
        """Return the organisations in which templates may be kept."""
        viewer = viewer_of(request)
        found = await accounts.all_organisations(connection)
        return [(one, name) for one, name in found.items() if viewer.may(Permission.SETTINGS_WRITE, one)]
