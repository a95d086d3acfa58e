"""Settings of the `osdp` driver: which serial line, and which readers on it. Keys never stand here.

It reads no file; a reader's key is in `<data>/<device>/<reader>.key`.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from wire.settings.base import DeviceName, Fault, Settings
from wire.settings.modbus import PointPart

CardFormatName = Literal["h10301", "h10306", "h10304", "h10302", "raw"]
ReaderName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)",
        description="1 to 32 characters of a-z, 0-9, '-'",
    ),
]


class OsdpReader(Settings, frozen=True, kw_only=True):
    """One reader on the line."""

    name: ReaderName
    """Its points are `<prefix>/<name>/link` and so on, its key file is `<name>.key`."""
    address: Annotated[int, Meta(ge=0, le=126)]
    formats: Annotated[list[CardFormatName], Meta(min_length=1)] = field(
        default_factory=lambda: ["h10301", "h10306", "h10304", "raw"]
    )
    """Which cards it may give; of two formats of one length (h10304, h10302) only one."""
    uid_reversed: bool = False
    """Whether it gives the bytes of a chip's UID last byte first."""
    pin_timeout_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    """So long after a key the digits before it are forgotten."""

    def faults(self) -> Iterator[Fault]:
        """A format listed twice, or two of one length."""
        for index, name in enumerate(self.formats):
            if name in self.formats[:index]:
                yield Fault(f"formats[{index}]", name, "each format once")
        if {"h10304", "h10302"} <= set(self.formats):
            yield Fault("formats", self.formats, "h10304 or h10302, not both: frames of 37 bits look alike")


class OsdpDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="osdp"):
    """The readers of one RS-485 line."""

    name: DeviceName
    prefix: PointPart = "door"
    path: Annotated[
        str,
        Meta(pattern=r"^/[^\u0000]{1,254}$(?!\n)", description="the absolute path of a serial line"),
    ]
    """Best one below `/dev/serial/by-id` or `by-path`: the numbers of `/dev/ttyUSB0` change."""
    baud: Literal[9600, 19200, 38400, 57600, 115200, 230400] = 9600
    interval_ms: Annotated[int, Meta(ge=500, le=3_600_000)] = 10_000
    """How often each reader's state is read; changes are told at once."""
    offline_s: Annotated[float, Meta(ge=1, le=60)] = 8.0
    """A reader without a session for so long is told as offline."""
    reader: Annotated[list[OsdpReader], Meta(min_length=1, max_length=32)]

    names_once: ClassVar = {"reader": ("name", "a name that no other reader of the line has")}

    def faults(self) -> Iterator[Fault]:
        """An address used twice."""
        addresses = [reader.address for reader in self.reader]
        for index, address in enumerate(addresses):
            if address in addresses[:index]:
                yield Fault(f"reader[{index}].address", address, "an address that no other reader has")
