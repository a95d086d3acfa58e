"""Calibration of points: what is due, one point's revisions, and the form that enters the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import calibration_acts as acts
from cloud.api.guard import needs, viewer_of
from cloud.identity.acts import Act, ActError
from cloud.store.calibration_entries import Calibration, Standing, list_calibrations, list_standings
from cloud.store.latest import latest_of
from cloud.store.points import Point, get_point
from cloud.store.sites import Site, get_site, list_sites
from cloud.store.snapshot import snapshot
from cloud.web.acting import act_on
from cloud.web.calibration_form import Form, Preview
from cloud.web.calibration_words import FAULTS, STANDINGS
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds, unit
from cloud.web.forms import read_form
from cloud.web.language import Language
from cloud.web.overview import State
from cloud.web.render import language_of, zone_of
from cloud.web.uploads import body_limit, read_upload
from rules.permissions import Permission

POINTS_MAX = 5000
ID_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Row:
    """A point and how it stands."""

    point: Standing
    label: str
    unit: str
    state: State


@dataclass(frozen=True, slots=True)
class _Here:
    """What is known of one point."""

    point: Point
    site: Site
    standing: Standing
    entries: list[Calibration]
    newest: str | None
    """Its newest value as the device gave it."""

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.site.time_zone)


def add_calibration_pages(router: APIRouter, web: Web) -> None:
    """Add /calibrations."""
    pages = CalibrationPages(web)
    router.add_api_route("/calibrations", pages.show)
    router.add_api_route("/calibrations/{point}", pages.one)
    limit = body_limit(acts.FILE_BYTES_MAX)
    router.add_api_route("/calibrations/{point}", pages.enter, methods=["POST"], max_body_size=limit)
    router.add_api_route("/calibrations/{point}/preview", pages.preview, methods=["POST"])


class CalibrationPages:
    """The routes of calibrations."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.READINGS_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return how every measured point stands, the worst first."""
        language = language_of(request)
        async with snapshot(self._web.pool) as connection:
            sites = {one.name: one.title for one in await list_sites(connection)}
            points = await list_standings(connection, now=self._web.now(), limit=POINTS_MAX)
        ranks = list(STANDINGS)
        rows = [row_of(one, language) for one in points]
        rows.sort(key=lambda row: (ranks.index(row.point.state), row.point.due_on or row.point.name))
        counts = [
            State("", kind, f"{language.say(word)}: {count}")
            for state, (kind, word) in STANDINGS.items()
            if (count := sum(one.state == state for one in points))
        ]
        shows = {
            "page": "calibrations",
            "rows": [row for row in rows if row.point.state != "none"],
            "bare": [row for row in rows if row.point.state == "none"],
            "counts": counts,
            "sites": sites,
        }
        return self._web.render.page(request, "calibrations.html", shows)

    @needs(Permission.READINGS_READ)
    async def one(self, request: Request, point: int) -> HTMLResponse:
        """Return a point's calibration with all of its revisions."""
        return self._page(request, await self._here(point))

    @needs(Permission.CALIBRATIONS_WRITE)
    async def preview(self, request: Request, point: int) -> HTMLResponse:
        """Return the curve of what is in the form, and what becomes of a value."""
        fields = await read_form(request)
        here = await self._here(point)
        form = Form(fields, here.point, here.zone)
        shows = {
            "preview": form.preview(here.newest) if fields.get("nodes", "").strip() else None,
            "unit": unit(here.point.quantity),
            "uncertainty": fields.get("expanded_uncertainty", "").strip(),
            "faults": _said(form.faults, language_of(request)),
        }
        return self._web.render.page(request, "calibration_preview.html", shows)

    @needs(Permission.CALIBRATIONS_WRITE)
    async def enter(self, request: Request, point: int) -> Response:
        """Enter what the form says; with faults the form comes back with all of them and what was typed."""
        sent = await read_upload(request, file_bytes_max=acts.FILE_BYTES_MAX)
        here = await self._here(point)
        form = Form(sent.fields, here.point, here.zone)
        if "preview" in sent.fields:
            return self._page(request, here, sent.fields, preview=form.preview(here.newest), form=form)
        form.entry(self._web.now(), sha256=None)
        if sent.file and (acts.kind_of(sent.file) is None or len(sent.file) > acts.FILE_BYTES_MAX):
            form.faults.append(ActError("file", sent.file_name, "a PDF, a PNG or a JPEG"))
        if not form.faults:
            fault = await self._enter(request, here, form, file=sent.file)
            form.faults += [] if fault is None else [fault]
        if form.faults:
            return self._page(request, here, sent.fields, form=form)
        return RedirectResponse(f"/calibrations/{point}", 303)

    async def _enter(self, request: Request, here: _Here, form: Form, *, file: bytes) -> ActError | None:
        async def do(act: Act) -> None:
            sha256 = await acts.bring_file(act, here.point.id, file) if file else None
            new = form.entry(act.at, sha256=sha256)
            if new is not None:
                await acts.enter(act, here.point.id, new)

        return await act_on(self._web, request, do)

    async def _here(self, point_id: int) -> _Here:
        now = self._web.now()
        async with snapshot(self._web.pool) as connection:
            point = await get_point(connection, point_id) if 0 < point_id <= ID_MAX else None
            site = None if point is None else await get_site(connection, point.site_id)
            standings = await list_standings(connection, now=now, point_id=point_id) if point else []
            if point is None or site is None or not standings:
                raise NotHereError
            entries = await list_calibrations(connection, point_id=point_id)
            (latest,) = await latest_of(connection, [point], now=now)
        return _Here(point, site, standings[0], entries, latest.raw)

    def _page(
        self,
        request: Request,
        here: _Here,
        fields: Mapping[str, str] | None = None,
        *,
        preview: Preview | None = None,
        form: Form | None = None,
    ) -> HTMLResponse:
        language, viewer = language_of(request), viewer_of(request)
        may = viewer.may(Permission.CALIBRATIONS_WRITE, here.point.organisation_id, here.point.site_id)
        faults = form.faults if form else []
        now = next((one for one in here.entries if one.id == here.standing.calibration_id), None)
        shows = {
            "page": "calibrations",
            "site": here.site,
            "point": here.point,
            "row": row_of(here.standing, language),
            "now": now,
            "entries": [(one, _when(one, here.zone)) for one in reversed(here.entries)],
            "may_enter": may,
            "fields": {"coverage_factor": "2"} if fields is None else fields,
            "preview": preview,
            "faults": _said(faults, language),
            "unit": unit(here.point.quantity),
            "uncertainty": (fields or {}).get("expanded_uncertainty", ""),
            "newest": here.newest,
            "ms": milliseconds,
        }
        response = self._web.render.page(request, "calibration.html", shows, zone=here.zone)
        response.status_code = 422 if faults else 200
        return response


def row_of(standing: Standing, language: Language) -> Row:
    """Return a point as shown in a list."""
    kind, word = STANDINGS[standing.state]
    state = State(f"calibration-{standing.point_id}", kind, language.say(word))
    return Row(standing, language.quantity(standing.quantity), unit(standing.quantity), state)


def _when(entry: Calibration, zone: ZoneInfo) -> tuple[str, str]:
    """Return from when until when a revision is in force; empty where it is open."""
    return _time(entry.in_force_from, zone), _time(entry.in_force_to, zone)


def _time(at: datetime | None, zone: ZoneInfo) -> str:
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _said(faults: Sequence[ActError], language: Language) -> list[dict[str, Any]]:
    """Return each field's fault once, in the page's language, with what was typed."""
    said: dict[str, dict[str, Any]] = {}
    for fault in faults:
        words = language.say(FAULTS[fault.field]) if fault.field in FAULTS else str(fault)
        said.setdefault(words, {"words": words, "value": fault.value, "field": fault.field})
    return list(said.values())
