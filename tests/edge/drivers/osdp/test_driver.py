"""The driver against libosdp's own readers on a pseudo-terminal: sessions, cards, PINs, faults, pairing."""

import asyncio
import gc
import logging
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.control.offers import DENIED, GRANTED, Feedback, NotDoneError, RefusedError
from edge.credential import Presented, load_key
from edge.driver import DeviceUnavailable, Given
from edge.drivers.osdp import happenings as told
from edge.drivers.osdp.driver import OsdpDriver
from edge.drivers.osdp.reader import Reader, Silence
from edge.presenting import Presenter
from wire.messages import Event, Poll
from wire.settings.check import check
from wire.settings.osdp import OsdpDevice, OsdpReader

pytestmark = pytest.mark.slow


@pytest.mark.requirement("G-3.5", "G-5.1a", "G-6.4b", "G-6.4c")
def test_card_becomes_an_event_without_its_number(
    osdp: Any, collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            assert site.entry.present(osdp.CARD, 26)
            await osdp.until(collector, lambda: osdp.events(collector, "card_read"))
            (presented,) = site.presented
            card = presented.credential
            assert (presented.reader, card.facility, card.number) == ("door/entry", 118, "54321")
            (event,) = osdp.events(collector, "card_read")
            assert event.subject == "door/entry"
            assert event.data.items() >= {"format": "h10301", "bits": 26, "masked": "…21"}.items()
            assert event.data["token"] == card.token(load_key(tmp_path))
            shown = f"{collector.events} {collector.polls} {presented} {caplog.text}"
            assert "54321" not in shown
            assert f"{osdp.CARD:x}" not in shown

    asyncio.run(scenario())


def test_events_of_a_reader_leave_nothing_behind(osdp: Any, collector: Any, tmp_path: Path) -> None:
    """The binding of libosdp loses a dictionary with every event."""
    asked = 200

    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            bus, station = site.driver._bus, site.driver._stations["entry"]

            async def ask(times: int) -> int:
                for _ in range(times):
                    seen = len(collector.polls)
                    await asyncio.wrap_future(bus.order(station.ask_status))
                    await osdp.until(collector, lambda seen=seen: len(collector.polls) > seen)
                    collector.polls.clear()
                    site.entry.shown.clear()
                gc.collect()
                return sys.getallocatedblocks()

            await ask(asked)
            before = await ask(asked)
            grown = [await ask(asked) - before for _ in range(2)]
            assert min(grown[0], grown[1] / 2) < 1.5 * asked  # it was 2.5 times as many

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
def test_card_with_wrong_parity_and_foreign_length_is_told_and_given_to_nobody(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            site.entry.present(osdp.CARD ^ 1, 26)
            await osdp.until(collector, lambda: osdp.events(collector, "card_unreadable"))
            (event,) = osdp.events(collector, "card_unreadable")
            assert event.data["bits"] == 26
            assert "parity" in str(event.data["reason"])
            assert not site.presented

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
def test_pin_is_collected_and_only_its_hash_is_journalled(
    osdp: Any, collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            site.entry.press("58")
            site.entry.press("3746#")
            await osdp.until(collector, lambda: osdp.events(collector, "pin_entered"))
            (presented,) = site.presented
            assert (presented.credential.kind, presented.credential.number) == ("pin", "583746")
            (event,) = osdp.events(collector, "pin_entered")
            assert set(event.data) == {"token", "key_id"}
            site.entry.press("99*")
            site.entry.press("1#")
            site.entry.press("4711")
            await osdp.until(collector, lambda: len(osdp.events(collector, "pin_dropped")) == 3)
            reasons = [event.data["reason"] for event in osdp.events(collector, "pin_dropped")]
            assert reasons == ["cleared", "length", "timeout"]
            shown = f"{collector.events} {presented} {caplog.text}"
            assert not any(pin in shown for pin in ("5837", "3746", "…46", "4711"))

    asyncio.run(scenario())


def test_tamper_and_power_are_read_and_told(osdp: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            driver = site.driver
            await osdp.until(collector, lambda: osdp.last(collector, driver, "door/entry/tamper") == 0)
            site.entry.fault = "tamper"
            await osdp.until(collector, lambda: osdp.last(collector, driver, "door/entry/tamper") == 1)
            assert osdp.events(collector, "reader_tampered")
            await asyncio.sleep(1.2)  # it is asked every 0.5 s, and still says so
            assert osdp.last(collector, driver, "door/entry/tamper") == 1
            assert not osdp.events(collector, "reader_untampered")
            site.entry.fault = "power"
            await osdp.until(collector, lambda: osdp.last(collector, driver, "door/entry/power") == 1)
            await osdp.until(collector, lambda: osdp.events(collector, "reader_power_failing"))
            site.entry.fault = ""
            await osdp.until(collector, lambda: osdp.events(collector, "reader_power_good"))
            assert len(osdp.events(collector, "reader_untampered")) == 1

    asyncio.run(scenario())


def test_status_that_becomes_unknown_with_the_session_does_not_end_the_silence() -> None:
    device = OsdpDevice(name="doors", path="/dev/null", reader=[OsdpReader(name="entry", address=1)])
    reader = Reader(device.reader[0], "door/entry", device=device)
    reader.begin(Presenter(Given(time.monotonic_ns), b"k" * 32))
    lost = list(reader.took(told.Lost(reader="entry", at_ns=10**9, reason="no answer")))
    assert [type(one) for one in lost] == [Event, Silence, Poll]
    assert not list(reader.took(told.StatusUnknown(reader="entry", at_ns=10**9 + 30_000_000)))
    assert reader.unknown(2 * 10**9) is None
    list(reader.took(told.Online(reader="entry", at_ns=3 * 10**9, away_ns=0, sessions=2, identity="")))
    unknown = reader.unknown(4 * 10**9)
    assert unknown is not None
    assert unknown.counts == [None, None]


def test_feedback_is_what_the_reader_has(osdp: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, readers=2) as site:
            with pytest.raises(NotDoneError, match="not one that runs"):
                await site.driver.show("entry", GRANTED)
            async with osdp.running(site, collector):
                await osdp.until(collector, osdp.online(collector, 2))
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
                await osdp.until(collector, lambda: osdp.events(collector, "reader_session_lost", "entry"))
                with pytest.raises(NotDoneError, match="no secure session"):
                    await site.driver.show("entry", GRANTED)
                assert not osdp.events(collector, "reader_session_lost", "exit")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0.0}, {"seconds": 26}, {"beeps": 11}, {"text": "欢迎"}, {"text": "x" * 33}]
)
def test_feedback_that_no_reader_can_give_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="expected"):
        Feedback(**wrong)


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize(
    ("told", "more_s"),
    [("", 0.5), ("reader_session_lost", 0.0), ("reader_offline", 0.0), ("reader_offline", 11.0)],
)
def test_pulled_cable_recovers_within_10_s(
    osdp: Any, told: str, more_s: float, collector: Any, tmp_path: Path
) -> None:
    """11 s more is longer than libosdp tries by itself before it gives up for 300 s."""

    async def scenario() -> float:
        async with (
            osdp.a_site(tmp_path, readers=2, interval_ms=60_000) as site,
            osdp.running(site, collector),
        ):
            await osdp.until(collector, osdp.online(collector, 2))
            await osdp.until(collector, lambda: osdp.last(collector, site.driver, "door/exit/tamper") == 0)
            await asyncio.sleep(0.2)  # from now on the readers are only asked for what happened
            site.line.fault = "cut"
            if told:
                await osdp.until(collector, lambda: len(osdp.events(collector, told)) == 2)
                assert ("door/entry/tamper", "door/entry/power") in {
                    names for names, _, _ in collector.silences
                }
            await asyncio.sleep(more_s)
            site.line.fault = ""
            back_at = time.monotonic()
            for reader in site.line.readers.values():
                reader.present(osdp.CARD, 26)
            await osdp.until(collector, lambda: len(osdp.events(collector, "card_read")) == 2)
            return time.monotonic() - back_at

    assert asyncio.run(scenario()) < 10


