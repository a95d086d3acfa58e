"""The pages on which is said what is an alarm, what watches points, and who is told by which way.

What is done there is done by `cloud.alarm_manage` and `cloud.alarm_acts`, as for the API.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from cloud import alarm_acts, alarm_manage
from cloud.alarm_documents import (
    PRIORITY_WORDS,
    ChainText,
    PolicyText,
    PriorityWord,
    RouteText,
    RuleText,
    StepText,
    policy_text,
    rules_text,
)
from cloud.api.guard import needs, viewer_of
from cloud.api.services import services
from cloud.identity.acts import Act, ActError
from cloud.store.accounts import all_organisations
from cloud.store.alarm_points import list_points
from cloud.store.alarm_templates import list_channels, list_deliveries, list_templates, policies
from cloud.store.sites import list_sites, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.alarm_words import (
    CONDITIONS,
    DELIVERIES,
    PRIORITIES,
    STATE_KINDS,
    STATES,
    WAYS,
    WHYS,
    say_fault,
)
from cloud.web.alarms_page import SHELVES, do_act
from cloud.web.context import Web
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form, read_pairs
from cloud.web.render import language_of, zone_of
from cloud.web.sending_words import say_told
from rules.permissions import Permission
from wire.quantities import QUANTITIES

POINTS_MAX = 1000
STEPS = 3
MESSAGES = 50
LEVELS = ("lolo", "lo", "hi", "hihi", "rate")
FLAGS = ("comms", "device", "calibration", "tamper")


def add_alarm_setup_pages(router: APIRouter, web: Web) -> None:
    """Add /alarms/points, /alarms/templates and /alarms/calls."""
    pages = SetupPages(web)
    router.add_api_route("/alarms/points", pages.points)
    router.add_api_route("/alarms/points", pages.maintain, methods=["POST"])
    router.add_api_route("/alarms/points/watch", pages.watch, methods=["POST"])
    router.add_api_route("/alarms/templates", pages.templates)
    router.add_api_route("/alarms/templates", pages.save_template, methods=["POST"])
    router.add_api_route("/alarms/calls", pages.calls)
    router.add_api_route("/alarms/calls", pages.save_policy, methods=["POST"])
    router.add_api_route("/alarms/calls/ways", pages.change_way, methods=["POST"])


class SetupPages:
    """The routes of these pages."""

    def __init__(self, web: Web) -> None:
        self._web = web

    # --- points --------------------------------------------------------------------------------------

    @needs(Permission.ALARMS_READ)
    async def points(self, request: Request) -> HTMLResponse:
        """Return every point with what watches it; what nothing watches stands first."""
        return await self._points(request)

    @needs(Permission.ALARMS_HANDLE)
    async def maintain(self, request: Request) -> Response:
        """Take a point out of service, or put it back."""
        form = await read_form(request)
        point, minutes = form.get("point", ""), form.get("minutes", "")

        async def do(one: Act) -> None:
            site_id = _id(form, "site")
            if form.get("act") == "put_back":
                await alarm_acts.put_back(one, site_id, point)
            else:
                until = one.at + timedelta(minutes=int(minutes)) if minutes in SHELVES and minutes else None
                await alarm_acts.take_out(one, site_id, point, until=until, text=form.get("text", ""))

        return await do_act(self._web, request, do, where="/alarms/points", again=self._points)

    @needs(Permission.ALARMS_MANAGE)
    async def watch(self, request: Request) -> Response:
        """Have a template watch the chosen points, or nothing."""
        pairs = await read_pairs(request, fields_max=POINTS_MAX + 10, bytes_max=64 * 1024)
        form = dict(pairs)
        organisation, _, name = form.get("template", "").partition("/")
        reason = form.get("reason", "")

        async def do(one: Act) -> None:
            ids = [_id({"points": value}, "points") for field, value in pairs if field == "points"]
            organisation_id = _id({"organisation": organisation}, "organisation")
            if name:
                await alarm_manage.apply_template(one, organisation_id, name, point_ids=ids, reason=reason)
            else:
                await alarm_manage.stop_watching(one, organisation_id, ids, reason=reason)

        return await do_act(self._web, request, do, where="/alarms/points", again=self._points)

    async def _points(self, request: Request, fault: ActError | None = None) -> HTMLResponse:
        language = language_of(request)
        async with snapshot(self._web.pool) as connection:
            found = await list_points(connection, limit=POINTS_MAX)
            templates = await list_templates(connection, limit=1000)
            sites = await list_sites(connection)
            zone = zone_of(await shared_zone(connection))
            bodies = await all_organisations(connection)
        found.sort(key=lambda one: (one.template is not None, one.site, one.name))
        shows = {
            "tab": "points",
            "points": found,
            "templates": templates,
            "bodies": self._managed(request, bodies),
            "titles": {one.id: one.title for one in sites},
            "states": {code: language.say(word) for code, word in STATES.items()},
            "looks": STATE_KINDS,
            "quantity": language.quantity,
            "shelves": {code: language.say(word) for code, word in SHELVES.items() if code},
        }
        return self._answer(request, "alarms_points.html", shows, fault=fault, zone=zone)

    # --- templates -----------------------------------------------------------------------------------

    @needs(Permission.ALARMS_READ)
    async def templates(self, request: Request) -> HTMLResponse:
        """Return templates with their newest revision, and a form for each."""
        return await self._templates(request)

    @needs(Permission.ALARMS_MANAGE)
    async def save_template(self, request: Request) -> Response:
        """Keep a template, or its next revision."""
        form = await read_form(request)

        async def do(one: Act) -> None:
            await alarm_manage.save_template(
                one,
                _id(form, "organisation"),
                form.get("name", "").strip(),
                quantity=form.get("quantity", ""),
                rules=_rules(form),
                reason=form.get("reason", ""),
            )

        return await do_act(self._web, request, do, where="/alarms/templates", again=self._templates)

    async def _templates(self, request: Request, fault: ActError | None = None) -> HTMLResponse:
        language = language_of(request)
        async with snapshot(self._web.pool) as connection:
            found = await list_templates(connection, limit=1000)
            bodies = await all_organisations(connection)
            zone = zone_of(await shared_zone(connection))
        shows = {
            "tab": "templates",
            "templates": [(one, {rule.condition: rule for rule in rules_text(one.rules)}) for one in found],
            "bodies": self._managed(request, bodies),
            "names": bodies,
            "levels": [(code, language.say(CONDITIONS[code])) for code in LEVELS],
            "flags": [(code, language.say(CONDITIONS[code])) for code in FLAGS],
            "priorities": {code: language.say(word) for code, word in PRIORITIES.items()},
            "quantities": sorted((language.quantity(name), name) for name in QUANTITIES),
            "quantity": language.quantity,
            "units": {name: one.unit for name, one in QUANTITIES.items()},
            "plain": _plain,
        }
        return self._answer(request, "alarms_templates.html", shows, fault=fault, zone=zone)

    # --- who is told ---------------------------------------------------------------------------------

    @needs(Permission.ALARMS_READ)
    async def calls(self, request: Request) -> HTMLResponse:
        """Return ways, chains of sites, and the log of messages."""
        return await self._calls(request)

    @needs(Permission.ALARMS_MANAGE)
    async def save_policy(self, request: Request) -> Response:
        """Say who is told of a site's alarms: one chain for all, of up to three steps."""
        form = await read_form(request)

        async def do(one: Act) -> None:
            await alarm_manage.save_policy(
                one, _id(form, "site"), _policy(form), reason=form.get("reason", "")
            )

        return await do_act(self._web, request, do, where="/alarms/calls", again=self._calls)

    @needs(Permission.ALARMS_MANAGE)
    async def change_way(self, request: Request) -> Response:
        """Keep, test or remove a way by which people are told."""
        form = await read_form(request)
        name = form.get("name", "").strip()

        async def do(one: Act) -> None:
            organisation_id = _id(form, "organisation")
            if form.get("act") == "test":
                await alarm_manage.test_channel(one, organisation_id, name)
            elif form.get("act") == "remove":
                await alarm_manage.remove_channel(one, organisation_id, name)
            else:
                await alarm_manage.save_channel(
                    one,
                    organisation_id,
                    name,
                    kind=form.get("kind", ""),
                    target=form.get("target", ""),
                    key=form.get("key", ""),
                    language=form.get("language", ""),
                    local=services(request).notify_local,
                )

        return await do_act(self._web, request, do, where="/alarms/calls", again=self._calls)

    async def _calls(self, request: Request, fault: ActError | None = None) -> HTMLResponse:
        language = language_of(request)
        async with snapshot(self._web.pool) as connection:
            ways = await list_channels(connection)
            sites = await list_sites(connection)
            said = {one.site_id: policy_text(one.policy) for one in await policies(connection)}
            messages = await list_deliveries(connection, limit=MESSAGES)
            bodies = await all_organisations(connection)
            zone = zone_of(await shared_zone(connection))
        numbers = {name: number for number, name in bodies.items()}
        shows = {
            "tab": "calls",
            "ways": ways,
            "sites": [(one, numbers[one.organisation], said.get(one.id)) for one in sites],
            "messages": messages,
            "bodies": self._managed(request, bodies),
            "names": bodies,
            "steps": range(STEPS),
            "kinds": {code: language.say(word) for code, word in WAYS.items()},
            "whys": {code: language.say(word) for code, word in WHYS.items()},
            "told_of": lambda told: say_told(language, told),
            "deliveries": {code: language.say(word) for code, word in DELIVERIES.items()},
            "minutes": lambda seconds: "" if seconds is None else _plain(Decimal(str(seconds)) / 60),
        }
        return self._answer(request, "alarms_calls.html", shows, fault=fault, zone=zone)

    # --- all -----------------------------------------------------------------------------------------

    def _managed(self, request: Request, bodies: Mapping[int, str]) -> dict[int, str]:
        """Return the organisations in which who looks may say something about alarms."""
        viewer = viewer_of(request)
        return {
            number: name for number, name in bodies.items() if viewer.may(Permission.ALARMS_MANAGE, number)
        }

    def _answer(
        self,
        request: Request,
        template: str,
        shows: dict[str, object],
        *,
        fault: ActError | None,
        zone: ZoneInfo,
    ) -> HTMLResponse:
        message = "" if fault is None else say_fault(fault, language_of(request))
        shows |= {"page": "alarms", "ms": milliseconds, "message": message}
        response = self._web.render.page(request, template, shows, zone=zone)
        response.status_code = 422 if message else 200
        return response


