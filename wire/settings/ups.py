"""Settings of the `ups` driver: which NUT server and which UPS it reads. It reads no file."""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from msgspec import Meta, field

from wire.settings.base import DeviceName, Fault, Host, PointPart, Port, Settings

UpsPoint = Literal[
    "power",
    "flags",
    "battery_charge",
    "battery_runtime",
    "load",
    "input_voltage",
    "output_voltage",
    "battery_voltage",
    "temperature",
]


class UpsDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="ups"):
    """One UPS of one NUT server (`upsd`)."""

    name: DeviceName
    prefix: PointPart = "ups"
    """First part of the names of its points: `<prefix>/power`, `<prefix>/battery_charge`, …"""
    host: Host = "127.0.0.1"
    port: Port = 3493
    ups: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$(?!\n)")] = "ups"
    """Its name in `ups.conf`."""
    interval_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 1000
    """How often everything is read and its points are fed."""
    watch_ms: Annotated[int, Meta(ge=50, le=1000)] = 500
    """How often its status is looked at in between: what changed is read and told at once."""
    timeout_ms: Annotated[int, Meta(ge=10, le=60_000)] = 3000
    points: Annotated[list[UpsPoint], Meta(min_length=1)] = field(
        default_factory=lambda: list(get_args(UpsPoint))
    )

    def faults(self) -> Iterator[Fault]:
        """A point listed twice."""
        for index, point in enumerate(self.points):
            if point in self.points[:index]:
                yield Fault(f"points[{index}]", point, "each point once")
