"""The shadow of a gateway: settings that the hub wants, and those that the gateway runs with.

The document is TOML as a person wrote it, without what stays in the gateway's own file
(`wire.settings.shadow`). Its hash is that of its UTF-8 bytes, so both ends speak of the very same text.
"""

import hashlib
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, field

from wire.messages import GatewayId, Hash, Message, Record, Text

DOCUMENT_BYTES_MAX = 200_000
"""A frame must hold it even where it deflates badly."""
FAULTS_MAX = 100

COUNTER_MAX = 2**31 - 1
Counter = Annotated[int, Meta(ge=0, le=COUNTER_MAX)]
SettingsText = Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=DOCUMENT_BYTES_MAX)]


class ShadowState(StrEnum):
    """What became of the newest revision that a gateway has taken in."""

    FILE = "file"
    """None came from the hub yet: it runs with its own file."""
    TRYING = "trying"
    """It runs, and is watched."""
    APPLIED = "applied"
    REFUSED = "refused"
    """It was never run; `faults` say why."""
    ROLLED_BACK = "rolled_back"
    """It ran, and what ran before is back; `faults` say why."""


class Revision(Record, frozen=True, forbid_unknown_fields=True):
    """A revision of one gateway's settings. It only grows: a restored hub begins a new incarnation."""

    incarnation: Counter = 0
    number: Counter = 0
    """0 in incarnation 0 is the gateway's own file."""

    @property
    def order(self) -> tuple[int, int]:
        """By which revisions are compared."""
        return self.incarnation, self.number


OWN_FILE = Revision()
"""The settings as they stand in the gateway's own file."""


class SettingsFault(Record, frozen=True):
    """One thing that is wrong: where, what stands there, what was expected."""

    path: Text
    value: Text
    expectation: Text


class Desired(Message, frozen=True, forbid_unknown_fields=True):
    """Settings that a gateway is to run with."""

    gateway: GatewayId
    revision: Revision
    hash: Hash
    document: SettingsText


class Reported(Message, frozen=True):
    """Settings that a gateway runs with, and what became of the revision that it took in last."""

    gateway: GatewayId
    revision: Revision
    """The newest that was taken in, whatever became of it."""
    state: ShadowState
    running: Revision
    """Where what runs came from."""
    hash: Hash
    """Of the document that runs."""
    document: SettingsText | None = None
    """What runs; absent when it is too long to be sent."""
    taken: Hash | None = None
    """Of the newest revision's document; a hub that was restored knows by it that a number came twice."""
    faults: Annotated[list[SettingsFault], Meta(max_length=FAULTS_MAX)] = field(default_factory=list)
    since_ms: Annotated[int, Meta(ge=0, le=2**42)] | None = None
    """UTC since when it is so, when the time is known."""


def document_hash(document: str) -> bytes:
    """Return the SHA-256 that names a document."""
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).digest()
