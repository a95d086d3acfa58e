"""The driver on a simulated board: what contacts tell, what relays do, and what a stop leaves."""

import asyncio
import gc
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.control.outputs import OutputError, Outputs
from edge.driver import DeviceUnavailable, Given
from edge.drivers.gpio.driver import GpioDriver
from simulators.devices.gpio import Board, Relay, running_board
from simulators.rpi_gpio.RPi.pinfile import IN
from wire.settings.check import check
from wire.settings.gpio import GpioDevice, GpioInput, GpioOutput, pins_shared
from wire.status import GapCause, Status

DOOR, BUTTON, FIRE, TAMPER, KEY = 17, 27, 22, 23, 24
LOCK, CONTACT, LAMP = 5, 6, 13


def settings(**more: Any) -> GpioDevice:
    return GpioDevice(
        name="door",
        prefix="lab",
        interval_ms=200,
        input=[
            GpioInput(name="contact", kind="door_contact", pin=DOOR, chatter_ms=200),
            GpioInput(name="button", kind="request_to_exit", pin=BUTTON),
            GpioInput(name="fire", kind="fire_release", pin=FIRE),
            GpioInput(name="tamper", kind="tamper", pin=TAMPER),
            GpioInput(name="key", kind="ignition", pin=KEY),
        ],
        output=[
            GpioOutput(name="lock", kind="relay", pin=LOCK, contact_pin=CONTACT, read_back_ms=200, **more),
            GpioOutput(name="lamp", kind="lamp", pin=LAMP, active="low"),
        ],
    )


def made(**more: Any) -> GpioDriver:
    return GpioDriver(settings(**more), Given(time.monotonic_ns))


def at_rest(board: Board) -> None:
    """Door shut, nothing pressed, released or opened."""
    for pin in (DOOR, FIRE, TAMPER):
        board.drive(pin, 0)


def kinds(collector: Any) -> list[tuple[str, str]]:
    return [(event.kind, event.subject) for event in collector.events]


def said(driver: GpioDriver, collector: Any, name: str) -> list[int | None]:
    layout = next(one.id for one in driver.layouts if one.points == [name])
    return [poll.counts[0] for poll in collector.of(layout)]


@pytest.mark.requirement("G-5.1d", "G-6.4b")
def test_contacts_are_states_and_their_changes_are_events(
    collector: Any, run_until: Any, pins_folder: Path
) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            at_rest(board)
            driver = made()
            running = tasks.create_task(driver.run(collector))
            await collector.until(lambda: len(collector.polls) >= 7)
            assert kinds(collector) == []
            assert said(driver, collector, "lab/contact")[:1] == [0]
            await board.bounce(DOOR, 1)
            await collector.until(lambda: kinds(collector) == [("door_opened", "lab/contact")])
            assert said(driver, collector, "lab/contact")[-1] == 1
            board.drive(BUTTON, 0)
            await collector.until(lambda: kinds(collector)[1:] == [("exit_requested", "lab/button")])
            board.drive(FIRE, None)
            board.drive(TAMPER, 1)
            board.drive(KEY, 1)
            await collector.until(lambda: len(collector.events) == 5)
            assert set(kinds(collector)[2:]) == {
                ("fire_released", "lab/fire"),
                ("tampered", "lab/tamper"),
                ("ignition_on", "lab/key"),
            }
            at_rest(board)
            await collector.until(lambda: len(collector.events) == 8)
            assert {kind for kind, _ in kinds(collector)[5:]} == {
                "door_closed",
                "fire_release_ended",
                "tamper_ended",
            }
            running.cancel()

    asyncio.run(scenario())


