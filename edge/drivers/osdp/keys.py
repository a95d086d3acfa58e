"""The keys of readers, each in a file of its own that nobody but the gateway may read; decodes nothing else.

`<reader>.key` is the key in use. While a reader is being paired its fresh key is in `<reader>.key.new`, from
before it is sent until the reader has proven that it knows it: a power cut in between loses no key.
"""

import os
import secrets
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge.drivers.osdp.decode import KEY_BYTES, KeyUnfitError, key_from

_FILE_BYTES_MAX = 200
_NO_CLOCK = datetime(2020, 1, 1, tzinfo=UTC)
"""A machine without a battery clock begins in 1970 or with its system's build."""


@dataclass(frozen=True, slots=True, repr=False)
class ReaderKey:
    """A key, and whether it still waits for the reader's proof. Shows no byte of itself."""

    secret: bytes
    fresh: bool

    def __repr__(self) -> str:
        return f"ReaderKey({'fresh' if self.fresh else 'in use'})"


class ReaderKeys:
    """The key files of one reader."""

    def __init__(self, folder: Path, reader: str) -> None:
        self._file = folder / f"{reader}.key"
        self._new = folder / f"{reader}.key.new"

    def load(self) -> list[ReaderKey]:
        """Return the keys to try, the one in use first; `KeyUnfitError` names the file and what is wrong."""
        keys = [
            ReaderKey(_read(file), fresh)
            for file, fresh in ((self._file, False), (self._new, True))
            if file.exists() or file.is_symlink()
        ]
        if not keys:
            raise KeyUnfitError(f"{self._file.name}: no key; pair the reader, or write its key there")
        return keys

    def since(self) -> str | None:
        """Return since when there is a key in use, by the system's clock, in words; None: there is none."""
        try:
            at = datetime.fromtimestamp(self._file.lstat().st_mtime, UTC)
        except (OSError, ValueError, OverflowError):
            return None
        return f"since {at:%Y-%m-%d %H:%M} UTC" if at > _NO_CLOCK else "since a time when there was no clock"

    def prepare(self) -> ReaderKey:
        """Return a fresh key that is safely on the disk; one that an earlier pairing left is taken again."""
        try:
            self._new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return ReaderKey(_read(self._new), fresh=True)
        except OSError as error:
            raise KeyUnfitError(f"{self._new.name}: {error.strerror}") from None
        key = secrets.token_bytes(KEY_BYTES)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(key.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._sync()
        except OSError as error:
            self._new.unlink(missing_ok=True)
            raise KeyUnfitError(f"{self._new.name}: {error.strerror}") from None
        return ReaderKey(key, fresh=True)

    def confirm(self) -> None:
        """The reader has proven the fresh key: it is the one in use from now on; `KeyUnfitError`."""
        try:
            self._new.replace(self._file)
            self._sync()
        except OSError as error:
            raise KeyUnfitError(f"{self._file.name}: {error.strerror}") from None

    def _sync(self) -> None:
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(file: Path) -> bytes:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise KeyUnfitError(f"{file.name}: {error.strerror}") from None
    with os.fdopen(handle, "rb") as opened:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            shown = f"{stat.S_IMODE(mode):04o}"
            raise KeyUnfitError(f"{file.name}: mode {shown}: expected a file of mode 0600")
        text = opened.read(_FILE_BYTES_MAX).decode("ascii", "replace")
    try:
        return key_from(text)
    except KeyUnfitError as error:
        raise KeyUnfitError(f"{file.name}: {error}") from None
