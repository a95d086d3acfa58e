"""Interlocks as the settings of a gateway have them, seen from the hub: what they name, and what is wrong.

What a gateway declared and what its settings name is all that is known of it here; the rest it judges itself,
with the same code (`rules.interlock.configured`), and its answer is shown as what it reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from cloud.store import declare, jobs_work, shadow
from cloud.store.connection import Connection
from cloud.store.shadow import Owner
from rules.interlock.configured import Surroundings, make_rule, rule_faults
from rules.interlock.model import Interlock, Output, Plant
from rules.interlock.plan import point_of
from wire.codec import decode_body
from wire.errors import MessageError
from wire.messages import PointDeclaration, Points
from wire.settings.base import Fault
from wire.settings.gateway import Device
from wire.settings.gpio import GpioDevice
from wire.settings.interlock import InterlockSettings
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice
from wire.settings.shadow import ShadowDocument, check_text


@dataclass(frozen=True, slots=True)
class Configured:
    """Interlocks of a gateway with what they may name."""

    rules: tuple[Interlock, ...]
    around: Surroundings
    revision: int
    """Of the settings that they stand in; 0: of none."""

    @property
    def plant(self) -> Plant:
        """What they may name, as the rules need it."""
        return self.around.plant()

    def find(self, name: str) -> Interlock | None:
        """Return the interlock of a name."""
        return next((one for one in self.rules if one.name == name), None)


async def configured(connection: Connection, owner: Owner) -> Configured:
    """Return the interlocks in the settings that a gateway runs, as far as the hub has their text."""
    told = await shadow.told(connection, owner.id)
    number = await shadow.newest(connection, owner.id) if told is None else told.running_revision or 0
    text = await shadow.document(connection, owner.id, number) or ""
    document = check_text(text)[0] if text else None
    around = await surroundings(connection, owner, document)
    rules = () if document is None else document.interlock
    return Configured(tuple(make_rule(one, around.points) for one in rules), around, number)


async def surroundings(connection: Connection, owner: Owner, document: ShadowDocument | None) -> Surroundings:
    """Return what a gateway declared last, and what its settings name besides."""
    return Surroundings(
        points=await _points(connection, owner.id),
        outputs={} if document is None else {one.name: one for one in outputs_named(document.device)},
        portals=None if document is None else frozenset(one.name for one in document.portal),
        calibrations=await jobs_work.calibrations_told(connection, owner.id),
    )


async def faults(connection: Connection, owner: Owner, text: str) -> list[Fault]:
    """Return what is wrong with the interlocks of a document that is whole, as far as it can be seen here.

    A point that is not declared may be one of a device that is new in the document; then its interlock is
    the gateway's to judge. Nothing is judged of a gateway that declared nothing yet.
    """
    document = check_text(text)[0]
    if document is None or not document.interlock:
        return []
    around = await surroundings(connection, owner, document)
    if not around.points:
        return []
    same = await _same_devices(connection, owner, document.device)
    judged = [one for one in document.interlock if same or _named(one) <= around.points.keys()]
    places = [document.interlock.index(one) for one in judged]
    return [_placed(fault, places) for fault in rule_faults(judged, around)]


def outputs_named(devices: Sequence[Device]) -> Iterator[Output]:
    """Yield the outputs that settings of devices name; which value is safe is known of pins alone.

    What a profile says of an output of a Modbus unit only the gateway has: any value of it counts as safe.
    """
    for device in devices:
        if isinstance(device, GpioDevice):
            for pin in device.output:
                name = f"{device.prefix}/{pin.name}"
                yield Output(name=name, safe=int(pin.safe == "on"), read_back_s=pin.read_back_ms / 1000)
        elif isinstance(device, ModbusDevice | ModbusRtuDevice):
            for unit in device.unit:
                yield from (Output(name=f"{unit.prefix}/{one.output}", safe=0) for one in unit.output)


def points_named(rule: Interlock) -> frozenset[str]:
    """Return the points that an interlock looks at."""
    found = {point_of(cause.condition) for _, cause in rule.causes()} | {fit.point for fit in rule.fit}
    return frozenset(name for name in found if name is not None)


def _named(settings: InterlockSettings) -> frozenset[str]:
    return points_named(make_rule(settings, {}))


def _placed(fault: Fault, places: Sequence[int]) -> Fault:
    """Return a fault with the place of its interlock in the whole document."""
    head, bracket, rest = fault.path.partition("[")
    number, closing, behind = rest.partition("]")
    if head != "interlock" or not bracket or not closing:
        return fault
    return Fault(f"interlock[{places[int(number)]}]{behind}", fault.value, fault.expectation)


async def _points(connection: Connection, gateway_id: int) -> Mapping[str, PointDeclaration]:
    body = await declare.kept(connection, gateway_id)
    if body is None:
        return {}
    try:
        return {point.name: point for point in decode_body(body, Points).points}
    except MessageError:  # of a version that had other fields: it is declared anew
        return {}


async def _same_devices(connection: Connection, owner: Owner, devices: Sequence[Device]) -> bool:
    """Whether a document speaks to the devices that the gateway runs with."""
    told = await shadow.told(connection, owner.id)
    if told is None or told.running_revision is None:
        return False
    text = await shadow.document(connection, owner.id, told.running_revision)
    running = None if text is None else check_text(text)[0]
    return running is not None and msgspec.to_builtins(running.device) == msgspec.to_builtins(list(devices))
