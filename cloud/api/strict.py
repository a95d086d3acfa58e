"""A route that answers only questions it understands: an unknown or repeated query parameter is an error.

It looks at names alone; values are checked by the route's own declarations.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from cloud.api.errors import VALUE_MAX, ApiError, Fault, bad_input, faults_of
from cloud.api.guard import SAFE, GuardedRoute


class StrictRoute(GuardedRoute):
    """Answers 422 for query parameters that it does not declare, of a question with every other bad field."""

    def handler_behind(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the names of its query parameters checked."""
        handle = super().handler_behind()
        known = frozenset(_names(self.dependant))

        async def strict(request: Request) -> Response:
            strangers = list(_strangers(request, known))
            if not strangers:
                return await handle(request)
            if request.method not in SAFE:
                raise bad_input(strangers)  # what is refused must not be done
            try:
                await handle(request)  # asked only for what else is wrong; its answer is dropped
            except RequestValidationError as error:
                strangers = [*faults_of(error), *strangers]
            except ApiError as error:
                strangers = [*error.faults, *strangers]
            raise bad_input(strangers)

        return strict


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for part in dependant.dependencies:
        yield from _names(part)


def _strangers(request: Request, known: frozenset[str]) -> Iterator[Fault]:
    words = f"one of {', '.join(sorted(known))}" if known else "no query parameter at this address"
    for name in dict.fromkeys(request.query_params):
        values = request.query_params.getlist(name)
        if name not in known:
            yield Fault(name[:VALUE_MAX], values[0][:VALUE_MAX], words)
        elif len(values) > 1:
            yield Fault(name, ", ".join(values)[:VALUE_MAX], "one value")
