"""Outputs: only in range, only as often as they may be written, and set only when the device says so."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.control.offers import RefusedError
from edge.control.outputs import Output, OutputError, Outputs
from edge.control.rests import Rests
from wire.messages import Scalar

SETPOINT = Output("room/setpoint", "setpoint", 160, 300, exponent=-1, step_max=20, apart_s=10)
RELAY = Output("room/relay", "switch", 0, 1)
LOCK = Output("door/lock", "switch", 0, 1, safe=0)


class Device:
    """Implements `edge.control.outputs.OutputDriver`: does what it is told unless it is stuck."""

    name = "line"

    def __init__(self, *outputs: Output) -> None:
        self.outputs = outputs
        self.values: dict[str, int] = {}
        self.written: list[tuple[str, int]] = []
        self.stuck = False
        self.deaf = False
        self.hangs: asyncio.Event | None = None
        self.before: Callable[[], None] = lambda: None

    async def write(self, output: str, counts: int) -> None:
        if self.deaf:
            raise OutputError(f"{output}: no answer")
        self.before()
        self.written.append((output, counts))
        if self.hangs:
            await self.hangs.wait()
        if not self.stuck:
            self.values[output] = counts

    async def read_back(self, output: str) -> int | None:
        return self.values.get(output)


async def turns() -> None:
    """Let everybody else go on as far as they come."""
    for _ in range(50):
        await asyncio.sleep(0)


class Stand:
    """Outputs of one device, a clock that sleeping moves on, and what was told."""

    def __init__(self, *outputs: Output) -> None:
        self.now = 100.0
        self.device = Device(*outputs)
        self.told: list[tuple[str, Mapping[str, Scalar], str]] = []
        self.durable = 0
        """So much of it is on the disk."""
        self.disk_full = False
        self.disk_hangs: asyncio.Event | None = None
        self.device.before = lambda: self.at_write.append([kind for kind, _, _ in self.told[: self.durable]])
        self.at_write: list[list[str]] = []
        """What was durable whenever the device was written."""
        self.outputs = self.made(None)

    def made(self, rests: Rests | None, settle: Callable[[], None] = lambda: None) -> Outputs:
        async def settled() -> bool:
            if self.disk_hangs:
                await self.disk_hangs.wait()
            if not self.disk_full:
                self.durable = len(self.told)
                settle()
            return not self.disk_full

        return Outputs(
            [self.device],
            tell=lambda kind, data, subject: self.told.append((kind, data, subject)),
            now=lambda: self.now,
            settle=settled,
            sleep=self.sleep,
            rests=rests,
        )

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.told]

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def set(self, name: str, counts: int) -> None:
        asyncio.run(self._set(name, counts))

    def _set(self, name: str, counts: int) -> Coroutine[Any, Any, None]:
        return self.outputs.set(name, counts, by="test")


@pytest.mark.requirement("G-6.9d")
def test_output_that_the_device_confirms_is_told_as_set() -> None:
    stand = Stand(RELAY)
    stand.set("room/relay", 1)
    assert stand.device.written == [("room/relay", 1)]
    assert [(kind, subject) for kind, _, subject in stand.told] == [
        ("output_asked", "room/relay"),
        ("output_set", "room/relay"),
    ]


def test_what_permits_is_durable_before_it_happens() -> None:
    stand = Stand(LOCK)
    stand.set("door/lock", 1)
    assert stand.at_write == [["output_asked"]]
    assert stand.told[0][1] == {"counts": 1, "exponent": 0, "value": "1", "by": "test"}
    assert stand.kinds == ["output_asked", "output_set"]


def test_what_permits_does_not_happen_while_the_disk_takes_nothing() -> None:
    stand = Stand(LOCK)
    stand.disk_full = True
    with pytest.raises(OutputError, match="door/lock: 1 is not its safe state, and the disk takes nothing"):
        stand.set("door/lock", 1)
    assert stand.device.written == []
    assert stand.kinds == ["output_asked", "output_failed"]
    stand.disk_full = False
    stand.set("door/lock", 1)


def test_what_is_towards_safety_happens_first() -> None:
    stand = Stand(LOCK)
    stand.disk_full = True
    stand.set("door/lock", 0)
    assert stand.at_write == [[]]
    assert stand.kinds == ["output_set"]


def test_output_without_a_safe_state_is_set_although_the_disk_takes_nothing() -> None:
    stand = Stand(RELAY)
    stand.disk_full = True
    stand.set("room/relay", 1)
    assert stand.device.written == [("room/relay", 1)]


def test_output_that_the_device_contradicts_is_an_error_and_told() -> None:
    stand = Stand(RELAY)
    stand.device.stuck = True
    with pytest.raises(OutputError, match=r"says nothing after 0\.5 s"):
        stand.set("room/relay", 1)
    assert stand.kinds == ["output_asked", "output_failed"]
    assert 0.5 <= stand.now - 100 <= 0.6


def test_device_that_does_not_take_the_write_is_told() -> None:
    stand = Stand(RELAY)
    stand.device.deaf = True
    with pytest.raises(OutputError, match="no answer"):
        stand.set("room/relay", 1)
    assert stand.kinds == ["output_asked", "output_failed"]


@given(st.integers(-(10**6), 10**6))
def test_nothing_out_of_range_is_ever_written(counts: int) -> None:
    stand = Stand(Output("x", "setpoint", 160, 300))
    if 160 <= counts <= 300:
        stand.set("x", counts)
        assert stand.device.values == {"x": counts}
    else:
        with pytest.raises(OutputError, match="expected 160 to 300"):
            stand.set("x", counts)
        assert stand.device.written == []


def test_what_is_told_and_refused_stands_in_the_unit_of_the_output() -> None:
    warm = replace(SETPOINT, quantity="temperature", apart_s=0)
    stand = Stand(warm)
    stand.device.values["room/setpoint"] = 200
    stand.set("room/setpoint", 215)
    assert stand.told[-1][1] == {"counts": 215, "exponent": -1, "value": "21.5 °C", "by": "test"}
    with pytest.raises(OutputError, match=r"room/setpoint: 5\.0 °C: expected 16\.0 to 30\.0 °C"):
        stand.set("room/setpoint", 50)
    stand.device.stuck = True
    with pytest.raises(OutputError, match=r"22\.0 °C was written, the device says 21\.5 °C after"):
        stand.set("room/setpoint", 220)
    assert stand.told[-1][1]["value"] == "22.0 °C"


def test_output_that_was_left_on_is_told_with_who_left_it() -> None:
    stand = Stand(LOCK, RELAY)
    assert asyncio.run(stand.outputs.away()) == {}
    stand.set("door/lock", 1)
    stand.set("room/relay", 1)
    stand.now += 150
    assert asyncio.run(stand.outputs.away()) == {"door/lock": "is 1, rests at 0; set 2 min ago, test"}
    stand.set("door/lock", 0)
    assert asyncio.run(stand.outputs.away()) == {}
    stand.device.values["door/lock"] = 1
    assert asyncio.run(stand.outputs.away()) == {"door/lock": "is 1, rests at 0; set just now, test"}


def test_output_that_nobody_set_is_told_without_a_name() -> None:
    stand = Stand(LOCK)
    stand.device.values["door/lock"] = 1
    assert asyncio.run(stand.outputs.away()) == {"door/lock": "is 1, rests at 0"}


def test_output_rests_between_two_writes() -> None:
    stand = Stand(SETPOINT)
    stand.device.values["room/setpoint"] = 190
    stand.set("room/setpoint", 200)
    with pytest.raises(OutputError, match="expected 10 s of rest"):
        stand.set("room/setpoint", 210)
    stand.now += 10
    stand.set("room/setpoint", 210)
    assert stand.device.written == [("room/setpoint", 200), ("room/setpoint", 210)]


def test_setpoint_moves_by_no_more_than_a_step() -> None:
    stand = Stand(SETPOINT)
    stand.device.values["room/setpoint"] = 190
    stand.set("room/setpoint", 200)
    stand.now += 10
    with pytest.raises(OutputError, match=r"expected at most 2\.0"):
        stand.set("room/setpoint", 221)


def test_setpoint_that_nobody_knows_does_not_move() -> None:
    stand = Stand(SETPOINT)
    with pytest.raises(OutputError, match="does not say where it stands"):
        stand.set("room/setpoint", 200)
    stand.device.values["room/setpoint"] = 290
    with pytest.raises(OutputError, match=r"20\.0 is 9\.0 from 29\.0"):
        stand.set("room/setpoint", 200)
    assert stand.device.written == []


def test_write_that_was_interrupted_is_told_and_its_value_not_believed() -> None:
    stand = Stand(SETPOINT)
    stand.device.values["room/setpoint"] = 200

    async def story() -> None:
        stand.device.hangs = asyncio.Event()
        setting = asyncio.ensure_future(stand.outputs.set("room/setpoint", 210, by="test"))
        await turns()
        assert stand.device.written
        setting.cancel()
        await asyncio.gather(setting, return_exceptions=True)
        stand.device.hangs = None

    asyncio.run(story())
    assert [(kind, data.get("reason")) for kind, data, _ in stand.told] == [
        ("output_asked", None),
        ("output_failed", "interrupted"),
    ]
    stand.device.values["room/setpoint"] = 230
    stand.now += 10
    with pytest.raises(OutputError, match=r"20\.5 is 2\.5 from 23\.0"):
        stand.set("room/setpoint", 205)


@pytest.mark.parametrize(
    "value",
    ["nan", "-inf", "1e999999", "1e9999999", "-1e19", "1e-9999999", "0e999999", "x", "", "0." + "1" * 40],
)
def test_value_that_is_no_number_or_too_long_a_one_is_refused_at_once(value: str) -> None:
    started = time.monotonic()
    with pytest.raises(RefusedError, match="expected a number"):
        Stand(SETPOINT).outputs.counts("room/setpoint", value)
    assert time.monotonic() - started < 0.5


def test_value_is_taken_in_counts_of_the_output() -> None:
    outputs = Stand(SETPOINT).outputs
    assert [outputs.counts("room/setpoint", value) for value in ("21.5", "2e1", "0", "-0.0")] == [
        215,
        200,
        0,
        0,
    ]
    with pytest.raises(RefusedError, match="at most 1 places"):
        outputs.counts("room/setpoint", "21.55")


def test_unknown_output_is_named_with_those_that_are_there() -> None:
    with pytest.raises(OutputError, match="known are room/relay"):
        Stand(RELAY).set("room/lamp", 1)


def test_two_drivers_cannot_have_one_output() -> None:
    with pytest.raises(ValueError, match="room/relay"):
        Outputs([Device(RELAY), Device(RELAY)], tell=lambda *_: None, now=lambda: 0.0)


def test_output_of_a_driver_with_new_settings_still_rests() -> None:
    stand = Stand(SETPOINT)
    stand.device.values["room/setpoint"] = 190
    stand.set("room/setpoint", 200)
    again = Device(SETPOINT, RELAY)
    again.values["room/setpoint"] = 200
    stand.outputs.own([again, object()])
    assert list(stand.outputs.names) == ["room/setpoint", "room/relay"]
    with pytest.raises(OutputError, match="expected 10 s of rest"):
        stand.set("room/setpoint", 210)
    stand.now += 10
    stand.set("room/setpoint", 210)
    assert again.written == [("room/setpoint", 210)]


def test_driver_that_is_not_touched_keeps_what_is_known_of_its_outputs() -> None:
    stand = Stand(SETPOINT)
    stand.device.values["room/setpoint"] = 190
    stand.set("room/setpoint", 200)
    stand.outputs.own([stand.device])
    stand.now += 10
    with pytest.raises(OutputError, match=r"22\.1 is 2\.1 from 20\.0"):
        stand.set("room/setpoint", 221)


class Kept:
    """What a journal keeps: durable once it was settled, lost in a crash before."""

    def __init__(self) -> None:
        self.staged: dict[str, bytes] = {}
        self.durable: dict[str, bytes] = {}
        self.at_write: list[dict[str, bytes]] = []

    def settle(self) -> None:
        self.durable |= self.staged

    def rests(self, stand: Stand, boot: bytes, *, whole: bool) -> Rests:
        return Rests(
            remember=self.staged.__setitem__,
            recall=(self.durable | self.staged).get,
            whole=whole,
            boot=boot,
            now=lambda: stand.now,
        )


def restarted(kept: Kept, *outputs: Output, now: float, boot: bytes = b"B" * 16, whole: bool = True) -> Stand:
    kept.staged.clear()
    stand = Stand(*outputs)
    stand.now = now
    stand.outputs = stand.made(kept.rests(stand, boot, whole=whole), kept.settle)
    return stand


COMPRESSOR = Output("room/compressor", "switch", 0, 1, apart_s=180)


def test_restart_of_the_gateway_does_not_shorten_a_rest() -> None:
    kept = Kept()
    restarted(kept, COMPRESSOR, now=1000).set("room/compressor", 1)
    stand = restarted(kept, COMPRESSOR, now=1010)
    with pytest.raises(OutputError, match=r"written 10\.0 s ago: expected 180 s of rest"):
        stand.set("room/compressor", 0)
    assert stand.device.written == []
    stand.now = 1180
    stand.set("room/compressor", 0)


def test_restart_of_the_machine_lets_a_rest_begin_with_the_boot() -> None:
    kept = Kept()
    restarted(kept, COMPRESSOR, now=1000).set("room/compressor", 1)
    stand = restarted(kept, COMPRESSOR, now=30, boot=b"C" * 16)
    with pytest.raises(OutputError, match="expected 180 s of rest"):
        stand.set("room/compressor", 0)
    stand.now = 180
    stand.set("room/compressor", 0)
    stand = restarted(kept, COMPRESSOR, now=200, boot=b"C" * 16)
    with pytest.raises(OutputError, match=r"written 20\.0 s ago"):
        stand.set("room/compressor", 1)


def test_rest_is_durable_before_the_device_is_written_even_when_it_refuses() -> None:
    kept = Kept()
    stand = restarted(kept, COMPRESSOR, now=1000)
    stand.device.deaf = True
    with pytest.raises(OutputError, match="no answer"):
        stand.set("room/compressor", 1)
    assert list(kept.durable) == ["outputs/rest/room/compressor"]
    with pytest.raises(OutputError, match="of rest"):
        restarted(kept, COMPRESSOR, now=1001).set("room/compressor", 1)


def test_rest_is_kept_although_the_act_was_towards_safety() -> None:
    kept, lock = Kept(), Output("room/fan", "switch", 0, 1, safe=0, apart_s=180)
    stand = restarted(kept, lock, now=1000)
    stand.set("room/fan", 0)
    kept.settle()
    with pytest.raises(OutputError, match="of rest"):
        restarted(kept, lock, now=1001).set("room/fan", 1)


def test_rest_begins_with_the_boot_when_the_journal_may_have_lost_it() -> None:
    kept = Kept()
    stand = restarted(kept, COMPRESSOR, now=100, whole=False)
    with pytest.raises(OutputError, match=r"written 100\.0 s ago"):
        stand.set("room/compressor", 1)
    kept.settle()
    with pytest.raises(OutputError, match=r"written 110\.0 s ago"):
        restarted(kept, COMPRESSOR, now=110).set("room/compressor", 1)
    stand = restarted(kept, COMPRESSOR, now=180)
    stand.set("room/compressor", 1)
    restarted(Kept(), RELAY, now=1, whole=False).set("room/relay", 1)


def test_output_without_a_rest_is_written_without_a_word_to_the_disk() -> None:
    kept = Kept()
    restarted(kept, RELAY, now=1000).set("room/relay", 1)
    assert kept.staged == {}


def test_kept_rest_that_makes_no_sense_counts_from_the_boot() -> None:
    kept = Kept()
    kept.durable["outputs/rest/room/compressor"] = b"?"
    stand = restarted(kept, COMPRESSOR, now=100)
    with pytest.raises(OutputError, match="of rest"):
        stand.set("room/compressor", 1)


def test_step_is_judged_after_a_restart_against_what_the_device_says() -> None:
    stand = restarted(Kept(), SETPOINT, now=1000)
    stand.device.values["room/setpoint"] = 250
    with pytest.raises(OutputError, match=r"is 5\.0 from 25\.0"):
        stand.set("room/setpoint", 300)
    assert stand.device.written == []


def test_rest_is_kept_when_another_driver_takes_the_output_over() -> None:
    kept = Kept()
    restarted(kept, COMPRESSOR, now=1000).set("room/compressor", 1)
    stand = restarted(kept, RELAY, now=1010)
    stand.outputs.own([Device(COMPRESSOR)])
    with pytest.raises(OutputError, match="of rest"):
        stand.set("room/compressor", 0)


def test_one_output_is_written_by_one_at_a_time_although_its_driver_changes() -> None:
    stand, again = Stand(RELAY), Device(RELAY)

    async def story() -> list[BaseException | None]:
        stand.device.hangs = asyncio.Event()
        first = asyncio.create_task(stand.outputs.set("room/relay", 1, by="first"))
        second = asyncio.create_task(stand.outputs.set("room/relay", 1, by="second"))
        await turns()
        assert stand.device.written == [("room/relay", 1)]
        stand.outputs.own([again])
        third = asyncio.create_task(stand.outputs.set("room/relay", 0, by="third"))
        await turns()
        assert again.written == []  # the first is not done yet
        stand.device.hangs.set()
        return await asyncio.gather(first, second, third, return_exceptions=True)

    assert asyncio.run(story()) == [None, None, None]
    assert stand.device.written == [("room/relay", 1)]
    assert again.written == [("room/relay", 1), ("room/relay", 0)]


@pytest.mark.parametrize(("safe", "refused"), [(0, False), (1, True)])
def test_output_whose_settings_change_before_it_is_written_is_not_written(safe: int, refused: bool) -> None:
    stand, again = Stand(LOCK), Device(Output("door/lock", "switch", 0, 1, safe=safe))

    async def story() -> BaseException | None:
        stand.disk_hangs = asyncio.Event()
        setting = asyncio.create_task(stand.outputs.set("door/lock", 1, by="test"))
        await turns()
        stand.outputs.own([again])
        stand.disk_hangs.set()
        return (await asyncio.gather(setting, return_exceptions=True))[0]

    assert ("its settings changed meanwhile" in str(asyncio.run(story()))) is refused
    assert stand.device.written == []
    assert again.written == ([] if refused else [("door/lock", 1)])


def test_who_wants_it_safe_neither_waits_for_the_disk_nor_is_overtaken() -> None:
    stand = Stand(LOCK)

    async def story() -> None:
        stand.disk_hangs = asyncio.Event()
        permitting = asyncio.create_task(stand.outputs.set("door/lock", 1, by="panel"))
        await turns()
        await asyncio.wait_for(stand.outputs.set("door/lock", 0, by="interlock"), 5)
        assert stand.device.written == [("door/lock", 0)]
        stand.disk_hangs.set()
        with pytest.raises(OutputError, match="its safe state was asked for meanwhile"):
            await permitting

    asyncio.run(story())
    assert stand.device.values == {"door/lock": 0}
    assert stand.kinds == ["output_asked", "output_set", "output_failed"]
