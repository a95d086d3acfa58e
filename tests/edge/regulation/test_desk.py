"""Regulation at the gateway: outputs follow what is wished for, interlocks beat it, the room has to come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from edge.command.doing import RefusedError
from edge.control.given import Member
from edge.control.outputs import Output
from edge.control.room import Shared
from edge.regulation.desk import Regulations
from edge.regulation.rules import regulation_problems
from rules.access.request import Job
from rules.access.words import JobState
from tests.edge.control.site import WARM, Board, Site, running, settings_of, turns
from tests.edge.gateway_site import until
from wire.control import Command, RegulationNow
from wire.messages import Scalar
from wire.shadow import Revision

AIR = """
[[regulation]]
name = "air"
output = "gpio/setpoint"
time_zone = "+08:00"
otherwise = 26
point = "room/temperature"
low = 22
high = 24
call_after_s = 60
[[regulation.when]]
job = "lab"
value = 23
[[regulation.when]]
days = ["wed"]
start = "07:30"
end = "18:00"
value = 24
"""
HELD = """
[[interlock.effect]]
kind = "inhibit_output"
target = "gpio/relay"
release = "leave"
[[regulation]]
name = "light"
output = "gpio/relay"
otherwise = 1
"""
WEDNESDAY_MS = 1_699_999_200_000
"""2023-11-15, 06:00 at +08:00."""


class Climate(Board):
    """With an air conditioner."""

    outputs = (
        *Board.outputs,
        Output(
            "gpio/setpoint",
            "setpoint",
            160,
            300,
            exponent=-1,
            quantity="temperature",
            step_max=20,
            apart_s=10,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self.values["gpio/setpoint"] = 260


class Room(Site):
    """A gateway with regulation."""

    regulations: Regulations
    present: bool | None = False

    def begin(self, *, boot: bytes | None = None) -> None:
        if not isinstance(self.board, Climate):
            self.board = Climate()
        super().begin(boot=boot)

    def _shared(self, shared: Shared) -> Sequence[Member]:
        super()._shared(shared)
        self.jobs: tuple[Job, ...] = ()
        shared = Shared(
            given=shared.given,
            line=shared.line,
            interlocks=shared.interlocks,
            work=shared.work,
            status_changed=shared.status_changed,
            status=shared.status,
        )
        shared.work.jobs = lambda: self.jobs  # type: ignore[method-assign]
        self.regulations = Regulations(shared, lambda _: self.present)
        return [self.regulations]

    async def goes(self, seconds: float, celsius: str | None = None) -> None:
        """Let time pass, every regulation looking each second."""
        for _ in range(round(seconds)):
            self.later(1, celsius)
            self.regulations.wake()
            await turns(8)

    @property
    def setpoint(self) -> int:
        return self.board.values["gpio/setpoint"]

    def stands(self) -> RegulationNow:
        assert self.control is not None
        status = self.regulations.told(self.control._desk.now())
        return status.regulations[0]

    def told_of(self, word: str) -> list[dict[str, Scalar]]:
        return [dict(data) for kind, data, _ in self.disk.told if kind == f"regulation_{word}"]


def run(story: Callable[[Room], Awaitable[None]], text: str = AIR) -> Room:
    async def all_of_it() -> Room:
        room = Room(text)
        task = asyncio.create_task(room.regulations.run())
        try:
            await story(room)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return room

    return asyncio.run(all_of_it())


def job(state: JobState = JobState.RUNNING) -> Job:
    return Job(id="j-1", zone="lab", state=state)


def command(**arguments: Scalar) -> Command:
    return Command(
        gateway="gw-1",
        id=bytes(16),
        fence=Revision(1, 1),
        name="regulation.set",
        arguments=arguments,
        by="17",
        issued_at_ms=0,
        not_after_ms=1,
    )


@pytest.mark.requirement("G-6.11", "G-6.11e")
def test_setpoint_follows_a_job_by_steps_and_is_closed_when_the_room_is_there() -> None:
    async def story(room: Room) -> None:
        await room.goes(3, "25")
        assert room.board.written == []  # it is where it is wished for
        room.jobs = (job(),)
        await room.goes(3, "25")
        assert room.setpoint == 240  # by 2 °C, then a rest
        assert room.stands().state == "setting"
        await room.goes(20, "25")
        assert room.setpoint == 230
        assert (room.stands().state, room.stands().wanted) == ("open", "23.0 °C")
        await room.goes(3, "23.5")
        assert room.stands().state == "settled"

    room = run(story)
    assert [data["value"] for data in room.told_of("adjusted")] == ["26.0 °C", "23.0 °C"]
    (back,) = room.told_of("in_range")
    assert (back["why"], back["reading"], back["low"], back["high"]) == ("job:lab", "23.50", "22", "24")
    assert "regulation air: job:lab" in {str(data.get("by")) for _, data, _ in room.disk.told}


@pytest.mark.requirement("G-6.11e")
def test_person_is_called_when_the_room_does_not_follow() -> None:
    async def story(room: Room) -> None:
        room.jobs = (job(),)
        await room.goes(50, "25")
        assert room.told_of("called") == []
        await room.goes(30, "25")
        assert room.stands().state == "called"
        await room.goes(90, "25")

    room = run(story)
    (called,) = room.told_of("called")
    assert (called["reading"], called["value"]) == ("25.00", "23.0 °C")


def test_silent_point_is_in_no_range() -> None:
    async def story(room: Room) -> None:
        room.jobs = (job(),)
        await room.goes(40, "23")
        assert room.stands().state == "settled"
        await room.goes(121)
        assert room.stands().state == "open"

    assert run(story).told_of("deviates")[0]["reading"] is None


def test_schedule_goes_by_the_time_zone_and_waits_while_nobody_knows_the_time() -> None:
    async def story(room: Room) -> None:
        room.utc_ms = WEDNESDAY_MS + 89 * 60_000
        await room.goes(30, "25")
        assert room.setpoint == 260
        await room.goes(60, "25")
        assert room.setpoint == 240
        room.utc_ms = None
        await room.goes(5, "25")
        assert (room.setpoint, room.stands().wanted) == (240, "24.0 °C")

    run(story)


def test_nobody_knows_what_is_wished_for_while_the_time_is_unknown_from_the_start() -> None:
    async def story(room: Room) -> None:
        room.utc_ms = None
        await room.goes(5, "25")
        assert room.board.written == []
        assert (room.stands().state, room.stands().reason) == ("idle", "it is not known what is wished for")

    run(story)


@pytest.mark.requirement("G-6.11e")
def test_interlock_beats_regulation_and_what_it_holds_is_set_once_it_lets_go() -> None:
    async def story(room: Room) -> None:
        async with running(room):
            await room.goes(3, "25")
            assert ("gpio/relay", 1) not in room.board.written
            assert room.stands().state == "waiting"
            await room.enabled()
            await room.goes(3, "23")
            assert room.board.values["gpio/relay"] == 1
            room.read("24.5")
            await room.goes(2, "24.5")
            assert room.phase() == "tripped"
            assert room.board.values["gpio/relay"] == 0
            assert room.stands().state == "waiting"

    room = run(story, WARM + HELD)
    assert len(room.told_of("waiting")) == 2


def test_value_by_hand_goes_before_all_wishes_until_its_time_is_over() -> None:
    async def story(room: Room) -> None:
        room.jobs = (job(),)
        done = await room.regulations.do(command(name="air", value="25", seconds=60))
        assert done == {"regulation": "air", "value": "25.0 °C", "seconds": 60.0}
        await room.goes(30, "25")
        assert room.setpoint == 250
        await room.goes(60, "25")
        assert room.setpoint == 230
        await room.regulations.do(command(name="air", value="24"))
        await room.goes(15, "25")
        assert room.setpoint == 240
        await room.regulations.do(command(name="air", value="auto"))
        await room.goes(15, "25")
        assert room.setpoint == 230

    run(story)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "water", "value": "25"}, "name water: expected one of air"),
        ({"name": "air", "value": "warm"}, "value: warm: expected a number, or auto"),
        ({"name": "air", "value": "31"}, "value: 31: expected 16.0 to 30.0 °C"),
        (
            {"name": "air", "value": "25.05"},
            "value: 25.05: expected at most 1 places, as the device has them",
        ),
        ({"name": "air", "value": "NaN"}, "value: NaN: expected a number"),
        ({"name": "air", "value": "25", "seconds": 1e9}, "seconds: 1e+09: expected 1 to 86400"),
    ],
)
def test_value_by_hand_that_cannot_be_is_refused(arguments: dict[str, Scalar], text: str) -> None:
    async def story(room: Room) -> None:
        with pytest.raises(RefusedError) as refused:
            await room.regulations.do(command(**arguments))
        assert str(refused.value) == text

    run(story)


def test_device_that_does_not_obey_is_told_once_and_tried_again() -> None:
    async def story(room: Room) -> None:
        room.now_is_real()
        room.board.stuck = True
        room.jobs = (job(),)
        room.regulations.wake()
        await until(lambda: room.told_of("failed"), 5)
        assert room.stands().state == "setting"
        assert "says 26.0" in room.stands().reason

    assert len(run(story).told_of("failed")) == 1


def test_output_that_its_device_declares_anew_is_set_as_it_is_now() -> None:
    async def story(room: Room) -> None:
        await room.goes(3, "25")
        slower = [one for one in room.board.outputs if one.name != "gpio/setpoint"]
        changed = Output(
            *("gpio/setpoint", "setpoint", 160, 300, -1), quantity="temperature", step_max=5, apart_s=10
        )
        room.board = Climate()
        room.board.outputs = (*slower, changed)
        room.outputs.own([room.board])
        room.jobs = (job(),)
        await room.goes(3, "25")
        assert room.setpoint == 255
        await room.goes(15, "25")
        assert room.setpoint == 250

    assert run(story).told_of("failed") == []


def test_devices_that_are_other_ones_make_every_regulation_look_at_once() -> None:
    async def story(room: Room) -> None:
        await room.goes(3, "25")
        slower = [one for one in room.board.outputs if one.name != "gpio/setpoint"]
        changed = Output(*("gpio/setpoint", "setpoint", 1600, 3000, -2), quantity="temperature")
        room.board = Climate()
        room.board.outputs = (*slower, changed)
        room.outputs.own([room.board])
        assert room.stands().wanted == "26.0 °C"
        assert room.control is not None
        room.control.replan()
        await turns(8)
        assert room.stands().wanted == "26.00 °C"

    run(story)


PRESENT = """
[[regulation]]
name = "light"
output = "gpio/lamp"
otherwise = 0
[[regulation.when]]
present = "lab"
keep_s = 60
value = 1
"""


@pytest.mark.requirement("G-6.11e")
def test_light_is_on_while_somebody_is_there_and_for_a_while_after() -> None:
    async def story(room: Room) -> None:
        room.present = True
        await room.goes(3)
        assert room.board.values["gpio/lamp"] == 1
        room.present = False
        await room.goes(50)
        assert room.board.values["gpio/lamp"] == 1
        await room.goes(20)
        assert room.board.values["gpio/lamp"] == 0
        room.present = None
        await room.goes(3)
        assert room.stands().reason == "it is not known what is wished for"

    run(story, PRESENT)


def problems(text: str, **changes: Any) -> list[str]:
    settings = settings_of(text)
    (first,) = settings.regulation
    settings = replace(settings, regulation=[replace(first, **changes)])
    return [str(fault) for fault in regulation_problems(settings, [Climate()])]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"output": "gpio/heater"}, "regulation[0].output: 'gpio/heater': expected one of "),
        ({"point": "room/warmth"}, "regulation[0].point: 'room/warmth': expected a point that a device"),
        ({"otherwise": Decimal(31)}, "regulation[0].otherwise: 31: expected 16.0 to 30.0 °C"),
        ({"otherwise": Decimal("25.05")}, "regulation[0].otherwise: 25.05: expected at most 1 places"),
    ],
)
def test_settings_that_no_device_can_follow_are_refused(changes: dict[str, Any], fault: str) -> None:
    found = problems(AIR, **changes)
    assert [one[: len(fault)] for one in found] == ([fault] if fault else [])
