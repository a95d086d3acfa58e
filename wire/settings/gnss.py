"""Settings of the `gnss` driver: which gpsd it listens to and which points it feeds. It reads no file."""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from msgspec import Meta, field

from wire.settings.base import DeviceName, Fault, Host, PointPart, Port, Settings

GnssPoint = Literal[
    "speed",
    "course",
    "satellites",
    "satellites_gps",
    "satellites_beidou",
    "satellites_galileo",
    "satellites_glonass",
    "mode",
    "error",
    "satellites_qzss",
    "constellations",
    "error_vertical",
    "error_time",
    "antenna",
    "jamming",
    "jamming_state",
    "hold",
    "hold_north",
    "hold_east",
    "odometer",
]
GNSS_POINTS_FIRST = 9
"""So many of them are fed when the settings name none."""


class SparseReport(Settings, frozen=True, kw_only=True):
    """What is reported when little changes: a fix after this distance, turn or time."""

    distance_m: Annotated[float, Meta(gt=0, le=100_000)] = 50.0
    course_deg: Annotated[float, Meta(gt=0, le=180)] = 15.0
    longest_s: Annotated[int, Meta(ge=1, le=3600)] = 60
    """The longest silence promised: the period of every point then."""


class GnssDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="gnss"):
    """One gpsd daemon, or one receiver of it."""

    name: DeviceName
    prefix: PointPart = "gnss"
    """First part of the names of its points; fixes go to `<prefix>/position`."""
    host: Host = "127.0.0.1"
    port: Port = 2947
    receiver: Annotated[str, Meta(max_length=200)] | None = None
    """Path of the receiver as gpsd names it; every receiver of the daemon when absent."""
    points: list[GnssPoint] = field(default_factory=lambda: list(get_args(GnssPoint))[:GNSS_POINTS_FIRST])
    silence_s: Annotated[int, Meta(ge=1, le=3600)] = 10
    """No report for so long means that the receiver is silent."""
    period_ms: Annotated[int, Meta(ge=50, le=3_600_000)] = 1000
    """How often the receiver is set to report."""
    time_source: bool = True
    """Whether the gateway's clock may learn the time from it."""
    time_bound_ms: Annotated[int, Meta(ge=1, le=10_000)] = 500
    """How late a report may arrive after the instant that it names (serial line, gpsd and network)."""
    own_messages: bool = False
    """Whether gpsd is asked for the receiver's own messages, which tell antenna and jamming."""
    sparse: SparseReport | None = None
    """Every fix is reported when absent."""

    def faults(self) -> Iterator[Fault]:
        """A point listed twice; how far a held position is off without the word that it is held."""
        for offset in {"hold_north", "hold_east"} & set(self.points):
            if "hold" not in self.points:
                yield Fault("points", offset, "hold beside it")
        for index, point in enumerate(self.points):
            if point in self.points[:index]:
                yield Fault(f"points[{index}]", point, "each point once")
