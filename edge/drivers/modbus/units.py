"""What the driver knows of each unit on its line: what to ask it for, how patiently, and how it fared."""

from dataclasses import dataclass

from edge.drivers.modbus.decode import Block, exponent_of, plan, with_unit
from edge.drivers.modbus.usage import UsageWatch
from wire.layouts import make_layout
from wire.messages import Layout, PointDeclaration, Poll
from wire.settings.modbus import ModbusLine, ModbusUnit, Profile, chosen_values


@dataclass(slots=True)
class Unit:
    """One unit and how it fared lately."""

    address: int
    layout: Layout
    points: tuple[PointDeclaration, ...]
    blocks: tuple[Block, ...]
    timeout_s: float
    """How long one answer of it may take."""
    gap_s: float
    """How long it is left alone between its answer and the next question."""
    usage: UsageWatch | None
    failures: int = 0
    due_ns: int = 0
    free_ns: int = 0
    """When it may be asked again."""

    def said(self, poll: Poll) -> str:
        """Return what a poll of it says, for a person."""
        return ", ".join(_said(point, count) for point, count in zip(self.points, poll.counts, strict=True))


def make_unit(settings: ModbusLine, unit: ModbusUnit, profile: Profile) -> Unit:
    """Return a unit as the settings of its line want it read."""
    values = chosen_values(unit, profile)
    points = tuple(
        PointDeclaration(
            name=f"{unit.prefix}/{value.point}",
            quantity=value.quantity,
            kind=value.kind,
            exponent=exponent_of(value),
            period_ms=settings.interval_ms,
            device=settings.name,
            states=value.states,
        )
        for value in values
    )
    layout = make_layout([point.name for point in points], [point.exponent for point in points])
    usage = None
    if unit.usage is not None:
        usage = UsageWatch.of(unit.usage, device=settings.name, prefix=unit.prefix, points=points)
    return Unit(
        unit.address,
        layout,
        points,
        plan(values, profile.gap_registers),
        timeout_s=(unit.timeout_ms or settings.timeout_ms) / 1000,
        gap_s=(profile.gap_ms if unit.gap_ms is None else unit.gap_ms) / 1000,
        usage=usage,
    )


def _said(point: PointDeclaration, count: int | None) -> str:
    value = "absent" if count is None else with_unit(count, point.exponent, point.quantity)
    return f"{point.name} = {value}"
