"""The simulated readers against libosdp's own controller: sessions, keys, cards and every fault."""

import asyncio
import gc
import os
import sys
import termios
import time
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import osdp_sys
import pytest

from simulators.devices.osdp import Answer, Reader, ReaderLine, reader_line, wiegand_26
from simulators.running import Clocks, running
from simulators.scenario import GatewayPart, OsdpPart, Scenario
from wire.settings.check import check
from wire.settings.osdp import OsdpDevice

pytestmark = pytest.mark.slow

KEY = bytes.fromhex("00112a33445566778899aabbccddeeff")
OTHER = bytes.fromhex("c0ffee11223344556677889900aabbcc")


class Controller:
    """libosdp's controller on the other end, worked by the loop. It is its own channel."""

    id = 1

    def __init__(self, path: Path, key: bytes, *, pairing: bool = False) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        self.heard = b""
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.file)
        termios.tcflush(self.file, termios.TCIOFLUSH)
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        flags = 0 if pairing else osdp_sys.FLAG_ENFORCE_SECURE
        info = {"name": "one", "address": 1, "flags": flags, "scbk": key, "channel": self}
        self.context = osdp_sys.ControlPanel([info])
        self.context.set_event_callback(self._event)

    def _event(self, _: int, event: dict[str, Any]) -> int:
        self.events.append(event)
        return 0

    def read(self, size: int) -> bytes:
        try:
            data = os.read(self.file, size)
        except OSError:
            return b""
        self.heard += data
        return data

    def write(self, data: bytes) -> int:
        try:
            return os.write(self.file, data)
        except OSError:
            return -1

    def flush(self) -> None:
        pass

    @property
    def secure(self) -> bool:
        return bool(self.context.status() & self.context.sc_status() & 1)

    async def until(self, condition: Callable[[], object], *, within_s: float = 3) -> bool:
        """Whether it comes true in time."""
        for _ in range(int(within_s / 0.005)):
            self.context.refresh()
            if condition():
                return True
            await asyncio.sleep(0.005)
        return False


@asynccontextmanager
async def a_line(
    folder: Path, key: bytes | None = KEY, *, ours: bytes = KEY, pairing: bool = False
) -> AsyncIterator[tuple[ReaderLine, Reader, Controller]]:
    reader = Reader(1, key)
    async with reader_line(folder / "line", [reader, Reader(2, OTHER)], seed=3) as line:
        controller = Controller(folder / "line", ours, pairing=pairing)
        try:
            yield line, reader, controller
        finally:
            os.close(controller.file)


def test_card_and_keys_come_through_the_secure_channel(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path) as (_, reader, controller):
            assert await controller.until(lambda: controller.secure)
            assert reader.present(0x2EC0C86, 26)
            assert reader.press("12#*")
            assert await controller.until(lambda: len(controller.events) == 2)
            card, keys = controller.events
            assert (card["length"], card["data"]) == (26, (0x2EC0C86 << 6).to_bytes(4, "big"))
            assert keys["data"] == b"12\x0d\x7f"
            assert card["data"] not in controller.heard

    asyncio.run(scenario())


@pytest.mark.parametrize("key", [OTHER, None])
def test_reader_with_another_key_has_no_session(key: bytes | None, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path, key) as (_, reader, controller):
            assert not await controller.until(lambda: controller.secure, within_s=1)
            assert not controller.events
            assert reader.key == key

    asyncio.run(scenario())


def test_reader_from_the_factory_takes_its_first_key_and_keeps_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path, None, pairing=True) as (_, reader, controller):
            assert await controller.until(lambda: controller.secure)
            assert reader.key == KEY

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", ["silence", "garbage", "wrong_key"])
def test_faulty_reader_gets_no_session_until_it_is_well(fault: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path) as (_, reader, controller):
            reader.fault = fault
            assert not await controller.until(lambda: controller.secure, within_s=1)
            reader.fault = ""
            again = Controller(controller.path, KEY)
            assert await again.until(lambda: again.secure)
            os.close(again.file)

    asyncio.run(scenario())


def test_slow_reader_still_answers_in_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path) as (_, reader, controller):
            reader.fault = "slow"
            assert await controller.until(lambda: controller.secure)

    asyncio.run(scenario())


def test_tamper_and_power_are_told_and_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path) as (_, reader, controller):
            assert await controller.until(lambda: controller.secure)
            reader.fault = "tamper"
            assert await controller.until(lambda: controller.events)
            reader.fault = "power"
            assert await controller.until(lambda: len(controller.events) == 2)
            command = {"command": osdp_sys.CMD_STATUS, "type": osdp_sys.STATUS_REPORT_LOCAL}
            assert controller.context.submit_command(0, command)
            assert await controller.until(lambda: len(controller.events) == 3)
            assert [event["report"] for event in controller.events] == [b"\1\0", b"\0\1", b"\0\1"]

    asyncio.run(scenario())