def _rules(form: Mapping[str, str]) -> list[RuleText]:
    """Return the rules that were filled in: levels with a limit, and flags with a delay."""
    levels = [_level(form, code) for code in LEVELS if form.get(f"{code}-limit", "").strip()]
    flags = [
        RuleText(code, _priority(form, code), on_delay_s=float(_number(form, f"{code}-on")))
        for code in FLAGS
        if form.get(f"{code}-on", "").strip()
    ]
    return levels + flags


def _level(form: Mapping[str, str], code: str) -> RuleText:
    return RuleText(
        code,
        _priority(form, code),
        _number(form, f"{code}-limit"),
        _number(form, f"{code}-deadband"),
        float(_number(form, f"{code}-on")),
        float(_number(form, f"{code}-off")),
        float(_number(form, f"{code}-window")) * 60,
    )


def _priority(form: Mapping[str, str], code: str) -> PriorityWord:
    word = form.get(f"{code}-priority", "")
    found = next((known for known in PRIORITY_WORDS if word == known), None)
    if found is None:
        raise ActError(f"{code}-priority", word, f"one of {', '.join(PRIORITY_WORDS)}")
    return found


def _policy(form: Mapping[str, str]) -> PolicyText:
    """Return the policy of a form: one chain for everything."""
    steps: Sequence[StepText] = [
        StepText(
            [part for one in form.get(f"to-{number}", "").split(",") if (part := one.strip())],
            float(_number(form, f"after-{number}")) * 60,
            float(_number(form, f"repeat-{number}")) * 60 or None,
        )
        for number in range(STEPS)
        if form.get(f"to-{number}", "").strip()
    ]
    return PolicyText({"all": ChainText(list(steps))}, [RouteText("all")])


def _number(form: Mapping[str, str], name: str) -> Decimal:
    text = form.get(name, "").strip() or "0"
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or len(text) > 40:
        raise ActError(name, text, "a number")
    return value


def _id(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ActError(name, text, "a whole number")
    return int(text)


def _plain(value: Decimal | float) -> str:
    """Return a number as people write it, without needless zeros."""
    text = f"{value:f}" if isinstance(value, Decimal) else f"{value:g}"
    return text.rstrip("0").rstrip(".") if "." in text else text
