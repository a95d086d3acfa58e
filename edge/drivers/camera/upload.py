"""Pictures that wait for the hub: a bounded folder that survives restarts, and who sends them.

A picture is a file named by its hash with a JSON file beside it. It leaves the folder when the far end has
taken it, or when the folder is full. What the far end is, is behind `Endpoint`.
"""

import asyncio
import hashlib
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

PART_BYTES = 65_536
ANSWER_BYTES_MAX = 16_384
TIMEOUT_S = 60.0


class UploadError(Exception):
    """A picture was not taken; it stays where it is."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is told beside a picture."""

    camera: str
    kind: str
    """`before`, `after` or `timer`."""
    reason: str
    """What the picture was taken for."""
    tick: int
    utc_ms: int | None
    """Of the frame, as far as the gateway knew the time then."""
    sha256: str
    bytes: int


class Endpoint(Protocol):
    """The far end."""

    async def put(self, picture: Path, note: Note) -> None:
        """Send one picture; returns once it is safely there, else `UploadError`."""


class Waiting:
    """The folder of pictures that wait."""

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max

    def add(self, picture: Path, **told: str | int | None) -> Note:
        """Take a picture over under its hash; raises `OSError`. The same picture twice is one."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = picture.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        note = msgspec.convert({**told, "sha256": digest, "bytes": len(data)}, Note)
        with picture.open("rb") as file:
            os.fsync(file.fileno())
        beside = self._folder / f"{digest}.part"
        beside.write_bytes(msgspec.json.encode(note))
        picture.replace(self._folder / f"{digest}.jpg")
        beside.replace(self._folder / f"{digest}.json")
        return note

    def oldest(self) -> tuple[Path, Note] | None:
        """Return the picture that waits longest; what is no picture with a note is passed over."""
        for beside in self._notes():
            picture = beside.with_suffix(".jpg")
            try:
                return picture, msgspec.json.decode(beside.read_bytes(), type=Note)
            except msgspec.MsgspecError:
                self.remove(picture)
        return None

    def remove(self, picture: Path) -> None:
        """Let a picture go."""
        picture.with_suffix(".json").unlink(missing_ok=True)
        picture.unlink(missing_ok=True)

    def prune(self) -> Sequence[str]:
        """Delete the oldest pictures above the bound; return their hashes."""
        pairs = [(one, _size(one) + _size(one.with_suffix(".jpg"))) for one in self._notes()]
        above = sum(size for _, size in pairs) - self._bytes_max
        gone: list[str] = []
        for beside, size in pairs:
            if above <= 0:
                break
            self.remove(beside.with_suffix(".jpg"))
            above -= size
            gone.append(beside.stem)
        return gone

    def _notes(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        found = [(path.stat().st_mtime_ns, path) for path in self._folder.glob("*.json")]
        return [path for _, path in sorted(found)]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


class HttpsEndpoint:
    """Puts pictures below an address: `PUT <url>/<sha256>`, the note in the header `Heng-Picture`.

    201 and 200 mean taken, 409 that it was there already. Anything else leaves the picture waiting.
    """

    def __init__(self, url: str, *, tls: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 443
        self._path = parts.path.rstrip("/")
        self._tls = tls

    async def put(self, picture: Path, note: Note) -> None:
        """Send one picture; `UploadError`."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, limit=ANSWER_BYTES_MAX
                )
                try:
                    await self._send(picture, note, writer)
                    status = await reader.readuntil(b"\r\n")
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise UploadError(f"{self._host}: not done within {TIMEOUT_S:g} s") from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise UploadError(f"{self._host}: {error}"[:160]) from None
        words = status.decode("ascii", "replace").split(" ", 2)
        if not words[0].startswith("HTTP/1.") or words[1:2] not in (["200"], ["201"], ["409"]):
            raise UploadError(f"{self._host} answered {status[:60]!r}: expected 200, 201 or 409")

    async def _send(self, picture: Path, note: Note, writer: asyncio.StreamWriter) -> None:
        head = (
            f"PUT {self._path}/{note.sha256} HTTP/1.1",
            f"Host: {self._host}",
            "Content-Type: image/jpeg",
            f"Content-Length: {note.bytes}",
            f"Heng-Picture: {msgspec.json.encode(note).decode('ascii', 'replace')}",
            "Connection: close",
        )
        writer.write("\r\n".join([*head, "", ""]).encode("ascii", "replace"))
        with picture.open("rb") as file:
            while data := file.read(PART_BYTES):
                writer.write(data)
                await writer.drain()
