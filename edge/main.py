"""Builds the gateway out of its settings and runs it.

Here is decided what runs, in which order it begins and how it ends; its parts are made in `edge.making`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge.assembly import AssemblyError
from edge.clock import TICK_NS, Rules
from edge.control.checks import control_faults
from edge.control.outputs import Outputs
from edge.control.room import Control
from edge.credential import Presented
from edge.crew import Crew
from edge.driver import Given
from edge.ending import end, end_control
from edge.journal.journal import Journal
from edge.making import Making
from edge.recorder import Recorder
from edge.reload import Read, Reload
from edge.shadow.book import Book
from edge.shadow.health import Health
from edge.shadow.keeper import Given as KeeperGiven
from edge.shadow.keeper import Keeper, Wishes
from edge.shadow.sources import Sources
from edge.shutdown import Means, Shutdown
from edge.supervisor import FIRST_WAIT_S, LONGEST_WAIT_S, keep_running
from edge.tap import Describe, Seen, Tap
from edge.timekeeper import Timekeeper, kernel_time
from edge.uplink import Uplink
from edge.wakes import BEAT_S, Wakes
from edge.world import World, software
from provisioning.identity import GatewayIdentity
from wire.messages import Event
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings

DRAIN_S = 1.5

Part = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Shadow:
    """Where settings come from when the hub has a say in them."""

    sources: Sources
    set_aside: Sequence[Fault] = ()
    """Why the file alone counts, although settings of the hub were kept."""
    tries: bool = False
    """Whether these settings are on trial, and the gateway was started again for them."""


class Gateway:
    """All parts, wired."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        folder: Path,
        identity: GatewayIdentity,
        world: World,
        read: Read | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        """Raises `AssemblyError`. `folder` is where the settings file is, `read` reads it again.

        Without `shadow` nothing is taken from the hub, and nothing is reported to it.
        """
        self._settings = settings
        self._identity = identity
        self._world = world
        self._read = read or (lambda: (settings, ()))
        self._shadow = shadow
        self._wishes = Wishes()
        self._again = self._ended = False
        self._settings_changed = asyncio.Event()
        self._timekeeper = Timekeeper(
            Rules(settings.clock.drift_ppm, settings.clock.holdover_after_s),
            sources=settings.clock.sources,
            monotonic_ns=world.monotonic_ns,
            system=kernel_time(world.monotonic_ns, world.real_ns),
        )
        self._data = folder / settings.gateway.data
        self._wakes = Wakes(world.monotonic_ns)
        self._control: Control | None = None
        given = Given(
            self._wakes,
            self._data,
            self._timekeeper.reading,
            doubt_ms=self._wakes.doubt_ms,
            presented=self._presented,
        )
        self._crew = Crew(settings, given)
        self._health = Health(
            now=world.now,
            drivers=lambda: self._crew.drivers,
            layouts=lambda: self._crew.layouts,
            watch_s=settings.gateway.settings_watch_s,
        )
        self._making = Making(
            settings, identity, world, self._data, self._timekeeper, self._wakes, self._crew
        )
        self._shutdown = settings.shutdown and Shutdown(settings.shutdown, lambda: self._crew.layouts)
        if self._shutdown and (faults := self._shutdown.faults()):
            raise AssemblyError(faults)
        if control := control_faults(settings, self._crew.drivers):
            raise AssemblyError(control)

    def settings_changed(self) -> None:
        """Have the settings read again and taken over."""
        self._settings_changed.set()

    def ended(self) -> None:
        """Stay down after this run, whatever the settings asked for."""
        self._ended = True

    @property
    def alive(self) -> bool:
        """Whether what has to turn turns, as far as it was begun."""
        return self._control is None or self._control.alive

    @property
    def again(self) -> bool:
        """Whether it stopped to be started again with other settings."""
        return self._again and not self._ended and not self.last_command

    @property
    def last_command(self) -> Sequence[str]:
        """What is to be run after the gateway stopped for a shutdown; nothing after any other stop."""
        asked = self._settings.shutdown
        return asked.command if asked and self._shutdown and self._shutdown.agreed else ()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then end with everything emitted journalled.

        Raises `JournalInUseError` when another process has the data folder; nothing was started then.
        """
        async with self._making.journal() as journal:
            past = await journal.open(
                self._crew.layouts, stop, points=self._crew.points, devices=self._crew.devices
            )
            if past is None:
                return
            if past.clock and past.clock.boot == self._world.boot:
                self._timekeeper.resume(past.clock.clock, past.clock.tick * TICK_NS)
            self._timekeeper.ask_system()
            tap = Tap(
                Describe(lambda: self._crew.points, lambda: self._crew.layouts, self._timekeeper.reading)
            )
            recorder = self._making.recorder(journal, self._look(tap))
            clean = past.stopped_cleanly and past.boot is not None
            recorder.tell("gateway_started", {"software": software(), "clean_stop_before": clean})
            recorder.resume(past)
            outputs = self._making.outputs(journal, recorder, past)
            control = self._control = self._making.control(journal, recorder, outputs, past=past)
            uplink = self._making.uplink(journal, recorder, control, wishes=self._wishes)
            async with asyncio.TaskGroup() as tasks:
                reload = self._reload(journal, recorder, uplink, outputs=outputs, control=control)
                local = self._making.local(journal, outputs, tap)
                self._crew.start(tasks, reload.supervise)
                parts = [
                    tasks.create_task(self._keep("uplink", uplink.run, recorder)),
                    tasks.create_task(self._keep("journal", journal.run, recorder)),
                    tasks.create_task(self._keep("clock", self._timekeeper.run, recorder)),
                    tasks.create_task(self._keep("recorder", _every_second(recorder, self._wakes), recorder)),
                ]
                if self._world.manager.alive_every_s:
                    alive = partial(self._world.manager.keep_alive, lambda: control.alive)
                    parts.append(tasks.create_task(self._keep("signs of life", alive, recorder)))
                changing = [tasks.create_task(self._keep("local", local.run, recorder))]
                for name, part in control.parts().items():
                    changing.append(tasks.create_task(self._keep(name, part, recorder)))
                keeper = None
                if self._shadow:
                    shadow = self._shadow
                    keeper = self._keeper(shadow, reload, recorder, uplink=uplink, tasks=tasks, stop=stop)
                    changing.append(tasks.create_task(self._keep("shadow", keeper.run, recorder)))
                reloading = self._reloading(reload, keeper, tasks)
                changing.append(tasks.create_task(self._keep("settings", reloading, recorder)))
                renewal = self._making.renewal(recorder, uplink)
                parts.append(tasks.create_task(self._keep("renewal", renewal.run, recorder)))
                if self._settings.media:
                    media = self._making.media(self._settings.media, recorder)
                    parts.append(tasks.create_task(self._keep("media", media.run, recorder)))
                if self._shutdown:
                    watch = partial(self._shutdown.run, self._means(journal, recorder, uplink, stop=stop))
                    parts.append(tasks.create_task(self._keep("shutdown", watch, recorder)))
                self._world.manager.ready()
                await stop.wait()
                if not self.again:
                    self._world.manager.stopping()
                await end_control(control.ended, changing)
                await self._stop(parts, journal=journal, recorder=recorder, uplink=uplink)

    async def _stop(
        self,
        parts: Sequence[asyncio.Task[None]],
        *,
        journal: Journal,
        recorder: Recorder,
        uplink: Uplink,
    ) -> None:
        await self._crew.stop()
        recorder.tell("gateway_stopped", {})
        recorder.tick()
        await journal.commit()
        await uplink.drained(DRAIN_S)
        await end(parts)
        await journal.commit()

    def _means(self, journal: Journal, recorder: Recorder, uplink: Uplink, *, stop: asyncio.Event) -> Means:
        async def flush(seconds: float) -> None:
            recorder.tick()
            await journal.commit()
            await uplink.drained(seconds)

        return Means(tell=recorder.tell, flush=flush, stop=stop.set, now_s=self._world.now)

    def _look(self, tap: Tap) -> Callable[[Seen], None]:
        shutdown = self._shutdown

        def look(item: Seen) -> None:
            if self._control is not None:
                self._control.look(item)
            tap(item)
            self._health.look(item)
            if isinstance(item, Event):
                self._crew.noticed(item)
            if shutdown:
                shutdown.look(item, self._world.now())

        return look

    def _presented(self, presented: Presented) -> None:
        if self._control is not None:
            self._control.presented(presented)

    def _reload(
        self,
        journal: Journal,
        recorder: Recorder,
        uplink: Uplink,
        *,
        outputs: Outputs,
        control: Control,
    ) -> Reload:
        return Reload(
            settings=self._settings,
            crew=self._crew,
            journal=journal,
            recorder=recorder,
            uplink=uplink,
            outputs=outputs,
            replan=control.replan,
            now_tick=self._world.now_tick,
            supervise=lambda driver: self._making.supervisor(driver, recorder).run(),
        )

    def _keeper(
        self,
        shadow: Shadow,
        reload: Reload,
        recorder: Recorder,
        *,
        uplink: Uplink,
        tasks: asyncio.TaskGroup,
        stop: asyncio.Event,
    ) -> Keeper:
        def restart() -> None:
            self._again = True
            stop.set()

        self._health.connected = lambda: uplink.connected
        given = KeeperGiven(
            gateway=self._settings.gateway.id,
            sources=shadow.sources,
            book=Book(self._data),
            wishes=self._wishes,
            take=lambda settings, words: reload.take(settings, tasks, words),
            in_force=lambda: reload.in_force,
            health=self._health,
            tell=recorder.tell,
            report=uplink.report,
            utc_ms=self._making.utc_ms,
            now=self._world.now,
            watch_s=self._settings.gateway.settings_watch_s,
            set_aside=shadow.set_aside,
            restart=restart,
            tries=shadow.tries,
        )
        return Keeper(given)

    def _reloading(self, reload: Reload, keeper: Keeper | None, tasks: asyncio.TaskGroup) -> Part:
        async def run() -> None:
            while True:
                await self._settings_changed.wait()
                self._settings_changed.clear()
                if await reload.apply(self._read, tasks) and keeper is not None:
                    keeper.reloaded()

        return run

    async def _keep(self, name: str, run: Part, recorder: Recorder) -> None:
        backoff = self._making.backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        await keep_running(name, run, recorder, backoff=backoff, now=self._world.now)


def _every_second(recorder: Recorder, wakes: Wakes) -> Part:
    async def run() -> None:
        while True:
            wakes.ran()
            recorder.tick()
            await asyncio.sleep(BEAT_S)
            wakes.ran()
            await asyncio.sleep(1.0 - BEAT_S)

    return run
