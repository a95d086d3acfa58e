"""Takes changed settings over while the gateway runs: all of them, or none and the reasons.

Only devices can change like this; where the other sections differ, nothing is taken over and a restart is
asked for. It reads no file itself.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from edge.assembly import AssemblyError
from edge.control.outputs import Outputs
from edge.crew import Change, Crew, Supervise
from edge.driver import Driver
from edge.journal.journal import Journal
from edge.recorder import GONE, Recorder
from edge.shadow.sources import named_faults
from edge.uplink import Uplink
from wire.messages import Scalar
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings
from wire.status import GapCause

LOG = logging.getLogger(__name__)
Read = Callable[[], tuple[GatewaySettings | None, Sequence[Fault]]]
REST = (
    "gateway",
    "uplink",
    "journal",
    "clock",
    "shutdown",
    "media",
    "control",
    "interlock",
    "portal",
    "equipment",
    "regulation",
    "panel",
)
_CHANGED = "its settings changed"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of settings that were to be taken over; with faults, nothing changed."""

    change: Change
    faults: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True)
class Reload:
    """What is needed to take settings over."""

    settings: GatewaySettings
    """Those that the gateway was started with."""
    crew: Crew
    journal: Journal
    recorder: Recorder
    uplink: Uplink
    outputs: Outputs
    now_tick: Callable[[], int]
    supervise: Supervise
    replan: Callable[[], None] = lambda: None
    """Called when devices are other ones than before."""

    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def in_force(self) -> GatewaySettings:
        """The settings that the gateway runs with."""
        return structs.replace(self.settings, device=list(self.crew.settings))

    async def apply(self, read: Read, tasks: asyncio.TaskGroup) -> bool:
        """Read the settings and take them over; whether that was done. Why not is logged and told."""
        settings, faults = read()
        if settings is not None and not faults:
            faults = (await self.take(settings, tasks)).faults
        if faults:
            self._refuse(faults)
        return not faults

    async def take(
        self, settings: GatewaySettings, tasks: asyncio.TaskGroup, words: Mapping[str, Scalar] | None = None
    ) -> Taken:
        """Take checked settings over, all or nothing; `words` go along with the event of that."""
        nothing = Change((), (), ())
        rest = [name for name in REST if getattr(settings, name) != getattr(self.settings, name)]
        if rest:
            expected = "a restart of the gateway to take it over"
            return Taken(nothing, [Fault(name, "changed", expected) for name in rest])
        async with self.one_at_a_time:
            try:
                change, drivers = self.crew.prepare(settings)
            except AssemblyError as error:
                return Taken(nothing, error.faults)
            if faults := named_faults(settings, drivers):
                return Taken(nothing, faults)
            if change:
                await self._take_over(settings, change, drivers=drivers, tasks=tasks, words=words or {})
            else:
                self.crew.replace(settings, drivers)  # The same devices, perhaps in another order.
            return Taken(change)

    async def _take_over(
        self,
        settings: GatewaySettings,
        change: Change,
        *,
        drivers: Sequence[Driver],
        tasks: asyncio.TaskGroup,
        words: Mapping[str, Scalar],
    ) -> None:
        ending = False
        try:
            await self.crew.stop([*change.changed, *change.removed])
            tick = self.now_tick()
            for names, reason in ((change.changed, _CHANGED), (change.removed, GONE)):
                points = self.crew.points_of(names)
                await self.recorder.silent(points, cause=GapCause.MAINTENANCE, reason=reason, tick=tick)
            self.crew.replace(settings, drivers)
            self.outputs.own(self.crew.drivers)
            self.recorder.feed(self.crew.points, self.crew.layouts, self.crew.late)
            self.replan()
            await self.journal.declare(self.crew.points, self.crew.layouts, self.crew.devices)
        except asyncio.CancelledError:
            ending = True
            raise
        finally:
            self.uplink.points_changed()
            if not ending:  # Whatever else went wrong: no driver stays stopped.
                self.crew.start(tasks, self.supervise)
        changes = {"added": change.added, "changed": change.changed, "removed": change.removed}
        told = {word: ", ".join(names) for word, names in changes.items() if names}
        LOG.warning("settings: taken over: %s", told)
        self.recorder.tell("settings_applied", {**words, **told})

    def _refuse(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            LOG.error("settings: refused: %s", fault)
        first = str(faults[0]) if faults else ""
        self.recorder.tell("settings_refused", {"faults": len(faults), "first": first[:200]})
