"""Pictures that wait for the hub: a bounded folder that survives restarts.

A picture is a file named by its hash with a JSON file beside it. It leaves the folder when the hub has taken
it, which `edge.media` sees to, or when the folder is full.
"""

import hashlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import msgspec


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is told beside a picture."""

    camera: str
    kind: Literal["before", "after", "timer"]
    """Where it is from what it was taken for."""
    reason: str
    """What the picture was taken for."""
    tick: int
    utc_ms: int | None
    """Of the frame, as far as the gateway knew the time then."""
    sha256: str
    bytes: int


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

    def oldest(self, most: int, *, but: Collection[str] = ()) -> list[tuple[Path, Note]]:
        """Return pictures that wait, the longest first, without those of these hashes.

        What is no picture with a note is thrown away.
        """
        found: list[tuple[Path, Note]] = []
        for beside in self._notes():
            picture = beside.with_suffix(".jpg")
            if len(found) >= most:
                break
            if beside.stem in but:
                continue
            try:
                note = msgspec.json.decode(beside.read_bytes(), type=Note)
            except (msgspec.MsgspecError, UnicodeDecodeError, FileNotFoundError):
                self.remove(picture)
                continue
            if picture.is_file():
                found.append((picture, note))
            else:
                self.remove(picture)
        return found

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
