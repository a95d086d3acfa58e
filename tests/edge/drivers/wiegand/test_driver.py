"""The driver on a simulated board with a simulated reader on two of its pins."""

import asyncio
import logging
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edge.credential import FORMATS, KEY_FILE, Listener, Presented, frame_of
from edge.driver import Given
from edge.drivers.wiegand.driver import WiegandDriver
from simulators.devices.gpio import running_board
from wire.settings.check import check
from wire.settings.gpio import WiegandDevice

D0, D1 = 20, 21
CARD = f"{frame_of(FORMATS['h10301'], 51603, 118):026b}"


def made(folder: Path, *, presented: Listener = lambda _: None, **more: Any) -> WiegandDriver:
    """Waits long for the end of a frame: a machine that stands still for a moment must not cut a card."""
    settings = WiegandDevice(
        name="old", prefix="old", d0_pin=D0, d1_pin=D1, interval_ms=100, silence_ms=300, **more
    )
    return WiegandDriver(settings, Given(time.monotonic_ns, folder, presented=presented))


def kinds(collector: Any) -> list[str]:
    return [event.kind for event in collector.events]


@pytest.mark.requirement("G-6.4b")
def test_card_is_told_without_its_number(
    collector: Any, pins_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            for pin in (D0, D1):
                board.drive(pin, 1)
            seen = list[Presented]()
            driver = made(pins_folder, presented=seen.append)
            running = tasks.create_task(driver.run(collector))
            await collector.until(lambda: collector.polls)
            await board.send_card(D0, D1, CARD)
            await collector.until(lambda: collector.events)
            (event,) = collector.events
            assert (event.kind, event.subject) == ("card_read", "old")
            assert {**event.data, "token": "", "key_id": ""} == {
                "format": "h10301",
                "bits": 26,
                "masked": "…03",
                "token": "",
                "key_id": "",
            }
            assert seen[0].credential.number == "51603"
            assert seen[0].credential.token((pins_folder / KEY_FILE).read_bytes()) == event.data["token"]
            assert "51603" not in repr((collector.events, seen)) + caplog.text
            await collector.until(lambda: collector.polls[-1].counts == [1, 1, 0])
            running.cancel()

    asyncio.run(scenario())


def test_frames_that_are_no_card_are_told_and_counted(collector: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            for pin in (D0, D1):
                board.drive(pin, 1)
            running = tasks.create_task(made(pins_folder).run(collector))
            await collector.until(lambda: collector.polls)
            for bits in ("1" + CARD[1:] if CARD[0] == "0" else "0" + CARD[1:], CARD[:20]):
                await board.send_card(D0, D1, bits)
                collector.events.clear()
                await collector.until(lambda: collector.events)
                assert kinds(collector) == ["card_unreadable"]
            await collector.until(lambda: collector.polls[-1].counts == [1, 2, 2])
            running.cancel()

    asyncio.run(scenario())


def test_pin_is_told_by_its_token_alone(collector: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            for pin in (D0, D1):
                board.drive(pin, 1)
            settings = made(pins_folder, keypad=True, pin_timeout_s=2.0)
            running = tasks.create_task(settings.run(collector))
            await collector.until(lambda: collector.polls)
            for key in (4, 7, 1, 1, 11, 5):
                await board.send_card(D0, D1, f"{key:04b}")
                await asyncio.sleep(0.4)
            await collector.until(lambda: kinds(collector) == ["pin_entered", "pin_dropped"])
            assert set(collector.events[0].data) == {"token", "key_id"}
            assert collector.events[1].data == {"reason": "timeout"}
            running.cancel()

    asyncio.run(scenario())


def test_reader_without_power_is_seen_by_its_wires(collector: Any, pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(made(pins_folder).run(collector))
            await collector.until(lambda: kinds(collector) == ["reader_line_low"])
            await collector.until(lambda: collector.polls[-1].counts[0] == 0)
            for pin in (D0, D1):
                board.drive(pin, 1)
            await collector.until(lambda: kinds(collector) == ["reader_line_low", "reader_line_idle"])
            running.cancel()

    asyncio.run(scenario())


def test_board_and_key_that_cannot_be_had_are_told(
    collector: Any, run_until: Any, insist: Any, pins_folder: Path
) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board:
            board.fault = "gone"
            error = await run_until(made(pins_folder), collector, lambda: False)
            assert error.reason == "pin 20: GPIO not allocated"
            (line,) = await made(pins_folder).probe()
            assert not line.ok
            board.fault = ""
            await insist(made(pins_folder), collector, lambda: collector.polls)
            (pins_folder / KEY_FILE).write_bytes(b"")
            error = await run_until(made(pins_folder), collector, lambda: False)
            assert error.reason == "credential.key: 0 bytes: expected 32"

    asyncio.run(scenario())


def test_probe_looks_at_the_wires(pins_folder: Path) -> None:
    async def scenario() -> None:
        async with running_board(pins_folder) as board:
            (line,) = await made(pins_folder).probe()
            assert line.answer.startswith("a wire is low")
            for pin in (D0, D1):
                board.drive(pin, 1)
            (line,) = await made(pins_folder).probe()
            assert (line.ok, line.answer) == (True, "idle")

    asyncio.run(scenario())


def test_sample_is_right_and_bad_settings_are_named() -> None:
    sample = Path(__file__).parents[4] / "edge/drivers/wiegand/sample.toml"
    table = tomllib.loads(sample.read_text("utf-8"))["device"][0]
    assert check(table, WiegandDevice)[1] == []
    table |= {"d1_pin": 20, "formats": ["h10304", "h10302", "h10304"]}
    assert [fault.path for fault in check(table, WiegandDevice)[1]] == ["d1_pin", "formats[2]", "formats"]
