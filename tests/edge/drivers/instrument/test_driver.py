"""The driver against simulated instruments over TCP, with every fault they have."""

import asyncio
import hashlib
import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.control.offers import NotDoneError
from edge.driver import Given
from edge.drivers.instrument.driver import InstrumentDriver
from simulators.devices.instrument import Fault
from tests.edge.drivers.instrument.bench import (
    kinds,
    meter_settings,
    metered,
    transcript,
    value,
    visa_threads,
)
from wire.settings.check import check
from wire.settings.instrument import InstrumentDevice
from wire.status import GapCause, Status


@pytest.mark.requirement("G-5.1b", "G-8b", "Q-90", "Q-93")
def test_multimeter_is_identified_read_and_transcribed(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (_, driver):
            assert await run_until(driver, collector, lambda: len(collector.polls) >= 3) is None

    asyncio.run(scenario())
    assert abs(value(collector) - 1_000_000_000) < 1000  # type: ignore[operator]
    assert kinds(collector) == ["instrument_identified", "transcript_closed"]
    assert collector.events[0].data == {
        "maker": "Heng simulators", "model": "SIM-6500", "serial": "DMM0001", "firmware": "1.0"
    }  # fmt: skip
    lines = transcript(tmp_path)
    assert [line["text"] for line in lines[1:5]] == [
        "*IDN?", "Heng simulators,SIM-6500,DMM0001,1.0", "SYST:ERR?", '+0,"No error"'
    ]  # fmt: skip
    assert lines[5]["text"] == "READ?"
    assert all(line["utc_ms"] == (line["tick"] + 1000) * 10 and line["bound_ms"] == 7 for line in lines)
    closed = collector.events[-1].data
    content = (tmp_path / "meter" / "transcripts" / closed["file"]).read_bytes()
    assert closed["sha256"] == hashlib.sha256(content).hexdigest()
    assert (closed["bytes"], closed["lines"]) == (len(content), len(lines))
    assert visa_threads() == []


FAULTS: list[tuple[Fault, str, GapCause]] = [
    ("silence", "no answer in time", GapCause.BUS),
    ("slow", "half an answer", GapCause.BUS),
    ("garbage", "expected printable ASCII", GapCause.BUS),
    ("reset", "the instrument closed the connection", GapCause.BUS),
    ("stranger", "not the declared instrument", GapCause.SENSOR),
    ("endless", "the error queue is not empty after 64 entries", GapCause.BUS),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "reason", "cause"), FAULTS)
def test_fault_is_told_and_readings_return(
    fault: Fault, reason: str, cause: GapCause, collector: Any, run_until: Any, insist: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):
            await run_until(driver, collector, lambda: len(collector.polls) >= 2)
            before = len(collector.polls)
            instrument.fault = fault
            error = await run_until(driver, collector, lambda: False)
            assert reason in error.reason
            assert error.cause is cause
            assert len(collector.polls) == before
            assert visa_threads() == []
            instrument.fault = ""
            await insist(driver, collector, lambda: len(collector.polls) > before)

    asyncio.run(scenario())
    assert visa_threads() == []


def test_fault_in_the_middle_ends_the_run_in_time(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):

            def reached() -> bool:
                if len(collector.polls) >= 2:
                    instrument.fault = "silence"
                return False

            started = time.monotonic()
            error = await run_until(driver, collector, reached)
            assert error.reason == "READ?: no answer in time"
            assert time.monotonic() - started < 3

    asyncio.run(scenario())


@pytest.mark.requirement("Q-91")
def test_another_instrument_gets_no_command_and_one_event(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):
            instrument.fault = "stranger"
            for _ in range(3):
                error = await run_until(driver, collector, lambda: False)
                assert "serial '0': expected 'DMM0001'" in error.reason
            assert instrument.commands == ["*IDN?"] * 3
            with pytest.raises(NotDoneError, match="not reachable"):
                await driver.execute("range", {"range": "1"}, by="test")

    asyncio.run(scenario())
    assert kinds(collector).count("instrument_strange") == 1
    assert not collector.polls


def test_overload_is_absent(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):
            instrument.fault = "overload"
            await run_until(driver, collector, lambda: collector.polls)

    asyncio.run(scenario())
    assert collector.polls[0].counts == [None]
    assert collector.polls[0].flags == [(0, int(Status.OVER_RANGE))]


def test_overflowing_error_queue_is_emptied_and_told_once(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):
            instrument.fault = "overflow"
            await run_until(driver, collector, lambda: len(collector.polls) >= 2)

    asyncio.run(scenario())
    assert collector.polls[1].flags == [(0, int(Status.DEVICE_ERROR))]
    told = [event.data for event in collector.events if event.kind == "instrument_error"]
    assert told == [
        {"command": "READ?", "code": -113, "text": "Undefined header"},
        {"command": "READ?", "code": -350, "text": "Queue overflow"},
    ]


def test_cancelling_while_the_instrument_hangs_leaves_no_thread(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path, timeout_ms=60_000) as (instrument, driver):
            instrument.fault = "silence"
            running = asyncio.create_task(driver.run(collector))
            async with asyncio.timeout(20):
                await instrument.asked.wait()
            assert visa_threads() != []
            started = time.monotonic()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert time.monotonic() - started < 1
            assert visa_threads() == []

    asyncio.run(scenario())
    assert kinds(collector) == ["transcript_closed"]


