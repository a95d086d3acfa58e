"""A gateway whose devices only wait, with real files, real settings, a real crew and a clock of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from edge.control.outputs import Outputs
from edge.crew import Crew
from edge.driver import Driver
from edge.driver import Given as DriverGiven
from edge.reload import Reload, Taken
from edge.shadow.book import Book, Replace, State
from edge.shadow.health import Health
from edge.shadow.keeper import Given, Keeper, Wishes
from edge.shadow.sources import Sources
from provisioning import files
from wire.messages import Event, Gap, Poll, Position, Scalar
from wire.settings.gateway import GatewaySettings
from wire.shadow import Desired, Reported, Revision, ShadowState, document_hash

FILE = """\
[gateway]
id = "lab-1"
settings_watch_s = 10
[uplink]
host = "hub"
[[device]]
driver = "modbus"
name = "room"
host = "10.0.0.1"
timeout_ms = 500
[[device.unit]]
address = 1
profile = "xy-md02"
prefix = "room"
"""


class Killed(BaseException):
    """The process is gone, from one instruction to the next."""


class Quiet:
    """Journal, recorder and uplink, as far as a change of settings calls them; `tell` and `report` keep."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Scalar]]] = []
        self.reported: list[Reported] = []
        self.connected = True
        self.stirred = asyncio.Event()
        """Something was reported, or time passed."""
        self.trouble: list[Exception] = []
        """What goes wrong as points are said to be silent, each once."""
        self.waits = False
        """Whether a change waits for ever where points are said to be silent."""
        self.waiting = False

    async def declare(self, *_: object) -> None:
        """As the journal."""

    async def silent(self, *_: object, **__: object) -> None:
        """As the recorder."""
        if self.trouble:
            raise self.trouble.pop()
        if self.waits:
            self.waiting = True
            self.stirred.set()
            await asyncio.get_running_loop().create_future()

    def feed(self, *_: object) -> None:
        """As the recorder."""

    def points_changed(self) -> None:
        """As the uplink."""

    def tell(self, kind: str, data: Mapping[str, Scalar]) -> None:
        """As the recorder."""
        self.told.append((kind, data))

    def report(self, reported: Reported) -> None:
        """As the uplink."""
        self.reported.append(reported)
        self.stirred.set()


