"""Builds the gateway out of its settings and runs it.

It is the only place where the real clock, randomness, journal, drivers and uplink are made.
"""

import asyncio
import logging
import os
import random
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from edge.assembly import AssemblyError
from edge.clock import TICK_NS, Rules
from edge.control.outputs import Outputs
from edge.control.rests import Rests
from edge.control.room import Control
from edge.control.room import Given as ControlGiven
from edge.credential import Presented
from edge.crew import Crew
from edge.driver import Driver, Given, ticks
from edge.journal.file import Surroundings
from edge.journal.journal import Journal, Past
from edge.journal.room import Limits
from edge.journal.sealer import Sealer
from edge.local.desk import Desk
from edge.local.server import Local
from edge.media.channel import MediaChannel, MediaGiven
from edge.recorder import Recorder
from edge.reload import Read, Reload
from edge.renewal import EstDesk, Renewal
from edge.renewal import Given as RenewalGiven
from edge.service_manager import ServiceManager
from edge.shadow.book import Book
from edge.shadow.health import Health
from edge.shadow.keeper import Given as KeeperGiven
from edge.shadow.keeper import Keeper, Wishes
from edge.shadow.sources import Sources
from edge.shutdown import Means, Shutdown
from edge.supervisor import FIRST_WAIT_S, LONGEST_WAIT_S, Backoff, Supervisor, keep_running
from edge.tap import Describe, Seen, Tap
from edge.timekeeper import Timekeeper, kernel_time
from edge.uplink import Given as UplinkGiven
from edge.uplink import Uplink
from edge.wakes import BEAT_S, Wakes
from provisioning.identity import GatewayIdentity
from wire.messages import Event
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings
from wire.settings.media import MediaSection

LOG = logging.getLogger(__name__)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DAY_S = 86400.0
DRAIN_S = 1.5
_DOUBT_S = 3600.0

Part = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class World:
    """What a gateway gets from the machine."""

    monotonic_ns: Callable[[], int]
    real_ns: Callable[[], int]
    boot: bytes
    random_id: Callable[[], bytes]
    random: Callable[[], float]
    manager: ServiceManager

    def now(self) -> float:
        """Monotonic seconds."""
        return self.monotonic_ns() / 1e9

    def now_tick(self) -> int:
        """The tick of this moment."""
        return ticks(self.monotonic_ns())


