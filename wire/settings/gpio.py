"""Settings of the `gpio` and `wiegand` drivers: which pins of the board mean what. It reads no file."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from wire.settings.base import DeviceName, Fault, Settings
from wire.settings.modbus import PointPart

Pin = Annotated[int, Meta(ge=0, le=27, description="a pin by its BCM number, 0 to 27")]
Level = Literal["high", "low"]
Pull = Literal["up", "down", "none"]
InputKind = Literal["door_contact", "request_to_exit", "fire_release", "tamper", "ignition"]
OutputKind = Literal["relay", "beeper", "lamp"]
CardFormatName = Literal["h10301", "h10302", "h10304", "h10306", "raw"]


class GpioInput(Settings, frozen=True, kw_only=True):
    """One input. Its kind says what its states are called and which level is the safer guess."""

    name: PointPart
    """Last part of its point's name."""
    kind: InputKind
    pin: Pin
    active: Level | None = None
    """The level of state 1 (open, pressed, released, tampered, on); that of the kind when absent."""
    pull: Pull | None = None
    """Resistor of the board; that of the kind when absent."""
    settle_ms: Annotated[int, Meta(ge=1, le=5000)] = 30
    """A level counts once it has held for so long."""
    chatter_ms: Annotated[int, Meta(ge=10, le=60_000)] = 1000
    """An input that has not settled for so long chatters: its state is unknown."""

    def faults(self) -> Iterator[Fault]:
        """An input that chatters before it can settle."""
        if self.chatter_ms <= self.settle_ms:
            yield Fault("chatter_ms", self.chatter_ms, f"more than settle_ms ({self.settle_ms})")


class GpioOutput(Settings, frozen=True, kw_only=True):
    """One switched output, and the contact that tells whether it switched."""

    name: PointPart
    kind: OutputKind
    pin: Pin
    active: Level = "high"
    """The level at which it is on."""
    safe: Literal["on", "off"] = "off"
    """What it is before the gateway sets it and after the driver ends."""
    contact_pin: Pin | None = None
    contact_active: Level = "low"
    """The level of the contact while the output is on."""
    contact_pull: Pull = "up"
    apart_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    """How long it rests between two writes."""
    read_back_ms: Annotated[int, Meta(ge=10, le=60_000)] = 500
    """How long the contact may take to follow."""


class GpioDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="gpio"):
    """The pins of the gateway's own board."""

    name: DeviceName
    prefix: PointPart = "gpio"
    """First part of the names of its points and outputs."""
    interval_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 10_000
    """How often a state is read when nothing changes."""
    input: list[GpioInput] = field(default_factory=list)
    output: list[GpioOutput] = field(default_factory=list)

    names_once: ClassVar = {
        "input": ("name", "a name that no other input has"),
        "output": ("name", "a name that no other output has"),
    }

    def faults(self) -> Iterator[Fault]:
        """Nothing to read or set, a pin used twice, an output called like an input."""
        if not self.input and not self.output:
            yield Fault("input", [], "at least one input or output")
        inputs = {one.name for one in self.input}
        for index, output in enumerate(self.output):
            if output.name in inputs:
                yield Fault(f"output[{index}].name", output.name, "a name that no input has")
        yield from _twice(self.pins())

    def pins(self) -> Iterator[tuple[str, int]]:
        """Yield every pin in use, with its place in these settings."""
        yield from ((f"input[{index}].pin", one.pin) for index, one in enumerate(self.input))
        for index, output in enumerate(self.output):
            yield f"output[{index}].pin", output.pin
            if output.contact_pin is not None:
                yield f"output[{index}].contact_pin", output.contact_pin


class WiegandDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="wiegand"):
    """One reader with a Wiegand interface on two pins."""

    name: DeviceName
    prefix: PointPart = "wiegand"
    """First part of the names of its points and subject of its events."""
    d0_pin: Pin
    d1_pin: Pin
    pull: Pull = "none"
    """Resistor of the board; level shifters of 5 V readers have their own."""
    formats: Annotated[list[CardFormatName], Meta(min_length=1)] = field(default_factory=lambda: ["h10301"])
    """Which cards it may give; `raw` takes every other length as it is."""
    silence_ms: Annotated[int, Meta(ge=5, le=1000)] = 50
    """No bit for so long ends a frame."""
    keypad: bool = False
    """Whether frames of 4 or 8 bits are keys."""
    pin_timeout_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    """So long after a key the digits before it are forgotten."""
    interval_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 10_000
    """How often its points are fed."""

    def faults(self) -> Iterator[Fault]:
        """A pin or a format used twice, two formats that look alike."""
        yield from _twice(self.pins())
        for index, name in enumerate(self.formats):
            if name in self.formats[:index]:
                yield Fault(f"formats[{index}]", name, "each format once")
        if {"h10304", "h10302"} <= set(self.formats):
            yield Fault("formats", self.formats, "h10304 or h10302, not both: frames of 37 bits look alike")

    def pins(self) -> Iterator[tuple[str, int]]:
        """Yield every pin in use, with its place in these settings."""
        yield "d0_pin", self.d0_pin
        yield "d1_pin", self.d1_pin


def pins_shared(devices: Iterable[object]) -> Iterator[Fault]:
    """Yield pins that two devices of one gateway want; paths are relative to the gateway's settings."""
    owners: dict[int, str] = {}
    for index, device in enumerate(devices):
        if isinstance(device, GpioDevice | WiegandDevice):
            mine = dict(device.pins())
            for path, pin in mine.items():
                if pin in owners:
                    yield Fault(f"device[{index}].{path}", pin, f"a pin that {owners[pin]} does not use")
            owners |= dict.fromkeys(mine.values(), device.name)


def _twice(pins: Iterable[tuple[str, int]]) -> Iterator[Fault]:
    seen: dict[int, str] = {}
    for path, pin in pins:
        if pin in seen:
            yield Fault(path, pin, f"a pin that {seen[pin]} does not use")
        seen.setdefault(pin, path)
