"""The page of coverage: what watches each zone of a site, and which zones nothing watches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from cloud.api.guard import needs
from cloud.store.coverage import WHAT, Cell, Cover, ZoneCoverage, list_coverage
from cloud.store.sites import Site, list_sites, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.device_words import COLUMNS, COVERS, LACKS, ZONES, joined, why_of
from cloud.web.figures import milliseconds
from cloud.web.language import Language
from cloud.web.overview import State
from cloud.web.render import language_of, zone_of
from cloud.web.why import Why
from rules.permissions import Permission

ZONES_MAX = 2000
SHOWN_MAX = 3
"""So many things are named in a cell at once; the others are folded."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that watches a zone."""

    name: str
    title: str
    state: State | None
    """None when it is as the cell says."""
    why: Why | None
    link: str


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell of the matrix."""

    column: str
    state: State
    first: list[Thing]
    rest: list[Thing]


@dataclass(frozen=True, slots=True)
class ZoneView:
    """One row of the matrix."""

    name: str
    title: str
    kind: str
    cells: list[CellView]


@dataclass(frozen=True, slots=True)
class SiteCoverage:
    """A site with its zones."""

    name: str
    title: str
    zone: ZoneInfo
    zones: list[ZoneView]


@dataclass(frozen=True, slots=True)
class Lack:
    """What is said on top: a zone, and what it has none of or what does not watch it now."""

    site: str
    site_title: str
    zone: str
    title: str
    has_no: str
    silent: str


def add_coverage_pages(router: APIRouter, web: Web) -> None:
    """Add /coverage, and what an open page asks for."""

    async def page(request: Request) -> HTMLResponse:
        language = language_of(request)
        async with snapshot(web.pool) as connection:
            sites = await list_sites(connection)
            zone = zone_of(await shared_zone(connection))
            zones = await list_coverage(connection, now=web.now(), limit=ZONES_MAX)
        views = [site_coverage(site, zones, language) for site in sites]
        shows = {
            "page": "coverage",
            "columns": [language.say(COLUMNS[what]) for what in WHAT],
            "sites": [view for view in views if view.zones],
            "bare": [view for view in views if not view.zones],
            "lacks": list(lacks(sites, zones, language)),
        }
        return web.render.page(request, "coverage.html", shows, zone=zone)

    async def part(request: Request) -> HTMLResponse:
        """Return the same; an open page asks, which keeps no session alive."""
        return await page(request)

    router.add_api_route("/coverage", needs(Permission.READINGS_READ)(page))
    router.add_api_route("/parts/coverage", needs(Permission.READINGS_READ, quiet=True)(part))


def site_coverage(site: Site, zones: Iterable[ZoneCoverage], language: Language) -> SiteCoverage:
    """Return a site's part of the matrix."""
    return SiteCoverage(
        name=site.name,
        title=site.title,
        zone=zone_of(site.time_zone),
        zones=[
            ZoneView(
                name=zone.name,
                title=zone.title,
                kind=language.say(ZONES[zone.kind]),
                cells=[_cell(cell, zone, language) for cell in zone.cells],
            )
            for zone in zones
            if zone.site_id == site.id
        ],
    )


def lacks(sites: Sequence[Site], zones: Iterable[ZoneCoverage], language: Language) -> Iterable[Lack]:
    """Yield the zones that lack something, then those that something does not watch now."""
    titles = {site.id: site.title for site in sites}
    found = [
        Lack(
            site=zone.site,
            site_title=titles.get(zone.site_id, zone.site),
            zone=zone.name,
            title=zone.title,
            has_no=joined(language, [language.say(LACKS[one]) for one in zone.lacks]),
            silent=joined(
                language,
                [language.say(COLUMNS[cell.what]) for cell in zone.cells if cell.state == "silent"],
            ),
        )
        for zone in zones
    ]
    yield from (one for one in found if one.has_no)
    yield from (one for one in found if one.silent and not one.has_no)


def _cell(cell: Cell, zone: ZoneCoverage, language: Language) -> CellView:
    kind, word = COVERS[cell.state]
    things = [_thing(one, cell, site=zone.site, language=language) for one in cell.by]
    things.sort(key=lambda one: one.state is None)
    return CellView(
        column=language.say(COLUMNS[cell.what]),
        state=State(f"cell-{zone.zone_id}-{cell.what}", kind, language.say(word)),
        first=things[:SHOWN_MAX],
        rest=things[SHOWN_MAX:],
    )


def _thing(cover: Cover, cell: Cell, *, site: str, language: Language) -> Thing:
    kind, word = COVERS[cover.state]
    same = cover.state == cell.state
    return Thing(
        name=cover.name,
        title=cover.title,
        state=None if same else State("", kind, language.say(word)),
        why=why_of(language, cover.cause, "", since_ms=_ms(cover.since_at)),  # the page of devices tells more
        link=f"/sites/{site}#chart-{cover.point_id}" if cover.point_id is not None else "",
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds(moment)
