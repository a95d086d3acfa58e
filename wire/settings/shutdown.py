"""Settings of the gateway's own orderly shutdown. It reads no file."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field

from wire.settings.base import Fault, PointPart, Settings


class ShutdownSection(Settings, frozen=True, kw_only=True):
    """When the gateway shuts its machine down, and how. Absent: never."""

    command: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1, max_length=16)] = field(
        default_factory=lambda: ["systemctl", "poweroff"]
    )
    """Program and its words; run once everything is flushed."""
    ups: PointPart | None = None
    """Prefix of the UPS that feeds this gateway."""
    charge_min_pct: Annotated[float, Meta(ge=0, le=100)] | None = 20.0
    runtime_min_s: Annotated[float, Meta(ge=0, le=86_400)] | None = 180.0
    delay_s: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    """So long has low battery to last; mains that return meanwhile cancel the shutdown."""
    unknown_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """So long may the power be unknown after it came from the battery."""
    unknown_from_mains_s: Annotated[float, Meta(ge=1, le=86_400)] | None = None
    """So long may it be unknown after it came from the mains; without end when absent."""
    ignition: PointPart | None = None
    """Point of the ignition input; its events have this subject."""
    ignition_off_s: Annotated[float, Meta(ge=0, le=604_800)] = 600.0
    drain_s: Annotated[float, Meta(ge=0, le=600)] = 20.0
    """So long may the uplink take to send what is waiting."""

    def faults(self) -> Iterator[Fault]:
        """Nothing to shut down for."""
        if self.ups is None and self.ignition is None:
            yield Fault("ups", None, "ups, ignition or both")
