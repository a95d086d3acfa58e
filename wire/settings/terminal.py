"""Settings of the `terminal` driver: access terminals that post what happened, and how to read it."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from wire.settings.base import DeviceName, Fault, Settings
from wire.settings.intake import HttpIntake, Sender
from wire.settings.modbus import PointPart

Factor = Literal["face", "fingerprint", "palm", "iris", "voice", "card", "pin", "qr", "phone", "other"]
Outcome = Literal["granted", "denied"]
Pointer = Annotated[
    str,
    Meta(
        pattern=r"^(/[^/\u0000]{1,64}){1,8}$(?!\n)",
        description="a JSON pointer to one value, as /info/userId",
    ),
]
BIOMETRIC_WORDS = (
    *("template", "feature", "biometric", "minutia", "embedding", "descriptor", "vector"),
    *("photo", "picture", "image", "snapshot", "base64", "facedata", "fingerdata", "rawdata", "blob"),
)
"""A field whose name holds one of these is dropped whatever it holds; no mapping may point to one."""


def is_biometric(name: str) -> bool:
    """Whether a field of this name may hold a template or a picture."""
    plain = "".join(character for character in name.lower() if character.isalnum())
    return any(word in plain for word in BIOMETRIC_WORDS)


class TerminalMap(Settings, frozen=True, kw_only=True):
    """Where in a terminal's JSON things stand. What nothing points to is not looked at."""

    person: Pointer
    """Number or name by which the terminal knows a person."""
    factor: Pointer | None = None
    factors: dict[str, Factor] = field(default_factory=dict)
    """What it says there -> the factor."""
    factor_default: Factor = "other"
    """When it says nothing, or nothing known."""
    result: Pointer | None = None
    results: dict[str, Outcome] = field(default_factory=dict)
    """What it says there -> what it decided; anything else is denied. Without `result` all is granted."""
    event: Pointer | None = None
    events: list[Annotated[str, Meta(max_length=64)]] = field(default_factory=list)
    """What it says there about somebody; anything else only shows that the terminal is alive."""
    door: Pointer | None = None
    time: Pointer | None = None
    """Its own time, kept as it is; the event itself stands at its arrival."""
    form_field: Annotated[str, Meta(max_length=64)] = ""
    """Of a form with several parts, the one with the JSON; the first that has JSON when empty."""

    def faults(self) -> Iterator[Fault]:
        """A pointer to what must not be kept, tables without their pointer."""
        for name in ("person", "factor", "result", "event", "door", "time"):
            pointer = getattr(self, name)
            if pointer is not None and is_biometric(pointer):
                yield Fault(name, pointer, "a field that cannot hold a biometric template or a picture")
        for table, name in (("factors", "factor"), ("results", "result"), ("events", "event")):
            if bool(getattr(self, table)) != (getattr(self, name) is not None):
                yield Fault(table, getattr(self, table), f"given together with {name}")


class TerminalDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="terminal"):
    """Access terminals of one kind, which post to one address."""

    name: DeviceName
    prefix: PointPart = "terminal"
    """First part of the names of points and subjects: `<prefix>/<sender>`."""
    http: HttpIntake
    sender: Annotated[list[Sender], Meta(min_length=1, max_length=64)]
    map: TerminalMap
    silence_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    """A terminal that posted nothing for so long is silent; 0 for those that have no heartbeat."""

    names_once: ClassVar = {"sender": ("name", "a name that no other sender has")}