@pytest.mark.requirement("G-6.4b")
def test_unplugged_adapter_recovers_within_10_s(osdp: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> float:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            site.line.fault = "gone"
            await osdp.until(collector, lambda: osdp.events(collector, "reader_offline"))
            (offline,) = osdp.events(collector, "reader_offline")
            assert str(site.folder / "line") in str(offline.data["reason"])
            await asyncio.sleep(3)
            site.line.fault = ""
            back_at = time.monotonic()
            await osdp.until(collector, lambda: len(osdp.events(collector, "reader_online")) == 2)
            return time.monotonic() - back_at

    assert asyncio.run(scenario()) < 10


@pytest.mark.parametrize("fault", ["silence", "garbage", "wrong_key"])
def test_one_lost_reader_bounces_no_other(osdp: Any, fault: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, readers=2) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector, 2))
            site.exit.fault = fault
            await osdp.until(collector, lambda: osdp.events(collector, "reader_offline", "exit"))
            site.exit.fault = ""
            before = len(osdp.events(collector, "reader_online", "exit"))
            await osdp.until(collector, lambda: len(osdp.events(collector, "reader_online", "exit")) > before)
            assert not osdp.events(collector, "reader_session_lost", "entry")
            site.entry.present(osdp.CARD, 26)
            await osdp.until(collector, lambda: osdp.events(collector, "card_read", "entry"))

    asyncio.run(scenario())


def test_rebooted_reader_is_back_at_once_and_the_other_keeps_its_session(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, readers=2) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector, 2))
            site.exit.reboot()
            await osdp.until(collector, lambda: len(osdp.events(collector, "reader_online", "exit")) == 2)
            assert int(str(osdp.events(collector, "reader_online", "exit")[-1].data["away_ms"])) < 2000
            assert not osdp.events(collector, "reader_session_lost", "entry")
            assert osdp.last(collector, site.driver, "door/exit/sessions") == 2

    asyncio.run(scenario())


