"""The desk of commands: nothing is begun that is not on the disk, and everything is answered truthfully."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge.command.desk import AT_ONCE_MAX, CommandDesk
from edge.command.doing import Data, Doer, ForbiddenError, OutputDoer
from edge.control.given import Given
from edge.control.offers import NotDoneError, RefusedError
from edge.control.outputs import Output, Outputs
from rules.command import Place
from wire.codec import encode_body
from wire.control import Command, ControlStatus, Receipt
from wire.messages import Scalar
from wire.settings.gateway import GatewaySection, GatewaySettings, UplinkSection
from wire.shadow import Revision
from wire.topics import Channel

BOOT = b"b" * 16
NOW_MS = 1_800_000_000_000
SETTINGS = GatewaySettings(
    gateway=GatewaySection(id="lab-1"), uplink=UplinkSection(host="127.0.0.1"), device=[]
)


def command(number: int, name: str = "regulation.set", **more: Any) -> Command:
    arguments: dict[str, Scalar] = {"name": "air", "value": "23"}
    made = Command(
        gateway="lab-1",
        id=number.to_bytes(16, "big"),
        fence=Revision(1, number),
        name=name,
        arguments=arguments,
        by="17",
        rights=("operate", "lock_down"),
        issued_at_ms=NOW_MS,
        not_after_ms=NOW_MS + 10_000,
    )
    return replace(made, **more)


@dataclass
class Doing:
    """Does what it is told, when it is let."""

    begun: list[Command] = field(default_factory=list)
    at_begin: list[list[str]] = field(default_factory=list)
    durable: Callable[[], list[str]] = list
    raises: Exception | None = None
    gate: asyncio.Event | None = None

    async def do(self, command: Command) -> Data:
        self.begun.append(command)
        self.at_begin.append(self.durable())
        if self.gate:
            await self.gate.wait()
        if self.raises:
            raise self.raises
        return {"value": "23"}


@dataclass
class Device:
    """An output that does as it is told."""

    name: str = "line"
    counts: int = 1
    apart_s: float = 0.0
    answers: asyncio.Event | None = None
    """What permits is answered only then."""
    written: list[int] = field(default_factory=list)
    at_write: list[tuple[int, list[str]]] = field(default_factory=list)
    """What was on the disk whenever it was written: after how many commits, and which events."""
    on_disk: Callable[[], tuple[int, list[str]]] = lambda: (0, [])

    @property
    def outputs(self) -> list[Output]:
        return [Output("power", "switch", 0, 1, safe=0, apart_s=self.apart_s)]

    async def write(self, output: str, counts: int) -> None:
        self.counts = counts
        self.written.append(counts)
        self.at_write.append(self.on_disk())
        if counts and self.answers:
            await self.answers.wait()

    async def read_back(self, output: str) -> int | None:
        return self.counts


class Stand:
    """A gateway's disk and clocks, and a desk that can be started again on it."""

    def __init__(self) -> None:
        self.disk: dict[str, bytes] = {}
        self.notes: dict[str, bytes] = {}
        self.told: list[tuple[str, Mapping[str, Scalar]]] = []
        self.durable = 0
        self.commits = 0
        """How often something was written to the disk."""
        self.receipts: list[Receipt] = []
        self.disk_full = False
        self.slow: asyncio.Event | None = None
        self.held = ""
        """Why an interlock forbids commands."""
        self.ms = 0
        self.doing = Doing(durable=self.on_disk)
        self.device = Device(on_disk=lambda: (self.commits, self.kinds[: self.durable]))
        self.doers: dict[str, Doer] = {"regulation": self.doing, "access": self.doing}
        self.desk = self.started()

    def on_disk(self) -> list[str]:
        return [str(data.get("state")) for _, data in self.told[: self.durable]]

    @property
    def kinds(self) -> list[str]:
        """What was told."""
        return [kind for kind, _ in self.told]

    def started(self, *, whole: bool = True) -> CommandDesk:
        """Begin with what is on the disk; the rest is forgotten."""
        self.notes = dict(self.disk)
        outputs = Outputs([self.device], tell=self.tell, now=lambda: self.ms / 1000, settle=self.settle)
        self.outputs = outputs
        given = Given(
            settings=SETTINGS,
            boot=BOOT,
            folder=Path(),
            outputs=outputs,
            drivers=list,
            points=list,
            layouts=list,
            tell=self.tell,
            remember=self.notes.__setitem__,
            recall=lambda key: self.notes.get(key),
            settle=self.settle,
            now_tick=lambda: 10_000 + self.ms // 10,
            utc_ms=lambda: NOW_MS + self.ms,
            kept_whole=whole,
        )
        self.doers["output"] = OutputDoer(outputs)
        self.desk = CommandDesk(
            given,
            place=Place(gateway="lab-1", forbids=lambda _: self.held),
            doers=self.doers,
            answer=self.receipts.append,
            changed=lambda: None,
        )
        return self.desk

    def tell(self, kind: str, data: Mapping[str, Scalar], subject: str = "") -> None:
        self.told.append((kind, data))

    async def settle(self) -> bool:
        if self.slow:
            await self.slow.wait()
        if not self.disk_full:
            self.commits += (self.disk, self.durable) != (self.notes, len(self.told))
            self.disk, self.durable = dict(self.notes), len(self.told)
        return not self.disk_full

    def give(self, one: Command) -> None:
        self.desk.came[Channel.DOWN_COMMAND](encode_body(one))

    @property
    def states(self) -> list[str]:
        """What the hub was told."""
        return [f"{one.state.value} {one.reason}".strip() for one in self.receipts]

    @asynccontextmanager
    async def running(self) -> Any:
        task = asyncio.create_task(self.desk.run())
        try:
            yield
            await turns()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def turns() -> None:
    for _ in range(60):
        await asyncio.sleep(0)


