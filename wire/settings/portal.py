"""Settings of doors and of equipment: which reader, lock and contact is whose, which output releases what.

What a door asks of a person is no setting: that comes with the rights (`rules.access.document`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from wire.settings.base import Fault, PointPart, Settings
from wire.settings.gpio import WiegandDevice
from wire.settings.interlock import ControlSection, InterlockSettings, RuleName
from wire.settings.osdp import OsdpDevice
from wire.settings.terminal import TerminalDevice

PlaceName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9-]{1,63}$(?!\n)",
        description="1 to 63 characters of a-z, 0-9, '-', as in the rights",
    ),
]
EquipmentName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)",
        description="1 to 64 characters of a-z, A-Z, 0-9, '.', '_', '-', as in the rights",
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class PortalSettings(Settings, frozen=True, kw_only=True):
    """One door: who is asked at it, what opens it, what tells that it was opened."""

    name: PlaceName
    reader_in: Name | None = None
    """Subject of the events of the reader in front of it: `door/front`, `wiegand`, …"""
    reader_out: Name | None = None
    """The same behind it; it records who leaves, and refuses nobody where the side is a way out."""
    lock_output: PointPart | None = None
    """Output that lets people in; at rest it locks. Absent: who comes is judged and nothing is opened."""
    lock_unlocks: Literal["on", "off"] = "on"
    """What the output is while the door can be opened."""
    lock_mode: Literal["hold", "pulse"] = "hold"
    """`hold`: unlocked until the door was opened and shut again, or its time is over; `pulse`: an impulse."""
    lock_pulse_s: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    """How long the impulse is."""
    contact_point: PointPart | None = None
    """Point with the states `closed` and `open`. Absent: nothing proves that somebody passed."""
    exit_button_point: PointPart | None = None
    """Point with the states `idle` and `pressed`: opens without asking."""
    exit_open_s: Annotated[float, Meta(ge=1, le=600)] = 5.0
    """How long the exit button opens it."""
    held_open_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    """Open for longer, the door is told as held open."""
    forced: bool = True
    """Whether a door that opens without a grant was forced; false where people leave by a handle unseen."""
    contact_settle_s: Annotated[float, Meta(ge=0, le=2)] = 0.5
    """So long after it shut, and after its lock fell, a contact may bounce; open after that was forced."""
    factor_s: Annotated[float, Meta(ge=1, le=120)] = 15.0
    """So long may the next factor take."""

    def faults(self) -> Iterator[Fault]:
        """No reader at all, one on both sides, a button that opens nothing, one point for two things."""
        if self.reader_in is None and self.reader_out is None:
            yield Fault("reader_in", None, "reader_in, reader_out or both")
        if self.reader_in is not None and self.reader_in == self.reader_out:
            yield Fault("reader_out", self.reader_out, "another reader than reader_in")
        if self.lock_output is None and self.exit_button_point is not None:
            yield Fault("exit_button_point", self.exit_button_point, "a lock_output that it opens")
        if self.contact_point is not None and self.contact_point == self.exit_button_point:
            yield Fault("exit_button_point", self.exit_button_point, "another point than contact_point")

    def readers(self) -> Iterator[tuple[str, str, str]]:
        """Yield field, reader and side of every reader."""
        if self.reader_in is not None:
            yield "reader_in", self.reader_in, f"{self.name}/in"
        if self.reader_out is not None:
            yield "reader_out", self.reader_out, f"{self.name}/out"

    def points(self) -> Iterator[tuple[str, str]]:
        """Yield field and name of every point."""
        if self.contact_point is not None:
            yield "contact_point", self.contact_point
        if self.exit_button_point is not None:
            yield "exit_button_point", self.exit_button_point


class EquipmentSettings(Settings, frozen=True, kw_only=True):
    """Equipment that works only while person, authorisation and job hold, by an output that releases it."""

    id: EquipmentName
    output: PointPart
    released: Literal["on", "off"] = "on"
    """What the output is while the equipment may be used."""
    interlock: RuleName | None = None
    """The interlock that owns the output, where one does; it works only while that releases it too."""


Portals = Annotated[list[PortalSettings], Meta(max_length=32)]
Equipments = Annotated[list[EquipmentSettings], Meta(max_length=64)]


def readers_of(devices: Iterable[object]) -> Mapping[str, tuple[str, str]]:
    """Return the subject of every reader that devices have -> name of the device, of the reader on it."""
    found: dict[str, tuple[str, str]] = {}
    for device in devices:
        if isinstance(device, OsdpDevice):
            found |= {f"{device.prefix}/{one.name}": (device.name, one.name) for one in device.reader}
        elif isinstance(device, WiegandDevice):
            found[device.prefix] = (device.name, "")
        elif isinstance(device, TerminalDevice):
            found |= {f"{device.prefix}/{one.name}": (device.name, one.name) for one in device.sender}
    return found


def door_faults(
    portals: Sequence[PortalSettings], equipment: Sequence[EquipmentSettings], devices: Iterable[object]
) -> Iterator[Fault]:
    """Yield readers that no device has, and what two doors or pieces of equipment want for themselves."""
    known = readers_of(devices)
    readers: dict[str, str] = {}
    points: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for index, portal in enumerate(portals):
        for name, reader, _ in portal.readers():
            if reader not in known:
                expected = f"one of {', '.join(sorted(known))}" if known else "a device with a reader"
                yield Fault(f"portal[{index}].{name}", reader, expected)
            yield from _alone(readers, reader, f"portal[{index}].{name}", owner=f"portal {portal.name}")
        for name, point in portal.points():
            yield from _alone(points, point, f"portal[{index}].{name}", owner=f"portal {portal.name}")
        if portal.lock_output is not None:
            place = f"portal[{index}].lock_output"
            yield from _alone(outputs, portal.lock_output, place, owner=f"portal {portal.name}")
    for index, one in enumerate(equipment):
        yield from _alone(outputs, one.output, f"equipment[{index}].output", owner=f"equipment {one.id}")


def owner_faults(
    portals: Sequence[PortalSettings],
    equipment: Sequence[EquipmentSettings],
    *,
    interlocks: Iterable[InterlockSettings],
    control: ControlSection,
) -> Iterator[Fault]:
    """Yield locks that an interlock or the pulse owns, and equipment whose interlock is another one."""
    rules = list(interlocks)
    owners = {effect.target: rule.name for rule in rules for _, effect in rule.outputs()}
    doors = dict(door_outputs(portals, equipment))
    for index, rule in enumerate(rules):
        for place, effect in rule.outputs():
            if effect.release == "set" and effect.target in doors:
                expected = f"leave: {doors[effect.target]} alone sets {effect.target}"
                yield Fault(f"interlock[{index}].effect[{place}].release", effect.release, expected)
    for index, portal in enumerate(portals):
        lock = portal.lock_output
        if lock is not None and (lock in owners or lock == control.enable_output):
            expected = "an output that no interlock owns; its effect lock_entry locks the door"
            yield Fault(f"portal[{index}].lock_output", lock, expected)
    for index, one in enumerate(equipment):
        if one.output == control.enable_output:
            expected = "another output than control.enable_output"
            yield Fault(f"equipment[{index}].output", one.output, expected)
        if one.interlock is not None and owners.get(one.output) != one.interlock:
            found = owners.get(one.output)
            expected = f"{found}, which owns {one.output}" if found else f"one that owns {one.output}"
            yield Fault(f"equipment[{index}].interlock", one.interlock, expected)


def door_outputs(
    portals: Iterable[PortalSettings], equipment: Iterable[EquipmentSettings]
) -> Iterator[tuple[str, str]]:
    """Yield the outputs that doors and equipment own, with whose each is."""
    for portal in portals:
        if portal.lock_output is not None:
            yield portal.lock_output, f"portal {portal.name}"
    for one in equipment:
        yield one.output, f"equipment {one.id}"


def _alone(owners: dict[str, str], wanted: str, place: str, *, owner: str) -> Iterator[Fault]:
    if wanted in owners and owners[wanted] != owner:
        yield Fault(place, wanted, f"one that {owners[wanted]} does not have")
    owners.setdefault(wanted, owner)