def test_cancelling_again_and_again_leaves_no_thread(collector: Any, tmp_path: Path) -> None:
    """Whatever is under way when it happens: connecting, asking, or letting go after a fault."""

    async def scenario() -> None:
        async with metered(tmp_path, timeout_ms=50) as (instrument, driver):
            for turn in range(40):
                instrument.fault = "silence" if turn % 2 else ""
                running = asyncio.create_task(driver.run(collector))
                await asyncio.sleep(0.005 * turn)
                running.cancel()
                await asyncio.sleep(0)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                assert visa_threads() == []

    asyncio.run(scenario())


def test_transcript_that_was_left_behind_is_told_with_its_hash(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "meter" / "transcripts"
    folder.mkdir(parents=True)
    (folder / "00000007.jsonl").write_bytes(b'{"half')
    collector.kept |= {"transcript": b"00000007.jsonl", "session": b"7"}

    async def scenario() -> None:
        async with metered(tmp_path) as (_, driver):
            await run_until(driver, collector, lambda: collector.polls)

    asyncio.run(scenario())
    assert collector.events[0].kind == "transcript_found"
    assert collector.events[0].data["sha256"] == hashlib.sha256(b'{"half').hexdigest()
    assert (folder / "00000008.jsonl").exists()


def test_hash_is_told_now_and_then(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path, seal_s=1) as (_, driver):
            await run_until(driver, collector, lambda: "transcript_sealed" in kinds(collector))

    asyncio.run(scenario())


def test_oldest_files_go_first_and_are_told(collector: Any, run_until: Any, tmp_path: Path) -> None:
    folder = tmp_path / "meter" / "transcripts"
    folder.mkdir(parents=True)
    for number in (1, 2, 3):
        (folder / f"{number:08d}.jsonl").write_bytes(b"x" * 600_000)

    async def scenario() -> None:
        async with metered(tmp_path, files_bytes_max=1_300_000) as (_, driver):
            await run_until(driver, collector, lambda: collector.polls)

    asyncio.run(scenario())
    assert collector.events[0].kind == "files_dropped"
    assert collector.events[0].data == {"files": 1, "bytes": 600_000}
    assert sorted(path.name for path in folder.iterdir())[0] == "00000002.jsonl"


def test_nobody_listening_and_nobody_there_are_unavailable(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        for resource in (
            "TCPIP::127.0.0.1::1::SOCKET",
            "TCPIP::127.0.0.1::hislip0::INSTR",
            "TCPIP::127.0.0.1::inst0::INSTR",
        ):
            settings = meter_settings(1, resource=resource)
            driver = InstrumentDriver(settings, Given(time.monotonic_ns, tmp_path))
            error = await run_until(driver, collector, lambda: False)
            assert error.cause is GapCause.BUS
            assert "refused" in error.reason
            (line,) = await driver.probe()
            assert not line.ok

    asyncio.run(scenario())
    assert visa_threads() == []


def test_disk_that_takes_nothing_is_a_gap_of_storage(collector: Any, run_until: Any, tmp_path: Path) -> None:
    (tmp_path / "meter").write_text("a file where the folder should be")

    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):
            error = await run_until(driver, collector, lambda: False)
            assert error.cause is GapCause.STORAGE
            assert instrument.commands == []

    asyncio.run(scenario())


def test_probe_asks_everything_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):
            lines = await driver.probe()
            assert [line.ok for line in lines] == [True, True]
            assert lines[0].answer.startswith("Heng simulators")
            instrument.fault = "stranger"
            (line,) = await driver.probe()
            assert not line.ok
        assert not (tmp_path / "meter").exists()

    asyncio.run(scenario())


def test_settings_name_every_fault() -> None:
    bad = {
        "driver": "instrument",
        "name": "x",
        "prefix": "p",
        "resource": "TCPIP::300.0.0.1::5025::SOCKET",
        "identity": {},
        "query": [{"point": "a", "command": "*RST", "quantity": "nonsense", "step": "0"}],
        "procedure": [
            {"name": "a", "step": [{"command": "X {y}"}, {"command": "Z", "save": "bin"}]},
            {"name": "a", "argument": [{"name": "q", "low": "2", "high": "1"}], "step": [{"command": "X"}]},
        ],
    }
    settings, faults = check(bad, InstrumentDevice)
    assert settings is None
    paths = {fault.path for fault in faults}
    assert {
        "identity.model", "query[0].command", "query[0].quantity", "query[0].step",
        "procedure[0].step[1].save", "procedure[1].argument[0].high", "procedure[1].name",
    } <= paths  # fmt: skip
    for resource in ("TCPIP::host::5025::SOCKET", "TCPIP::1.2.3.4::0::SOCKET", "GPIB::1::INSTR"):
        _, faults = check(bad | {"resource": resource, "identity": {"model": "x"}}, InstrumentDevice)
        assert faults


def test_sample_runs_as_it_stands(tmp_path: Path) -> None:
    file = Path(__file__).parents[4] / "edge" / "drivers" / "instrument" / "sample.toml"
    (table,) = tomllib.loads(file.read_text(encoding="utf-8"))["device"]
    settings, faults = check(table, InstrumentDevice)
    assert faults == []
    assert settings is not None
    assert InstrumentDriver(settings, Given(time.monotonic_ns, tmp_path)).points[0].exponent == -8
    assert msgspec.convert(table, InstrumentDevice, strict=False) == settings