def run(story: Callable[[Stand], Awaitable[None]]) -> Stand:
    stand = Stand()
    asyncio.run(story(stand))
    return stand


@pytest.mark.requirement("G-6.9d")
def test_command_is_on_the_disk_before_it_is_begun_and_answered_twice() -> None:
    async def story(stand: Stand) -> None:
        async with stand.running():
            stand.give(command(1))

    stand = run(story)
    assert stand.states == ["accepted", "executed"]
    assert stand.doing.at_begin == [["accepted"]]
    assert stand.receipts[1].data == {"value": "23"}
    assert [data["state"] for kind, data in stand.told if kind == "command_receipt"] == [
        "accepted",
        "executed",
    ]
    assert stand.desk.told(ControlStatus(gateway="lab-1", boot=BOOT, tick=0)).fence == Revision(1, 1)


def test_copy_is_answered_with_what_became_of_the_first_also_after_a_restart() -> None:
    async def story(stand: Stand) -> None:
        async with stand.running():
            stand.give(command(1))
            stand.give(command(1))
            await turns()
            stand.give(command(1))
        stand.started()
        async with stand.running():
            stand.give(command(1))
        assert len(stand.doing.begun) == 1

    assert run(story).states == ["accepted", "executed", "executed", "executed"]


def test_command_that_a_crash_cut_off_is_failed_and_never_begun_again() -> None:
    async def story(stand: Stand) -> None:
        stand.doing.gate = asyncio.Event()
        async with stand.running():
            stand.give(command(1))
        stand.started()
        async with stand.running():
            stand.give(command(1))
        assert len(stand.doing.begun) == 1

    assert run(story).states == ["accepted", "failed interrupted", "failed interrupted"]


def test_command_whose_part_was_begun_again_is_failed_too() -> None:
    async def story(stand: Stand) -> None:
        stand.doing.gate = asyncio.Event()
        async with stand.running():
            stand.give(command(1))
        async with stand.running():
            pass

    assert run(story).states == ["accepted", "failed interrupted"]


def test_command_is_not_begun_where_the_disk_takes_nothing_unless_it_makes_safe() -> None:
    async def story(stand: Stand) -> None:
        stand.disk_full = True
        async with stand.running():
            stand.give(command(1))
            await turns()
            assert stand.doing.begun == []
            stand.give(command(2, "access.lock_down", arguments={"reason": "fire"}))
        assert [one.name for one in stand.doing.begun] == ["access.lock_down"]

    assert run(story).states == ["refused disk", "accepted", "executed"]


def test_what_makes_safe_waits_neither_for_the_disk_nor_for_other_commands() -> None:
    async def story(stand: Stand) -> None:
        stand.slow = asyncio.Event()
        async with stand.running():
            stand.give(command(1))
            stand.give(command(2, "access.lock_down", arguments={"reason": "fire"}))
            stand.give(command(3, "output.set", arguments={"output": "power", "value": "0"}))
            await turns()
            assert [one.name for one in stand.doing.begun] == ["access.lock_down"]
            assert stand.device.counts == 0
            assert stand.receipts == []  # nothing is said that is not durable
            stand.slow.set()

    assert sorted(run(story).states) == ["accepted"] * 3 + ["executed"] * 3


@pytest.mark.requirement("G-6.9d")
def test_output_is_made_safe_at_once_although_it_rests_and_another_command_sets_it() -> None:
    async def story(stand: Stand) -> None:
        stand.device.apart_s = 60.0
        stand.device.answers = asyncio.Event()
        stand.started()
        async with stand.running():
            stand.give(command(1, "output.set", arguments={"output": "power", "value": "1"}))
            await turns()
            assert stand.device.written == [1]
            stand.give(command(2, "output.set", arguments={"output": "power", "value": "0"}))
            await turns()
            assert stand.device.written == [1, 0]

    assert run(story).states == ["accepted", "accepted", "executed"]


