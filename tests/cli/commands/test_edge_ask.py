"""`heng edge run|set|pair|show` as a person uses them beside a gateway, with the real protocols behind."""

import asyncio
import os
import pwd
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from cli.main import main
from edge.control.outputs import Output, Outputs
from edge.driver import Driver, Given
from edge.drivers.instrument.driver import InstrumentDriver
from edge.drivers.osdp.driver import OsdpDriver
from edge.local.asks import SOCKET_NAME
from edge.local.desk import Desk
from edge.local.server import Local
from edge.tap import Describe, Tap
from simulators.devices.instrument import Instrument, Multimeter, scpi_server
from simulators.devices.osdp import Reader, reader_line
from tests.edge.drivers.conftest import Collector
from wire.messages import Clock
from wire.settings.instrument import Argument, Identity, InstrumentDevice, Procedure, Query, Step
from wire.settings.osdp import OsdpDevice, OsdpReader
from wire.status import ClockState

pytestmark = pytest.mark.slow
USER = f"{pwd.getpwuid(os.getuid()).pw_name} (uid {os.getuid()})"
SETTINGS = """
[gateway]
id = "lab-1"
[uplink]
host = "localhost"
[[device]]
driver = "network"
name = "network"
"""


class Lamp:
    """A driver with two outputs, of which one rests."""

    name = "lamps"
    outputs = (Output("room/lamp", "switch", 0, 1), Output("room/lock", "switch", 0, 1, safe=0))

    def __init__(self) -> None:
        self.counts = {"room/lamp": 0, "room/lock": 0}

    async def write(self, output: str, counts: int) -> None:
        self.counts[output] = counts

    async def read_back(self, output: str) -> int | None:
        return self.counts[output]


