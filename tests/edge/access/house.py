"""The doors of a gateway without the gateway: real rules and outputs, a device that does what it is told.

Time jumps to whatever is waited for next, so that seconds cost nothing.
"""

import asyncio
import selectors
import tomllib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from edge.access.room import Access, Around
from edge.control.given import Given
from edge.control.hearers import Hearers
from edge.control.outputs import Output, Outputs
from edge.credential import Credential, Presented, key_id
from rules.access import AccessRights
from rules.access import document as rights
from rules.access.request import EntryLock, Job
from rules.access.snapshot import snapshot_of
from tests.rules.access.world import NOW, World
from wire.control import ControlStatus
from wire.layouts import make_layout
from wire.messages import Event, PointDeclaration, Poll, Scalar
from wire.settings.gateway import judged
from wire.status import PointKind

KEY = bytes(range(32))
SETTINGS = """
[gateway]
id = "gw-1"
[uplink]
host = "localhost"
[[portal]]
name = "door-1"
reader_in = "door/front"
reader_out = "door/back"
lock_output = "gpio/lock"
contact_point = "gpio/door"
exit_button_point = "gpio/exit"
[[equipment]]
id = "balance-1"
output = "gpio/balance"
[[device]]
driver = "osdp"
name = "readers"
path = "/dev/ttyUSB0"
[[device.reader]]
name = "front"
address = 0
[[device.reader]]
name = "back"
address = 1
"""
CONTACT = make_layout(["gpio/door"], [0])
SWITCHES = make_layout(["gpio/lock", "gpio/balance"], [0, 0])