def test_reader_is_told_away_since_it_was_last_heard_although_nobody_asked_it(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        clock = osdp.Clock()
        async with osdp.a_site(tmp_path, clock=clock) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            clock.ahead_ns += 60_000_000_000  # the gateway stood still, and the reader gave the session up
            site.entry.reboot()
            await osdp.until(collector, lambda: len(osdp.events(collector, "reader_online")) == 2)
            assert 60_000 <= int(str(osdp.events(collector, "reader_online")[-1].data["away_ms"])) < 70_000
            assert not osdp.events(collector, "reader_offline")

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", ["slow", "noise"])
def test_slow_readers_and_noise_cost_no_session(
    osdp: Any, fault: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            if fault == "slow":
                site.entry.fault = fault
            else:
                site.line.fault = fault
            for count in range(1, 6):
                site.entry.present(osdp.CARD, 26)
                await osdp.until(collector, lambda: len(osdp.events(collector, "card_read")) >= count)  # noqa: B023
            assert not osdp.events(collector, "reader_session_lost")

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
def test_reply_in_clear_within_a_session_is_told_and_not_believed(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            site.entry.fault = "clear"
            await osdp.until(collector, lambda: osdp.events(collector, "reader_clear_text"))
            assert not osdp.events(collector, "card_read")
            assert not osdp.events(collector, "card_unreadable")
            assert not site.presented

    asyncio.run(scenario())


def test_context_that_stopped_is_replaced(osdp: Any, collector: Any, tmp_path: Path) -> None:
    """libosdp goes by wall time: when that is set back, it sends nothing until the old time comes again."""
    clock = osdp.Clock()

    async def scenario() -> None:
        async with osdp.a_site(tmp_path, clock=clock) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            for _ in range(100):
                clock.ahead_ns += 6 * 10**9  # nothing was sent for so long, as far as the driver can tell
                await asyncio.sleep(0.05)
                if len(osdp.events(collector, "reader_online")) > 1:
                    return
            raise AssertionError("the context was not replaced")

    asyncio.run(scenario())


def test_listener_that_fails_costs_no_event(osdp: Any, collector: Any, tmp_path: Path) -> None:
    def fails(presented: Presented) -> None:
        raise KeyError(presented)

    async def scenario() -> None:
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with osdp.a_site(tmp_path, listener=fails) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            site.entry.present(osdp.CARD, 26)
            await osdp.until(collector, lambda: osdp.events(collector, "card_read"))
            assert len(failures) == 1
            assert "54321" not in str(failures)

    asyncio.run(scenario())


def test_second_controller_on_the_line_is_told(osdp: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site, osdp.running(site, collector):
            await osdp.until(collector, osdp.online(collector))
            for _ in range(20):
                site.line.say(bytes.fromhex("53050900046100c125"))
                await asyncio.sleep(0.01)
            await osdp.until(collector, lambda: osdp.events(collector, "bus_foreign_command"))
            assert osdp.events(collector, "bus_foreign_command")[0].data == {"address": 5}

    asyncio.run(scenario())


def test_unfit_credential_key_is_unavailable(osdp: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "credential.key").write_bytes(b"short")
        async with osdp.a_site(tmp_path) as site:
            with pytest.raises(DeviceUnavailable, match="5 bytes"):
                await site.driver.run(collector)

    asyncio.run(scenario())


def test_probe_says_of_each_reader_whether_it_has_a_session(osdp: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, readers=2) as site:
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


def test_what_readers_told_before_a_stop_is_journalled(osdp: Any, collector: Any, tmp_path: Path) -> None:
    """A journal that is slow at this moment costs no card."""
    slow = asyncio.Event()

    class Slow(type(collector)):  # type: ignore[misc]
        async def event(self, event: Event) -> None:
            if event.kind == "card_read" and not slow.is_set():
                slow.set()
                await asyncio.get_running_loop().create_future()
            await super().event(event)

    async def scenario() -> None:
        emit = Slow()
        async with osdp.a_site(tmp_path) as site:
            async with osdp.running(site, emit):
                await osdp.until(emit, osdp.online(emit))
                for _ in range(3):
                    before = len(site.presented)
                    assert site.entry.present(osdp.CARD, 26)
                    for _ in range(1000):
                        if len(site.presented) > before:
                            break
                        await asyncio.sleep(0.01)
                assert slow.is_set()
                assert osdp.events(emit, "card_read") == []
            assert len(site.presented) == 3
            assert len(osdp.events(emit, "card_read")) == 3

    asyncio.run(scenario())


def test_nothing_is_left_when_a_run_ends(osdp: Any, collector: Any, tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site:
            async with osdp.running(site, collector):
                await osdp.until(collector, osdp.online(collector))
            before = open_files()
            for _ in range(3):
                async with osdp.running(site, collector):
                    await asyncio.sleep(0.1)
            assert open_files() == before
            with pytest.raises(NotDoneError):
                await site.driver.pair("entry", lambda _: None)

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
