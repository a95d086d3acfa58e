"""Files that gateways brought: one row each, whose bytes are in the media folder under their hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection

CAMERA_CHANNELS = ("frame_rate", "recorded", "picture")
"""What a camera feeds, behind its prefix."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A gateway and the batch key that it signs with."""

    gateway_id: int
    organisation_id: int
    gateway: str
    key_id: bytes
    public_key: bytes
    refused: bool


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as its gateway described it."""

    sender: Sender
    camera: str
    device: str
    kind: str
    sha256: bytes
    size: int
    content_type: str
    moment: str
    reason: str
    from_at: datetime | None
    to_at: datetime | None
    description: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is served by its hash."""

    sha256: bytes
    kind: str
    size: int
    content_type: str
    deleted_at: datetime | None
    deleted_why: str | None


_SENDER = """
SELECT g.id AS gateway_id, g.organisation_id, g.name AS gateway, k.key_id, k.public_key,
       k.refused_at IS NOT NULL AS refused
FROM gateway_keys k JOIN gateways g ON g.id = k.gateway_id
WHERE k.key_id = %s
"""

_KNOWN = """
SELECT 1 FROM gateways g
WHERE g.name = %s
  AND (g.revoked_at IS NOT NULL OR EXISTS (SELECT 1 FROM gateway_keys k WHERE k.gateway_id = g.id))
"""

_OWNS = """
SELECT count(DISTINCT channel) = %s
FROM channel_bindings WHERE gateway_id = %s AND channel = ANY(%s)
"""

# What came back after its file was deleted is there again.
_ADD = """
INSERT INTO media AS m (organisation_id, gateway_id, site_id, camera, device, kind, sha256, bytes,
                        content_type, moment, reason, from_at, to_at, description, key_id, signature,
                        received_at)
VALUES (%(organisation_id)s, %(gateway_id)s,
        (SELECT site_id FROM gateway_bindings
          WHERE gateway_id = %(gateway_id)s AND valid @> coalesce(%(from_at)s, %(received_at)s)),
        %(camera)s, %(device)s, %(kind)s, %(sha256)s, %(size)s, %(content_type)s, %(moment)s, %(reason)s,
        %(from_at)s, %(to_at)s, %(description)s, %(key_id)s, %(signature)s, %(received_at)s)
ON CONFLICT (gateway_id, camera, sha256) DO UPDATE SET deleted_at = NULL, deleted_why = NULL
"""

_FIND = """
SELECT sha256, kind, bytes AS size, content_type, deleted_at, deleted_why
FROM media WHERE sha256 = %s
ORDER BY deleted_at IS NOT NULL, id LIMIT 1
"""

_OLD = """
UPDATE media SET deleted_at = %(now)s, deleted_why = %(why)s
 WHERE id IN (SELECT id FROM media
               WHERE deleted_at IS NULL AND coalesce(from_at, received_at) < %(before)s
               ORDER BY id LIMIT %(limit)s)
RETURNING sha256
"""

_ALIVE = "SELECT DISTINCT sha256 FROM media WHERE deleted_at IS NULL AND sha256 = ANY(%s)"


async def find_sender(connection: Connection, key_id: bytes) -> Sender | None:
    """Return whose batch key this is, None when nobody's."""
    async with connection.cursor(row_factory=class_row(Sender)) as cursor:
        await cursor.execute(_SENDER, (key_id,))
        return await cursor.fetchone()


async def is_known_by_a_key(connection: Connection, gateway: str) -> bool:
    """Whether a gateway ever proved a batch key, or is revoked and never will."""
    cursor = await connection.execute(_KNOWN, (gateway,))
    return await cursor.fetchone() is not None


async def owns_camera(connection: Connection, gateway_id: int, camera: str) -> bool:
    """Whether a gateway has declared the points of a camera with this prefix."""
    channels = [f"{camera}/{name}" for name in CAMERA_CHANNELS]
    cursor = await connection.execute(_OWNS, (len(channels), gateway_id, channels))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def has_file(connection: Connection, gateway_id: int, *, camera: str, sha256: bytes) -> bool:
    """Whether a gateway's file of this camera is there, and was not deleted."""
    cursor = await connection.execute(
        "SELECT 1 FROM media WHERE gateway_id = %s AND camera = %s AND sha256 = %s AND deleted_at IS NULL",
        (gateway_id, camera, sha256),
    )
    return await cursor.fetchone() is not None


async def add_file(connection: Connection, file: NewFile, *, received_at: datetime) -> None:
    """Keep a file's row; its bytes are in place by now. The same file twice is one."""
    values = {
        name: getattr(file, name)
        for name in (
            *("camera", "device", "kind", "sha256", "size", "content_type", "moment", "reason"),
            *("from_at", "to_at", "description", "signature"),
        )
    }
    values |= {"organisation_id": file.sender.organisation_id, "gateway_id": file.sender.gateway_id}
    values |= {"key_id": file.sender.key_id, "received_at": received_at}
    await connection.execute(_ADD, values)


async def find_file(connection: Connection, sha256: bytes) -> StoredFile | None:
    """Return a file by its hash; one that is there before one that was deleted."""
    async with connection.cursor(row_factory=class_row(StoredFile)) as cursor:
        await cursor.execute(_FIND, (sha256,))
        return await cursor.fetchone()


async def known_hashes(connection: Connection) -> set[str]:
    """Return the hashes of all files that are to be there."""
    cursor = await connection.execute("SELECT DISTINCT sha256 FROM media WHERE deleted_at IS NULL")
    return {bytes(row[0]).hex() for row in await cursor.fetchall()}


async def delete_old(
    connection: Connection, before: datetime, *, now: datetime, why: str, limit: int = 1000
) -> Sequence[str]:
    """Mark files from before a time as deleted; return the hashes that no row needs any more."""
    async with connection.transaction():
        values = {"before": before, "now": now, "why": why, "limit": limit}
        marked = {bytes(row[0]) for row in await (await connection.execute(_OLD, values)).fetchall()}
        alive = await connection.execute(_ALIVE, (list(marked),))
        return [one.hex() for one in marked - {bytes(row[0]) for row in await alive.fetchall()}]
