"""A panel as a gateway serves it, in a thread of its own, with a state that tests can change."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from cli.embedded.processes import free_port
from edge.control.interlocks import Acted
from edge.credential import Credential, Presented, key_id
from edge.panel.asking import Asking, Sources
from edge.panel.room import Panel
from rules.access import AccessRights
from rules.access import document as rights
from rules.access.roll_call import Called
from rules.access.snapshot import snapshot_of
from rules.access.words import Subject
from rules.interlock.inputs import Asked
from wire.control import (
    CauseNow,
    ControlStatus,
    EffectNow,
    GroupNow,
    InterlockNow,
    PortalNow,
    UnmetNow,
)
from wire.settings.panel import PanelSection
from wire.shadow import Revision

KEY = bytes(32)
NOW_MS = 1_800_000_000_000
CARD = Credential("card", "raw32", "a1b2c3d4")

TRIPPED = InterlockNow(
    name="room-2",
    title="恒温室 2 / Room 2",
    rule="f",
    phase="ready_to_reset",
    breach=4,
    tripped_at_ms=NOW_MS - 754_000,
    first_out=("air",),
    causes=(
        CauseNow(name="air", group="climate", words="room-2/air/temperature 22–24 °C",
                 state="clearing", votes=True, value="23.87 °C"),
        CauseNow(name="humidity", group="climate", words="room-2/air/relative_humidity 40–60 %",
                 state="normal", value="51.2 %"),
        CauseNow(name="door", group="door", words="room-2/door", state="normal",
                 bypassed=True, value="closed"),
    ),
    groups=(
        GroupNow(name="climate", needed=1, of=2, votes=1),
        GroupNow(name="door", needed=1, of=0, votes=0),
    ),
    effects=(
        EffectNow(kind="hold_work", target="room-2", safe=True),
        EffectNow(kind="lock_entry", target="room-2-door", safe=True, confirmed=True),
        EffectNow(kind="inhibit_output", target="room-2/calibrator/output", safe=True, confirmed=False),
    ),
    unmet=(UnmetNow(reason="off_delay", cause="air", remaining_s=93.0), UnmetNow(reason="not_acknowledged")),
)  # fmt: skip
SOUND = InterlockNow(
    name="gas",
    title="气体报警 / Gas alarm",
    rule="g",
    phase="healthy",
    breach=1,
    effects=(EffectNow(kind="isolate_power", target="room-2/mains", safe=False, confirmed=True),),
)
STATUS = ControlStatus(
    gateway="lab-1",
    boot=bytes(16),
    tick=0,
    at_ms=NOW_MS,
    interlocks=(TRIPPED, SOUND),
    portals=(
        PortalNow(name="room-2-door", contact="closed", lock="locked", locked_by=("room-2",)),
        PortalNow(name="corridor", contact="open", lock="unlocked", held=True),
    ),
)


@dataclass
class PanelStand:
    """The panel's address, its state, and what was asked of interlocks."""

    address: str = ""
    status: ControlStatus = STATUS
    asked: list[tuple[str, Asked]] = field(default_factory=list)
    ticks: int = 0
    loop: asyncio.AbstractEventLoop | None = None
    asking: Asking | None = None
    stop: asyncio.Event | None = None

    def card(self) -> None:
        """Show Anna's card at the reader."""
        assert self.loop is not None
        assert self.asking is not None
        self.loop.call_soon_threadsafe(self.asking.presented, Presented("door/front", CARD, 0))

    def end(self) -> None:
        """The gateway dies."""
        assert self.loop is not None
        assert self.stop is not None
        self.loop.call_soon_threadsafe(self.stop.set)

    async def serve(self, ready: threading.Event) -> None:
        snapshot = snapshot_of(_rights())

        async def act(name: str, asked: Asked) -> Acted:
            self.asked.append((name, asked))
            return Acted()

        async def settle() -> bool:
            return True

        sources = Sources(
            snapshot=lambda: snapshot,
            key=lambda: (KEY, key_id(KEY)),
            act=act,
            tell=lambda kind, data, subject: None,
            remember=lambda key, value: None,
            recall=lambda key: None,
            settle=settle,
            now_tick=lambda: self.ticks,
            utc_ms=lambda: NOW_MS,
            steady_ms=lambda: self.ticks * 10,
        )
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        self.asking = Asking(sources, card_s=30, honour_old=False)
        people = [
            Called(person="17", name="陈安娜 Anna Chen", zone="room-2", since_ms=NOW_MS - 3_900_000),
            Called(person="v1", name="Vera Guest", zone="room-2", since_ms=NOW_MS - 600_000, visitor=True),
        ]
        panel = Panel(
            PanelSection(port=free_port(), reader="door/front", title="恒温室 2"),
            gateway="lab-1",
            asking=self.asking,
            status=lambda: self.status,
            roll_call=lambda: people,
        )
        running = asyncio.create_task(panel.server.run())
        await panel.server.listens.wait()
        self.address = f"http://127.0.0.1:{panel.server.port}"
        ready.set()
        await self.stop.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _rights() -> AccessRights:
    return AccessRights(
        gateway="lab-1",
        revision=Revision(1, 1),
        issued_at_ms=NOW_MS - 1000,
        max_age_s=86_400,
        key_id=key_id(KEY),
        time_zone="UTC",
        offsets=(rights.Offset(0, 0),),
        people=(rights.Person("17", "Anna Chen", pin=Credential("pin", "keypad", "2468").token(KEY)),),
        credentials=(rights.Credential(CARD.token(KEY), "17"),),
        authorisations=(rights.Authorisation("a", "17", Subject.ACTIVITY, "interlock.acknowledge"),),
    )


@contextmanager
def served() -> Iterator[PanelStand]:
    """A panel that is served while the block lasts."""
    stand, ready = PanelStand(), threading.Event()
    with ThreadPoolExecutor(max_workers=1) as owner:
        running = owner.submit(asyncio.run, stand.serve(ready))
        while not ready.wait(0.2):
            assert not running.done(), running.exception()
        yield stand
        if not running.done():
            stand.end()
        running.result(20)
