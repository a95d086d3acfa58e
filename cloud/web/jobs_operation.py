"""Remote operation as pages: sessions, one session with its transcript, and what its operator may do.

What is done there is done by `cloud.operation_acts`, as for the API.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import operation_acts
from cloud.api.guard import needs, viewer_of
from cloud.identity.acts import Act, ActError, MissingError
from cloud.operation_acts import SILENT, Fallen, OperationRefusedError
from cloud.store import jobs, jobs_operation
from cloud.store.jobs_operation import Line, broken_at
from cloud.store.sites import get_site, list_gateways, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.acting import act_on, say_fault
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form
from cloud.web.language import Language
from cloud.web.operation_view import arguments_of, procedures, silent_at_ms, watching
from cloud.web.render import language_of, zone_of
from cloud.web.words import mark
from rules.permissions import Permission

PAGE = 100
REASONS: Mapping[str, str] = {
    Fallen.JOB_HELD: mark("The job is held."),
    Fallen.JOB_NOT_RUNNING: mark("The job does not run."),
    Fallen.INSTRUMENT_NOT_IN_JOB: mark("The job does not name this instrument."),
    Fallen.OTHER_SITE: mark("The gateway does not serve the site of the job."),
    Fallen.NO_INTERLOCK: mark("No interlock of a gateway watches the zone: nothing vouches for it."),
    Fallen.INTERLOCK: mark("An interlock of the zone is not healthy."),
    Fallen.STATUS_STALE: mark("How the interlocks stand is not known: the gateway is not heard."),
    Fallen.HUB_NOT_KNOWN: mark(
        "An interlock of the hub is in use and not judged, so nobody knows how it stands. See under"
        " Interlocks of the hub when it was judged last; whoever runs the hub looks at its database and its"
        " rooms."
    ),
    Fallen.SIGNED_OUT: mark("The operator is signed out."),
    Fallen.NO_PERMISSION: mark("The operator may not operate there any more."),
    Fallen.NOT_AUTHORISED: mark("The operator is not authorised for this work."),
    Fallen.SILENT: mark("The operator did nothing for too long."),
    Fallen.BY_OPERATOR: mark("A person ended it."),
    Fallen.IN_USE: mark("Somebody else operates the instrument."),
    Fallen.NOT_YOURS: mark("Somebody else operates here."),
    Fallen.OVER: mark("The session is over."),
}
KINDS: Mapping[str, str] = {
    "begun": mark("Begun"),
    "command": mark("Command"),
    "receipt": mark("Receipt"),
    "note": mark("Note"),
    "ended": mark("Ended"),
}
FAULTS: Mapping[str, str] = {
    "text": mark("A note has 1 to 500 characters."),
    "arguments": mark("An argument is a line such as load = 200 g."),
    "job_id": mark("Choose a running job."),
}


def add_operation_pages(router: APIRouter, web: Web) -> None:
    """Add /operations and a page for each session."""
    pages = OperationPages(web)
    router.add_api_route("/operations", pages.show)
    router.add_api_route("/operations", pages.begin, methods=["POST"])
    router.add_api_route("/operations/{operation}", pages.one)
    router.add_api_route("/operations/{operation}", pages.change, methods=["POST"])
    router.add_api_route("/parts/operations/{operation}", pages.refresh_one)


class OperationPages:
    """The routes of remote operation."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.CONTROL_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return the sessions, with the form to begin one for who may."""
        return await self._list(request)

    @needs(Permission.CONTROL_OPERATE)
    async def begin(self, request: Request) -> Response:
        """Begin a session as the form says."""
        form = await read_form(request)
        made: list[int] = []

        async def do(act: Act) -> None:
            job, _, instrument = form.get("what", "").partition("/")
            if not (job.isascii() and job.isdigit() and len(job) < 10):
                raise ActError("job_id", job, "a running job")
            gateway = form.get("gateway", "")
            made.append(await operation_acts.begin(act, int(job), gateway=gateway, instrument=instrument))

        fault = await self._do(request, do)
        if fault:
            return await self._list(request, fault=fault)
        return RedirectResponse(f"/operations/{made[0]}", 303)

    @needs(Permission.CONTROL_READ)
    async def one(self, request: Request, operation: int) -> HTMLResponse:
        """Return a session with its transcript."""
        return await self._one(request, operation)

    @needs(Permission.CONTROL_READ, quiet=True)
    async def refresh_one(self, request: Request, operation: int) -> HTMLResponse:
        """Return the same; an open page asks when the hub says that something is new."""
        return await self._one(request, operation)

    @needs(Permission.CONTROL_OPERATE)
    async def change(self, request: Request, operation: int) -> Response:
        """Send a command, write a note or end the session, as the form asks."""
        form = await read_form(request)
        if not 0 < operation < 10**9:
            raise NotHereError

        async def do(act: Act) -> None:
            match form.get("do"):
                case "command":
                    procedure = form.get("procedure", "").strip()
                    arguments = dict(
                        _argument(line) for line in form.get("arguments", "").splitlines() if line
                    ) | arguments_of(form)
                    await operation_acts.run(act, operation, procedure, arguments=arguments, valid_s=30.0)
                case "note":
                    await operation_acts.note(act, operation, form.get("text", ""))
                case "end":
                    await operation_acts.end(act, operation, reason=form.get("text", ""))
                case _:
                    raise MissingError("do", form.get("do"), "command, note or end")

        fault = await self._do(request, do)
        if fault:
            return await self._one(request, operation, fault=fault)
        return RedirectResponse(f"/operations/{operation}", 303)

    async def _do(self, request: Request, do: Callable[[Act], Awaitable[None]]) -> str:
        language = language_of(request)
        try:
            return say_fault(await act_on(self._web, request, do), FAULTS, language)
        except OperationRefusedError as error:
            return _reason(error.fall.reason, error.fall.detail, language)

    async def _list(self, request: Request, *, fault: str = "") -> HTMLResponse:
        viewer, language = viewer_of(request), language_of(request)
        before = request.query_params.get("before", "")
        async with snapshot(self._web.pool) as connection:
            found = await jobs_operation.list_operations(
                connection,
                before=int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None,
                limit=PAGE + 1,
            )
            running = await jobs.list_jobs(connection, state="running")
            gateways = await list_gateways(connection)
            zone = zone_of(await shared_zone(connection))
        may = [
            one for one in running if viewer.may(Permission.CONTROL_OPERATE, one.organisation_id, one.site_id)
        ]
        sites = {one.site_id for one in may}
        shows = {
            "page": "operations",
            "operations": [(one, _reason(one.end_reason, one.end_detail, language)) for one in found[:PAGE]],
            "older": found[PAGE - 1].id if len(found) > PAGE else None,
            "choices": [
                (f"{one.id}/{instrument}", f"{one.job.id}: {instrument}")
                for one in may
                for instrument in one.job.instruments
            ],
            "gateways": [one.name for one in gateways if one.site_id in sites],
            "may_operate": viewer.holds(Permission.CONTROL_OPERATE),
            "minutes": f"{SILENT.total_seconds() / 60:g}",
            "message": fault,
            "ms": milliseconds,
        }
        response = self._web.render.page(request, "jobs_operations.html", shows, zone=zone)
        response.status_code = 422 if fault else 200
        return response

    async def _one(self, request: Request, operation_id: int, *, fault: str = "") -> HTMLResponse:
        viewer, language = viewer_of(request), language_of(request)
        async with snapshot(self._web.pool) as connection:
            found = (
                await jobs_operation.get_operation(connection, operation_id)
                if 0 < operation_id < 10**9
                else None
            )
            if found is None:
                raise NotHereError
            lines = await jobs_operation.transcript(connection, found.id)
            now = self._web.now()
            zone_watched = await watching(connection, found, at=now, language=language)
            declared = await procedures(connection, found, at=now)
            site = await get_site(connection, found.site_id)
        mine = (found.account_id, found.session_id) == (viewer.account_id, viewer.session_id)
        place = found.organisation_id, found.site_id
        shows = {
            "page": "operations",
            "operation": found,
            "why": _reason(found.end_reason, found.end_detail, language),
            "lines": [(line, language.say(KINDS[line.kind]), _told(line, language)) for line in lines],
            "broken": broken_at(found.id, lines),
            "mine": mine and found.ended_at is None,
            "watching": zone_watched,
            "procedures": declared,
            "silent_ms": silent_at_ms(found),
            "may_end": found.ended_at is None and viewer.may(Permission.CONTROL_OPERATE, *place),
            "minutes": f"{SILENT.total_seconds() / 60:g}",
            "message": fault,
            "ms": milliseconds,
        }
        zone = zone_of(site.time_zone) if site is not None else None
        response = self._web.render.page(request, "jobs_operation.html", shows, zone=zone)
        response.status_code = 422 if fault else 200
        return response


def _reason(reason: str, detail: str, language: Language) -> str:
    """Return why a session ended or nothing was done, in the page's language."""
    if not reason:
        return ""
    words = language.say(REASONS[reason])
    return f"{words} ({detail})" if detail else words


def _told(line: Line, language: Language) -> str:
    """Return what stands in a line, shortened to what a person looks for."""
    data: dict[str, Any] = json.loads(line.data)
    match line.kind:
        case "command":
            arguments = ", ".join(f"{name} = {value}" for name, value in data["arguments"].items())
            refused = f" [{data['refused']}]" if data["refused"] else ""
            return f"{data['procedure']} {arguments}{refused}".strip()
        case "receipt":
            return " ".join(one for one in (data["state"], data["reason"], data["text"]) if one)
        case "note":
            return str(data["text"])
        case "ended":
            return _reason(data["reason"], data["detail"], language)
        case _:
            return f"{data['operator']}, {data['instrument']}, {data['job']}"


def _argument(line: str) -> tuple[str, str]:
    name, mark_, value = line.partition("=")
    if not mark_ or not name.strip().isidentifier() or name.strip() != name.strip().lower():
        raise ActError("arguments", line, "name = value")
    return name.strip(), value.strip()
