"""What the gateway keeps of the hub's settings: one file that is replaced as a whole, never changed in place.

After a crash at any moment it says one of two things, and both are right. It knows nothing of settings.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from provisioning import files
from provisioning.errors import IdentityError
from wire.messages import Hash
from wire.shadow import OWN_FILE, Revision, SettingsFault, SettingsText, ShadowState

FILE_NAME = "shadow.json"
_BYTES_MAX = 4 * 1024 * 1024


class BookError(Exception):
    """The file cannot be written; what stands in it is what stood there before."""


class Kept(Struct, frozen=True):
    """A document that ran well."""

    revision: Revision
    document: SettingsText


class Standing(Struct, frozen=True):
    """What worked before a start that settings asked for."""

    points: list[str]
    """Those that were read."""
    connected: bool
    failing: list[tuple[str, str]]
    """(kind, subject) of drivers and parts that failed already."""


class Trial(Struct, frozen=True):
    """A document on its way in."""

    revision: Revision
    document: SettingsText
    step: Literal["staged", "restart", "watched"]
    """`staged`: nothing of it runs; `restart`: the next start is to run it, once; `watched`: it may run, in
    part or whole, and is not trusted yet."""
    attempts: Annotated[int, Meta(ge=0)] = 0
    """How often its check was begun."""
    over_start: Standing | None = None
    """How things stood before the gateway was started again for it; None: no start lies in between."""


class State(Struct, frozen=True):
    """All that is kept."""

    seen: Revision = OWN_FILE
    """The newest revision that something became of."""
    taken: Hash | None = None
    """Hash of its document."""
    verdict: ShadowState = ShadowState.FILE
    faults: list[SettingsFault] = field(default_factory=list)
    since_ms: int | None = None
    running: Kept | None = None
    """None: the gateway's own file."""
    trial: Trial | None = None


Replace = Callable[[Path, bytes], None]
"""Puts a file into place as a whole."""


class Book:
    """The file in one data folder; only the process that has the folder's lock may write."""

    def __init__(self, folder: Path, *, replace: Replace = files.replace) -> None:
        self._path = folder / FILE_NAME
        self._replace = replace

    def read(self) -> tuple[State, str]:
        """Return what is kept and an empty text; of a damaged file nothing, and what is wrong with it."""
        try:
            with self._path.open("rb") as file:
                data = file.read(_BYTES_MAX)
        except FileNotFoundError:
            return State(), ""
        except OSError as error:
            return State(), f"{FILE_NAME}: {error.strerror}"
        digest, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return State(), f"{FILE_NAME}: its checksum does not fit"
        try:
            return msgspec.json.decode(body, type=State), ""
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return State(), f"{FILE_NAME}: {error}"

    def write(self, state: State) -> None:
        """Keep a state durably, or raise `BookError`."""
        body = msgspec.json.encode(state)
        digest = hashlib.sha256(body).hexdigest().encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._replace(self._path, digest + b"\n" + body)
        except (OSError, IdentityError) as error:
            raise BookError(str(error)) from error
