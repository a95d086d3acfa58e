"""Interlocks of the hub as a page: how they stand, what may be done, a new rule."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import hub_interlock_acts
from cloud.api.guard import needs, viewer_of
from cloud.api.routes.hub_interlocks import view
from cloud.hub_interlock_acts import SPEED, simple_rule
from cloud.identity.acts import Act, ActError, MissingError
from cloud.store import jobs_interlocks
from cloud.store.jobs_interlocks import HubInterlock, Trip
from cloud.store.jobs_points import site_of_point
from cloud.store.points import list_points
from cloud.store.sites import list_sites, shared_zone
from cloud.store.snapshot import snapshot
from cloud.store.zones import list_zones
from cloud.web.acting import act_on, say_fault
from cloud.web.context import Web
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form
from cloud.web.interlocks_words import say_first_out
from cloud.web.language import Language
from cloud.web.reasons import Said
from cloud.web.render import language_of, zone_of
from cloud.web.words import mark
from rules.interlock.state import KeptError, Phase, decode_kept
from rules.permissions import Permission

FRESH = timedelta(seconds=30)
NOT_KNOWN = mark("Not known: the hub does not judge it")
OUT_OF_USE = mark("Out of use: it holds nothing")
PHASES: Mapping[str, tuple[str, str]] = {
    Phase.HEALTHY: ("good", mark("Healthy")),
    Phase.TRIPPED: ("bad", mark("Tripped: work is held")),
    Phase.READY_TO_RESET: ("late", mark("Ready to be reset")),
    Phase.RESET: ("late", mark("Reset: to be enabled")),
    Phase.STARTING: ("unmonitored", mark("Starts")),
}
WHYS: Mapping[str, str] = {
    "out": mark("out of bounds"),
    "stale": mark("no good reading comes"),
    "not_heard": mark("nothing heard since the start"),
    "off_delay": mark("back, not for long enough"),
    "not_acknowledged": mark("nobody has acknowledged it"),
    "window": mark("too few readings since the start"),
    "not_tripped": mark("it is not tripped"),
    "other_breach": mark("another breach came in between"),
    "already_acknowledged": mark("acknowledged before"),
    "not_reset": mark("it has to be reset first"),
    "not_running": mark("the hub does not run it"),
}
FAULTS: Mapping[str, str] = {
    "name": mark("The name has 1 to 63 of a-z, 0-9 and '-'."),
    "holds": mark("Choose a zone whose work it holds."),
    "point": mark("Choose a point."),
    "low": mark("A limit is a number, low or high or both."),
    "trips": mark("A line names a gateway and one of its interlocks."),
    "range": mark("The limit lies outside of what the point can tell."),
    "reason": mark("Say why, in 1 to 500 characters."),
    "breach": mark("Another breach came in between: look again, then decide."),
    "seconds": mark("Seconds are a number from 0 to 86400."),
}

TRIPS: Mapping[str, str] = {
    "trips.gateway": mark("There is no gateway of that name in use in this organisation: %(what)s"),
    "trips.interlock": mark("The gateway has no interlock of that name: %(what)s"),
    "trips.unheard": mark(
        "Not known yet whether there is such an interlock: the gateway was never heard, and its settings at"
        " the hub name none of that name: %(what)s"
    ),
}


def add_hub_interlock_pages(router: APIRouter, web: Web) -> None:
    """Add /hub-interlocks."""
    pages = HubInterlockPages(web)
    router.add_api_route("/hub-interlocks", pages.show)
    router.add_api_route("/hub-interlocks", pages.save, methods=["POST"])
    router.add_api_route("/hub-interlocks/{hub_interlock}", pages.ask, methods=["POST"])


class HubInterlockPages:
    """The routes of the hub's interlocks."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.CONTROL_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return how they stand, with forms for who may."""
        return await self._page(request, {})

    @needs(Permission.SETTINGS_WRITE)
    async def save(self, request: Request) -> Response:
        """Keep a rule with one cause, as the form says."""
        form = await read_form(request)

        async def do(act: Act) -> None:
            low, high = _number(form, "low"), _number(form, "high")
            rule = simple_rule(
                form.get("name", "").strip(),
                form.get("point", ""),
                low=low,
                high=high,
                on_delay_s=_seconds(form, "on_delay"),
                stale_after_s=_seconds(form, "stale_after"),
            )
            trips = [_trip(line) for line in form.get("trips", "").splitlines() if line.strip()]
            await hub_interlock_acts.save(
                act,
                await _site_of(act, form.get("point", "")),
                rule,
                holds=[form.get("holds", "")],
                trips=trips,
                enabled=form.get("enabled") == "1",
                reason=form.get("reason", ""),
            )

        return await self._do(request, do, form)

    @needs(Permission.CONTROL_READ)
    async def ask(self, request: Request, hub_interlock: int) -> Response:
        """Ask for an act; what became of it stands on the page."""
        form = await read_form(request)

        async def do(act: Act) -> None:
            breach = form.get("breach", "")
            if not (breach.isascii() and breach.isdigit() and len(breach) < 10):
                raise ActError("breach", breach, "a number")
            if not 0 < hub_interlock < 10**9:
                raise MissingError("interlock", hub_interlock, "an existing one")
            await hub_interlock_acts.ask(
                act, hub_interlock, form.get("do", ""), breach=int(breach), reason=form.get("reason", "")
            )

        return await self._do(request, do, {})

    async def _do(
        self, request: Request, do: Callable[[Act], Awaitable[None]], form: Mapping[str, str]
    ) -> Response:
        fault = await act_on(self._web, request, do)
        if fault is not None:
            return await self._page(request, form, fault=_say(fault, language_of(request)))
        return RedirectResponse("/hub-interlocks", 303)

    async def _page(self, request: Request, form: Mapping[str, str], *, fault: str = "") -> HTMLResponse:
        viewer, language = viewer_of(request), language_of(request)
        async with snapshot(self._web.pool) as connection:
            found = await jobs_interlocks.list_hub_interlocks(connection)
            views = [await view(connection, one) for one in found]
            sites = {one.id: one for one in await list_sites(connection)}
            points = await list_points(connection, limit=5000)
            zones = await list_zones(connection)
            zone = zone_of(await shared_zone(connection))
        shows = {
            "page": "hub-interlocks",
            "interlocks": [
                (
                    shown,
                    *self._state(one, language),
                    viewer.may(Permission.CONTROL_HANDLE, one.organisation_id, one.site_id),
                )
                for one, shown in zip(found, views, strict=True)
            ],
            "say": lambda text: _said(text, language),
            "first_out": {one.id: _first_out(one, language) for one in found},
            "points": [
                f"{one.site}/{one.name}{SPEED if one.quantity == 'position' else ''}"
                for one in points
                if one.kind == "analog"
            ],
            "zones": [
                (f"{one.site}/{one.name}", f"{sites[one.site_id].title}: {one.title}")
                for one in zones
                if one.site_id in sites
            ],
            "may_save": viewer.holds(Permission.SETTINGS_WRITE),
            "form": form,
            "message": fault,
            "ms": milliseconds,
        }
        response = self._web.render.page(request, "jobs_interlocks.html", shows, zone=zone)
        response.status_code = 422 if fault else 200
        return response

    def _state(self, one: HubInterlock, language: Language) -> tuple[str, str]:
        if not one.enabled:
            return "unmonitored", language.say(OUT_OF_USE)
        if one.stood_at is None or self._web.now() - one.stood_at > FRESH:
            return "unmonitored", language.say(NOT_KNOWN)
        kind, word = PHASES[one.phase]
        return kind, language.say(word)


