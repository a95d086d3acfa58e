"""What the form of a page asks for: one act in one transaction, and what is said where it was not done."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request

from cloud.api.guard import guard_of, viewer_of
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.store.snapshot import changing
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.language import Language


async def act_on(web: Web, request: Request, act: Callable[[Act], Awaitable[None]]) -> ActError | None:
    """Do an act in one transaction; return what kept it from being done, for the page to say.

    Raises `NotHereError` for what is not there, and as the guard does for what this person may not do.
    """
    try:
        async with changing(web.pool) as connection:
            await act(Act(connection, viewer_of(request), web.now()))
    except MissingError:
        raise NotHereError from None
    except ForbiddenError as error:
        await guard_of(request).refuse(request, viewer_of(request), str(error))
    except ActError as error:
        return error
    return None


def say_fault(fault: ActError | None, known: Mapping[str, str], language: Language) -> str:
    """Return what is said of an act: nothing where it was done, else what is known of the field at fault."""
    if fault is None:
        return ""
    words = known.get(fault.field.partition(".")[0])
    return language.say(words) if words else str(fault)
