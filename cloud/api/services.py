"""What the API is given when it is built, and how its routes get at it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
from fastapi import Depends, Path, Query, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry
from pydantic import AwareDatetime, Field

from cloud.api.errors import NAME, WORD, not_found, refused
from cloud.store.connection import Connection
from cloud.store.sites import get_gateway, get_site
from cloud.store.snapshot import Pool, snapshot
from provisioning.ends import End

ID_MAX = 2**31 - 1
SPAN_DEFAULT = timedelta(days=1)


class Media(Protocol):
    """Files of cameras, and their live views; see `cloud.media`."""

    def file(self, sha256: str) -> FilePath | None:
        """Return where the bytes of a hash are, None when they are not here."""

    async def video(self, sha256: str, content_type: str) -> FilePath | None:
        """Return an MP4 of a segment, None when it is not here; `VideoError`."""

    def listening(self, gateway: str) -> bool:
        """Whether a gateway would soon hear what is wanted."""

    def wanted_changed(self, gateway: str) -> None:
        """Tell a gateway that waits to look again."""

    def watch(self, gateway: str, camera: str) -> AsyncGenerator[bytes, None]:
        """Give frames while somebody takes them, each time the newest; ends when none comes any more.

        Raises `BusyError` or `NoFrameError` before the first one.
        """


class BusyError(Exception):
    """As many look at cameras as may."""


class VideoError(Exception):
    """No video can be made of a segment; the text says why."""


class NoFrameError(Exception):
    """No frame came in time."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the API needs of the hub."""

    pool: Pool
    now: Callable[[], datetime]
    """The time of asking, aware UTC."""
    broker_connected: Callable[[], bool]
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    """Where ingest and watch register their metrics; `/metrics` shows them."""
    media: Media | None = None
    """None: there is no media listener."""
    ending: Callable[[], Sequence[End]] = tuple
    """Certificates that end soon and that no program renews."""
    notify_local: bool = False
    """Whether hooks of alarms may lead to this machine."""

    def listening(self, gateways: Iterable[str]) -> frozenset[str]:
        """Return those of some gateways that would soon hear that somebody wants to see a camera."""
        return frozenset(one for one in gateways if self.media is not None and self.media.listening(one))


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list."""

    items: list[T]
    next: int | None
    """Ask again with this as `after` (`before` for events); None: that was all."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `from_at` until before `to_at`, aware UTC."""

    from_at: datetime
    to_at: datetime


def services(request: Request) -> Services:
    """Return what `create_app` was given."""
    found = request.app.state.services
    if not isinstance(found, Services):
        raise TypeError("the application was not built by create_app")
    return found


Given = Annotated[Services, Depends(services)]


async def _connection(given: Given) -> AsyncIterator[Connection]:
    async with snapshot(given.pool) as connection:
        yield connection


Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC)),
]


def _interval(
    given: Given,
    from_at: Annotated[
        Moment | None,
        Query(
            alias="from",
            description="Start; by default a day before `to`.",
            examples=["2026-01-01T00:00:00Z"],
        ),
    ] = None,
    to_at: Annotated[
        Moment | None,
        Query(
            alias="to", description="End, not included; by default now.", examples=["2026-01-02T00:00:00Z"]
        ),
    ] = None,
) -> Interval:
    end = (to_at or given.now()).astimezone(UTC)
    start = (from_at or end - SPAN_DEFAULT).astimezone(UTC)
    if start >= end:
        raise refused("from", start.isoformat(), f"a time before to, which is {end.isoformat()}")
    return Interval(start, end)


Db = Annotated[Connection, Depends(_connection)]
During = Annotated[Interval, Depends(_interval)]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
After = Annotated[int, Query(ge=0, le=2**62, description="`next` of the part before.")]
PointId = Annotated[int, Query(alias="point", ge=1, le=ID_MAX, description="Id of a point.")]
PointPath = Annotated[int, Path(alias="point", ge=1, le=ID_MAX, description="Id of a point.")]
SitePath = Annotated[int, Path(alias="site", ge=1, le=ID_MAX, description="Id of a site.")]
GatewayPath = Annotated[str, Path(pattern=NAME, description="Name of a gateway.")]
Word = Annotated[str | None, Query(pattern=WORD)]
Text = Annotated[str | None, Query(pattern=r"^[^\x00]{1,200}$")]
MaxPoints = Annotated[int, Query(ge=1, le=10_000, description="How many readings, buckets or fixes at most.")]


async def _existing_site(
    db: Db,
    site_id: Annotated[int | None, Query(alias="site", ge=1, le=ID_MAX, description="Id of a site.")] = None,
) -> int | None:
    if site_id is not None and await get_site(db, site_id) is None:
        raise not_found("site", site_id, "site")
    return site_id


async def _existing_gateway(
    db: Db,
    gateway: Annotated[str | None, Query(pattern=NAME, description="Name of a gateway.")] = None,
) -> str | None:
    if gateway is not None and await get_gateway(db, gateway) is None:
        raise not_found("gateway", gateway, "gateway")
    return gateway


SiteId = Annotated[int | None, Depends(_existing_site)]
"""Of a site that exists; None when none was asked for."""
GatewayName = Annotated[str | None, Depends(_existing_gateway)]


CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "A file.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
"""What an address says of its answer that is a CSV file."""


def answer(value: object) -> Response:
    """Return dataclasses as JSON; times are RFC 3339 in UTC, exact decimals are strings."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def page(found: list[T], limit: int, position: Callable[[T], int]) -> Response:
    """Return the first `limit` items, with where the next part starts when more than these were found."""
    items = found[:limit]
    return answer(Page(items, position(items[-1]) if len(found) > limit else None))
