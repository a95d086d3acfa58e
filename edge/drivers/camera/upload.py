"""Pictures that wait for the hub: a bounded folder that survives restarts.

A picture is a file named by its hash with a JSON file beside it. It leaves the folder when the hub has taken
it, which `edge.media` sees to, or when the folder is full.
"""

import hashlib
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is told beside a picture."""

    camera: str
    kind: Literal["before", "after", "timer", ""]
    """Where it is from what it was taken for; empty when that was lost."""
    reason: str
    """What the picture was taken for."""
    tick: int
    utc_ms: int | None
    """Of the frame, as far as the gateway knew the time then."""
    sha256: str
    bytes: int


class Waiting:
    """The folder of pictures that wait."""

    def __init__(self, folder: Path, *, camera: str, bytes_max: int) -> None:
        """`camera` is the name of the device."""
        self._folder = folder
        self._camera = camera
        self._bytes_max = bytes_max
        self._lost: list[str] = []

    def mend(self) -> None:
        """Give pictures without a note one again, and clear away what was begun; raises `OSError`.

        That is what a power cut leaves behind. No picture may be added meanwhile.
        """
        for begun in self._folder.glob("*.part"):
            begun.unlink()
        for picture in self._folder.glob("*.jpg"):
            if not picture.with_suffix(".json").is_file():
                self._note_of(picture)

    def add(self, picture: Path, **told: str | int | None) -> Note:
        """Take a picture over under its hash; raises `OSError`. The same picture twice is one."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = picture.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        said = {**told, "camera": self._camera, "sha256": digest, "bytes": len(data)}
        note = msgspec.convert(said, Note)
        with picture.open("rb") as file:
            os.fsync(file.fileno())
        beside = self._written(note)
        picture.replace(self._folder / f"{digest}.jpg")
        beside.replace(self._folder / f"{digest}.json")
        _make_durable(self._folder)
        return note

    def _written(self, note: Note) -> Path:
        """Write a note that has no name yet; a name without its bytes would be no note."""
        beside = self._folder / f"{note.sha256}.part"
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(note))
            file.flush()
            os.fsync(file.fileno())
        return beside

    def oldest(self, most: int, *, but: Collection[str] = ()) -> list[tuple[Path, Note]]:
        """Return pictures that wait, the longest first, without those of these hashes.

        A picture whose note is damaged goes without what the note told; `prune` names what is lost.
        """
        found: list[tuple[Path, Note]] = []
        for beside in self._notes():
            picture = beside.with_suffix(".jpg")
            if len(found) >= most:
                break
            if beside.stem in but:
                continue
            if (note := self._note_of(picture)) is not None:
                found.append((picture, note))
        return found

    def _note_of(self, picture: Path) -> Note | None:
        """Return a picture's note, made anew from its bytes where it is none; None: the picture is lost."""
        if not picture.is_file():
            self._lose(picture)
            return None
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, FileNotFoundError):
            return msgspec.json.decode(picture.with_suffix(".json").read_bytes(), type=Note)
        data = picture.read_bytes()
        if hashlib.sha256(data).hexdigest() != picture.stem:
            self._lose(picture)
            return None
        note = Note(
            camera=self._camera,
            kind="",
            reason="",
            tick=0,
            utc_ms=None,
            sha256=picture.stem,
            bytes=len(data),
        )
        beside = self._written(note)
        since_ns = picture.stat().st_mtime_ns
        os.utime(beside, ns=(since_ns, since_ns))
        beside.replace(picture.with_suffix(".json"))
        return note

    def _lose(self, picture: Path) -> None:
        self._lost.append(picture.stem)
        self.remove(picture)

    def remove(self, picture: Path) -> None:
        """Let a picture go."""
        picture.with_suffix(".json").unlink(missing_ok=True)
        picture.unlink(missing_ok=True)

    def prune(self) -> Sequence[str]:
        """Delete the oldest pictures above the bound; return their hashes, and those of damaged ones.

        Each is named once.
        """
        pairs = [(one, _size(one) + _size(one.with_suffix(".jpg"))) for one in self._notes()]
        above = sum(size for _, size in pairs) - self._bytes_max
        for beside, size in pairs:
            if above <= 0:
                break
            self._lose(beside.with_suffix(".jpg"))
            above -= size
        gone, self._lost = self._lost, []
        return gone

    def _notes(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        found = [(path.stat().st_mtime_ns, path) for path in self._folder.glob("*.json")]
        return [path for _, path in sorted(found)]


def _make_durable(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