def _say(fault: ActError, language: Language) -> str:
    """Return what was wrong, with what it was wrong with where a person has to see that."""
    if fault.field in TRIPS:
        return language.say(TRIPS[fault.field]) % {"what": fault.value}
    words = say_fault(fault, FAULTS, language)
    return f"{words} ({fault.value})" if fault.field == "range" else words


def _said(text: str, language: Language) -> str:
    """Return a reason, with its cause, in the page's language."""
    reason, _, cause = text.partition(" ")
    words = language.say(WHYS[reason]) if reason in WHYS else reason
    return f"{words} ({cause})" if cause else words


def _first_out(one: HubInterlock, language: Language) -> list[Said]:
    """Return why its causes voted when it tripped; their names where that was not kept."""
    try:
        votes = () if one.kept is None else decode_kept(one.kept).first_out
    except KeptError:
        votes = ()
    words = {vote.cause: vote.words for vote in votes}
    return say_first_out(language, [(name, words.get(name, "")) for name in one.first_out])


async def _site_of(act: Act, point: str) -> int:
    found = await site_of_point(act.connection, point.removesuffix(SPEED))
    if found is None:
        raise ActError("point", point, "a point")
    return found


def _number(form: Mapping[str, str], name: str) -> Decimal | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ActError("low", text, "a number") from None
    if not found.is_finite() or abs(found) >= 10**12:
        raise ActError("low", text, "a number")
    return found


def _seconds(form: Mapping[str, str], name: str) -> float:
    text = form.get(name, "").strip() or "0"
    try:
        found = float(text)
    except ValueError:
        raise ActError("seconds", text, "a number") from None
    if not 0 <= found <= 86_400:
        raise ActError("seconds", text, "0 to 86400")
    return found


def _trip(line: str) -> Trip:
    gateway, _, interlock = line.strip().partition(" ")
    if not interlock.strip():
        raise ActError("trips", line, "a gateway and one of its interlocks")
    return Trip(gateway, interlock.strip())
