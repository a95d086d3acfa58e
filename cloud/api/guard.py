"""The guard of every route: who asks, and whether the one permission that the route declares holds.

A route says what it needs by `@needs(Permission.…)`, `@signed_in` or `@anybody` on its function; one that
says nothing is shut as soon as sign-in is required. The guard narrows what the database shows to where the
permission holds, so that lists, counts and single things are filtered alike. It decides nothing itself:
`rules.permissions` does.
"""

from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from cloud.api.errors import ApiError
from cloud.identity.doors import Doors, Limits, RefusedError, network_of
from cloud.identity.told import Told
from cloud.identity.viewer import Origin, Viewer
from cloud.store import accounts, audit_log
from cloud.store.snapshot import ASKER, Pool, changing, snapshot
from rules.permissions import Permission

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NEED = "heng_need"
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks of who asks."""

    permission: Permission | None = None
    anybody: bool = False
    """Whether it is open without a sign-in."""
    quiet: bool = False
    """Asked by pages by themselves: it does not keep a session from idling."""
    without_database: bool = False
    """Answered to anybody while the database, where the accounts are, does not answer."""


def needs(
    permission: Permission, *, quiet: bool = False, without_database: bool = False
) -> Callable[[_F], _F]:
    """Declare that a route asks for a permission; see `Need`."""
    return _declare(Need(permission, quiet=quiet, without_database=without_database))


def signed_in(function: _F) -> _F:
    """Declare that a route is for everybody who is signed in, about themselves."""
    return _declare(Need())(function)


def anybody(function: _F) -> _F:
    """Declare that a route is open to all."""
    return _declare(Need(anybody=True))(function)


def _declare(need: Need) -> Callable[[_F], _F]:
    def mark(function: _F) -> _F:
        vars(function)[_NEED] = need
        return function

    return mark


def need_of(endpoint: Callable[..., Any]) -> Need | None:
    """Return what a route's function declared, None when nothing."""
    found = getattr(endpoint, _NEED, None)
    return found if isinstance(found, Need) else None


class SignInNeededError(ApiError):
    """Nobody is signed in."""

    def __init__(self) -> None:
        super().__init__(401, "Sign-in needed", "Sign in, or send a token as Authorization: Bearer.")


