"""Cameras over HTTP: what they do, what they did, what is seen now, and having recordings brought."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from cloud.api.acting import acting
from cloud.api.errors import ApiError, not_found, refused
from cloud.api.guard import guard_of, needs, viewer_of
from cloud.api.services import (
    ID_MAX,
    After,
    BusyError,
    Db,
    During,
    Given,
    Limit,
    Moment,
    NoFrameError,
    Page,
    Services,
    SiteId,
    answer,
    page,
)
from cloud.api.strict import StrictRoute
from cloud.store.camera_timeline import Timeline, read_timeline
from cloud.store.cameras import Camera, Found, find_camera, judge_cameras, list_found
from cloud.store.connection import Connection
from cloud.store.media_wishes import OPEN_MAX, Wish, add_wish
from cloud.store.snapshot import snapshot
from rules.permissions import Permission
from wire.media import SPAN_S_MAX

router = APIRouter(prefix="/api/cameras", tags=["cameras"], route_class=StrictRoute)

TIMELINE_MAX = timedelta(days=7)
LIVE_S_MAX = 900.0
"""A live view ends then and is to be asked for again."""
LIVE_ASK_S = 10.0
"""How often it is asked whether who looks may still look."""
BOUNDARY = "heng-frame"
_LIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JPEG pictures, each replacing the one before, until nothing comes any more.",
        "content": {f"multipart/x-mixed-replace; boundary={BOUNDARY}": {"schema": {"type": "string"}}},
    }
}
CameraPath = Annotated[int, Path(alias="camera", ge=1, le=ID_MAX, description="Id of a camera.")]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a recording, at most 10 minutes."""

    from_at: Annotated[Moment, Field(alias="from", description="Start.")]
    to_at: Annotated[Moment, Field(alias="to", description="End, not included.")]


@router.get("", response_model=Page[Camera], summary="Cameras, and what they do now")
@needs(Permission.MEDIA_READ)
async def cameras(db: Db, given: Given, site_id: SiteId, after: After = 0, limit: Limit = 100) -> Response:
    """List cameras by id."""
    found = await list_found(db, now=given.now(), site_id=site_id, after=after, limit=limit + 1)
    judged = await judge_cameras(
        db, found, now=given.now(), listening=given.listening(one.gateway for one in found)
    )
    return page(judged, limit, lambda one: one.id)


@router.get("/{camera}", response_model=Camera, summary="One camera, and what it does now")
@needs(Permission.MEDIA_READ)
async def camera(db: Db, given: Given, camera_id: CameraPath) -> Response:
    """Return one camera."""
    found = await _existing(db, camera_id, given)
    (judged,) = await judge_cameras(db, [found], now=given.now(), listening=given.listening([found.gateway]))
    return answer(judged)


@router.get(
    "/{camera}/timeline",
    response_model=Timeline,
    summary="What a camera did: recorded, not recorded and why, pictures, recordings that are here",
)
@needs(Permission.MEDIA_READ)
async def timeline(db: Db, given: Given, camera_id: CameraPath, during: During) -> Response:
    """Return all of an interval of at most 7 days, without a hole."""
    if during.to_at - during.from_at > TIMELINE_MAX:
        raise refused("from", during.from_at.isoformat(), "a time at most 7 days before to")
    found = await _existing(db, camera_id, given)
    return answer(await read_timeline(db, found, from_at=during.from_at, to_at=during.to_at, now=given.now()))


@router.post(
    "/{camera}/recordings/wanted",
    response_model=Wish,
    status_code=202,
    summary="Have what was recorded of a stretch brought here",
)
@needs(Permission.MEDIA_READ)
async def want(request: Request, given: Given, camera_id: CameraPath, stretch: Stretch) -> Response:
    """Ask the camera's gateway for a stretch; the timeline shows what becomes of it."""
    _require_json(request)
    now = given.now()
    start, end = stretch.from_at.astimezone(UTC), stretch.to_at.astimezone(UTC)
    if not timedelta() < end - start <= timedelta(seconds=SPAN_S_MAX):
        raise refused("to", end.isoformat(), f"a time after from, at most {SPAN_S_MAX} s later")
    if end > now:
        raise refused("to", end.isoformat(), f"a time that is not later than now, which is {now.isoformat()}")
    async with acting(request, given.pool, now) as act:
        found = await _existing(act.connection, camera_id, given)
        made = await add_wish(
            act.connection, found.gateway_id, found.prefix, from_at=start, to_at=end, now=now
        )
        if made is not None and made[1]:
            asked = {"from": start.isoformat(), "to": end.isoformat()}
            thing = f"camera {found.prefix} of {found.gateway}"
            await act.note("recording.want", thing, organisation_id=found.organisation_id, new=asked)
    if made is None:
        detail = f"{OPEN_MAX} stretches are wanted of {found.gateway} already; wait until some have come."
        raise ApiError(409, "Too many", detail)
    if given.media is not None:
        given.media.wanted_changed(found.gateway)
    response = answer(made[0])
    response.status_code = 202
    return response


@router.get(
    "/{camera}/live",
    response_class=StreamingResponse,
    responses={**_LIVE, 504: {"description": "No frame came within 10 s."}},
    summary="What a camera sees now, as MJPEG",
)
@needs(Permission.MEDIA_READ)
async def live(request: Request, given: Given, camera_id: CameraPath) -> Response:
    """Stream frames of now; nothing of it is stored. A slow viewer skips frames."""
    async with snapshot(given.pool) as connection:
        found = await _existing(connection, camera_id, given)
    if given.media is None:
        raise ApiError(503, "No media listener", "This hub has no media listener; see HENG_MEDIA_PORT.")
    if not given.media.listening(found.gateway):
        raise ApiError(
            503, "Gateway not connected", f"The gateway {found.gateway} is not connected for live views."
        )
    frames = given.media.watch(found.gateway, found.prefix)
    try:
        first = await anext(frames)
    except BusyError:
        raise ApiError(503, "Too many viewers", "As many look at cameras as may; try again later.") from None
    except (NoFrameError, StopAsyncIteration):
        raise ApiError(504, "No frame", "No frame came within 10 s.") from None
    return StreamingResponse(
        parts(first, frames, lambda: guard_of(request).still(request, viewer_of(request))),
        media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}",
        headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
    )


async def parts(
    first: bytes,
    frames: AsyncGenerator[bytes, None],
    admitted: Callable[[], Awaitable[bool]],
    *,
    ask_s: float = LIVE_ASK_S,
) -> AsyncIterator[bytes]:
    """Give frames as parts until who looks is no longer `admitted`, which is asked every `ask_s` seconds.

    Each ends with the boundary, so that a browser shows it at once.
    """
    clock = asyncio.get_running_loop().time
    until, ask_at = clock() + LIVE_S_MAX, clock() + ask_s
    async with aclosing(frames):
        yield f"--{BOUNDARY}\r\n".encode() + _part(first)
        async for frame in frames:
            if clock() > until:
                return
            if clock() > ask_at:
                if not await admitted():
                    return
                ask_at = clock() + ask_s
            yield _part(frame)


def _part(frame: bytes) -> bytes:
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n"
    return head.encode() + frame + f"\r\n--{BOUNDARY}\r\n".encode()


async def _existing(connection: Connection, camera_id: int, given: Services) -> Found:
    found = await find_camera(connection, camera_id, now=given.now())
    if found is None:
        raise not_found("camera", camera_id, "camera")
    return found


def _require_json(request: Request) -> None:
    """Forms of other sites cannot send JSON; `ApiError` for everything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "Unsupported media type", "Send JSON with content-type application/json.")
