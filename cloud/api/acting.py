"""An act on people or rights for one request: one transaction, audited, its refusals written down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import Request

from cloud.api.errors import ApiError, Fault, refused
from cloud.api.guard import guard_of, viewer_of
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.store.snapshot import Pool, changing


@asynccontextmanager
async def acting(request: Request, pool: Pool, now: datetime) -> AsyncIterator[Act]:
    """Give an act by who asks; what it raises becomes an answer: 404, 403 or 422, and nothing is changed."""
    try:
        async with changing(pool) as connection:
            yield Act(connection, viewer_of(request), now)
    except MissingError as error:
        fault = Fault(error.field, error.value, error.expected)
        raise ApiError(404, "Not found", f"{error}.", faults=[fault]) from None
    except ForbiddenError as error:
        await guard_of(request).refuse(request, viewer_of(request), str(error))
    except ActError as error:
        raise refused(error.field, error.value, error.expected) from None
