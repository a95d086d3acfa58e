"""People and roles, authorisations, and one's own page.

What is done there is done by `cloud.identity.acts`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud.api.errors import ApiError
from cloud.api.guard import guard_of, needs, signed_in, viewer_of
from cloud.identity import acts
from cloud.identity.acts import Act, ActError, MissingError
from cloud.identity.secrets import PASSWORD_MIN, new_seed, password_fault, seed_address, seed_text, totp_step
from cloud.store import accounts, audit_log, people, web_sessions
from cloud.store.connection import Connection
from cloud.store.credentials import list_credentials
from cloud.store.people import Person
from cloud.store.rights_items import list_people as list_at_doors
from cloud.store.sites import list_sites, shared_zone
from cloud.store.snapshot import changing, snapshot
from cloud.web.act_words import say_act
from cloud.web.acting import act_on
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form, read_pairs
from cloud.web.people_cards import PERSON_STATES, act_on_cards, kept_of
from cloud.web.render import language_of, zone_of
from cloud.web.rights_words import ACT_CAUSES, ACT_FAULTS, CARD_STATES, PERMISSIONS, ROLES
from rules.permissions import Grant, Permission, Role

LIST_MAX = 1000
MINE = timedelta(days=90)


class _HasId(Protocol):
    @property
    def id(self) -> int: ...


_T = TypeVar("_T", bound=_HasId)
_WRONG_PASSWORD = ActError("password", "", "the password that you have now")
_WRONG_CODE = ActError("code", "", "the code that your authenticator shows now")


def add_people_pages(router: APIRouter, web: Web) -> None:
    """Add /people, /authorisations and /me."""
    pages = PeoplePages(web)
    own = OwnPage(web)
    router.add_api_route("/people", pages.show)
    router.add_api_route("/people", pages.enter, methods=["POST"])
    router.add_api_route("/people/{person}", pages.one)
    router.add_api_route("/people/{person}", pages.change, methods=["POST"])
    router.add_api_route("/people/{person}/cards", pages.cards, methods=["POST"])
    router.add_api_route("/authorisations", pages.authorisations)
    router.add_api_route("/authorisations", pages.authorise, methods=["POST"])
    router.add_api_route("/me", own.show)
    router.add_api_route("/me", own.change, methods=["POST"])


class PeoplePages:
    """The routes about other people."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.PEOPLE_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return the list of people with their roles."""
        return await self._list(request)

    @needs(Permission.PEOPLE_MANAGE)
    async def enter(self, request: Request) -> Response:
        """Enter a person."""
        form = await read_form(request)

        async def act(one: Act) -> None:
            await acts.add_person(
                one,
                _number(form, "organisation"),
                number=form.get("number", ""),
                name=form.get("name", ""),
                department=form.get("department", ""),
            )

        fault = await act_on(self._web, request, act)
        if fault is None:
            return RedirectResponse("/people", 303)
        return await self._list(request, fault=fault, typed=form)

    @needs(Permission.PEOPLE_READ)
    async def one(self, request: Request, person: int) -> HTMLResponse:
        """Return one person with account, roles and authorisations."""
        return await self._person(request, person)

    @needs(Permission.PEOPLE_MANAGE)
    async def change(self, request: Request, person: int) -> Response:
        """Do what a form of the person's page asks for."""
        form = await read_form(request)
        said: dict[str, str] = {}

        async def act(one: Act) -> None:
            said.update(await _change(one, person, form))

        fault = await act_on(self._web, request, act)
        if fault is None and not said:
            return RedirectResponse(f"/people/{person}", 303)
        return await self._person(request, person, fault=fault, said=said, typed=form if fault else None)

    @needs(Permission.ACCESS_MANAGE)
    async def cards(self, request: Request, person: int) -> Response:
        """Do what a form about cards, PINs or doors of a person asks for; it is shown at once."""
        form = await read_form(request)
        fault = await act_on(self._web, request, lambda act: act_on_cards(act, person, form))
        if fault is None:
            return RedirectResponse(f"/people/{person}?saved=cards#cards", 303)
        return await self._person(request, person, fault=fault, typed=kept_of(form))

    @needs(Permission.AUTHORISATIONS_READ)
    async def authorisations(self, request: Request) -> HTMLResponse:
        """Return who is authorised for what, at a moment where one is asked for."""
        return await self._authorisations(request)

    @needs(Permission.AUTHORISATIONS_MANAGE)
    async def authorise(self, request: Request) -> Response:
        """Enter or withdraw an authorisation."""
        form = await read_form(request)

        async def act(one: Act) -> None:
            if "withdraw" in form:
                await acts.withdraw(
                    one, _number(form, "withdraw"), from_at=self._web.now(), why=form.get("why", "")
                )
                return
            to_at = form.get("to", "")
            zone = zone_of(await shared_zone(one.connection))
            await acts.authorise(
                one,
                _number(form, "person"),
                kind=form.get("kind", ""),
                subject=form.get("subject", ""),
                from_at=_day("from", form.get("from", ""), zone),
                to_at=_day("to", to_at, zone) if to_at else None,
                basis=form.get("basis", ""),
            )

        fault = await act_on(self._web, request, act)
        if fault is None:
            return RedirectResponse("/authorisations", 303)
        return await self._authorisations(request, fault=fault)

    async def _list(
        self, request: Request, *, fault: ActError | None = None, typed: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        async with snapshot(self._web.pool) as connection:
            rows = await people.list_people(connection, after=_after(request), limit=LIST_MAX + 1)
            grants = await _all(accounts.list_grants, connection)
            bodies = await accounts.all_organisations(connection)
        more, rows = len(rows) > LIST_MAX, rows[:LIST_MAX]
        held: dict[int, list[accounts.RoleGrant]] = {}
        for one in grants:
            held.setdefault(one.account_id, []).append(one)
        viewer, language = viewer_of(request), language_of(request)
        shows = {
            "page": "people",
            "people": [(row, _roles(held.get(row.account_id or 0, []), language.say)) for row in rows],
            "more": rows[-1].id if more else None,
            "organisations": [
                (number, name)
                for number, name in bodies.items()
                if viewer.may(Permission.PEOPLE_MANAGE, number)
            ],
        }
        return self._render(request, "people.html", shows, fault=fault, typed=typed)

    async def _person(
        self,
        request: Request,
        person_id: int,
        *,
        fault: ActError | None = None,
        said: Mapping[str, str] | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        language = language_of(request)
        async with snapshot(self._web.pool) as connection:
            row = await people.get_person(connection, person_id) if 0 < person_id < 2**31 else None
            if row is None:
                raise NotHereError
            grants = await accounts.list_grants(connection, account_ids=[row.account_id or 0])
            rights = await people.list_authorisations(connection, person_id=row.id)
            cards = await list_credentials(connection, row.id)
            at_doors = await list_at_doors(connection, person_id=row.id)
            sites = await list_sites(connection, organisation=row.organisation)
            zone = zone_of(await shared_zone(connection, organisation_id=row.organisation_id))
        viewer = viewer_of(request)
        shows = {
            "page": "people",
            "person": row,
            "grants": [(one, language.say(ROLES[Role(one.role)])) for one in grants],
            "authorisations": rights,
            "credentials": cards,
            "card_states": {state: language.say(word) for state, word in CARD_STATES.items()},
            "at_doors": at_doors[0] if at_doors else None,
            "person_states": {state: language.say(word) for state, word in PERSON_STATES.items()},
            "saved": request.query_params.get("saved", ""),
            "roles": [(role.value, language.say(word)) for role, word in ROLES.items()],
            "sites": sites,
            "said": said or {},
            "hub": str(request.base_url).rstrip("/"),
            "own": row.account_id is not None and row.account_id == viewer.account_id,
            "manage": viewer.may(Permission.PEOPLE_MANAGE, row.organisation_id),
            "manage_cards": viewer.may(Permission.ACCESS_MANAGE, row.organisation_id),
        }
        return self._render(request, "person.html", shows, fault=fault, zone=zone, typed=typed)

    async def _authorisations(self, request: Request, *, fault: ActError | None = None) -> HTMLResponse:
        asked = request.query_params.get("at", "")
        at = None
        async with snapshot(self._web.pool) as connection:
            zone = zone_of(await shared_zone(connection))
            try:
                at = _day("at", asked, zone) if asked else None
            except ActError as error:
                fault = error
            rows = await people.list_authorisations(
                connection, at=at, after=_after(request), limit=LIST_MAX + 1
            )
            staff = [one for one in await _all(people.list_people, connection) if one.left_at is None]
        more, rows = len(rows) > LIST_MAX, rows[:LIST_MAX]
        shows = {
            "page": "people",
            "authorisations": rows,
            "more": urlencode({"at": asked, "after": rows[-1].id}) if more else "",
            "staff": staff,
            "at": asked,
            "today": f"{self._web.now().astimezone(zone):%Y-%m-%d}",
        }
        return self._render(request, "authorisations.html", shows, fault=fault, zone=zone)

    def _render(
        self,
        request: Request,
        template: str,
        shows: Mapping[str, Any],
        *,
        fault: ActError | None,
        zone: ZoneInfo | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        message = "" if fault is None else say_fault(fault, language_of(request).say)
        wrong = "" if fault is None else fault.field
        shows = {**shows, "message": message, "wrong": wrong, "typed": typed or {}, "ms": milliseconds}
        response = self._web.render.page(request, template, shows, zone=zone)
        response.status_code = 200 if fault is None else 422
        return response


class OwnPage:
    """One's own page: what is stored about me, password, second factor, sessions, tokens."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @signed_in
    async def show(self, request: Request) -> HTMLResponse:
        """Return what is stored about who asks."""
        return await self._page(request)

    @signed_in
    async def change(self, request: Request) -> Response:
        """Do what a form of the page asks for."""
        pairs = await read_pairs(request)
        form, said = dict(pairs), dict[str, str]()
        if viewer_of(request).kind != "account":
            raise ApiError(409, "No account", "There are no accounts yet.")
        try:
            said = await self._change(request, form, [value for name, value in pairs if name == "scope"])
        except ActError as error:
            return await self._page(request, fault=error, said={"seed": form.get("seed", "")})
        return await self._page(request, said=said) if said else RedirectResponse("/me", 303)

    async def _change(self, request: Request, form: Mapping[str, str], scopes: list[str]) -> dict[str, str]:
        web, viewer, doors = self._web, viewer_of(request), guard_of(request).doors
        said: dict[str, str] = {}
        wanted = form.get("do", "")
        hashed = ""
        if wanted in ("password", "factor", "factor-off"):
            async with snapshot(web.pool) as connection:
                account = await accounts.get_account(connection, viewer.account_id)
            if account is None or not await doors.confirm(account, form.get("password", ""), viewer.origin):
                raise _WRONG_PASSWORD
            if wanted == "password":
                if fault := password_fault(form.get("new", ""), viewer.login):
                    raise ActError("new", "", fault)
                hashed = await doors.passwords.hash(form["new"])
        async with changing(web.pool) as connection:
            act = Act(connection, viewer, web.now())
            if wanted == "password":
                await accounts.set_password(connection, viewer.account_id, hashed, at=act.at)
                await web_sessions.end_all(connection, viewer.account_id, at=act.at, but=viewer.session_id)
                await act.note("password.set", f"account {viewer.login}")
            elif wanted in ("factor", "factor-off"):
                await _set_factor(act, form if wanted == "factor" else None)
            elif wanted == "session":
                number = _number(form, "session")
                await web_sessions.end(connection, number, account_id=viewer.account_id, at=act.at)
                await act.note("session.end", f"account {viewer.login}")
            elif wanted == "token":
                _, said["token"] = await acts.make_token(
                    act, name=form.get("name", ""), scopes=scopes, days=_number(form, "days")
                )
            elif wanted == "token-end":
                await acts.end_token(act, _number(form, "token"))
        return said

    async def _page(
        self, request: Request, *, fault: ActError | None = None, said: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        web, viewer, language = self._web, viewer_of(request), language_of(request)
        now = web.now()
        idle = now - guard_of(request).doors.limits.idle
        async with snapshot(web.pool) as connection:
            account = await accounts.get_account(connection, viewer.account_id)
            if account is None:
                raise NotHereError
            person = await people.get_person(connection, account.person_id)
            zone = zone_of(await shared_zone(connection, organisation_id=account.organisation_id))
            asked = audit_log.Asked(
                now - MINE, now + timedelta(days=1), actor=viewer.login, actor_kinds=["account", "token"]
            )
            shows = {
                "grants": await accounts.list_grants(connection, account_ids=[account.id]),
                "authorisations": await people.list_authorisations(connection, person_id=account.person_id),
                "sessions": await web_sessions.list_sessions(connection, account.id, at=now, idle_since=idle),
                "tokens": await web_sessions.list_tokens(connection, account_id=account.id),
                "credentials": await list_credentials(connection, account.person_id),
                "acts": await audit_log.search(connection, asked, limit=50),
            }
        seed = _seed(said)
        held = viewer.rights.permissions()
        shows |= {
            "page": "me",
            "person": person,
            "card_states": {state: language.say(word) for state, word in CARD_STATES.items()},
            "factor": account.totp_seed is not None,
            "seed": seed.hex(),
            "seed_text": seed_text(seed),
            "seed_address": seed_address(seed, account.login),
            "password_min": PASSWORD_MIN,
            "scopes": [(one.value, language.say(PERMISSIONS[one])) for one in Permission if one in held],
            "role_word": lambda role: language.say(ROLES[Role(role)]),
            "said": said or {},
            "message": "" if fault is None else say_fault(fault, language.say),
            "say_act": lambda act: say_act(language, act),
            "ms": milliseconds,
            "now": now,
        }
        response = web.render.page(request, "me.html", shows, zone=zone)
        response.status_code = 200 if fault is None else 422
        return response


async def _change(act: Act, person_id: int, form: Mapping[str, str]) -> dict[str, str]:
    wanted = form.get("do", "")
    if wanted == "facts":
        row = await people.get_person(act.connection, person_id)
        since = act.at if row is None or row.left_at is None else row.left_at
        left = since if form.get("left") else None
        await acts.change_person(
            act, person_id, name=form.get("name", ""), department=form.get("department", ""), left_at=left
        )
    elif wanted == "invite":
        login, code = await acts.invite(act, person_id, form.get("login", ""))
        return {"login": login, "code": code}
    elif wanted == "role":
        site = None if form.get("site") == "all" else _number(form, "site")  # the widest is never a default
        row = await _with_account(act, person_id)
        role = form.get("role", "")
        if role not in set(Role):
            raise ActError("role", role, "a role of the list")
        grant = Grant(Role(role), row.organisation_id, site)
        await acts.grant_role(act, row.account_id or 0, grant)
    elif wanted == "take":
        await acts.take_role(act, _number(form, "grant"))
    elif wanted in ("close", "open", "factor"):
        row = await _with_account(act, person_id)
        why = form.get("why", "")
        if wanted == "factor":
            await acts.reset_second_factor(act, row.account_id or 0, why=why)
        else:
            await acts.set_disabled(act, row.account_id or 0, disabled=wanted == "close", why=why)
    return {}


async def _with_account(act: Act, person_id: int) -> Person:
    row = await people.get_person(act.connection, person_id)
    if row is None or row.account_id is None:
        raise MissingError("person", person_id, "a person with an account")
    return row


async def _set_factor(act: Act, form: Mapping[str, str] | None) -> None:
    """Ask for a second factor from now on, once its first code was shown; None: no longer."""
    viewer = act.viewer
    if form is None:
        await accounts.set_totp(act.connection, viewer.account_id, None)
        await act.note("second-factor.off", f"account {viewer.login}")
        return
    seed = _seed(form)
    step = totp_step(seed, form.get("code", ""), unix_s=act.at.timestamp())
    if step is None:
        raise _WRONG_CODE
    await accounts.set_totp(act.connection, viewer.account_id, seed)
    await accounts.use_totp_step(act.connection, viewer.account_id, step)
    await act.note("second-factor.on", f"account {viewer.login}")


def _seed(form: Mapping[str, str] | None) -> bytes:
    """Return the seed that a form brought back, else a new one."""
    try:
        given = bytes.fromhex((form or {}).get("seed", ""))
    except ValueError:
        given = b""
    return given if len(given) == 20 else new_seed()


async def _all(read: Callable[..., Awaitable[list[_T]]], connection: Connection, **given: object) -> list[_T]:
    """Return everything of a list that is read in parts, by id."""
    found: list[_T] = []
    while part := await read(connection, after=found[-1].id if found else 0, **given):
        found += part
    return found


def _after(request: Request) -> int:
    """Return the id behind which a part of a list begins."""
    text = request.query_params.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


def _roles(held: Sequence[accounts.RoleGrant], say: Callable[[str], str]) -> list[str]:
    return [say(ROLES[Role(one.role)]) + (f" · {one.site}" if one.site else "") for one in held]


def say_fault(error: ActError, say: Callable[[str], str]) -> str:
    """Return in the page's language what is not as expected; what has no words there stays English."""
    cause = error.expected
    if not error.value:
        cause = "missing"
    elif cause.startswith("a text of") and "\0" not in error.value:
        cause = "long"
    words = ACT_CAUSES.get((error.field, cause)) or ACT_FAULTS.get(error.field)
    return say(words) if words else str(error)


def _number(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ActError(name, text, "a whole number")
    return int(text)


def _day(field: str, text: str, zone: ZoneInfo) -> datetime:
    """Return a day, or a moment, as people type it; without an offset it is in `zone`."""
    try:
        found = datetime.fromisoformat(text)
        found = (found.replace(tzinfo=zone) if found.tzinfo is None else found).astimezone(UTC)
        if not 2000 <= found.year < 2200:
            raise ValueError(text)
    except (ValueError, OverflowError):
        raise ActError(field, text, "a day such as 2026-01-31, 2000 to 2199") from None
    return found