class NotAllowedError(ApiError):
    """Who asks may not do this."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, "Not allowed", detail)


class GuardedRoute(APIRoute):
    """A route behind the guard."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the guard before it."""
        handle = self.handler_behind()
        need = need_of(self.endpoint)

        async def guarded(request: Request) -> Response:
            await guard_of(request).admit(request, need)
            response = await handle(request)
            if need is None or not need.anybody:
                response.headers.setdefault("Cache-Control", "no-store")  # it is for this asker alone
            return response

        return guarded

    def handler_behind(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that the guard lets requests through to."""
        return super().get_route_handler()


class Guard:
    """The guard of one application."""

    def __init__(self, pool: Pool, *, now: Callable[[], datetime], limits: Limits | None = None) -> None:
        self._pool = pool
        self._now = now
        self._required = False
        self._told = Told()
        self.doors = Doors(pool, now=now, limits=limits)

    async def admit(self, request: Request, need: Need | None) -> Viewer:
        """Let a request in, or raise `SignInNeededError` or `NotAllowedError`.

        The audit log has every `NotAllowedError`, and who wanted to change something without a sign-in.
        """
        ASKER.set(None)
        request.state.viewer = _nobody(request)
        await self._same_origin(request)
        if need is not None and need.anybody:
            return viewer_of(request)
        try:
            viewer = await self.viewer(request, counts=need is None or not need.quiet)
        except psycopg.OperationalError:
            if need is not None and need.without_database:
                return viewer_of(request)
            raise
        if viewer is None:
            if request.method not in SAFE:
                await self.turn_away(request, "nobody is signed in")
            raise SignInNeededError
        request.state.viewer = viewer
        if viewer.unbound:
            return viewer
        if need is None:
            await self.refuse(request, viewer, "the route declares no permission")
        elif need.permission is None:
            if viewer.kind != "account":
                await self.refuse(request, viewer, "for people who are signed in, not for tokens")
        else:
            await self._narrow(request, viewer, need.permission)
        return viewer

    async def viewer(self, request: Request, *, counts: bool = False) -> Viewer | None:
        """Return who asks: everybody while there are no accounts; None when nobody is signed in."""
        origin = origin_of(request)
        if not await self.required():
            return Viewer(kind="everybody", login="", origin=origin)
        token = _bearer(request)
        if token is not None:
            found = await self.doors.viewer_of_token(token, origin)
            if found is None:
                try:
                    await self.doors.refuse_token(origin)
                except RefusedError:
                    return None
            return found
        cookie = request.cookies.get(cookie_name(request))
        return None if cookie is None else await self.doors.viewer_of(cookie, origin, counts=counts)

    async def still(self, request: Request, viewer: Viewer) -> bool:
        """Whether who asked would be let in again, with the same rights: for answers that last."""
        ASKER.set(None)
        found = await self.viewer(request)
        return found is not None and (found.kind, found.rights) == (viewer.kind, viewer.rights)

    async def required(self) -> bool:
        """Whether sign-in is required: from the first account on, for good."""
        if not self._required:
            async with snapshot(self._pool) as connection:
                self._required = await accounts.any_account(connection)
        return self._required

    async def refuse(self, request: Request, viewer: Viewer, why: str) -> None:
        """Write a refusal down, once a minute for the same one, and raise `NotAllowedError`."""
        thing = _asked(request)
        await self._write_down(viewer, thing, why, same=f"{viewer.login}\n{thing}")
        raise NotAllowedError(f"This is refused: {why}.")

    async def turn_away(self, request: Request, why: str) -> None:
        """Write down what was refused to who may be anybody, once a minute for the same reason and address.

        Addresses of things that they made up are no reason for another row.
        """
        viewer = getattr(request.state, "viewer", None) or _nobody(request)
        with suppress(psycopg.OperationalError):  # it is refused all the same
            await self._write_down(viewer, _asked(request), why, same=why)

    async def _write_down(self, viewer: Viewer, thing: str, why: str, *, same: str) -> None:
        now, what = self._now(), (network_of(viewer.origin.address), same)
        if not self._told.is_new(*what, now=now):
            return
        ASKER.set(None)
        entry = viewer.entry("request", thing, outcome="refused", why=why)
        try:
            async with changing(self._pool) as connection:
                await audit_log.append(connection, [entry], at=now)
        except psycopg.Error:
            self._told.forget(*what)
            raise

    async def _narrow(self, request: Request, viewer: Viewer, permission: Permission) -> None:
        seen = viewer.seen(permission)
        if seen is None:
            return
        if not viewer.holds(permission):
            await self.refuse(request, viewer, f"it asks for the permission {permission}")
        ASKER.set(seen)

    async def _same_origin(self, request: Request) -> None:
        """Refuse what another site makes a browser send."""
        if request.method in SAFE or _bearer(request) is not None:
            return  # a token is sent by a program: no page makes a browser add one, as it does a password
        said = request.headers.get("origin")
        fetched = request.headers.get("sec-fetch-site")
        if fetched is not None:
            good = fetched == "same-origin"
        elif said is not None:
            good = urlsplit(said).netloc == request.headers.get("host")
        else:
            good = not request.cookies
        if not good:
            await self.refuse(request, viewer_of(request), "it was sent by a page of another origin")


def _bearer(request: Request) -> str | None:
    """Return the token that came with a request, None when none did."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _nobody(request: Request) -> Viewer:
    return Viewer(kind="nobody", login="", origin=origin_of(request))


def _asked(request: Request) -> str:
    path = str(getattr(request.scope.get("route"), "path", "")) or request.scope["path"][:200]
    return f"{request.method} {path}"


def guard_of(request: Request) -> Guard:
    """Return the application's guard."""
    found = request.app.state.guard
    if not isinstance(found, Guard):
        raise TypeError("the application has no guard")
    return found


def viewer_of(request: Request) -> Viewer:
    """Return who asks, once the guard let the request in."""
    found: Viewer = request.state.viewer
    return found


def origin_of(request: Request) -> Origin:
    """Return where a request comes from."""
    address = request.client.host if request.client is not None else "unknown"
    return Origin(address, request.headers.get("user-agent", ""))


def cookie_name(request: Request) -> str:
    """Return the name of the session's cookie; over TLS browsers bind it to this very host."""
    return "__Host-heng_session" if request.url.scheme == "https" else "heng_session"


def undeclared(app: FastAPI) -> list[str]:
    """Return the routes that declare nothing, and those that no guard stands before."""
    return sorted(
        f"{','.join(sorted(route.methods or ()))} {route.path}"
        for route in api_routes(app.routes)
        if not isinstance(route, GuardedRoute) or need_of(route.endpoint) is None
    )


def api_routes(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    """Yield every route with a function of ours, those of included routers too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (inner := getattr(route, "original_router", None)) is not None:
            yield from api_routes(inner.routes)
