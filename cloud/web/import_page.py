"""Import of a workbook: template, preview with every fault, apply, and the last import to be undone."""

from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud.api.guard import guard_of, needs, viewer_of
from cloud.identity.acts import Act, ActError, ForbiddenError
from cloud.imports import service
from cloud.imports.service import FaultyError, Preview
from cloud.imports.sheets import KINDS
from cloud.imports.undo import undo as undo_import
from cloud.imports.workbook import FILE_BYTES_MAX
from cloud.store import accounts
from cloud.store.imports import newest_runs, undoable
from cloud.store.sites import shared_zone
from cloud.store.snapshot import changing, snapshot
from cloud.web.acting import act_on
from cloud.web.context import Web
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form
from cloud.web.import_words import say_expected, say_field, say_row
from cloud.web.language import Language
from cloud.web.render import language_of, zone_of
from cloud.web.uploads import Upload, body_limit, read_upload
from cloud.web.words import mark
from rules.permissions import Permission

RUNS_MAX = 20
FAULTS = {
    "same": mark("Another file was chosen than the one that was previewed. Preview it first."),
    "file": mark("Choose a workbook (.xlsx)."),
    "meanwhile": mark("Somebody else changed the same at this moment. Nothing was applied; look again."),
    "undo": mark("This import cannot be undone."),
}


def add_import_pages(router: APIRouter, web: Web) -> None:
    """Add /imports."""
    pages = ImportPages(web)
    router.add_api_route("/imports", pages.show)
    limit = body_limit(FILE_BYTES_MAX)
    router.add_api_route("/imports", pages.send, methods=["POST"], max_body_size=limit)
    router.add_api_route("/imports/undo", pages.undo, methods=["POST"])


class ImportPages:
    """The routes of imports."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.PEOPLE_MANAGE)
    async def show(self, request: Request) -> HTMLResponse:
        """Return the form, and what was imported."""
        return await self._page(request)

    @needs(Permission.PEOPLE_MANAGE)
    async def send(self, request: Request) -> Response:
        """Preview a file, or apply the one that was previewed."""
        sent = await read_upload(request, file_bytes_max=FILE_BYTES_MAX)
        organisation = _whole(sent.fields.get("organisation", ""))
        if not sent.file:
            return await self._page(request, message=FAULTS["file"])
        applying = sent.fields.get("do") == "apply"
        try:
            async with changing(self._web.pool) as connection:
                act = Act(connection, viewer_of(request), self._web.now())
                told = await service.preview(act, organisation, sent.file)
                same = sent.fields.get("sha256") == told.file_sha256
                if applying and same and not told.fault_count:
                    name = sent.file_name or "import.xlsx"
                    await service.apply(act, organisation, sent.file, file_name=name)
                    return _home(request)
        except ForbiddenError as error:
            await guard_of(request).refuse(request, viewer_of(request), str(error))
        except FaultyError as error:
            told = error.preview
        except ActError as error:
            return await self._page(request, message=FAULTS["meanwhile"], detail=error.value)
        message = FAULTS["same"] if applying and not same else ""
        return await self._page(request, told=told, sent=sent, message=message)

    @needs(Permission.PEOPLE_MANAGE)
    async def undo(self, request: Request) -> Response:
        """Undo the last import."""
        form = await read_form(request)

        async def do(act: Act) -> None:
            await undo_import(act, _whole(form.get("import", "")))

        fault = await act_on(self._web, request, do)
        if fault is not None:
            return await self._page(request, message=FAULTS["undo"], detail=f"expected {fault.expected}")
        return RedirectResponse("/imports", 303)

    async def _page(
        self,
        request: Request,
        *,
        told: Preview | None = None,
        sent: Upload | None = None,
        message: str = "",
        detail: str = "",
    ) -> HTMLResponse:
        viewer, language = viewer_of(request), language_of(request)
        async with snapshot(self._web.pool) as connection:
            bodies = await accounts.all_organisations(connection)
            runs = await newest_runs(connection, RUNS_MAX)
            last = await undoable(connection)
            zone = zone_of(await shared_zone(connection))
        shows: dict[str, Any] = {
            "page": "people",
            "organisations": [
                (number, name)
                for number, name in bodies.items()
                if viewer.may(Permission.PEOPLE_MANAGE, number)
            ],
            "chosen": _whole(sent.fields.get("organisation", "")) if sent else 0,
            "kinds": [(kind, [column.heading for column in kind.columns]) for kind in KINDS],
            "told": told,
            "changes": _changes(told, language, zone) if told else [],
            "faults": [(one, say_expected(language, one.expected)) for one in told.faults] if told else [],
            "file_name": sent.file_name if sent else "",
            "runs": runs,
            "last": last,
            "message": language.say(message) if message else "",
            "detail": detail,
            "ms": milliseconds,
        }
        response = self._web.render.page(request, "imports.html", shows, zone=zone)
        wrong = message or (told is not None and told.fault_count)
        response.status_code = 422 if wrong and "hx-request" not in request.headers else 200
        return response


def _changes(told: Preview, language: Language, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return what each row would do, as shown."""
    return [
        {
            "sheet": one.sheet,
            "row": one.row,
            "action": one.action,
            "what": say_row(language, one.what),
            "fields": [say_field(language, field, zone) for field in one.fields],
        }
        for one in told.changes
    ]


def _home(request: Request) -> Response:
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": "/imports"})
    return RedirectResponse("/imports", 303)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