class Jumping(selectors.DefaultSelector):
    """Never waits: the time for which it would have is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            self.now += timeout
        return super().select(0 if timeout is not None else 0.05)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(story)


def card_of(person: str) -> Credential:
    return Credential("card", "h10301", person)


def pin_of(digits: str) -> Credential:
    return Credential("pin", "keypad", digits)


def known(world: World) -> AccessRights:
    """The rights of a world, with tokens that this gateway makes of cards called like their people."""
    document = world.document()
    credentials = tuple(
        msgspec.structs.replace(one, token=card_of(one.person or "").token(KEY))
        for one in {one.person: one for one in document.credentials}.values()
    )
    people = tuple(
        msgspec.structs.replace(one, pin=pin_of("1234").token(KEY), duress_pin=pin_of("4321").token(KEY))
        if one.pin
        else one
        for one in document.people
    )
    return msgspec.structs.replace(document, credentials=credentials, people=people, key_id=key_id(KEY))


class Device:
    """Implements `OutputDriver` and `ReaderDriver`."""

    name = "readers"

    def __init__(self) -> None:
        self.outputs = [Output(f"gpio/{one}", "switch", 0, 1, safe=0) for one in ("lock", "balance")]
        self.readers = ["front", "back"]
        self.values = {"gpio/lock": 0, "gpio/balance": 0}
        self.written: list[tuple[str, int, bool]] = []
        """Output, value, and whether everything told before it was asked for was on the disk by then."""
        self.shown: list[tuple[str, str]] = []
        self.stuck = False
        self.slow_s = 0.0
        """How long a value takes to be read back."""
        self.durable: Callable[[str], bool] = lambda _: True

    async def write(self, output: str, counts: int) -> None:
        self.written.append((output, counts, self.durable(output)))
        if not self.stuck:
            self.values[output] = counts

    async def read_back(self, output: str) -> int | None:
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        return self.values[output]

    async def show(self, reader: str, feedback: Any) -> list[str]:
        self.shown.append((reader, feedback.text))
        return list(feedback.parts)

    async def pair(self, reader: str, say: Callable[[str], None]) -> None:
        """Nobody asks for it here."""


class House:
    """One gateway's doors, what was told, what was kept."""

    def __init__(
        self,
        folder: Path,
        world: World | None = None,
        *,
        settings: str = SETTINGS,
        kept: dict[str, bytes] | None = None,
        boot: bytes = b"b" * 16,
        whole: bool | None = None,
    ) -> None:
        made, faults = judged(tomllib.loads(settings))
        assert made is not None, faults
        self.device = Device()
        self.device.durable = self._durable
        self.events: list[tuple[str, str, dict[str, Scalar]]] = []
        self.on_disk = 0
        self.disk = True
        self.commit_s = 0.01
        self.kept: dict[str, bytes] = {} if kept is None else kept
        self.entry_locks: list[EntryLock] = []
        self.jobs: list[Job] = []
        self.held: set[str] = set()
        self.held_zones: dict[str, list[str]] = {}
        self.others = Hearers()
        self.utc: int | None = NOW
        self.begun_s = 0.0
        self.outputs = Outputs([self.device], tell=self.tell, now=self.now_s, settle=self.settle)
        self.outputs.guard(lambda output: "an interlock holds it" if output in self.held else None)
        points = [
            PointDeclaration(
                name="gpio/door", quantity="state", kind=PointKind.STATE, states={"0": "closed", "1": "open"}
            )
        ]
        given = Given(
            settings=made,
            boot=boot,
            folder=folder,
            outputs=self.outputs,
            drivers=lambda: [self.device],  # type: ignore[list-item]
            points=lambda: points,
            layouts=lambda: [CONTACT, SWITCHES],
            tell=self.tell,
            remember=self.kept.__setitem__,
            recall=self.kept.get,
            settle=self.settle,
            now_tick=self.now_tick,
            utc_ms=self.utc_ms,
            kept_whole=kept is not None if whole is None else whole,
        )
        around = Around(
            locks=lambda: self.entry_locks,
            releases=lambda output: output not in self.held,
            held_zones=lambda: self.held_zones,
            jobs=lambda: self.jobs,
            hearers=(self.others,),
            status_changed=lambda: None,
        )
        self.access = Access(given, around)
        self.access.rights.key, self.access.rights.key_id = KEY, key_id(KEY)
        if world is not None:
            self.access.rights.snapshot = snapshot_of(known(world))

    # --- the world around --------------------------------------------------------------------------

    def now_s(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 1000.0

    def now_tick(self) -> int:
        return int(self.now_s() * 100)

    def utc_ms(self) -> int | None:
        return None if self.utc is None else self.utc + int((self.now_s() - 1000) * 1000)

    def tell(self, kind: str, data: Mapping[str, Scalar], subject: str) -> None:
        self.events.append((kind, subject, dict(data)))
        self.access.look(Event(kind, subject, self.now_tick(), dict(data)))

    def _durable(self, output: str) -> bool:
        """Whether the asking for an output, and all that came before it, is on the disk."""
        asked = [place for place, one in enumerate(self.events) if one[:2] == ("output_asked", output)]
        return self.on_disk > asked[-1] if asked else self.on_disk == len(self.events)

    async def settle(self) -> bool:
        told = len(self.events)
        await asyncio.sleep(self.commit_s)
        if self.disk:
            self.on_disk = max(self.on_disk, told)
        return self.disk

    @asynccontextmanager
    async def running(self) -> AsyncIterator["House"]:
        """Everything runs but what takes rights in; doors are shut first."""
        async with asyncio.TaskGroup() as tasks:
            parts = [
                tasks.create_task(_forever(part))
                for name, part in self.access.parts().items()
                if name != "access rights"
            ]
            await asyncio.sleep(2)
            self.contact(0)
            yield self
            for part in parts:
                part.cancel()

    # --- what people do ------------------------------------------------------------------------------

    async def show(self, person: str, *, reader: str = "front", doubt_ms: int | None = None) -> None:
        await self.present(card_of(person), reader=reader, doubt_ms=doubt_ms)

    async def present(
        self, credential: Credential, *, reader: str = "front", doubt_ms: int | None = None
    ) -> None:
        """Present it, and wait until all that follows at once has happened."""
        self.access.presented(Presented(f"door/{reader}", credential, 0, doubt_ms))
        await asyncio.sleep(0.1)

    def contact(self, state: int | None) -> None:
        flags = [] if state is not None else [(0, 1)]
        self.access.look(Poll(CONTACT.id, self.now_tick(), [state], flags))

    def switched(self, output: str, value: int) -> None:
        """Somebody else sets an output, and its driver says so."""
        self.device.values[output] = value
        counts: list[int | None] = [self.device.values[one] for one in SWITCHES.points]
        self.access.look(Poll(SWITCHES.id, self.now_tick(), counts))

    def press(self, **data: Scalar) -> None:
        self.access.look(Event("exit_requested", "gpio/exit", self.now_tick(), data))

    # --- what can be seen ----------------------------------------------------------------------------

    def told(self, *kinds: str) -> list[tuple[str, str, dict[str, Scalar]]]:
        return [one for one in self.events if one[0] in kinds]

    def reasons(self) -> list[Scalar]:
        return [data["reason"] for _, _, data in self.told("access_granted", "access_refused")]

    @property
    def unlocked(self) -> bool:
        return self.device.values["gpio/lock"] == 1

    @property
    def inside(self) -> set[str]:
        return set(self.access.judge.memory.state.inside)

    def status(self) -> ControlStatus:
        return self.access.told(ControlStatus(gateway="gw-1", boot=b"b" * 16, tick=0))


async def _forever(part: Callable[[], Any]) -> None:
    await part()
    raise AssertionError("a part ended")


__all__ = ["House", "World", "card_of", "known", "pin_of", "rights", "run"]
