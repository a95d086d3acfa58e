"""Settings of the `camera` driver: where its stream is, what is kept of it, when pictures are taken.

It reads no file; user and password of a camera are in `<data>/<device>/credentials`, two lines.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from wire.messages import Word
from wire.settings.base import DeviceName, Fault, PointPart, Settings

_OWN = "picture"
"""What is told of pictures begins so."""

StreamUrl = Annotated[
    str,
    Meta(
        pattern=r"^(rtsp|http|https)://[A-Za-z0-9.\[\]:-]{1,255}(/[!#$&(-;=?-~]*)?$(?!\n)",
        max_length=500,
        description="rtsp://, http:// or https:// with host and path, without user and password",
    ),
]


ServiceUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://[A-Za-z0-9.\[\]:-]{1,255}(/[!#$&(-;=?-~]*)?$(?!\n)",
        max_length=500,
        description="http:// or https:// with host and path, without user and password",
    ),
]


class CameraDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="camera"):
    """One stream of one camera: RTSP (H.264, H.265), found by ONVIF or not, or MJPEG over HTTP."""

    name: DeviceName
    prefix: PointPart
    """First part of the names of its points."""
    url: StreamUrl | None = None
    """Of the stream itself."""
    onvif: ServiceUrl | None = None
    """Of the camera's ONVIF device service, which is asked for the stream; instead of `url`."""
    profile: Annotated[str, Meta(max_length=80)] = ""
    """Name or token of the ONVIF profile; the first one without."""
    alarms: bool = False
    """Whether the camera is asked over ONVIF for what it sees itself: motion, and being tampered with."""
    login: bool = False
    """Whether the camera wants a user and a password; they are in `<data>/<device>/credentials`."""
    transport: Literal["tcp", "udp"] = "tcp"
    """How RTP comes."""
    heartbeat_s: Annotated[int, Meta(ge=1, le=600)] = 10
    """How often frame rate and recorded time are told."""
    silence_s: Annotated[int, Meta(ge=2, le=600)] = 10
    """No new frame for so long means that the camera is lost."""
    frozen_s: Annotated[int, Meta(ge=0, le=3600)] = 30
    """The same picture for so long means that it is frozen; 0: nobody looks (saves decoding key frames)."""
    segment_s: Annotated[int, Meta(ge=2, le=600)] = 10
    recording_bytes_max: Annotated[int, Meta(ge=10_000_000, le=2**44)] = 8_000_000_000
    recording_age_max_h: Annotated[float, Meta(ge=0.1, le=8784)] = 72.0
    snapshot_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    """How often a picture is taken by the clock; 0: never."""
    snapshot_on: list[Word] = field(default_factory=list)
    """Kinds of events, of whatever device of this gateway, of which pictures are taken."""
    pictures_bytes_max: Annotated[int, Meta(ge=1_000_000, le=2**40)] = 500_000_000
    """How much waiting pictures may take; the oldest go first."""
    live_frames: Literal["key", "all"] = "key"
    """What a live view decodes: key frames alone (cheap), or all of them."""
    live_width_max: Annotated[int, Meta(ge=64, le=3840)] = 960
    """A live view of H.264 or H.265 is made smaller than that; MJPEG is passed on as it comes."""

    def faults(self) -> Iterator[Fault]:
        """No stream or two, what does not go with it, pictures too often."""
        if 0 < self.snapshot_s < 5:
            yield Fault("snapshot_s", self.snapshot_s, "0, or at least 5")
        if (self.url is None) == (self.onvif is None):
            yield Fault("url", self.url, "the stream's address, or onvif with the camera's, one of them")
        if self.alarms and self.onvif is None:
            yield Fault("alarms", self.alarms, "onvif: only there are alarms")
        if self.profile and self.onvif is None:
            yield Fault("profile", self.profile, "onvif: only there are profiles")
        if any(kind.startswith(_OWN) for kind in self.snapshot_on):
            expected = f"no {_OWN}*: a picture is told itself, and would ask for another one without end"
            yield Fault("snapshot_on", self.snapshot_on, expected)
        if not (self.url or "rtsp:").startswith("rtsp:") and self.transport == "udp":
            yield Fault("transport", self.transport, "tcp: HTTP knows no other")