@pytest.mark.requirement("G-6.9d")
def test_output_whose_command_is_late_when_it_could_be_written_is_not_written() -> None:
    async def story(stand: Stand) -> None:
        stand.device.answers = asyncio.Event()
        async with stand.running(), asyncio.TaskGroup() as tasks:
            tasks.create_task(stand.outputs.set("power", 1, by="regulation"))
            await turns()
            stand.give(command(1, "output.set", arguments={"output": "power", "value": "1"}))
            await turns()
            stand.ms += 11_000
            stand.device.answers.set()
        assert stand.device.written == [1]

    stand = run(story)
    assert stand.states == ["accepted", "failed not_done"]
    assert stand.receipts[-1].text == "power: its time is over meanwhile"


def test_deadline_is_judged_again_right_before_it_begins() -> None:
    async def story(stand: Stand) -> None:
        stand.slow = asyncio.Event()
        async with stand.running():
            stand.give(command(1))
            await turns()
            stand.ms += 11_000
            stand.slow.set()
        assert stand.doing.begun == []

    assert run(story).states == ["accepted", "expired late"]


def test_commands_about_one_thing_are_done_one_after_the_other_and_none_late() -> None:
    async def story(stand: Stand) -> None:
        stand.doing.gate = asyncio.Event()
        async with stand.running():
            stand.give(command(1))
            stand.give(command(2))
            await turns()
            assert len(stand.doing.begun) == 1
            stand.ms += 11_000
            stand.doing.gate.set()

    assert sorted(run(story).states) == ["accepted", "accepted", "executed", "expired late"]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ForbiddenError("not_reset", "the interlock has to be reset first"), "refused not_reset"),
        (RefusedError("no such output"), "refused not_possible"),
        (NotDoneError("the device says nothing"), "failed not_done"),
    ],
)
def test_what_could_not_be_done_says_why(error: Exception, state: str) -> None:
    async def story(stand: Stand) -> None:
        stand.doing.raises = error
        async with stand.running():
            stand.give(command(1))

    stand = run(story)
    assert stand.states == ["accepted", state]
    assert stand.receipts[1].text == str(error)


def test_bug_in_who_does_one_command_ends_that_one_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stand: Stand) -> None:
        stand.doing.gate = asyncio.Event()
        async with stand.running():
            stand.give(command(1))
            await turns()
            other = Doing(gate=asyncio.Event())
            stand.doers["access"] = other
            stand.give(command(2, "access.lock_down", arguments={"reason": "fire"}))
            await turns()
            stand.doing.raises = KeyError("nobody expected it")
            stand.doing.gate.set()
            await turns()
            assert other.gate is not None
            other.gate.set()

    stand = run(story)
    assert stand.states == ["accepted", "failed not_done", "accepted", "executed"]
    assert stand.receipts[1].text == "KeyError: 'nobody expected it'"
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_too_many_at_once_are_refused_and_what_makes_safe_is_not() -> None:
    async def story(stand: Stand) -> None:
        stand.slow = asyncio.Event()
        async with stand.running():
            for number in range(1, AT_ONCE_MAX + 2):
                stand.give(command(number, arguments={"name": str(number), "value": "1"}))
            stand.give(command(99, "access.lock_down", arguments={"reason": "fire"}))
            stand.slow.set()

    states = run(story).states
    assert states.count("executed") == AT_ONCE_MAX + 1
    assert states.count("refused busy") == 1


def test_strays_leave_no_trace_in_the_book_and_few_in_the_journal() -> None:
    async def story(stand: Stand) -> None:
        async with stand.running():
            for _ in range(100):
                stand.give(command(7, gateway="lab-2"))
            stand.desk.came[Channel.DOWN_COMMAND](b"{}")
        assert len(stand.receipts) == 100
        assert not [key for key in stand.notes if key.startswith("command/entry")]
        assert len(stand.told) == 60

    run(story)


def test_gateway_that_lost_its_journal_executes_nothing_that_was_asked_for_before() -> None:
    async def story(stand: Stand) -> None:
        async with stand.running():
            stand.give(command(1))
        stand.disk = {}
        stand.started(whole=False)
        stand.ms += 500
        async with stand.running():
            stand.give(command(1))
            stand.give(command(2, issued_at_ms=NOW_MS + 2_000, not_after_ms=NOW_MS + 9_000))
        stand.started()  # what is not known stays unknown
        async with stand.running():
            stand.give(command(3))

    assert run(story).states == [
        "accepted",
        "executed",
        "refused book_lost",
        "accepted",
        "executed",
        "refused book_lost",
    ]
