"""Writes and reads the files of an identity: private ones 0600 from their first byte.

`write_new` overwrites nothing; `replace` puts a new file in the place of an old one at once and for good.

It does not look into them.
"""

import os
from pathlib import Path

from provisioning.errors import IdentityError

PRIVATE = 0o600
PUBLIC = 0o644


def make_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter, unless it is there already; `IdentityError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise IdentityError(f"{folder}: cannot be made: {error.strerror}") from None
    return folder


def write_new(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Create a file and sync it to disk; `IdentityError` when it is there already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise IdentityError(f"{path}: is there already and is never overwritten") from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot be created: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Put a file into place as a whole: after a crash there is the old one or the new one, never a part."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        write_new(fresh, data, mode=mode)
        fresh.replace(path)
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise IdentityError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Take a file away, when it is there; `IdentityError`."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise IdentityError(f"{path}: cannot be removed: {error.strerror}") from None


def read(path: Path) -> bytes:
    """Return a file's bytes; `IdentityError` says which file is missing or unreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise IdentityError(f"{path}: cannot be read: {error.strerror}") from None