class Gateway:
    """What of a gateway answers at the local socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.settings = folder / "gateway.toml"
        self.settings.write_text(SETTINGS)
        self.drivers: list[Driver] = []
        self.collector = Collector()
        self.settled = 0
        self.disk_full = False

    async def settle(self) -> bool:
        self.settled += 1
        return not self.disk_full

    async def heng(self, *words: str) -> int:
        """Run `heng edge` as a person does."""
        action, *rest = words
        asked = ["edge", action, "--settings", str(self.settings), *rest]
        return await asyncio.wait_for(asyncio.to_thread(main, asked), 30)

    @asynccontextmanager
    async def running(self, *drivers: Any) -> AsyncIterator[None]:
        self.drivers = list(drivers)
        outputs = Outputs([*drivers, Lamp()], tell=lambda *_: None, now=time.monotonic)
        tap = Tap(Describe(list, list, lambda: Clock(ClockState.UNSYNCHRONISED)))
        desk = Desk(drivers=lambda: self.drivers, outputs=outputs, tap=tap, settle=self.settle)
        tasks = [asyncio.create_task(Local(self.data, desk.answer).run())]
        tasks += [asyncio.create_task(driver.run(self.collector)) for driver in drivers]
        try:
            for _ in range(500):
                if (self.data / SOCKET_NAME).is_socket():
                    break
                await asyncio.sleep(0.01)
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def events(self, kind: str) -> list[Any]:
        return [event.data for event in self.collector.events if event.kind == kind]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Gateway(Path(name))


@asynccontextmanager
async def metered(gateway: Gateway) -> AsyncIterator[None]:
    async with scpi_server(Instrument(Multimeter(now_s=time.time, voltage=lambda _: 10.0))) as port:
        settings = InstrumentDevice(
            name="meter",
            prefix="bench/meter",
            resource=f"TCPIP::127.0.0.1::{port}::SOCKET",
            identity=Identity(model="SIM-6500"),
            interval_ms=100,
            query=[Query(point="voltage", command="READ?", quantity="voltage", step=Decimal("1e-7"))],
            procedure=[
                Procedure(
                    name="range",
                    argument=[Argument(name="range", words=["1", "10", "7"])],
                    step=[Step(command="CONF:VOLT:DC {range}"), Step(command="CONF?")],
                )
            ],
        )
        async with gateway.running(InstrumentDriver(settings, Given(time.monotonic_ns, gateway.data))):
            await asyncio.wait_for(gateway.collector.until(lambda: gateway.collector.polls), 15)
            yield


@asynccontextmanager
async def doors(gateway: Gateway, reader: Reader) -> AsyncIterator[None]:
    settings = OsdpDevice(
        name="doors",
        path=str(gateway.folder / "line"),
        baud=115200,
        offline_s=1,
        reader=[OsdpReader(name="entry", address=1)],
    )
    async with (
        reader_line(gateway.folder / "line", [reader], seed=7),
        gateway.running(OsdpDriver(settings, Given(time.monotonic_ns, gateway.data))),
    ):
        await asyncio.wait_for(gateway.collector.until(lambda: gateway.events("reader_offline")), 15)
        yield


@pytest.mark.requirement("G-8b", "Q-93")
def test_procedure_prints_transcript_answers_and_the_hash_of_its_event(gateway: Gateway, capsys: Any) -> None:
    async def story() -> None:
        async with metered(gateway):
            assert await gateway.heng("run", "meter", "range", "range=1") == 0

    asyncio.run(story())
    (done,) = gateway.events("procedure_done")
    assert capsys.readouterr().out.splitlines() == [
        "  # procedure range",
        "  > CONF:VOLT:DC 1",
        "  > SYST:ERR?",
        '  < +0,"No error"',
        "  > CONF?",
        '  < "VOLT 1,10"',
        "  > SYST:ERR?",
        '  < +0,"No error"',
        '"VOLT 1,10"',
        f"sha256 {done['sha256']} of the first {done['bytes']} bytes of {done['file']}",
    ]
    assert (done["by"], gateway.settled) == (f"local: {USER}", 1)


def test_procedure_that_is_not_done_says_why_and_wrong_words_are_named(gateway: Gateway, capsys: Any) -> None:
    wrong = {
        ("pump", "range"): "device pump: expected one with procedures (meter)",
        ("meter", "reset"): "procedure 'reset': expected one that is declared (range)",
        ("meter", "range"): "range: argument range: None: expected 1 or 10 or 7",
        ("meter", "range", "range=2"): "range: argument range: '2': expected 1 or 10 or 7",
        ("meter", "range", "range"): "range: expected NAME=VALUE, each name once",
        ("meter", "range", "range=1", "range=10"): "range=10: expected NAME=VALUE, each name once",
        ("meter",): "meter: expected a procedure behind the device",
    }

    async def story() -> None:
        async with metered(gateway):
            for words, said in wrong.items():
                assert await gateway.heng("run", *words) == 2
                assert f"heng edge run: {said}\n" == capsys.readouterr().err
            assert await gateway.heng("run", "meter", "range", "range=7") == 1
            assert "range: step 1 of 2: Data out of range" in capsys.readouterr().err

    asyncio.run(story())


@pytest.mark.requirement("G-6.4b")
def test_reader_is_paired_and_shown_something(gateway: Gateway, capsys: Any) -> None:
    reader = Reader(1, None, has=["led", "buzzer"])

    async def story() -> None:
        async with doors(gateway, reader):
            assert await gateway.heng("show", "doors", "entry", "--led", "green") == 1
            assert "reader entry has no secure session" in capsys.readouterr().err
            assert await gateway.heng("pair", "doors", "entry") == 0
            said = capsys.readouterr().out
            assert "may be paired for 10 minutes" in said
            assert said.endswith("doors/entry: paired\n")
            assert reader.key is not None
            assert reader.key.hex() not in said
            words = ["--led", "green", "--buzzer", "--text", "Welcome"]
            assert await gateway.heng("show", "doors", "entry", *words) == 0
            assert capsys.readouterr().out == "doors/entry: led, buzzer; it has no text\n"
            assert await gateway.heng("show", "doors", "entry", "--text", "Welcome") == 1
            assert "it says that it has no text" in capsys.readouterr().err
            for words, said in (
                (["door", "entry", "--buzzer", "2"], "device door: expected one with readers (doors)"),
                (["doors", "exit", "--buzzer", "2"], "reader exit: expected one of doors (entry)"),
                (["doors", "entry"], "nothing to show: expected a light, a buzzer or a text"),
                (["doors", "entry", "--buzzer", "11"], "beeps: 11: expected 0 to 10"),
            ):
                assert await gateway.heng("show", *words) == 2
                assert said in capsys.readouterr().err

    asyncio.run(story())


def test_output_is_set_by_the_running_gateway(gateway: Gateway, capsys: Any) -> None:
    async def story() -> None:
        async with gateway.running():
            assert await gateway.heng("set") == 0
            assert capsys.readouterr().out == "room/lamp: 0 to 1\nroom/lock: 0 to 1\n"
            assert await gateway.heng("set", "--output", "room/lamp", "--value", "1") == 0
            assert capsys.readouterr().out == "room/lamp: 1, confirmed by the device\n"
            gateway.disk_full = True
            assert await gateway.heng("set", "--output", "room/lamp", "--value", "0") == 0
            assert capsys.readouterr().err == (
                "done, but not recorded yet: the gateway's disk takes nothing now\n"
            )
            for words, code, said in (
                (
                    ["--output", "room/fan", "--value", "1"],
                    2,
                    "output room/fan: expected one of room/lamp, room/lock",
                ),
                (["--output", "room/lamp", "--value", "2"], 1, "room/lamp: 2: expected 0 to 1"),
                (["--output", "room/lamp"], 2, "expected --output and --value together"),
            ):
                assert await gateway.heng("set", *words) == code
                assert said in capsys.readouterr().err

    asyncio.run(story())


def test_output_that_was_left_on_is_shown_with_the_user_who_did(gateway: Gateway, capsys: Any) -> None:
    async def story() -> None:
        async with gateway.running():
            assert await gateway.heng("show") == 0
            assert capsys.readouterr().out.startswith("every output is where it was declared to rest")
            assert await gateway.heng("set", "--output", "room/lock", "--value", "1") == 0
            capsys.readouterr()
            assert await gateway.heng("show") == 0
            left = f"room/lock: is 1, rests at 0; set just now, local: {USER}\n"
            assert capsys.readouterr().out == left
            assert await gateway.heng("set") == 0
            assert left.partition(": ")[2] in capsys.readouterr().out
            assert await gateway.heng("show", "--text", "Welcome") == 2
            assert "expected DEVICE and READER" in capsys.readouterr().err

    asyncio.run(story())


@pytest.mark.parametrize(
    "words", [("run", "meter", "range"), ("pair", "doors", "entry"), ("show", "doors", "entry"), ("tail",)]
)
def test_without_a_gateway_nobody_answers(words: tuple[str, ...], gateway: Gateway, capsys: Any) -> None:
    assert asyncio.run(gateway.heng(*words)) == 1
    assert capsys.readouterr().err.startswith(f"heng edge {words[0]}: no gateway runs on ")


def test_settings_stand_before_or_behind_the_action(gateway: Gateway, capsys: Any) -> None:
    file = str(gateway.settings)
    for words in (["--settings", file, "tail"], ["tail", "--settings", file]):
        assert main(["edge", *words]) == 1
        assert "no gateway runs on" in capsys.readouterr().err
    assert main(["edge", "tail"]) == 2
    assert "heng edge tail: expected --settings FILE" in capsys.readouterr().err