def test_change_bears_the_time_of_its_first_edge(collector: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            at_rest(board)
            running = tasks.create_task(made().run(collector))
            await collector.until(lambda: len(collector.polls) >= 7)
            before = time.monotonic_ns() // 10_000_000
            board.drive(DOOR, 1)
            after = time.monotonic_ns() // 10_000_000
            await collector.until(lambda: collector.events)
            assert before <= collector.events[0].tick <= after + 1
            running.cancel()

    asyncio.run(scenario())


def test_chatter_is_told_and_makes_the_state_unknown(collector: Any, pins_folder: Path) -> None:
    """It settles late here: a machine that stands still for a moment must not look like a contact at rest."""
    one = GpioInput(name="contact", kind="door_contact", pin=DOOR, settle_ms=400, chatter_ms=500)
    driver = GpioDriver(GpioDevice(name="door", prefix="lab", input=[one]), Given(time.monotonic_ns))

    async def scenario() -> None:
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            board.drive(DOOR, 0)
            running = tasks.create_task(driver.run(collector))
            await collector.until(lambda: collector.polls)
            edges = await board.chatter(DOOR, seed=3, seconds=1.0)
            await collector.until(lambda: len(collector.events) >= 2)
            assert [kind for kind, _ in kinds(collector)] == ["input_chatter", "input_chatter_ended"]
            assert sum(event.data["edges"] for event in collector.events) == edges
            unknown = [poll for poll in collector.polls if poll.counts == [None]]
            assert unknown[0].flags == [(0, Status.UNKNOWN)]
            assert said(driver, collector, "lab/contact")[-1] == 0
            running.cancel()

    asyncio.run(scenario())


def test_change_without_an_edge_is_found(collector: Any, run_until: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            at_rest(board)
            running = tasks.create_task(made().run(collector))
            await collector.until(lambda: len(collector.polls) >= 7)
            board.fault = "deaf"
            board.drive(DOOR, 1)
            await collector.until(lambda: kinds(collector) == [("door_opened", "lab/contact")])
            running.cancel()

    asyncio.run(scenario())


def test_what_changed_while_nobody_looked_is_told(collector: Any, run_until: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board:
            at_rest(board)
            await run_until(made(), collector, lambda: len(collector.polls) >= 7)
            board.drive(DOOR, 1)
            collector.polls.clear()
            await run_until(made(), collector, lambda: len(collector.polls) >= 7)
            assert [(event.kind, event.data) for event in collector.events] == [
                ("door_opened", {"away": True})
            ]
            collector.polls.clear()
            await run_until(made(), collector, lambda: len(collector.polls) >= 7)
            assert len(collector.events) == 1

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4e")
def test_relay_is_believed_only_by_its_contact(collector: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        relay = Relay(LOCK, CONTACT)
        async with running_board(pins_folder, [relay]) as board, asyncio.TaskGroup() as tasks:
            at_rest(board)
            driver = made()
            outputs = Outputs([driver], tell=lambda *_: None, now=time.monotonic)
            with pytest.raises(OutputError, match="pins of door are not open"):
                await outputs.set("lab/lock", 1, by="test")
            running = tasks.create_task(driver.run(collector))
            await collector.until(lambda: len(collector.polls) >= 7)
            await outputs.set("lab/lock", 1, by="test")
            assert board.pins.level(LOCK) == 1
            await collector.until(lambda: said(driver, collector, "lab/lock")[-1] == 1)
            await outputs.set("lab/lamp", 1, by="test")
            assert board.pins.level(LAMP) == 0
            relay.fault = "welded"
            with pytest.raises(OutputError, match="0 was written, the device says 1"):
                await outputs.set("lab/lock", 0, by="test")
            await collector.until(lambda: ("output_contact_wrong", "lab/lock") in kinds(collector))
            relay.fault = ""
            board.drive(CONTACT, None)
            await collector.until(lambda: ("output_contact_right", "lab/lock") in kinds(collector))
            assert said(driver, collector, "lab/lock")[-1] == 0
            running.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("safe", ["on", "off"])
def test_stop_leaves_outputs_driven_at_their_safe_level(safe: str, collector: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder, [Relay(LOCK, CONTACT)]) as board, asyncio.TaskGroup() as tasks:
            driver = made(safe=safe)
            running = tasks.create_task(driver.run(collector))
            await collector.until(lambda: len(collector.polls) >= 7)
            assert board.pins.level(LOCK) == int(safe == "on")
            await driver.write("lab/lock", int(safe == "off"))
            assert board.pins.level(LOCK) == int(safe == "off")
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert board.pins.level(LOCK) == int(safe == "on")
            assert board.pins.level(LAMP) == 1
            assert await driver.read_back("lab/lock") is None
            board.pins.level(LOCK)

    asyncio.run(scenario())


def test_lost_board_makes_the_driver_give_up_and_it_comes_back(
    collector: Any, run_until: Any, insist: Any, pins_folder: Path
) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board:
            at_rest(board)
            driver = made()
            await run_until(driver, collector, lambda: len(collector.polls) >= 7)
            board.fault = "gone"
            error = await run_until(driver, collector, lambda: False)
            assert isinstance(error, DeviceUnavailable)
            assert (error.reason, error.cause) == ("pin 5: GPIO not allocated", GapCause.BUS)
            board.fault = ""
            collector.polls.clear()
            await insist(driver, collector, lambda: len(collector.polls) >= 7)
            board.fault = "slow"
            collector.polls.clear()
            await insist(driver, collector, lambda: len(collector.polls) >= 7)
            board.fault = ""

    asyncio.run(scenario())


def test_board_that_is_lost_at_work_is_noticed(collector: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board:
            at_rest(board)
            driver = made()
            running = asyncio.ensure_future(driver.run(collector))
            await collector.until(lambda: len(collector.polls) >= 7)
            board.fault = "gone"
            with pytest.raises(DeviceUnavailable, match="GPIO not allocated"):
                await running
            with pytest.raises(OutputError):
                await driver.write("lab/lock", 1)

    asyncio.run(scenario())


def test_board_that_was_reset_gets_its_pins_again(collector: Any, run_until: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder, [Relay(LOCK, CONTACT)]) as board:
            at_rest(board)
            driver = made(safe="on")
            running = asyncio.ensure_future(driver.run(collector))
            await collector.until(lambda: len(collector.polls) >= 7)
            board.power_cycle()
            with pytest.raises(DeviceUnavailable, match="You must setup"):
                await running
            collector.polls.clear()
            await run_until(driver, collector, lambda: len(collector.polls) >= 7)
            assert board.pins.level(LOCK) == 1

    asyncio.run(scenario())


def test_machine_without_pins_is_told_so(
    collector: Any, run_until: Any, pins_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HENG_SIM_GPIO")
    error = asyncio.run(run_until(made(), collector, lambda: False))
    assert error.reason == "RPi.GPIO: This module can only be run on a Raspberry Pi!"
    monkeypatch.setitem(sys.modules, "RPi.GPIO", None)
    error = asyncio.run(run_until(made(), collector, lambda: False))
    assert error.reason == "no module RPi.GPIO: install the extra pi (rpi-lgpio)"
    lines = asyncio.run(made().probe())
    assert [line.ok for line in lines] == [False] * 5 + [True] * 2


def test_probe_reads_inputs_and_switches_nothing(pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board:
            at_rest(board)
            lines = await made().probe()
            assert lines[0].answer == "closed (level 0)"
            assert lines[-1].answer == "an output, not tried"
            assert board.changes == []
            assert all(board.pins.direction(pin) == IN for pin in (DOOR, BUTTON, FIRE, TAMPER, KEY))

    asyncio.run(scenario())


@pytest.mark.slow
def test_nothing_is_left_after_many_runs(collector: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder, [Relay(LOCK, CONTACT)]) as board:
            at_rest(board)
            driver = made()

            def leftovers() -> list[Path]:
                return list(pins_folder.glob("edges-*"))

            def open_files() -> int:
                return sum(1 for _ in Path("/proc/self/fd").iterdir())

            async def once() -> None:
                collector.polls.clear()
                running = asyncio.ensure_future(driver.run(collector))
                await collector.until(lambda: collector.polls)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

            await once()
            gc.collect()
            threads, files = threading.active_count(), open_files()
            for _ in range(300):
                await once()
            gc.collect()
            assert threading.active_count() == threads
            assert open_files() == files
            assert len(asyncio.all_tasks()) == 1
            assert not leftovers()

    asyncio.run(scenario())


def test_sample_is_right() -> None:
    sample = Path(__file__).parents[4] / "edge/drivers/gpio/sample.toml"
    table = tomllib.loads(sample.read_text("utf-8"))["device"][0]
    device, faults = check(table, GpioDevice)
    assert faults == []
    assert device is not None
    assert len(GpioDriver(device, Given(time.monotonic_ns)).outputs) == 2


def test_pins_that_are_used_twice_are_refused() -> None:
    table: dict[str, Any] = {
        "driver": "gpio",
        "name": "a",
        "input": [
            {"name": "x", "kind": "tamper", "pin": 4},
            {"name": "y", "kind": "tamper", "pin": 4},
        ],
        "output": [{"name": "x", "kind": "lamp", "pin": 4, "contact_pin": 4}],
    }
    assert [fault.path for fault in check(table, GpioDevice)[1]] == [
        "output[0].name",
        "input[1].pin",
        "output[0].pin",
        "output[0].contact_pin",
    ]
    table["input"][1] |= {"settle_ms": 50, "chatter_ms": 40}
    assert "input[1].chatter_ms" in [fault.path for fault in check(table, GpioDevice)[1]]
    one = msgspec.convert({"driver": "gpio", "name": "a", "input": table["input"][:1]}, GpioDevice)
    other = msgspec.convert({"driver": "gpio", "name": "b", "input": table["input"][:1]}, GpioDevice)
    assert [str(fault) for fault in pins_shared([one, object(), other])] == [
        "device[2].input[0].pin: 4: expected a pin that a does not use"
    ]
    assert [fault.path for fault in check({"driver": "gpio", "name": "a"}, GpioDevice)[1]] == ["input"]
