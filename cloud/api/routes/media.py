"""Pictures and recordings over HTTP: the bytes, by their hash."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse, Response

from cloud.api.errors import SHA256, ApiError, not_found
from cloud.api.guard import needs
from cloud.api.services import Given
from cloud.api.strict import StrictRoute
from cloud.store.media import find_file
from cloud.store.snapshot import snapshot
from rules.permissions import Permission

router = APIRouter(prefix="/api/media", tags=["cameras"], route_class=StrictRoute)

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
async def media(
    given: Given,
    sha256: Annotated[str, Path(pattern=SHA256, description="SHA-256, 64 hexadecimal digits.")],
) -> Response:
    """Return the bytes; they are never shown as a page."""
    async with snapshot(given.pool) as connection:
        found = await find_file(connection, bytes.fromhex(sha256))
    if found is None:
        raise not_found("sha256", sha256, "picture or recording")
    if found.deleted_at is not None:
        raise ApiError(410, "Deleted", f"Deleted at {found.deleted_at.isoformat()}: {found.deleted_why}.")
    path = None if given.media is None else given.media.file(sha256)
    if path is None:
        raise ApiError(503, "Not here", "The bytes are not in the media folder of this hub.")
    return FileResponse(
        path,
        media_type=found.content_type,
        filename=f"{sha256}.{_ENDINGS[found.content_type]}",
        content_disposition_type="inline",
        headers={
            "cache-control": "private, max-age=86400, immutable",
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
        },
    )
