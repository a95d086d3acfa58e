"""Settings of the `network` driver: how the gateway's own uplink fares. It reads no file."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field

from wire.settings.base import MISSING, DeviceName, Fault, Settings
from wire.settings.modbus import PointPart

Interface = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,15}$(?!\n)")]


class DataBudget(Settings, frozen=True, kw_only=True):
    """How many bytes may go over mobile links, sent and received together."""

    day_bytes: Annotated[int, Meta(ge=100_000, le=2**50)] | None = None
    month_bytes: Annotated[int, Meta(ge=1_000_000, le=2**50)] | None = None
    day_starts_h: Annotated[int, Meta(ge=0, le=23)] = 0
    """At which hour of UTC a day of the plan begins."""
    month_starts_d: Annotated[int, Meta(ge=1, le=28)] = 1

    def faults(self) -> Iterator[Fault]:
        """A budget without a limit."""
        if self.day_bytes is None and self.month_bytes is None:
            yield Fault("day_bytes", MISSING, "day_bytes, month_bytes or both")


class NetworkDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="network"):
    """The interfaces of this machine."""

    name: DeviceName
    prefix: PointPart = "uplink"
    """First part of the names of its points: `<prefix>/bearer`, `<prefix>/signal`, …"""
    mobile: Annotated[list[Interface], Meta(max_length=8)] = field(default_factory=list)
    """Interfaces that are mobile links although the kernel calls them Ethernet, as many USB modems are."""
    interval_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 10_000
    root: Annotated[str, Meta(min_length=1, max_length=200)] = "/"
    """The folder that holds `proc` and `sys`."""
    budget: DataBudget | None = None
    modem: bool = False
    """Whether ModemManager is asked about the modem."""

    def faults(self) -> Iterator[Fault]:
        """An interface listed twice."""
        for index, interface in enumerate(self.mobile):
            if interface in self.mobile[:index]:
                yield Fault(f"mobile[{index}]", interface, "each interface once")
