"""Jobs as pages: the list with what is planned, one job with its holds, its record.

What is done there is done by `cloud.job_acts`, as for the API.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import job_acts
from cloud.api.guard import needs, viewer_of
from cloud.identity.acts import Act, ActError, MissingError
from cloud.job_acts import JobRefusedError, NewLimits, Plan
from cloud.job_facts import Known, TooLongError, facts_of, record_of
from cloud.job_view import OutsideView, ShortView, Stretch, view_job, view_method, view_record
from cloud.store import jobs
from cloud.store.connection import Connection
from cloud.store.jobs import KeptJob, LogLine
from cloud.store.jobs_evidence import unlisted_instruments
from cloud.store.jobs_points import organisations_seen
from cloud.store.rights_items import names_of
from cloud.store.sites import get_site, list_sites, shared_zone
from cloud.store.snapshot import snapshot
from cloud.store.zones import list_zones
from cloud.web.acting import act_on, say_fault
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form
from cloud.web.jobs_words import ACTS, FAULTS, STATES, VERDICTS, say_refused
from cloud.web.jobs_would_be import would_be
from cloud.web.language import Language
from cloud.web.people_names import named
from cloud.web.render import language_of, zone_of
from cloud.web.words import duration
from rules.access.words import JobState
from rules.jobs.record import Verdict
from rules.permissions import Permission

PAGE = 100
_ID_DIGITS = 9


def add_job_pages(router: APIRouter, web: Web) -> None:
    """Add /jobs, a page for each job, and its record."""
    pages = JobPages(web)
    router.add_api_route("/jobs", pages.show)
    router.add_api_route("/jobs", pages.plan, methods=["POST"])
    router.add_api_route("/jobs/methods", pages.add_method, methods=["POST"])
    router.add_api_route("/jobs/{job}", pages.one)
    router.add_api_route("/jobs/{job}", pages.change, methods=["POST"])
    router.add_api_route("/jobs/{job}/record", pages.record)
    router.add_api_route("/parts/jobs", pages.refresh)
    router.add_api_route("/parts/jobs/{job}", pages.refresh_one)


class JobPages:
    """The routes of jobs."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.JOBS_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return the list, and the forms to plan for who may."""
        return await self._list(request, {})

    @needs(Permission.JOBS_READ, quiet=True)
    async def refresh(self, request: Request) -> HTMLResponse:
        """Return the same; an open page asks."""
        return await self._list(request, {})

    @needs(Permission.JOBS_WRITE)
    async def plan(self, request: Request) -> Response:
        """Plan a job as the form says."""
        form = await read_form(request)
        made: list[int] = []

        async def do(act: Act) -> None:
            site_id, zone = _place(form.get("place", ""))
            site = await get_site(act.connection, site_id)
            if site is None:
                raise ActError("zone", form.get("place", ""), "a zone of a site")
            method, version = _method(form.get("method", ""))
            plan = Plan(
                form.get("number", "").strip(),
                method,
                version,
                zone,
                _names(form.get("people", "")),
                _names(form.get("instruments", "")),
                _time(form, "from_at", site.time_zone),
                _time(form, "to_at", site.time_zone),
            )
            made.append(await job_acts.plan(act, site_id, plan))

        fault = await self._do(request, do)
        if fault:
            return await self._list(request, form, fault=fault)
        return RedirectResponse(f"/jobs/{made[0]}", 303)

    @needs(Permission.JOBS_WRITE)
    async def add_method(self, request: Request) -> Response:
        """Keep a method's next version as the form says."""
        form = await read_form(request)

        async def do(act: Act) -> None:
            new = NewLimits(
                form.get("method", ""),
                [_limit(line) for line in form.get("limits", "").splitlines() if line.strip()],
                _whole(form, "people_min"),
                [one.strip() for one in form.get("activities", "").splitlines() if one.strip()],
                form.get("reason", ""),
            )
            await job_acts.add_limits(act, _whole(form, "organisation"), new)

        fault = await self._do(request, do)
        if fault:
            return await self._list(request, form, fault=fault)
        return RedirectResponse("/jobs#methods", 303)

    @needs(Permission.JOBS_READ)
    async def one(self, request: Request, job: int) -> HTMLResponse:
        """Return one job: how it stands, what holds it, what may be done."""
        return await self._one(request, job)

    @needs(Permission.JOBS_READ, quiet=True)
    async def refresh_one(self, request: Request, job: int) -> HTMLResponse:
        """Return the same; an open page asks."""
        return await self._one(request, job)

    @needs(Permission.JOBS_READ)
    async def change(self, request: Request, job: int) -> Response:
        """Start, release or finish, as the form asks; who may is judged by the act."""
        form = await read_form(request)
        present, reason = _names(form.get("present", "")), form.get("reason", "")

        async def do(act: Act) -> None:
            match form.get("do"):
                case "start":
                    await job_acts.start(act, job, attested=present)
                case "release":
                    await job_acts.release(act, job, reason=reason, attested=present)
                case "finish":
                    await job_acts.finish(act, job, reason=reason)
                case _:
                    raise MissingError("do", form.get("do"), "start, release or finish")

        if not 0 < job < 10**_ID_DIGITS:
            raise NotHereError
        fault = await self._do(request, do)
        if fault:
            return await self._one(request, job, fault=fault)
        return RedirectResponse(f"/jobs/{job}", 303)

    @needs(Permission.JOBS_READ)
    async def record(self, request: Request, job: int) -> HTMLResponse:
        """Return the record as it is computed now."""
        language = language_of(request)
        too_long = ""
        made = None
        async with snapshot(self._web.pool) as connection:
            kept = await _existing(connection, job)
            try:
                limits = await jobs.limits_of(connection, kept)
                made = await record_of(connection, kept, limits, now=self._web.now())
            except TooLongError as error:
                too_long = str(error)
            log = await jobs.read_log(connection, kept.id)
        shown = None if made is None else view_record(kept, made)
        points = shown.environment if shown else []
        shows = {
            "page": "jobs",
            "job": view_job(kept),
            "record": shown,
            "asked": [one for one in points if one.verdict != Verdict.NOT_ASKED],
            "beside": [one for one in points if one.verdict == Verdict.NOT_ASKED],
            "lasting": lambda spans: _lasting(spans, language),
            "too_long": too_long,
            "log": [(one, language.say(ACTS[one.what])) for one in log],
            "verdict": lambda word: (VERDICTS[word][0], language.say(VERDICTS[word][1])),
            "quantity": language.quantity,
            "ms": milliseconds,
        }
        return self._web.render.page(request, "jobs_record.html", shows, zone=zone_of(kept.time_zone))

    async def _do(self, request: Request, do: Callable[[Act], Awaitable[None]]) -> str:
        """Do something in one transaction; return what was wrong, in the page's language."""
        language = language_of(request)
        try:
            return say_fault(await act_on(self._web, request, do), FAULTS, language)
        except JobRefusedError as error:
            return say_refused(error.refused, language)

    async def _list(self, request: Request, form: Mapping[str, str], *, fault: str = "") -> HTMLResponse:
        viewer, language = viewer_of(request), language_of(request)
        state = request.query_params.get("state", "")
        before = request.query_params.get("before", "")
        asked = {"lang": language.code, "state": state, "before": before}
        async with snapshot(self._web.pool) as connection:
            found = await jobs.list_jobs(
                connection,
                state=state if state in STATES else None,
                before=int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None,
                limit=PAGE + 1,
            )
            methods = await jobs.list_limits(connection)
            sites, zones = await list_sites(connection), await list_zones(connection)
            bodies = await organisations_seen(connection)
            zone = zone_of(await shared_zone(connection))
        titles = {one.id: one for one in sites}
        shows = {
            "page": "jobs",
            "jobs": [self._line(one, language) for one in found[:PAGE]],
            "older": found[PAGE - 1].id if len(found) > PAGE else None,
            "states": [(word, language.say(said[1])) for word, said in STATES.items()],
            "state": state,
            "parts": f"/parts/jobs?{urlencode({name: said for name, said in asked.items() if said})}",
            "methods": [view_method(one) for one in methods],
            "places": [
                (f"{one.site_id}/{one.name}", f"{titles[one.site_id].title}: {one.title}")
                for one in zones
                if one.site_id in titles
            ],
            "bodies": [one for one in bodies if viewer.may(Permission.JOBS_WRITE, one[0])],
            "may_plan": viewer.holds(Permission.JOBS_WRITE),
            "form": form,
            "message": fault,
            "ms": milliseconds,
        }
        response = self._web.render.page(request, "jobs.html", shows, zone=zone)
        response.status_code = 422 if fault else 200
        return response

    def _line(self, kept: KeptJob, language: Language) -> dict[str, object]:
        kind, word = STATES[kept.job.state]
        return {"job": view_job(kept), "title": kept.site_title, "kind": kind, "word": language.say(word)}

    async def _one(self, request: Request, job: int, *, fault: str = "") -> HTMLResponse:
        viewer, language = viewer_of(request), language_of(request)
        now = self._web.now()
        async with snapshot(self._web.pool) as connection:
            kept = await _existing(connection, job)
            log = await jobs.read_log(connection, kept.id)
            limits = await jobs.limits_of(connection, kept)
            begins = kept.job.state in (JobState.PLANNED, JobState.HELD)
            # Where no door tells who is there, who acts names them: here all are taken as named.
            known = (
                await facts_of(connection, kept, limits, attested=kept.job.people, now=now)
                if begins
                else None
            )
            unlisted = await unlisted_instruments(connection, kept.site_id, kept.job.instruments, at=now)
            who = await names_of(connection, kept.site_id, _numbers(kept, known, log))
        place = kept.organisation_id, kept.site_id
        kind, word = STATES[kept.job.state]
        shows = {
            "page": "jobs",
            "job": view_job(kept),
            "title": kept.site_title,
            "method": view_method(limits),
            "kind": kind,
            "word": language.say(word),
            "log": [(one, language.say(ACTS[one.what])) for one in log],
            "facts": known.facts if known else None,
            "doors": known.doors if known else True,
            "judged": would_be(
                kept, limits, known, permitted=viewer.may(Permission.JOBS_RELEASE, *place), language=language
            ),
            "unlisted": unlisted,
            "named": lambda number: named(number, who),
            "may_write": viewer.may(Permission.JOBS_WRITE, *place),
            "may_release": viewer.may(Permission.JOBS_RELEASE, *place),
            "message": fault,
            "quantity": language.quantity,
            "ms": milliseconds,
        }
        response = self._web.render.page(request, "jobs_one.html", shows, zone=zone_of(kept.time_zone))
        response.status_code = 422 if fault else 200
        return response


