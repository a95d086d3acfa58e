"""What a person sees when a page cannot be shown: a page that says why, in the page's language.

Errors of the API are `cloud.api.errors`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from psycopg import OperationalError
from starlette.exceptions import HTTPException

from cloud.api.guard import GuardedRoute, NotAllowedError, SignInNeededError
from cloud.api.headers import dress
from cloud.web.context import Web
from cloud.web.ranges import BadRangeError
from cloud.web.render import Renderer, asker_of, language_of
from cloud.web.words import DEFECT, NO_DATABASE, NO_ROLE, NOT_ALLOWED, NOT_HERE


class NotHereError(Exception):
    """There is nothing at this address."""


class PageRoute(GuardedRoute):
    """A route whose failures are pages; the application keeps its `Web` in `state.web`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with failures turned into pages."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeededError:
                if not _is_page(request):
                    raise
                where = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
                return RedirectResponse(f"/sign-in?{urlencode({'next': where})}", 303)
            except NotAllowedError:
                if not _is_page(request):
                    raise
                return _not_allowed(request)
            except NotHereError:
                return _failure(_render(request), request, 404, message=NOT_HERE)
            except BadRangeError as error:
                return _failure(_render(request), request, 422, message=error.say(language_of(request)))
            except OperationalError:
                return _failure(_render(request), request, 503, message=NO_DATABASE)

        return shown


def _is_page(request: Request) -> bool:
    """Whether a person looks at the answer by itself: no part of a page, no data for a script."""
    wanted = request.headers.get("accept", "*/*").lower()
    return (
        request.method in ("GET", "HEAD", "POST")
        and "text/html" in wanted
        and "hx-request" not in request.headers
    )


def mount_errors(app: FastAPI, render: Renderer) -> None:
    """Let a browser see a page where there is nothing, and where the hub has a defect.

    Every other client is answered as before.
    """
    before = app.exception_handlers[HTTPException]
    defect_before = app.exception_handlers[Exception]

    @app.exception_handler(404)
    async def nothing(request: Request, error: HTTPException) -> Response:
        if "text/html" in request.headers.get("accept", "").lower():
            return _failure(render, request, 404, message=NOT_HERE)
        answer = before(request, error)
        return await answer if isinstance(answer, Awaitable) else answer

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        if _is_page(request):
            page = _failure(render, request, 500, message=DEFECT)
            dress(page.headers, request.url.path)
            return page
        answer = defect_before(request, error)
        return await answer if isinstance(answer, Awaitable) else answer


def _not_allowed(request: Request) -> Response:
    """Say that a page is not for who asks; to somebody without any role, that this is why."""
    viewer = asker_of(request)
    without_role = viewer.kind == "account" and not viewer.rights.grants
    message = NO_ROLE if without_role else NOT_ALLOWED
    return _failure(_render(request), request, 403, message=message, without_role=without_role)


def _failure(
    render: Renderer, request: Request, status: int, *, message: str, without_role: bool = False
) -> Response:
    shows = {"page": "error", "message": language_of(request).say(message), "without_role": without_role}
    response = render.page(request, "error.html", shows)
    response.status_code = status
    return response


def _render(request: Request) -> Renderer:
    web: Web = request.app.state.web
    return web.render
