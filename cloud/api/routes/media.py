"""Pictures and recordings over HTTP: the bytes, by their hash."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse, Response

from cloud.api.errors import SHA256, ApiError, not_found, refused
from cloud.api.guard import needs
from cloud.api.services import Given, Services, VideoError
from cloud.api.strict import StrictRoute
from cloud.store.media import StoredFile, find_file
from cloud.store.snapshot import snapshot
from rules.permissions import Permission

router = APIRouter(prefix="/api/media", tags=["cameras"], route_class=StrictRoute)

Sha256 = Annotated[str, Path(pattern=SHA256, description="SHA-256, 64 hexadecimal digits.")]
_HEADERS = {
    "cache-control": "private, max-age=86400, immutable",
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
}
_ENDINGS = {"image/jpeg": "jpg", "video/mp2t": "ts", "video/x-matroska": "mkv"}
_BYTES = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _ENDINGS}


@router.get(
    "/{sha256}",
    response_class=FileResponse,
    responses={
        200: {"description": "The bytes, exactly as they were hashed.", "content": _BYTES},
        410: {"description": "The file was deleted; its row is kept and says why."},
    },
    summary="A picture or a part of a recording, by the hash of its bytes",
)
@needs(Permission.MEDIA_READ)
async def media(given: Given, sha256: Sha256) -> Response:
    """Return the bytes; they are never shown as a page."""
    found = await _kept(given, sha256)
    path = None if given.media is None else given.media.file(sha256)
    if path is None:
        raise _not_here()
    name = f"{sha256}.{_ENDINGS[found.content_type]}"
    return FileResponse(
        path,
        media_type=found.content_type,
        filename=name,
        content_disposition_type="inline",
        headers=_HEADERS,
    )


@router.get(
    "/{sha256}/video",
    response_class=FileResponse,
    responses={
        200: {
            "description": "An MP4 that browsers play.",
            "content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}},
        },
        410: {"description": "The file was deleted; its row is kept and says why."},
        501: {"description": "No video can be made of it here."},
    },
    summary="A part of a recording as MP4, made for browsers; evidence is the part itself",
)
@needs(Permission.MEDIA_READ)
async def video(given: Given, sha256: Sha256) -> Response:
    """Return an MP4 of a segment: H.264 as it is in another container, anything else encoded anew."""
    found = await _kept(given, sha256)
    if found.kind != "segment":
        raise refused("sha256", sha256, "the hash of a part of a recording; this is a picture")
    try:
        path = None if given.media is None else await given.media.video(sha256, found.content_type)
    except VideoError as error:
        raise ApiError(501, "No video", f"No video can be made of it: {error}.") from None
    if path is None:
        raise _not_here()
    return FileResponse(path, media_type="video/mp4", headers=_HEADERS)


async def _kept(given: Services, sha256: str) -> StoredFile:
    async with snapshot(given.pool) as connection:
        found = await find_file(connection, bytes.fromhex(sha256))
    if found is None:
        raise not_found("sha256", sha256, "picture or recording")
    if found.deleted_at is not None:
        raise ApiError(410, "Deleted", f"Deleted at {found.deleted_at.isoformat()}: {found.deleted_why}.")
    return found


def _not_here() -> ApiError:
    return ApiError(503, "Not here", "The bytes are not in the media folder of this hub.")