def real_world() -> World:
    """Return this machine: the clock that also counts while suspended, the kernel's boot id."""
    return World(
        monotonic_ns=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        real_ns=time.time_ns,
        boot=uuid.UUID(BOOT_ID.read_text().strip()).bytes,
        random_id=lambda: secrets.token_bytes(16),
        random=random.random,
        manager=ServiceManager(os.environ),
    )


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
        self._shutdown = settings.shutdown and Shutdown(settings.shutdown, lambda: self._crew.layouts)
        if self._shutdown and (faults := self._shutdown.faults()):
            raise AssemblyError(faults)

    def settings_changed(self) -> None:
        """Have the settings read again and taken over."""
        self._settings_changed.set()

    def ended(self) -> None:
        """Stay down after this run, whatever the settings asked for."""
        self._ended = True

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
        async with self._journal() as journal:
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
            recorder = self._recorder(journal, tap)
            clean = past.stopped_cleanly and past.boot is not None
            recorder.tell("gateway_started", {"software": software(), "clean_stop_before": clean})
            recorder.resume(past)
            outputs = self._outputs(journal, recorder, past)
            control = self._control = self._made_control(journal, recorder, outputs, past=past)
            uplink = self._uplink(journal, recorder, control)
            async with asyncio.TaskGroup() as tasks:
                reload = self._reload(journal, recorder, uplink, outputs=outputs)
                local = self._local(journal, outputs, tap)
                self._crew.start(tasks, reload.supervise)
                parts = [
                    tasks.create_task(self._keep("uplink", uplink.run, recorder)),
                    tasks.create_task(self._keep("journal", journal.run, recorder)),
                    tasks.create_task(self._keep("clock", self._timekeeper.run, recorder)),
                    tasks.create_task(self._keep("recorder", _every_second(recorder, self._wakes), recorder)),
                ]
                if self._world.manager.alive_every_s:
                    alive = self._world.manager.keep_alive
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
                renewal = self._renewal(recorder, uplink)
                parts.append(tasks.create_task(self._keep("renewal", renewal.run, recorder)))
                if self._settings.media:
                    media = self._media(self._settings.media, recorder)
                    parts.append(tasks.create_task(self._keep("media", media.run, recorder)))
                if self._shutdown:
                    watch = partial(self._shutdown.run, self._means(journal, recorder, uplink, stop=stop))
                    parts.append(tasks.create_task(self._keep("shutdown", watch, recorder)))
                self._world.manager.ready()
                await stop.wait()
                if not self.again:
                    self._world.manager.stopping()
                await _end(changing)
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
        await _end(parts)
        await journal.commit()

    def _journal(self) -> Journal:
        settings = self._settings.journal
        given = Surroundings(
            sealer=Sealer(self._settings.gateway.id, self._identity.signer),
            random_id=self._world.random_id,
            utc_s=self._timekeeper.utc_s,
            limits=Limits(settings.bytes_max, settings.age_max_d * DAY_S),
        )
        return Journal(
            self._data,
            given,
            boot=self._world.boot,
            clock=self._timekeeper.reading,
            now=self._world.now,
            memory_bytes_max=settings.memory_bytes_max,
            pace=self._crew.pace,
        )

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

    def _recorder(self, journal: Journal, tap: Tap) -> Recorder:
        return Recorder(
            journal,
            self._timekeeper,
            gateway=self._settings.gateway.id,
            boot=self._world.boot,
            now_tick=self._world.now_tick,
            points=self._crew.points,
            layouts=self._crew.layouts,
            late=self._crew.late,
            look=self._look(tap),
            doubt_ms=self._wakes.doubt_ms,
        )

    def _presented(self, presented: Presented) -> None:
        if self._control is not None:
            self._control.presented(presented)

    def _made_control(self, journal: Journal, recorder: Recorder, outputs: Outputs, *, past: Past) -> Control:
        given = ControlGiven(
            settings=self._settings,
            boot=self._world.boot,
            outputs=outputs,
            drivers=lambda: self._crew.drivers,
            points=lambda: self._crew.points,
            tell=lambda kind, data, subject: recorder.tell(kind, data, subject=subject),
            remember=recorder.remember,
            recall=recorder.recall,
            settle=journal.commit,
            now_tick=self._world.now_tick,
            utc_ms=self._utc_ms,
            kept_whole=past.boot is not None and past.damage is None,
        )
        return Control(given)

    def _uplink(self, journal: Journal, recorder: Recorder, control: Control) -> Uplink:
        settings = self._settings.uplink
        given = UplinkGiven(
            settings=settings,
            identity=self._identity,
            boot=self._world.boot,
            software=software(),
            now=self._world.now,
            random_id=self._world.random_id,
            judge_dates=self._judge_dates,
            carried=self._crew.carried,
            desired=self._wishes.put,
            control=control.line,
        )
        return Uplink(
            given,
            journal=journal,
            recorder=recorder,
            timekeeper=self._timekeeper,
            backoff=self._backoff(settings.reconnect_s, settings.reconnect_max_s),
        )

    def _media(self, settings: MediaSection, recorder: Recorder) -> MediaChannel:
        given = MediaGiven(
            settings=settings,
            identity=self._identity,
            drivers=lambda: self._crew.drivers,
            tell=recorder.tell,
            now=self._world.now,
            judge_dates=self._judge_dates,
            backoff=self._backoff,
        )
        return MediaChannel(given)

    def _renewal(self, recorder: Recorder, uplink: Uplink) -> Renewal:
        given = RenewalGiven(
            folder=self._identity.folder,
            identity=self._identity,
            line=uplink,
            tell=recorder.tell,
            utc_s=self._timekeeper.utc_s,
            now=self._world.now,
            random=self._world.random,
            desk=EstDesk(),
        )
        return Renewal(given)

    def _outputs(self, journal: Journal, recorder: Recorder, past: Past) -> Outputs:
        return Outputs(
            self._crew.drivers,
            tell=lambda kind, data, subject: recorder.tell(kind, data, subject=subject),
            now=self._world.now,
            settle=journal.commit,
            rests=Rests(
                remember=recorder.remember,
                recall=recorder.recall,
                whole=past.boot is not None and past.damage is None,
                boot=self._world.boot,
                now=self._world.now,
            ),
        )

    def _local(self, journal: Journal, outputs: Outputs, tap: Tap) -> Local:
        desk = Desk(drivers=lambda: self._crew.drivers, outputs=outputs, tap=tap, settle=journal.commit)
        return Local(self._data, desk.answer)

    def _reload(self, journal: Journal, recorder: Recorder, uplink: Uplink, *, outputs: Outputs) -> Reload:
        return Reload(
            settings=self._settings,
            crew=self._crew,
            journal=journal,
            recorder=recorder,
            uplink=uplink,
            outputs=outputs,
            now_tick=self._world.now_tick,
            supervise=lambda driver: self._supervisor(driver, recorder).run(),
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
            utc_ms=self._utc_ms,
            now=self._world.now,
            watch_s=self._settings.gateway.settings_watch_s,
            set_aside=shadow.set_aside,
            restart=restart,
            tries=shadow.tries,
        )
        return Keeper(given)

    def _utc_ms(self) -> int | None:
        utc_s = self._timekeeper.utc_s()
        return None if utc_s is None else max(0, int(utc_s * 1000))

    def _reloading(self, reload: Reload, keeper: Keeper | None, tasks: asyncio.TaskGroup) -> Part:
        async def run() -> None:
            while True:
                await self._settings_changed.wait()
                self._settings_changed.clear()
                if await reload.apply(self._read, tasks) and keeper is not None:
                    keeper.reloaded()

        return run

    def _judge_dates(self) -> bool:
        """Certificates are judged by the system's clock: only where it agrees with what is known of time."""
        utc_s = self._timekeeper.utc_s()
        return utc_s is not None and abs(self._world.real_ns() / 1e9 - utc_s) < _DOUBT_S

    def _supervisor(self, driver: Driver, recorder: Recorder) -> Supervisor:
        backoff = self._backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        return Supervisor(
            driver, recorder, backoff=backoff, now=self._world.now, now_tick=self._world.now_tick
        )

    def _backoff(self, first_s: float, longest_s: float) -> Backoff:
        return Backoff(first_s, longest_s, random=self._world.random)

    async def _keep(self, name: str, run: Part, recorder: Recorder) -> None:
        backoff = self._backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        await keep_running(name, run, recorder, backoff=backoff, now=self._world.now)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _every_second(recorder: Recorder, wakes: Wakes) -> Part:
    async def run() -> None:
        while True:
            wakes.ran()
            recorder.tick()
            await asyncio.sleep(BEAT_S)
            wakes.ran()
            await asyncio.sleep(1.0 - BEAT_S)

    return run


def software() -> str:
    """Return name and version of this software."""
    return f"heng {version('heng')}"
