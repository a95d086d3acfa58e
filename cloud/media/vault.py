"""The folder of files that gateways brought, each under its hash, bounded in bytes.

A file is in place only when all of it is on the disk and has the hash that it is named by. It knows no
database; what is counted and what may go is said by who has the rows.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from tempfile import mkstemp

DISK_LEFT = 64 * 1024 * 1024
"""So much of the disk stays free."""


class FullError(Exception):
    """There is no room for a file; the text says which bound was reached."""


class HashError(Exception):
    """The bytes are not those of the hash; the text says what they were."""


class Vault:
    """Content-addressed files."""

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._promised = 0
        self.bytes = 0
        """Of all files in place."""

    def open(self, known: Collection[str]) -> int:
        """Make the folder, throw away what was begun and what no row knows; return how many files went.

        Raises `OSError`. `known` are the hashes of all files that are to be there.
        """
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        gone = 0
        for part in self._incoming.iterdir():
            part.unlink()
            gone += 1
        self.bytes = 0
        for file in self._files():
            if file.name in known:
                self.bytes += file.stat().st_size
            else:
                file.unlink()
                gone += 1
        return gone

    def path(self, sha256: str) -> Path:
        """Return where a file is, if it is there."""
        return self._folder / sha256[:2] / sha256

    def holds(self, sha256: str) -> bool:
        """Whether a file is in place."""
        return self.path(sha256).is_file()

    def remove(self, sha256: str) -> None:
        """Delete a file; one that is not there is none."""
        file = self.path(sha256)
        if file.is_file():
            self.bytes -= file.stat().st_size
            file.unlink()

    async def take(self, pieces: AsyncIterator[bytes], *, sha256: str, size: int) -> None:
        """Put a file in place that comes in pieces.

        `FullError` before the first piece is asked for, or when the disk is full; `HashError`; what `pieces`
        raises. After an error nothing is left.
        """
        with self._promise(size), self._begun() as (part, file):
            digest, received = hashlib.sha256(), 0
            async for piece in pieces:
                received += len(piece)
                if received > size:
                    raise HashError(f"more than the {size} bytes that were told")
                digest.update(piece)
                with _disk():
                    _write(file, piece)
            if received != size or digest.hexdigest() != sha256:
                raise HashError(f"{received} bytes with the hash {digest.hexdigest()}")
            await asyncio.to_thread(_settle, file)
            with _disk():
                new = not self.holds(sha256)
                self._place(part, sha256)
            if new:
                self.bytes += size

    @property
    def _incoming(self) -> Path:
        return self._folder / "incoming"

    def _files(self) -> Iterator[Path]:
        for folder in self._folder.iterdir():
            if folder.is_dir() and len(folder.name) == 2:
                yield from folder.iterdir()

    @contextmanager
    def _promise(self, size: int) -> Iterator[None]:
        """Keep room for a file that is on its way."""
        wanted = self.bytes + self._promised + size
        if wanted > self._bytes_max:
            raise FullError(f"{wanted} bytes of media: at most {self._bytes_max} are kept")
        if shutil.disk_usage(self._folder).free < self._promised + size + DISK_LEFT:
            raise FullError("the disk is full")
        self._promised += size
        try:
            yield
        finally:
            self._promised -= size

    @contextmanager
    def _begun(self) -> Iterator[tuple[Path, FileIO]]:
        """Give a file to write to, which is gone afterwards unless it was put in place."""
        with _disk():
            descriptor, name = mkstemp(dir=self._incoming, suffix=".part")
        part = Path(name)
        try:
            with FileIO(descriptor, "w") as file:
                yield part, file
        finally:
            part.unlink(missing_ok=True)

    def _place(self, part: Path, sha256: str) -> None:
        target = self.path(sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        part.replace(target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _settle(file: FileIO) -> None:
    with _disk():
        os.fsync(file.fileno())


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FullError(f"the disk: {error.strerror}") from None
