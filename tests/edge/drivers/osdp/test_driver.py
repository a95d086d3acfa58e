"""The driver against libosdp's own readers on a pseudo-terminal: sessions, cards, PINs, faults, pairing."""

import asyncio
import logging
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.credential import FORMATS, Presented, frame_of, load_key
from edge.driver import DeviceUnavailable, Given
from edge.drivers.osdp.decode import DEFAULT_KEY
from edge.drivers.osdp.driver import FeedbackError, OsdpDriver
from edge.drivers.osdp.feedback import DENIED, GRANTED, Feedback
from edge.drivers.osdp.station import INSTALL_S
from simulators.devices.osdp import Reader, ReaderLine, reader_line
from wire.messages import Event
from wire.settings.check import check
from wire.settings.osdp import OsdpDevice, OsdpReader

pytestmark = pytest.mark.slow

KEYS = [bytes.fromhex("00112a33445566778899aabbccddeeff"), bytes.fromhex("c0ffee11223344556677889900aabbcc")]
NAMES = ["entry", "exit"]
CARD = frame_of(FORMATS["h10301"], 54321, 118)


class Clock:
    """The steady clock, which a test may set forward."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self.ahead_ns


class Site:
    """A driver, its readers and what they present."""

    def __init__(self, folder: Path, line: ReaderLine, driver: OsdpDriver) -> None:
        self.folder, self.line, self.driver = folder, line, driver
        self.entry = line.readers[1]
        self.presented: list[Presented] = []
        driver.listen(self.presented.append)

    @property
    def exit(self) -> Reader:
        return self.line.readers[2]


def write_key(folder: Path, reader: str, key: bytes, mode: int = 0o600) -> Path:
    file = folder / "doors" / f"{reader}.key"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(key.hex() + "\n", encoding="ascii")
    file.chmod(mode)
    return file


@asynccontextmanager
async def a_site(
    folder: Path,
    *,
    readers: int = 1,
    key: bytes | None = KEYS[0],
    clock: Callable[[], int] = time.monotonic_ns,
    interval_ms: int = 500,
) -> AsyncIterator[Site]:
    """Readers and their driver; `key` is what the first one has, the second has no more than a light."""
    ends = [Reader(1, key), Reader(2, KEYS[1], has=["led"])][:readers]
    for place in range(readers):
        write_key(folder, NAMES[place], KEYS[place])
    settings = OsdpDevice(
        name="doors",
        path=str(folder / "line"),
        baud=115200,
        interval_ms=interval_ms,
        offline_s=1,
        reader=[
            OsdpReader(name=NAMES[place], address=place + 1, pin_timeout_s=1) for place in range(readers)
        ],
    )
    async with reader_line(folder / "line", ends, seed=7) as line:
        driver = OsdpDriver(settings, Given(clock, folder))
        yield Site(folder, line, driver)


def events(collector: Any, kind: str, subject: str = "") -> list[Event]:
    return [event for event in collector.events if event.kind == kind and event.subject.endswith(subject)]


def last(collector: Any, driver: OsdpDriver, point: str) -> int | None:
    """The last value that was read of a point; -1 before the first."""
    (layout,) = (one for one in driver.layouts if point in one.points)
    polls = collector.of(layout.id)
    return polls[-1].counts[layout.points.index(point)] if polls else -1


@asynccontextmanager
async def running(site: Site, collector: Any) -> AsyncIterator[None]:
    """Run the driver; its end is waited for, and nothing of it is left."""
    task = asyncio.ensure_future(site.driver.run(collector))
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(collector: Any, condition: Callable[[], object], timeout_s: float = 15) -> None:
    await asyncio.wait_for(collector.until(condition), timeout_s)


def online(collector: Any, readers: int = 1) -> Callable[[], bool]:
    return lambda: len({event.subject for event in events(collector, "reader_online")}) == readers


@pytest.mark.requirement("G-3.5", "G-6.4b")
def test_card_becomes_an_event_without_its_number(
    collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with a_site(tmp_path) as site, running(site, collector):
            await until(collector, online(collector))
            assert site.entry.present(CARD, 26)
            await until(collector, lambda: events(collector, "card_read"))
            (presented,) = site.presented
            card = presented.credential
            assert (presented.reader, card.facility, card.number) == ("door/entry", 118, "54321")
            (event,) = events(collector, "card_read")
            assert event.subject == "door/entry"
            assert event.data.items() >= {"format": "h10301", "bits": 26, "masked": "…21"}.items()
            assert event.data["token"] == card.token(load_key(tmp_path))
            shown = f"{collector.events} {collector.polls} {presented} {caplog.text}"
            assert "54321" not in shown
            assert f"{CARD:x}" not in shown

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
def test_card_with_wrong_parity_and_foreign_length_is_told_and_given_to_nobody(
    collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path) as site, running(site, collector):
            await until(collector, online(collector))
            site.entry.present(CARD ^ 1, 26)
            await until(collector, lambda: events(collector, "card_unreadable"))
            (event,) = events(collector, "card_unreadable")
            assert event.data["bits"] == 26
            assert "parity" in str(event.data["reason"])
            assert not site.presented

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
def test_pin_is_collected_and_only_its_hash_is_journalled(
    collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with a_site(tmp_path) as site, running(site, collector):
            await until(collector, online(collector))
            site.entry.press("58")
            site.entry.press("3746#")
            await until(collector, lambda: events(collector, "pin_entered"))
            (presented,) = site.presented
            assert (presented.credential.kind, presented.credential.number) == ("pin", "583746")
            (event,) = events(collector, "pin_entered")
            assert set(event.data) == {"token", "key_id"}
            site.entry.press("99*")
            site.entry.press("1#")
            site.entry.press("4711")
            await until(collector, lambda: len(events(collector, "pin_dropped")) == 3)
            reasons = [event.data["reason"] for event in events(collector, "pin_dropped")]
            assert reasons == ["cleared", "length", "timeout"]
            shown = f"{collector.events} {presented} {caplog.text}"
            assert not any(pin in shown for pin in ("5837", "3746", "…46", "4711"))

    asyncio.run(scenario())


def test_tamper_and_power_are_read_and_told(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path) as site, running(site, collector):
            driver = site.driver
            await until(collector, lambda: last(collector, driver, "door/entry/tamper") == 0)
            site.entry.fault = "tamper"
            await until(collector, lambda: last(collector, driver, "door/entry/tamper") == 1)
            assert events(collector, "reader_tampered")
            await asyncio.sleep(1.2)  # it is asked every 0.5 s, and still says so
            assert last(collector, driver, "door/entry/tamper") == 1
            assert not events(collector, "reader_untampered")
            site.entry.fault = "power"
            await until(collector, lambda: last(collector, driver, "door/entry/power") == 1)
            await until(collector, lambda: events(collector, "reader_power_failing"))
            site.entry.fault = ""
            await until(collector, lambda: events(collector, "reader_power_good"))
            assert len(events(collector, "reader_untampered")) == 1

    asyncio.run(scenario())


def test_feedback_is_what_the_reader_has(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, readers=2) as site:
            with pytest.raises(FeedbackError, match="not one that runs"):
                await site.driver.show("entry", GRANTED)
            async with running(site, collector):
                await until(collector, online(collector, 2))
                wish = Feedback(colour="green", beeps=2, text="Welcome")
                assert await site.driver.show("entry", wish) == ["led", "buzzer", "text"]
                assert await site.driver.show("exit", DENIED) == ["led"]
                seen: list[object] = []
                for _ in range(100):
                    seen = [command.get("data") for command in site.entry.shown if "data" in command]
                    if seen and any("on_color" in command for command in site.exit.shown):
                        break
                    await asyncio.sleep(0.02)
                assert seen == ["Welcome"]
                site.entry.fault = "silence"
                await until(collector, lambda: events(collector, "reader_session_lost", "entry"))
                with pytest.raises(FeedbackError, match="no secure session"):
                    await site.driver.show("entry", GRANTED)
                assert not events(collector, "reader_session_lost", "exit")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0.0}, {"seconds": 26}, {"beeps": 11}, {"text": "欢迎"}, {"text": "x" * 33}]
)
def test_feedback_that_no_reader_can_give_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Feedback(**wrong)


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize(
    ("told", "more_s"),
    [("", 0.5), ("reader_session_lost", 0.0), ("reader_offline", 0.0), ("reader_offline", 11.0)],
)
def test_pulled_cable_recovers_within_10_s(told: str, more_s: float, collector: Any, tmp_path: Path) -> None:
    """11 s more is longer than libosdp tries by itself before it gives up for 300 s."""

    async def scenario() -> float:
        async with a_site(tmp_path, readers=2, interval_ms=60_000) as site, running(site, collector):
            await until(collector, online(collector, 2))
            await until(collector, lambda: last(collector, site.driver, "door/exit/tamper") == 0)
            await asyncio.sleep(0.2)  # from now on the readers are only asked for what happened
            site.line.fault = "cut"
            if told:
                await until(collector, lambda: len(events(collector, told)) == 2)
                assert ("door/entry/tamper", "door/entry/power") in {
                    names for names, _, _ in collector.silences
                }
            await asyncio.sleep(more_s)
            site.line.fault = ""
            back_at = time.monotonic()
            for reader in site.line.readers.values():
                reader.present(CARD, 26)
            await until(collector, lambda: len(events(collector, "card_read")) == 2)
            return time.monotonic() - back_at

    assert asyncio.run(scenario()) < 10


@pytest.mark.requirement("G-6.4b")
def test_unplugged_adapter_recovers_within_10_s(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> float:
        async with a_site(tmp_path) as site, running(site, collector):
            await until(collector, online(collector))
            site.line.fault = "gone"
            await until(collector, lambda: events(collector, "reader_offline"))
            (offline,) = events(collector, "reader_offline")
            assert str(site.folder / "line") in str(offline.data["reason"])
            await asyncio.sleep(3)
            site.line.fault = ""
            back_at = time.monotonic()
            await until(collector, lambda: len(events(collector, "reader_online")) == 2)
            return time.monotonic() - back_at

    assert asyncio.run(scenario()) < 10


@pytest.mark.parametrize("fault", ["silence", "garbage", "wrong_key"])
def test_one_lost_reader_bounces_no_other(fault: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, readers=2) as site, running(site, collector):
            await until(collector, online(collector, 2))
            site.exit.fault = fault
            await until(collector, lambda: events(collector, "reader_offline", "exit"))
            site.exit.fault = ""
            before = len(events(collector, "reader_online", "exit"))
            await until(collector, lambda: len(events(collector, "reader_online", "exit")) > before)
            assert not events(collector, "reader_session_lost", "entry")
            site.entry.present(CARD, 26)
            await until(collector, lambda: events(collector, "card_read", "entry"))

    asyncio.run(scenario())


def test_rebooted_reader_is_back_at_once_and_the_other_keeps_its_session(
    collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, readers=2) as site, running(site, collector):
            await until(collector, online(collector, 2))
            site.exit.reboot()
            await until(collector, lambda: len(events(collector, "reader_online", "exit")) == 2)
            assert int(str(events(collector, "reader_online", "exit")[-1].data["away_ms"])) < 2000
            assert not events(collector, "reader_session_lost", "entry")
            assert last(collector, site.driver, "door/exit/sessions") == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", ["slow", "noise"])
def test_slow_readers_and_noise_cost_no_session(fault: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path) as site, running(site, collector):
            await until(collector, online(collector))
            if fault == "slow":
                site.entry.fault = fault
            else:
                site.line.fault = fault
            for count in range(1, 6):
                site.entry.present(CARD, 26)
                await until(collector, lambda: len(events(collector, "card_read")) >= count)  # noqa: B023
            assert not events(collector, "reader_session_lost")

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
def test_reply_in_clear_within_a_session_is_told_and_not_believed(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path) as site, running(site, collector):
            await until(collector, online(collector))
            site.entry.fault = "clear"
            await until(collector, lambda: events(collector, "reader_clear_text"))
            assert not events(collector, "card_read")
            assert not events(collector, "card_unreadable")
            assert not site.presented

    asyncio.run(scenario())


def test_context_that_stopped_is_replaced(collector: Any, tmp_path: Path) -> None:
    """libosdp goes by wall time: when that is set back, it sends nothing until the old time comes again."""
    clock = Clock()

    async def scenario() -> None:
        async with a_site(tmp_path, clock=clock) as site, running(site, collector):
            await until(collector, online(collector))
            for _ in range(100):
                clock.ahead_ns += 6 * 10**9  # nothing was sent for so long, as far as the driver can tell
                await asyncio.sleep(0.05)
                if len(events(collector, "reader_online")) > 1:
                    return
            raise AssertionError("the context was not replaced")

    asyncio.run(scenario())


def test_listener_that_fails_costs_no_event(collector: Any, tmp_path: Path) -> None:
    def fails(presented: Presented) -> None:
        raise KeyError(presented)

    async def scenario() -> None:
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with a_site(tmp_path) as site, running(site, collector):
            site.driver.listen(fails)
            await until(collector, online(collector))
            site.entry.present(CARD, 26)
            await until(collector, lambda: events(collector, "card_read"))
            assert "54321" not in str(failures)

    asyncio.run(scenario())


def test_second_controller_on_the_line_is_told(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path) as site, running(site, collector):
            await until(collector, online(collector))
            for _ in range(20):
                site.line.say(bytes.fromhex("53050900046100c125"))
                await asyncio.sleep(0.01)
            await until(collector, lambda: events(collector, "bus_foreign_command"))
            assert events(collector, "bus_foreign_command")[0].data == {"address": 5}

    asyncio.run(scenario())


# --- keys -------------------------------------------------------------------------------------------


@pytest.mark.requirement("G-6.4b")
def test_reader_with_the_default_key_gets_no_session_and_no_command_in_clear(
    collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, key=None) as site, running(site, collector):
            await until(collector, lambda: events(collector, "reader_offline"))
            (refused,) = events(collector, "reader_key_refused")
            assert refused.data == {"reason": "the reader has another key, or still the default one"}
            assert not events(collector, "reader_online")
            assert site.entry.key is None
            sent = {frame[5] if not frame[4] & 8 else (frame[6], frame[7]) for frame in _sent(site)}
            assert sent <= {0x61, 0x62, (0x11, 1)}

    asyncio.run(scenario())


def _sent(site: Site) -> list[bytes]:
    return [b"\x53" + part for part in site.line.heard.split(b"\xff\x53")[1:] if len(part) > 8]


@pytest.mark.requirement("G-6.4b")
def test_default_key_in_the_key_file_is_refused_at_run_time(
    collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, key=None) as site:
            write_key(tmp_path, "entry", DEFAULT_KEY)
            async with running(site, collector):
                await until(collector, lambda: events(collector, "reader_offline"))
                assert b"\x53\x01" not in site.line.heard
                (refused,) = events(collector, "reader_key_refused")
                assert "entry.key: the default key (SCBK-D)" in str(refused.data["reason"])
            assert DEFAULT_KEY.hex() not in f"{collector.events}{caplog.text}"
            (line,) = await site.driver.probe()
            assert not line.ok
            assert "default key" in line.answer

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize("key", [DEFAULT_KEY.hex(), KEYS[0].hex()])
def test_settings_hold_no_key_at_all(key: str) -> None:
    table = {"name": "doors", "path": "/dev/ttyS0", "reader": [{"name": "a", "address": 1, "key": key}]}
    made, faults = check(table, OsdpDevice)
    assert made is None
    assert [fault.path for fault in faults] == ["reader[0].key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_key_file_that_others_may_read_is_refused_until_it_is_closed(
    mode: int, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path) as site:
            file = write_key(tmp_path, "entry", KEYS[0], mode)
            async with running(site, collector):
                await until(collector, lambda: events(collector, "reader_key_refused"))
                (refused,) = events(collector, "reader_key_refused")
                assert refused.data == {"reason": f"entry.key: mode {mode:04o}: expected a file of mode 0600"}
                file.chmod(0o600)
                await until(collector, online(collector))

    asyncio.run(scenario())


def test_missing_key_and_link_are_refused(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, readers=2) as site:
            (tmp_path / "doors" / "entry.key").unlink()
            file = tmp_path / "doors" / "exit.key"
            file.rename(tmp_path / "elsewhere")
            file.symlink_to(tmp_path / "elsewhere")
            async with running(site, collector):
                await until(collector, lambda: len(events(collector, "reader_key_refused")) == 2)
                first, second = (event.data["reason"] for event in events(collector, "reader_key_refused"))
                assert "no key; pair the reader" in str(first)
                assert str(second).startswith("exit.key: ")

    asyncio.run(scenario())


# --- pairing ----------------------------------------------------------------------------------------


@pytest.mark.requirement("G-6.4b")
def test_new_reader_is_paired_with_a_fresh_key_and_pairing_closes(
    collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with a_site(tmp_path, key=None) as site, running(site, collector):
            await until(collector, lambda: events(collector, "reader_offline"))
            (tmp_path / "doors" / "entry.pair").touch()
            await until(collector, online(collector))
            (opened,), (closed,) = events(collector, "install_opened"), events(collector, "install_closed")
            assert (opened.data["minutes"], closed.data["paired"]) == (10, True)
            fresh = site.entry.key
            assert fresh not in (None, DEFAULT_KEY, KEYS[0])
            file = tmp_path / "doors" / "entry.key"
            assert file.read_text().strip() == (fresh or b"").hex()
            assert file.stat().st_mode & 0o777 == 0o600
            assert sorted(file.name for file in file.parent.iterdir()) == ["entry.key"]
            assert (fresh or b"").hex() not in f"{collector.events}{caplog.text}"
            site.entry.reboot()
            await until(collector, lambda: events(collector, "reader_session_lost"))
            await until(collector, lambda: len(events(collector, "reader_online")) > 1)

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
def test_pairing_closes_by_itself_after_10_minutes(collector: Any, tmp_path: Path) -> None:
    clock = Clock()

    async def scenario() -> None:
        async with a_site(tmp_path, key=None, clock=clock) as site, running(site, collector):
            site.entry.fault = "silence"
            await until(collector, lambda: events(collector, "reader_offline"))
            await site.driver.open_install("entry")
            clock.ahead_ns += (INSTALL_S - 30) * 10**9
            await asyncio.sleep(1)
            assert not events(collector, "install_closed")
            clock.ahead_ns += 31 * 10**9
            await until(collector, lambda: events(collector, "install_closed"))
            (closed,) = events(collector, "install_closed")
            assert closed.data == {"paired": False, "reason": "not paired within 10 minutes"}
            site.line.heard = b""
            site.entry.fault = ""
            await until(collector, lambda: events(collector, "reader_key_refused"))
            await asyncio.sleep(1)
            assert site.entry.key is None
            assert (0x11, 0) not in {(frame[6], frame[7]) for frame in _sent(site)}

    asyncio.run(scenario())


def test_pairing_does_not_outlive_the_run_and_is_closed_by_hand(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, key=None) as site:
            site.entry.fault = "silence"
            async with running(site, collector):
                await until(collector, lambda: events(collector, "reader_offline"))
                await site.driver.open_install("entry")
                await site.driver.close_install("entry")
                await until(collector, lambda: events(collector, "install_closed"))
                await site.driver.open_install("entry")
            site.entry.fault = ""
            async with running(site, collector):
                await until(collector, lambda: events(collector, "reader_key_refused"))
                await asyncio.sleep(0.5)
                assert site.entry.key is None

    asyncio.run(scenario())


def test_key_that_a_power_cut_left_unconfirmed_is_tried_and_kept(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, key=KEYS[1]) as site:
            file = write_key(tmp_path, "entry", KEYS[1])
            file.rename(file.with_name("entry.key.new"))
            write_key(tmp_path, "entry", KEYS[0])
            async with running(site, collector):
                await until(collector, online(collector))
            assert file.read_text().strip() == KEYS[1].hex()
            assert not file.with_name("entry.key.new").exists()

    asyncio.run(scenario())


# --- the driver as such -----------------------------------------------------------------------------


def test_unfit_credential_key_is_unavailable(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "credential.key").write_bytes(b"short")
        async with a_site(tmp_path) as site:
            with pytest.raises(DeviceUnavailable, match="5 bytes"):
                await site.driver.run(collector)

    asyncio.run(scenario())


def test_probe_says_of_each_reader_whether_it_has_a_session(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_site(tmp_path, readers=2) as site:
            site.exit.fault = "silence"
            first, second = await site.driver.probe()
            assert first.ok
            assert first.answer.startswith("secure session; version=1 model=2 vendor_code=")
            assert (second.ok, second.answer) == (False, "no answer")
            site.line.fault = "gone"
            first, second = await site.driver.probe()
            assert not first.ok
            assert "No such file" in second.answer

    asyncio.run(scenario())


def test_nothing_is_left_when_a_run_ends(collector: Any, tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def scenario() -> None:
        async with a_site(tmp_path) as site:
            async with running(site, collector):
                await until(collector, online(collector))
            before = open_files()
            for _ in range(3):
                async with running(site, collector):
                    await asyncio.sleep(0.1)
            assert open_files() == before
            with pytest.raises(FeedbackError):
                await site.driver.open_install("entry")

    asyncio.run(scenario())


def test_sample_runs_as_it_stands() -> None:
    file = Path(__file__).parents[4] / "edge" / "drivers" / "osdp" / "sample.toml"
    (table,) = tomllib.loads(file.read_text(encoding="utf-8"))["device"]
    driver = OsdpDriver(msgspec.convert(table, OsdpDevice), Given(time.monotonic_ns))
    assert driver.points[0].name == "door-1/entry/link"
    assert driver.late == "bus"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"baud": 1200}, "baud"),
        ({"path": "ttyUSB0"}, "path"),
        ({"reader": []}, "reader"),
        ({"reader": [{"name": "a", "address": 127}]}, "reader[0].address"),
        ({"reader": [{"name": "a", "address": 1}, {"name": "b", "address": 1}]}, "reader[1].address"),
        ({"reader": [{"name": "a", "address": 1}, {"name": "a", "address": 2}]}, "reader[1].name"),
        ({"reader": [{"name": "a", "address": 1, "formats": ["raw", "raw"]}]}, "reader[0].formats[1]"),
        ({"reader": [{"name": "a", "address": 1, "formats": ["h10304", "h10302"]}]}, "reader[0].formats"),
    ],
)
def test_wrong_settings_name_their_field(change: dict[str, Any], path: str) -> None:
    table = {"name": "doors", "path": "/dev/ttyS0", "reader": [{"name": "a", "address": 1}]} | change
    made, faults = check(table, OsdpDevice)
    assert made is None
    assert [fault.path for fault in faults] == [path]