class Process:
    """One run of the gateway over a folder. Time passes only where something sleeps."""

    def __init__(self, folder: Path, replace: Replace = files.replace, *, restarts: bool = False) -> None:
        self.now = 1000.0
        self.folder = folder
        self.running: list[str] = []
        self.quiet = Quiet()
        self.wishes = Wishes()
        self.sources = Sources(folder / "gateway.toml", now_ns=lambda: int(self.now * 1e9))
        found = self.sources.in_force()
        assert found.settings is not None, found.faults
        self.book = Book(folder / found.settings.gateway.data, replace=replace)
        tried = self.sources.begin() if restarts else None
        self.tries, self.restarts, self.restarting = tried is not None, restarts, False
        settings = tried or found.settings
        self.crew = Crew(settings, DriverGiven(lambda: int(self.now * 1e9)))
        self.health = Health(
            now=lambda: self.now,
            drivers=lambda: self.crew.drivers,
            layouts=lambda: self.crew.layouts,
            watch_s=found.settings.gateway.settings_watch_s,
            connected=lambda: self.quiet.connected,
        )
        self.reload = Reload(
            settings=settings,
            crew=self.crew,
            journal=self.quiet,  # type: ignore[arg-type]
            recorder=self.quiet,  # type: ignore[arg-type]
            uplink=self.quiet,  # type: ignore[arg-type]
            outputs=Outputs([], tell=lambda *_: None, now=lambda: self.now),
            now_tick=lambda: int(self.now * 100),
            supervise=self._supervise,
        )
        self.while_watched: Callable[[], None] = lambda: None
        """What happens in every second of a watch."""
        self.keeper: Keeper | None = None
        self._edited: str | None = None
        self._given = (found.settings.gateway.settings_watch_s, found.set_aside)

    @property
    def state(self) -> State:
        return self.book.read()[0]

    @property
    def settings(self) -> GatewaySettings:
        return self.reload.in_force

    @property
    def events(self) -> list[str]:
        return [kind for kind, _ in self.quiet.told]

    def look(self, item: Poll | Position | Event | Gap) -> None:
        self.health.look(item)

    def read_all(self) -> None:
        """Every point is read once."""
        for layout in self.crew.layouts:
            self.look(Poll(layout.id, 0, [1] * len(layout.points)))

    def fail_all(self) -> None:
        """Every driver ends unexpectedly."""
        for driver in self.crew.drivers:
            self.look(Event("driver_failed", driver.name, 0, {"reason": "ValueError: no"}))

    async def _supervise(self, driver: Driver) -> None:
        self.running.append(driver.name)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.running.remove(driver.name)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.while_watched()
        self.quiet.stirred.set()
        await asyncio.sleep(0)

    def play(self, *wishes: Desired, stop: Callable[[], bool] = lambda: False) -> None:
        """Run until every wish was judged (or `stop`), then end as on a clean stop."""

        async def story() -> None:
            try:
                async with asyncio.TaskGroup() as tasks:
                    await self._live(tasks, wishes, stop)
            except* Killed:
                raise Killed from None

        asyncio.run(story())

    async def _live(
        self, tasks: asyncio.TaskGroup, wishes: Sequence[Desired], stop: Callable[[], bool]
    ) -> None:
        async def take(settings: GatewaySettings, words: Mapping[str, Scalar]) -> Taken:
            return await self.reload.take(settings, tasks, words)

        watch_s, set_aside = self._given
        given = Given(
            gateway="lab-1",
            sources=self.sources,
            book=self.book,
            wishes=self.wishes,
            take=take,
            in_force=lambda: self.reload.in_force,
            health=self.health,
            tell=self.quiet.tell,
            report=self.quiet.report,
            utc_ms=lambda: 1_790_000_000_000,
            now=lambda: self.now,
            watch_s=watch_s,
            set_aside=set_aside,
            restart=self._restart if self.restarts else None,
            tries=self.tries,
            sleep=self._sleep,
        )
        self.crew.start(tasks, self._supervise)
        self.keeper = Keeper(given)
        keeping = tasks.create_task(self._kept_running(self.keeper))
        keeping.add_done_callback(lambda _: self.quiet.stirred.set())
        await self._judged(0, keeping, stop)
        await self._reload_file(tasks)
        for wish in wishes:
            before = len(self.quiet.reported)
            self.wishes.put(wish)
            await self._judged(before, keeping, stop)
        await asyncio.sleep(0)
        if not self.quiet.waiting:
            assert sorted(self.running) == sorted(driver.name for driver in self.crew.drivers)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await self.crew.stop()

    def _restart(self) -> None:
        self.restarting = True
        self.quiet.stirred.set()

    async def _kept_running(self, keeper: Keeper) -> None:
        """As the supervisor of parts: what ends unexpectedly is begun again."""
        for _ in range(3):
            try:
                await keeper.run()
            except OSError as error:
                self.look(Event("part_failed", "shadow", 0, {"reason": str(error)}))

    def edit(self, text: str) -> None:
        """Somebody changes devices in the gateway's own file, and has it read again with the next wish."""
        self._edited = text

    async def _reload_file(self, tasks: asyncio.TaskGroup) -> None:
        assert self.keeper is not None
        if self._edited is not None:
            (self.folder / "gateway.toml").write_text(self._edited)
            found = self.sources.in_force(trial=True)
            assert await self.reload.apply(lambda: (found.settings, found.faults), tasks)
            self.keeper.reloaded()

    async def _judged(self, before: int, keeping: "asyncio.Task[None]", stop: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not self._is_over(before, keeping, stop):
                await self.quiet.stirred.wait()
                self.quiet.stirred.clear()
        if keeping.done():
            keeping.result()

    def _is_over(self, before: int, keeping: "asyncio.Task[None]", stop: Callable[[], bool]) -> bool:
        new = self.quiet.reported[before:]
        return (
            keeping.done()
            or self.restarting
            or stop()
            or any(one.state is not ShadowState.TRYING for one in new)
        )


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Process]:
    """Start a gateway, again over the same folder each time; `file` is written before the first time."""

    def start(
        *, file: str | None = None, replace: Replace = files.replace, restarts: bool = False
    ) -> Process:
        path = tmp_path / "gateway.toml"
        if file is not None or not path.exists():
            path.write_text(file or FILE)
        return Process(tmp_path, replace, restarts=restarts)

    return start


def unit(name: str = "room", *, address: int = 1, prefix: str = "room", timeout_ms: int = 500) -> str:
    """Return a device of the document."""
    return (
        f'[[device]]\ndriver = "modbus"\nname = "{name}"\nhost = "10.0.0.1"\ntimeout_ms = {timeout_ms}\n'
        f'[[device.unit]]\naddress = {address}\nprofile = "xy-md02"\nprefix = "{prefix}"\n'
    )


def wish(document: str, number: int, incarnation: int = 0) -> Desired:
    """Return what the hub sends."""
    revision = Revision(incarnation, number)
    return Desired(gateway="lab-1", revision=revision, hash=document_hash(document), document=document)


@pytest.fixture(name="unit")
def _unit() -> Callable[..., str]:
    return unit


@pytest.fixture(name="wish")
def _wish() -> Callable[..., Desired]:
    return wish


@pytest.fixture
def killed() -> type[BaseException]:
    """What ends a process that is killed."""
    return Killed