class Remembering(Reader):
    """Keeps every reply that it gave to the binding, so that their references can be counted."""

    def __init__(self, address: int, key: bytes | None) -> None:
        super().__init__(address, key)
        self.replies: list[dict[str, object] | None] = []

    def _obey(self, command: dict[str, object]) -> Answer:
        answer = super()._obey(command)
        self.replies.append(answer[1])
        return answer


def test_replies_have_a_reference_for_everything_that_holds_them(tmp_path: Path) -> None:
    """One too few, and the process dies some time later of memory that was freed while it was held."""

    async def scenario() -> None:
        reader = Remembering(1, KEY)
        async with reader_line(tmp_path / "line", [reader]):
            controller = Controller(tmp_path / "line", KEY)
            try:
                assert await controller.until(lambda: controller.secure)
                command = {"command": osdp_sys.CMD_STATUS, "type": osdp_sys.STATUS_REPORT_LOCAL}
                for count in range(1, 6):
                    assert controller.context.submit_command(0, command)
                    assert await controller.until(lambda count=count: len(controller.events) == count)
            finally:
                os.close(controller.file)
        assert len(reader.replies) == 5
        (reply,) = {id(one): one for one in reader.replies}.values()
        reader.replies.clear()
        assert sys.getrefcount(reply) > len(gc.get_referrers(reply))

    asyncio.run(scenario())


def test_rebooted_reader_forgets_its_session(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path) as (_, reader, controller):
            assert await controller.until(lambda: controller.secure)
            reader.reboot()
            assert await controller.until(lambda: not controller.secure)

    asyncio.run(scenario())


def test_clear_fault_sends_a_card_in_clear(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path) as (_, reader, controller):
            assert await controller.until(lambda: controller.secure)
            controller.heard = b""
            reader.fault = "clear"
            assert await controller.until(lambda: bytes([0x50, 0, 1, 26, 0]) in controller.heard)

    asyncio.run(scenario())


def test_cut_line_carries_nothing_and_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_line(tmp_path) as (line, _, controller):
            assert await controller.until(lambda: controller.secure)
            line.fault = "cut"
            controller.heard = b""
            await controller.until(lambda: False, within_s=0.5)
            assert controller.heard == b""
            line.fault = ""
            assert await controller.until(lambda: controller.heard)

    asyncio.run(scenario())


def test_unplugged_adapter_takes_its_path_away_and_noise_is_the_same_for_the_same_seed(
    tmp_path: Path,
) -> None:
    async def noise(folder: Path) -> bytes:
        async with a_line(folder) as (line, reader, controller):
            line.fault = "gone"
            assert not line.path.exists()
            line.fault = "noise"
            os.close(controller.file)
            controller.file = os.open(line.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
            line.answer(reader, b"\x53")
            for _ in range(100):  # The line may give the noise first and the answer a little later.
                controller.read(4096)
                if controller.heard.endswith(b"\x53"):
                    break
                await asyncio.sleep(0.01)
            return controller.heard

    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    first, second = (asyncio.run(noise(folder)) for folder in folders)
    assert first.endswith(b"\x53")
    assert len(first) > 1
    assert first == second


def test_card_has_the_parity_of_its_format() -> None:
    assert wiegand_26(118, 1603) == 0x2EC0C86


def test_scenario_runs_a_line_of_readers_with_keys_and_faults(tmp_path: Path) -> None:
    part = OsdpPart(name="door", readers=["entry", "exit"])
    gateway = GatewayPart(
        id="lab-1", kind="laboratory", title="Laboratory", latitude=28.2, longitude=112.9, osdp=[part]
    )
    scenario = Scenario(title="readers", gateway=[gateway])
    clocks = Clocks(time.monotonic_ns, time.time)

    async def run() -> str:
        async with running(scenario, seed=5, folder=tmp_path, clocks=clocks) as state:
            tables: Any = state.gateways["lab-1"]["device"]
            assert tables[0].pop("driver") == "osdp"
            settings, faults = check(tables[0], OsdpDevice)
            assert not faults
            assert settings is not None
            key = (tmp_path / "lab-1-door" / "entry.key").read_text(encoding="ascii")
            controller = Controller(Path(settings.path), bytes.fromhex(key))
            assert await controller.until(lambda: controller.secure)
            state.switch("lab-1/door", "silence", unit=2)
            line: Any = state.devices["lab-1/door"]
            state.switch("lab-1/door", "gone")
            assert not line.path.exists()
            for fault, unit in (("silence", None), ("gone", 1)):
                with pytest.raises(ValueError, match="Invalid"):
                    state.switch("lab-1/door", fault, unit=unit)
            os.close(controller.file)
            return key

    assert asyncio.run(run()) == asyncio.run(run())
