"""How long personal data are kept, and when sites are on duty: shown, and changed with a reason.

What is done there is done by `cloud.retention_acts`, as for the API.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import retention_acts
from cloud.api.guard import needs, viewer_of
from cloud.identity.acts import Act, ActError
from cloud.store.retention import Duty, Kept, list_duties, list_kept
from cloud.store.sites import list_sites
from cloud.store.snapshot import snapshot
from cloud.web.acting import act_on
from cloud.web.context import Web
from cloud.web.forms import read_pairs
from cloud.web.language import Language
from cloud.web.render import language_of
from cloud.web.words import mark
from rules.permissions import Permission

CLASSES = {
    "access_events": (
        mark("Events of access"),
        mark("Cards read and refused, PINs, persons identified and refused"),
    ),
    "positions_off_duty": (
        mark("Positions off duty"),
        mark("Where a vehicle was outside of the duty hours of its site"),
    ),
    "pictures": (
        mark("Pictures and recordings"),
        mark("Their rows stay and say that they are gone; the hub may have a bound of its own besides"),
    ),
}
"""Class -> its name, and what belongs to it."""
WEEKDAYS = (
    *(mark("Mon"), mark("Tue"), mark("Wed"), mark("Thu")),
    *(mark("Fri"), mark("Sat"), mark("Sun")),
)
FOR_EVER = mark("as long as there is room")
NOT_KEPT = mark("not kept")
DAYS = mark("%(count)s days")
FAULTS = {
    "days": mark("Days are a whole number from 0 to 36500."),
    "why": mark("Say why, in 1 to 500 characters."),
    "sure": mark("Confirm that what is older is deleted for good."),
    "weekdays": mark("Choose at least one day of the week."),
    "from_time": mark("The beginning is a time of day such as 08:00."),
    "to_time": mark("The end is a time of day such as 18:00, after the beginning."),
}
"""Field of an act that was not done -> what to say."""


def add_retention_pages(router: APIRouter, web: Web) -> None:
    """Add /retention."""
    pages = RetentionPages(web)
    router.add_api_route("/retention", pages.show)
    router.add_api_route("/retention", pages.keep, methods=["POST"])
    router.add_api_route("/retention/hours", pages.declare, methods=["POST"])


class RetentionPages:
    """The routes of retention."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.PEOPLE_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return what is kept how long, with the forms to change it for who may."""
        return await self._page(request)

    @needs(Permission.PEOPLE_MANAGE)
    async def keep(self, request: Request) -> Response:
        """Keep a class for so many days."""
        form = dict(await read_pairs(request))

        async def act(one: Act) -> None:
            if form.get("sure") != "1":
                raise ActError("sure", "", "1")
            await retention_acts.set_days(
                one,
                _whole(form, "organisation"),
                form.get("class", ""),
                days=_whole(form, "days"),
                why=form.get("why", ""),
            )

        return await self._do(request, act)

    @needs(Permission.PEOPLE_MANAGE)
    async def declare(self, request: Request) -> Response:
        """Declare when a site is on duty."""
        pairs = await read_pairs(request)
        form = dict(pairs)

        async def act(one: Act) -> None:
            await retention_acts.set_duty(
                one,
                _whole(form, "site"),
                weekdays=[_whole({name: value}, name) for name, value in pairs if name == "weekdays"],
                from_time=_time(form, "from_time"),
                to_time=_time(form, "to_time"),
                keep_off_duty=form.get("keep_off_duty") == "1",
                why=form.get("why", ""),
            )

        return await self._do(request, act)

    async def _do(self, request: Request, act: Callable[[Act], Awaitable[None]]) -> Response:
        fault = await act_on(self._web, request, act)
        if fault is not None:
            return await self._page(request, fault=fault)
        return RedirectResponse("/retention", 303)

    async def _page(self, request: Request, *, fault: ActError | None = None) -> HTMLResponse:
        viewer, language = viewer_of(request), language_of(request)
        async with snapshot(self._web.pool) as connection:
            kept, sites = await list_kept(connection), await list_sites(connection)
            duties = {one.site_id: one for one in await list_duties(connection)}
        bodies = {one.organisation_id: one.organisation for one in kept}
        manage = {name for number, name in bodies.items() if viewer.may(Permission.PEOPLE_MANAGE, number)}
        shows = {
            "page": "people",
            "organisations": [
                (name, name in manage, [_kept(one, language) for one in kept if one.organisation == name])
                for name in bodies.values()
            ],
            "sites": [
                (site, duties.get(site.id), hours_text(duties.get(site.id), language)) for site in sites
            ],
            "manage": manage,
            "weekdays": [(number, language.say(word)) for number, word in enumerate(WEEKDAYS, start=1)],
            "days_max": retention_acts.DAYS_MAX,
            "message": "" if fault is None else say_fault(fault, language),
        }
        response = self._web.render.page(request, "retention.html", shows)
        response.status_code = 200 if fault is None else 422
        return response


def say_fault(fault: ActError, language: Language) -> str:
    """Return in the page's language what is not as expected; what has no words there stays English."""
    known = FAULTS.get(fault.field)
    return language.say(known) if known else str(fault)


def _kept(kept: Kept, language: Language) -> dict[str, object]:
    name, what = CLASSES[kept.kind]
    return {
        "organisation_id": kept.organisation_id,
        "kind": kept.kind,
        "name": language.say(name),
        "what": language.say(what),
        "days": kept.days,
        "long": days_text(kept.days, language),
        "is_default": kept.is_default,
    }


def days_text(days: int | None, language: Language) -> str:
    """Return how long a class is kept, in words."""
    if days is None:
        return language.say(FOR_EVER)
    return language.say(DAYS) % {"count": days} if days else language.say(NOT_KEPT)


def hours_text(duty: Duty | None, language: Language) -> str:
    """Return when a site is on duty: days of the week, and from when until when; empty: always."""
    if duty is None:
        return ""
    days = " ".join(_stretches(duty.weekdays, language))
    return f"{days}, {duty.from_time:%H:%M}–{duty.to_time:%H:%M}"


def _stretches(weekdays: Sequence[int], language: Language) -> list[str]:
    """Return days of the week, three and more in a row as one stretch."""
    rows: list[list[int]] = []
    for day in sorted(weekdays):
        if rows and rows[-1][-1] == day - 1:
            rows[-1].append(day)
        else:
            rows.append([day])
    said = []
    for row in rows:
        words = [language.say(WEEKDAYS[day - 1]) for day in row]
        said += [f"{words[0]}–{words[-1]}"] if len(row) > 2 else words
    return said


def _whole(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ActError(name, text, "a whole number")
    return int(text)


def _time(form: Mapping[str, str], name: str) -> time:
    text = form.get(name, "").strip()
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise ActError(name, text, "a time of day such as 08:00") from None
