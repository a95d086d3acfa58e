"""What a person sees when a page cannot be shown: a page that says why, in the page's language.

Errors of the API are `cloud.api.errors`.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from psycopg import OperationalError

from cloud.web.context import Web
from cloud.web.render import language_of
from cloud.web.words import NO_DATABASE, NOT_HERE


class NotHereError(Exception):
    """There is nothing at this address."""


class PageRoute(APIRoute):
    """A route whose failures are pages; the application keeps its `Web` in `state.web`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with failures turned into pages."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except NotHereError:
                return _failure(request, 404, NOT_HERE)
            except OperationalError:
                return _failure(request, 503, NO_DATABASE)

        return shown


def _failure(request: Request, status: int, message: str) -> Response:
    web: Web = request.app.state.web
    shows = {"page": "error", "message": language_of(request).say(message)}
    response = web.render.page(request, "error.html", shows)
    response.status_code = status
    return response