def _numbers(kept: KeptJob, known: Known | None, log: Iterable[LogLine]) -> list[str]:
    """Return the numbers of all whom the page of a job names."""
    found = {*kept.job.people, *(kept.attested or ()), *(hold.by for hold in kept.job.holds)}
    found |= {line.actor for line in log}
    if known is not None:
        found |= {*known.facts.present, *known.facts.authorised}
    return sorted(one for one in found if one)


async def _existing(connection: Connection, job_id: int) -> KeptJob:
    found = await jobs.get_job(connection, job_id) if 0 < job_id < 10**_ID_DIGITS else None
    if found is None:
        raise NotHereError
    return found


def _lasting(spans: Iterable[Stretch | OutsideView | ShortView], language: Language) -> str:
    return duration(language, sum(milliseconds(one.to_at) - milliseconds(one.from_at) for one in spans))


def _names(text: str) -> Sequence[str]:
    return text.replace(",", " ").split()


def _place(text: str) -> tuple[int, str]:
    site, _, zone = text.partition("/")
    if not (site.isascii() and site.isdigit() and len(site) < _ID_DIGITS):
        raise ActError("zone", text, "a zone of a site")
    return int(site), zone


def _method(text: str) -> tuple[str, int]:
    method, _, version = text.rpartition("@")
    if not (version.isascii() and version.isdigit() and len(version) < _ID_DIGITS):
        raise ActError("method", text, "a method and its version")
    return method, int(version)


def _limit(line: str) -> tuple[str, str, str]:
    parts = line.split()
    if len(parts) != 3:
        raise ActError("limits", line, "quantity, low and high")
    quantity, low, high = parts
    return quantity, "" if low == "-" else low, "" if high == "-" else high


def _whole(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise ActError(name, text, "a whole number")
    return int(text)


def _time(form: Mapping[str, str], name: str, time_zone: str) -> datetime:
    text = form.get(name, "").strip()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ActError(name, text, "a date and time") from None
    if not 2000 <= found.year < 2200:
        raise ActError(name, text, "a date from 2000 to 2199")
    return found.replace(tzinfo=zone_of(time_zone)).astimezone(UTC)
