"""Settings of the media channel: where the hub takes pictures and recordings, and over which links."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from wire.settings.base import Fault, Settings

HubUrl = Annotated[
    str,
    Meta(
        pattern=r"^https://[A-Za-z0-9._:\[\]-]{1,255}$(?!\n)",
        max_length=300,
        description="https:// with host and port, without a path",
    ),
]
Bearer = Literal["ethernet", "wifi", "mobile", "other"]


def _all() -> list[Bearer]:
    return ["ethernet", "wifi", "mobile", "other"]


class MediaSection(Settings, frozen=True, kw_only=True):
    """The hub's media listener. It has the broker's authority; the identity is the gateway's own."""

    url: HubUrl
    upload_on: list[Bearer] = field(default_factory=_all)
    """Links over which waiting pictures go; over others they wait."""
    live_on: Annotated[list[Bearer], Meta(min_length=1)] = field(default_factory=_all)
    """Links over which people may look and have recordings sent."""
    mobile: Annotated[list[str], Meta(max_length=8)] = field(default_factory=list)
    """Interfaces that are mobile links although the kernel calls them Ethernet."""
    kbit_s_max: Annotated[int, Meta(ge=32, le=10_000_000)] | None = None
    """No file goes faster than that, so that a narrow link has room for everything else; live views do."""
    retry_s: Annotated[float, Meta(ge=0.1, le=600)] = 5.0
    retry_max_s: Annotated[float, Meta(ge=1, le=3600)] = 600.0
    """First and longest wait after the hub took nothing."""

    def faults(self) -> Iterator[Fault]:
        """A longest wait below the first one, a link named twice."""
        if self.retry_max_s < self.retry_s:
            yield Fault("retry_max_s", self.retry_max_s, f"at least retry_s ({self.retry_s:g})")
        for name, listed in (("upload_on", self.upload_on), ("live_on", self.live_on)):
            for index, bearer in enumerate(listed):
                if bearer in listed[:index]:
                    yield Fault(f"{name}[{index}]", bearer, "each link once")
