"""Outputs: only in range, only as often as they may be written, and set only when the device says so."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.control.outputs import Output, OutputError, Outputs
from edge.control.rests import Rests
from wire.messages import Scalar

SETPOINT = Output("room/setpoint", "setpoint", 160, 300, exponent=-1, step_max=20, apart_s=10)
RELAY = Output("room/relay", "switch", 0, 1)


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

    async def write(self, output: str, counts: int) -> None:
        if self.deaf:
            raise OutputError(f"{output}: no answer")
        self.written.append((output, counts))
        if self.hangs:
            await self.hangs.wait()
        if not self.stuck:
            self.values[output] = counts

    async def read_back(self, output: str) -> int | None:
        return self.values.get(output)


class Stand:
    """Outputs of one device, a clock that sleeping moves on, and what was told."""

    def __init__(self, *outputs: Output) -> None:
        self.now = 100.0
        self.device = Device(*outputs)
        self.told: list[tuple[str, Mapping[str, Scalar], str]] = []
        self.outputs = Outputs(
            [self.device],
            tell=lambda kind, data, subject: self.told.append((kind, data, subject)),
            now=lambda: self.now,
            sleep=self.sleep,
        )

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
    assert [(kind, subject) for kind, _, subject in stand.told] == [("output_set", "room/relay")]


def test_output_that_the_device_contradicts_is_an_error_and_told() -> None:
    stand = Stand(RELAY)
    stand.device.stuck = True
    with pytest.raises(OutputError, match=r"says nothing after 0\.5 s"):
        stand.set("room/relay", 1)
    assert [kind for kind, _, _ in stand.told] == ["output_failed"]
    assert 0.5 <= stand.now - 100 <= 0.6


def test_device_that_does_not_take_the_write_is_told() -> None:
    stand = Stand(RELAY)
    stand.device.deaf = True
    with pytest.raises(OutputError, match="no answer"):
        stand.set("room/relay", 1)
    assert [kind for kind, _, _ in stand.told] == ["output_failed"]


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
    with pytest.raises(OutputError, match="expected at most 20"):
        stand.set("room/setpoint", 221)


def test_setpoint_that_nobody_knows_does_not_move() -> None:
    stand = Stand(SETPOINT)
    with pytest.raises(OutputError, match="does not say where it stands"):
        stand.set("room/setpoint", 200)
    stand.device.values["room/setpoint"] = 290
    with pytest.raises(OutputError, match="200 is 90 from 290"):
        stand.set("room/setpoint", 200)
    assert stand.device.written == []


def test_write_that_was_interrupted_is_told_and_its_value_not_believed() -> None:
    stand = Stand(SETPOINT)
    stand.device.values["room/setpoint"] = 200

    async def story() -> None:
        stand.device.hangs = asyncio.Event()
        setting = asyncio.ensure_future(stand.outputs.set("room/setpoint", 210, by="test"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        setting.cancel()
        await asyncio.gather(setting, return_exceptions=True)
        stand.device.hangs = None

    asyncio.run(story())
    assert [(kind, data["reason"]) for kind, data, _ in stand.told] == [("output_failed", "interrupted")]
    stand.device.values["room/setpoint"] = 230
    stand.now += 10
    with pytest.raises(OutputError, match="205 is 25 from 230"):
        stand.set("room/setpoint", 205)


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
    with pytest.raises(OutputError, match="221 is 21 from 200"):
        stand.set("room/setpoint", 221)


class Kept:
    """What a journal keeps: durable once it was settled, lost in a crash before."""

    def __init__(self) -> None:
        self.staged: dict[str, bytes] = {}
        self.durable: dict[str, bytes] = {}
        self.at_write: list[dict[str, bytes]] = []

    async def settle(self) -> None:
        self.durable |= self.staged

    def rests(self, stand: Stand, boot: bytes) -> Rests:
        return Rests(
            remember=self.staged.__setitem__,
            recall=self.durable.get,
            settle=self.settle,
            boot=boot,
            now=lambda: stand.now,
        )


def restarted(kept: Kept, *outputs: Output, now: float, boot: bytes = b"B" * 16) -> Stand:
    stand = Stand(*outputs)
    stand.now = now
    stand.outputs = Outputs(
        [stand.device],
        tell=lambda kind, data, subject: stand.told.append((kind, data, subject)),
        now=lambda: stand.now,
        sleep=stand.sleep,
        rests=kept.rests(stand, boot),
    )
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
    with pytest.raises(OutputError, match="is 50 from 250"):
        stand.set("room/setpoint", 300)
    assert stand.device.written == []


def test_rest_is_kept_when_another_driver_takes_the_output_over() -> None:
    kept = Kept()
    restarted(kept, COMPRESSOR, now=1000).set("room/compressor", 1)
    stand = restarted(kept, RELAY, now=1010)
    stand.outputs.own([Device(COMPRESSOR)])
    with pytest.raises(OutputError, match="of rest"):
        stand.set("room/compressor", 0)
