"""The drivers at work, each in a task of its own, and what happens to them when the settings change.

A driver whose device's settings did not change is not touched: not restarted, not asked, not paused.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge.assembly import all_layouts, all_points, build_drivers
from edge.driver import Driver, Given, Pacer, Witness
from edge.inventory import inventory
from edge.journal.sieve import Pace, tighter
from wire.messages import DeviceDeclaration, Event, Layout, PointDeclaration
from wire.settings.gateway import Device, GatewaySettings
from wire.status import GapCause

Supervise = Callable[[Driver], Coroutine[None, None, None]]
"""Keeps one driver running until cancelled."""


@dataclass(frozen=True, slots=True)
class Change:
    """What new settings mean for the devices, by their names."""

    added: Sequence[str]
    changed: Sequence[str]
    removed: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def difference(before: Iterable[Device], after: Iterable[Device]) -> Change:
    """Return which devices are new, have other settings, or are gone."""
    old, new = ({device.name: device for device in devices} for devices in (before, after))
    return Change(
        added=[name for name in new if name not in old],
        changed=[name for name in new if name in old and new[name] != old[name]],
        removed=[name for name in old if name not in new],
    )


class Crew:
    """Every driver of the gateway."""

    def __init__(self, settings: GatewaySettings, given: Given) -> None:
        """Make the drivers; raises `AssemblyError` with every fault."""
        self._given = given
        self._devices = list(settings.device)
        self.drivers = build_drivers(settings, given)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def points(self) -> Sequence[PointDeclaration]:
        """Everything that the drivers feed."""
        return all_points(self.drivers)

    @property
    def layouts(self) -> Sequence[Layout]:
        """The lists of points that the drivers use."""
        return all_layouts(self.drivers)

    @property
    def devices(self) -> Sequence[DeviceDeclaration]:
        """What the settings name, for those who look after devices."""
        return inventory(self._devices)

    @property
    def settings(self) -> Sequence[Device]:
        """What the drivers were made of."""
        return self._devices

    @property
    def late(self) -> Mapping[str, GapCause]:
        """Point -> what readings that were left out are put down to."""
        return {point.name: driver.late for driver in self.drivers for point in driver.points}

    def noticed(self, event: Event) -> None:
        """Tell the drivers that want to know of an event of the gateway."""
        for driver in self.drivers:
            if isinstance(driver, Witness):
                driver.noticed(event)

    def pace(self) -> Pace:
        """Return what the uplink may send now."""
        return tighter(driver.pace() for driver in self.drivers if isinstance(driver, Pacer))

    def carried(self, size: int) -> None:
        """Tell those who count that a batch of so many bytes goes out."""
        for driver in self.drivers:
            if isinstance(driver, Pacer):
                driver.carried(size)

    def points_of(self, names: Iterable[str]) -> Sequence[str]:
        """Return the points that these devices feed."""
        wanted = set(names)
        return [point.name for driver in self.drivers if driver.name in wanted for point in driver.points]

    def start(self, tasks: asyncio.TaskGroup, supervise: Supervise) -> None:
        """Start every driver that does not run."""
        for driver in self.drivers:
            if driver.name not in self._tasks:
                self._tasks[driver.name] = tasks.create_task(supervise(driver), name=driver.name)

    async def stop(self, names: Iterable[str] | None = None) -> None:
        """End drivers, all of them unless some are named, and wait until they are gone."""
        wanted = list(self._tasks) if names is None else names
        ending = [self._tasks.pop(name) for name in wanted if name in self._tasks]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def prepare(self, settings: GatewaySettings) -> tuple[Change, Sequence[Driver]]:
        """Return what changes and the drivers as they will be; `AssemblyError` before anything changed."""
        change = difference(self._devices, settings.device)
        kept = {driver.name: driver for driver in self.drivers}
        touched = {*change.added, *change.changed}
        made = build_drivers(settings, self._given)
        return change, [driver if driver.name in touched else kept[driver.name] for driver in made]

    def replace(self, settings: GatewaySettings, drivers: Sequence[Driver]) -> None:
        """Take over prepared drivers; what changed or is gone must have been stopped."""
        self._devices = list(settings.device)
        self.drivers = list(drivers)
