"""The driver against simulated terminals: who may post, what is told, and what is never kept."""

import asyncio
import logging
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.credential import Listener, Presented
from edge.driver import Given
from edge.drivers.terminal.driver import TerminalDriver
from edge.intake.senders import read_key
from simulators.devices.terminal import Fault, Terminal
from simulators.processes import free_port
from wire.settings.check import check
from wire.settings.terminal import TerminalDevice
from wire.status import GapCause

SAMPLE = Path(__file__).parents[4] / "edge/drivers/terminal/sample.toml"


def table(port: int) -> dict[str, Any]:
    """The sample, on this machine."""
    found: dict[str, Any] = tomllib.loads(SAMPLE.read_text("utf-8"))["device"][0]
    found["http"] |= {"address": "127.0.0.1", "port": port, "timeout_s": 2.0}
    return found


@asynccontextmanager
async def fitted(
    folder: Path, collector: Any, *, presented: Listener = lambda _: None, **more: Any
) -> AsyncIterator[tuple[Terminal, Terminal]]:
    """A running driver and its two terminals, the second one of which signs."""
    port = free_port()
    settings = msgspec.convert(table(port) | more, TerminalDevice)
    driver = TerminalDriver(settings, Given(time.monotonic_ns, folder, presented=presented))
    running = asyncio.ensure_future(driver.run(collector))
    keys = [read_key(folder / "terminals", name).decode() for name in ("entrance", "archive")]
    first = Terminal("entrance", port, keys[0])
    async with asyncio.timeout(45):
        while await first.heartbeat() != 200:
            assert not running.done(), running.result()
            await asyncio.sleep(0.01)
    collector.polls.clear()
    try:
        yield first, Terminal("archive", port, keys[1], signs=True, form=True)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def kinds(collector: Any) -> list[tuple[str, str]]:
    return [(event.kind, event.subject) for event in collector.events]


@pytest.mark.requirement("G-6.4b", "G-6.4c")
def test_terminals_tell_who_by_which_factor_and_nothing_else(
    collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[Presented] = []

    async def scenario() -> None:
        async with fitted(tmp_path, collector, presented=seen.append) as (entrance, archive):
            assert await entrance.identify("118204", "face") == 200
            assert await entrance.identify("118204", "fingerprint", granted=False) == 200
            assert await archive.identify("118204", "qr") == 200
        assert kinds(collector) == [
            ("person_identified", "lab/terminal/entrance"),
            ("person_refused", "lab/terminal/entrance"),
            ("person_identified", "lab/terminal/archive"),
        ]
        assert [event.data["factor"] for event in collector.events] == ["face", "fingerprint", "qr"]
        assert len({event.data["token"] for event in collector.events}) == 1
        assert set(collector.events[0].data) == {
            *("factor", "masked", "token", "key_id", "door", "terminal_time", "dropped"),
        }
        given = [(one.reader, one.credential.number) for one in seen]
        assert given == [("lab/terminal/entrance", "118204"), ("lab/terminal/archive", "118204")]
        kept = repr((collector.events, collector.polls, collector.kept, seen)) + caplog.text
        assert "118204" not in kept
        assert max(len(str(value)) for event in collector.events for value in event.data.values()) <= 64
        assert collector.kept == {"counter/archive": b"1"}

    asyncio.run(scenario())


FAULTS: list[tuple[Fault, int]] = [
    ("garbage", 400),
    ("wrong_key", 401),
    ("truncated", 0),
    ("slow", 0),
    ("huge", 0),
]


@pytest.mark.parametrize(("fault", "status"), FAULTS)
def test_faulty_terminal_is_refused_and_costs_the_others_nothing(
    fault: Fault, status: int, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with fitted(tmp_path, collector) as (entrance, archive):
            entrance.fault = fault
            answers = await asyncio.gather(entrance.identify("1", "face"), archive.identify("2", "qr"))
            assert answers[1] == 200
            assert answers[0] == status or (fault == "huge" and answers[0] == 413)
            entrance.fault = ""
            assert await entrance.identify("1", "face") == 200
            await collector.until(lambda: len(kinds(collector)) >= 2)

    asyncio.run(scenario())


def test_signed_request_works_once_and_the_counter_outlives_the_run(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fitted(tmp_path, collector) as (_, archive):
            assert await archive.identify("1", "qr") == 200
            archive.fault = "replay"
            assert await archive.post({"eventType": "heartbeat"}) == 409
            counter = archive.counter
        async with fitted(tmp_path, collector) as (_, archive):
            archive.counter = counter - 1
            assert await archive.heartbeat() == 409
            assert await archive.heartbeat() == 200

    asyncio.run(scenario())


def test_refusals_are_told_and_guessing_is_slowed(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fitted(tmp_path, collector) as (entrance, archive):
            archive.signs = False
            assert await archive.heartbeat() == 401
            await collector.until(lambda: kinds(collector) == [("intake_refused", "terminals")])
            assert collector.events[0].data == {"reason": "unknown key", "count": 1}
            entrance.fault = "wrong_key"
            assert [await entrance.heartbeat() for _ in range(21)][-1] == 429
            entrance.fault = ""
            assert await entrance.heartbeat() == 200
            assert [await entrance.heartbeat() for _ in range(125)].count(429) >= 1

    asyncio.run(scenario())


def test_terminal_that_posts_nothing_is_silent(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with fitted(tmp_path, collector, silence_s=1):
            await collector.until(lambda: collector.silences)
        points, cause, reason = collector.silences[0]
        assert points[0].startswith("lab/terminal/")
        assert (cause, reason) == (GapCause.SENSOR, "the terminal posted nothing for 1 s")

    asyncio.run(scenario())


def test_address_and_keys_that_cannot_be_had_are_told(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        settings = msgspec.convert(table(port), TerminalDevice)
        driver = TerminalDriver(settings, Given(time.monotonic_ns, tmp_path))
        (line,) = await driver.probe()
        assert (line.ok, line.answer) == (True, "free; 2 keys")
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
        error = await run_until(driver, collector, lambda: False)
        assert f"127.0.0.1 port {port}" in error.reason
        assert not (await driver.probe())[0].ok
        server.close()
        await server.wait_closed()
        (tmp_path / "terminals" / "entrance.key").chmod(0o644)
        error = await run_until(driver, collector, lambda: False)
        assert error.reason == "entrance.key: readable by others: expected mode 0600"
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


def test_sample_is_right() -> None:
    assert check(tomllib.loads(SAMPLE.read_text("utf-8"))["device"][0], TerminalDevice)[1] == []
