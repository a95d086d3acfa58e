"""Declared procedures against simulated instruments: what is sent, kept and told, and who is answered."""

import asyncio
import hashlib
import itertools
import resource
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edge.control.offers import NotDoneError, RefusedError
from edge.driver import Given
from edge.drivers.instrument.driver import InstrumentDriver
from simulators.devices.instrument import PICTURE, Bath, Instrument, scpi_server
from tests.edge.drivers.instrument.bench import beside, kinds, meter_settings, metered
from wire.settings.instrument import Argument, Identity, Procedure, Query, Step


@pytest.mark.requirement("G-8b", "Q-93")
def test_declared_procedure_is_done_and_its_transcript_sealed(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (_, driver):
            result = await beside(
                driver,
                collector,
                lambda: driver.execute(
                    "range", {"range": "1"}, by="test", overhear=lambda *line: heard.append(line)
                ),
            )
            assert result.answers == ['"VOLT 1,10"']
            done = next(event.data for event in collector.events if event.kind == "procedure_done")
            assert (result.file, result.bytes, result.sha256) == (done["file"], done["bytes"], done["sha256"])
            assert done["by"] == "test"

    heard: list[tuple[str, str]] = []
    asyncio.run(scenario())
    assert heard == [
        ("note", "procedure range"),
        ("command", "CONF:VOLT:DC 1"),
        ("command", "SYST:ERR?"),
        ("answer", '+0,"No error"'),
        ("command", "CONF?"),
        ("answer", '"VOLT 1,10"'),
        ("command", "SYST:ERR?"),
        ("answer", '+0,"No error"'),
    ]
    done = next(event.data for event in collector.events if event.kind == "procedure_done")
    assert (done["procedure"], done["arguments"], done["steps"], done["done"]) == ("range", "range=1", 2, 2)
    content = (tmp_path / "meter" / "transcripts" / done["file"]).read_bytes()[: done["bytes"]]
    assert hashlib.sha256(content).hexdigest() == done["sha256"]
    assert b'"procedure range"' in content


@pytest.mark.requirement("Q-93")
def test_data_is_kept_as_a_file_named_by_its_hash(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (_, driver):
            done = await beside(driver, collector, lambda: driver.execute("screen", {}, by="test"))
            (name,) = done.answers
            digest = hashlib.sha256(PICTURE).hexdigest()
            assert name == f"{digest}.png"
            assert (tmp_path / "meter" / "data" / name).read_bytes() == PICTURE
            (told,) = [event.data for event in collector.events if event.kind == "data_file"]
            assert (told["sha256"], told["bytes"]) == (digest, len(PICTURE))

    asyncio.run(scenario())


def test_procedure_stops_at_the_first_error_of_the_instrument(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):
            with pytest.raises(NotDoneError, match="range: step 1 of 2: Data out of range"):
                await beside(driver, collector, lambda: driver.execute("range", {"range": "7"}, by="test"))
            assert "CONF?" not in instrument.commands
            with pytest.raises(RefusedError, match="expected one that is declared"):
                await driver.execute("*RST", {}, by="test")

    asyncio.run(scenario())
    assert "procedure_failed" in kinds(collector)


def test_procedure_whose_asker_left_before_it_began_is_not_done(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):

            async def leave() -> None:
                asking = [
                    asyncio.create_task(driver.execute("range", {"range": wanted}, by="test"))
                    for wanted in ("1", "10")
                ]
                await asyncio.sleep(0)
                asking[1].cancel()
                await asking[0]
                await asyncio.gather(driver.execute("screen", {}, by="test"), *asking, return_exceptions=True)

            await beside(driver, collector, leave)
            assert "CONF:VOLT:DC 10" not in instrument.commands

    asyncio.run(scenario())
    assert kinds(collector).count("procedure_done") == 2


def test_procedure_of_a_lost_instrument_fails(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path) as (instrument, driver):

            async def lose() -> None:
                instrument.fault = "silence"
                await driver.execute("range", {"range": "1"}, by="test")

            with pytest.raises(NotDoneError, match=r"connection was lost|not reachable"):
                await beside(driver, collector, lose)

    asyncio.run(scenario())


def test_procedures_are_done_although_a_round_of_readings_takes_longer_than_its_interval(
    collector: Any, tmp_path: Path
) -> None:
    now_s = itertools.count(1)  # whoever asks what time it is finds another second gone

    async def scenario() -> None:
        async with metered(tmp_path, monotonic_ns=lambda: next(now_s) * 10**9) as (_, driver):

            async def work() -> None:
                before = len(collector.polls)
                asking = [
                    asyncio.create_task(driver.execute("range", {"range": wanted}, by="test"))
                    for wanted in ("1", "10", "1")
                ]
                await asyncio.sleep(0)
                asking[0].cancel()  # who left takes nobody's turn
                await asyncio.wait_for(asyncio.wait(asking), 5)
                assert [one.cancelled() or one.result().answers for one in asking] == [
                    True,
                    ['"VOLT 10,10"'],
                    ['"VOLT 1,10"'],
                ]
                assert len(collector.polls) > before  # readings go on in between

            await beside(driver, collector, work)

    asyncio.run(scenario())


def test_who_asked_is_answered_when_the_disk_takes_no_transcript(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with metered(tmp_path, interval_ms=60_000) as (instrument, driver):

            async def fill() -> None:
                before = len(instrument.commands)
                limits = resource.getrlimit(resource.RLIMIT_FSIZE)
                size = (tmp_path / "meter" / "transcripts" / "00000001.jsonl").stat().st_size
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
                try:
                    await asyncio.wait_for(driver.execute("range", {"range": "1"}, by="test"), 5)
                finally:
                    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                    assert len(instrument.commands) == before

            with pytest.raises(NotDoneError, match=r"range: step 1 of 2: transcript .*: File too large"):
                await beside(driver, collector, fill)

    asyncio.run(scenario())
    assert "procedure_failed" in kinds(collector)


def test_data_files_stay_within_the_bound_while_a_connection_lasts(collector: Any, tmp_path: Path) -> None:
    folder = tmp_path / "meter" / "data"
    folder.mkdir(parents=True)

    async def scenario() -> None:
        async with metered(tmp_path, files_bytes_max=1024 * 1024) as (_, driver):

            async def work() -> None:
                (folder / "old.bin").write_bytes(b"x" * 2_000_000)
                await driver.execute("screen", {}, by="test")

            await beside(driver, collector, work)

    asyncio.run(scenario())
    assert "files_dropped" in kinds(collector)
    assert [path.suffix for path in folder.iterdir()] == [".png"]


def test_bath_settles_slowly_and_its_set_point_is_a_procedure(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    clock = [0.0]
    bath = Bath(now_s=lambda: clock[0], settling_s=300)
    settings = {
        "identity": Identity(model="SIM-BATH"),
        "query": [
            Query(point="temperature", command="SENS:TEMP?", quantity="temperature", step=Decimal("0.001")),
            Query(point="on", command="OUTP?", quantity="state", step=Decimal(1)),
        ],
        "procedure": [
            Procedure(
                name="heat",
                argument=[Argument(name="target", low=Decimal(-30), high=Decimal(90))],
                step=[Step(command="SOUR:TEMP:SPT {target}"), Step(command="OUTP ON")],
            )
        ],
    }

    async def scenario() -> None:
        async with scpi_server(Instrument(bath)) as port:
            driver = InstrumentDriver(meter_settings(port, **settings), Given(time.monotonic_ns, tmp_path))
            await beside(driver, collector, lambda: driver.execute("heat", {"target": "60"}, by="test"))
            for passed_s, low, high in ((0, 19, 21), (300, 44, 46), (1500, 59.5, 60)):
                clock[0] = passed_s
                collector.polls.clear()
                await run_until(driver, collector, lambda: len(collector.polls) >= 2)
                assert low <= collector.of(driver.layouts[0].id)[0].counts[0] / 10_000 <= high
                assert collector.of(driver.layouts[1].id)[0].counts == [10]

    asyncio.run(scenario())
