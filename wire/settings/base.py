"""What the settings models share: their base class and the small types that several of them use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

DeviceName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$(?!\n)",
        description="1 to 63 characters of a-z, 0-9, '_', '.', '-'",
    ),
]
PointPart = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_./-]{0,62}$(?!\n)",
        description="1 to 63 characters of a-z, 0-9, '_', '.', '/', '-'",
    ),
]
"""Part of the name of a point or an output."""
Host = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9._:%-]+$(?!\n)",
        description="a host name or address",
    ),
]
Port = Annotated[int, Meta(ge=1, le=65535)]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (`device[2].unit[0].address`), what stands there, what was expected."""

    path: str
    value: object
    expectation: str

    def __str__(self) -> str:
        return f"{self.path}: {shorten(self.value)}: expected {self.expectation}"


class SettingsError(ValueError):
    """Settings that are each right cannot be used; the paths of `faults` are relative to their model."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(map(str, self.faults)))


def shorten(value: object) -> str:
    """Return a value as a person wrote it, cut to 80 characters."""
    text = "missing" if value is MISSING else _plain(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _plain(value: object) -> str:
    """Write decimals and times as in the file, whatever they are kept in."""
    if isinstance(value, Decimal | date | time):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


class _Missing:
    """Stands for a key that is not there."""

    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every settings model. Keys it does not name are faults."""

    names_once: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """List of tables -> (key that names each, what is expected): told even where some table is faulty."""

    def faults(self) -> Iterable[Fault]:
        """Yield what is wrong between fields that are each right; paths are relative to this model."""
        return ()
