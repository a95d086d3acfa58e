"""Keys of readers: unfit ones are refused, fresh ones are set while pairing is open, and pairing closes."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from edge.control.offers import NotDoneError
from edge.drivers.osdp.decode import DEFAULT_KEY, KeyUnfitError
from edge.drivers.osdp.keys import ReaderKeys
from edge.drivers.osdp.station import INSTALL_S
from wire.settings.check import check
from wire.settings.osdp import OsdpDevice

pytestmark = pytest.mark.slow


@pytest.mark.requirement("G-6.4b")
def test_reader_with_the_default_key_gets_no_session_and_no_command_in_clear(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, key=None) as site, osdp.running(site, collector):
            await osdp.until(collector, lambda: osdp.events(collector, "reader_offline"))
            (refused,) = osdp.events(collector, "reader_key_refused")
            assert refused.data == {"reason": "the reader has another key, or still the default one"}
            assert not osdp.events(collector, "reader_online")
            assert site.entry.key is None
            sent = {frame[5] if not frame[4] & 8 else (frame[6], frame[7]) for frame in _sent(site)}
            assert sent <= {0x61, 0x62, (0x11, 1)}

    asyncio.run(scenario())


def _sent(site: Any) -> list[bytes]:
    return [b"\x53" + part for part in site.line.heard.split(b"\xff\x53")[1:] if len(part) > 8]


@pytest.mark.requirement("G-6.4b")
def test_default_key_in_the_key_file_is_refused_at_run_time(
    osdp: Any, collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, key=None) as site:
            osdp.write_key(tmp_path, "entry", DEFAULT_KEY)
            async with osdp.running(site, collector):
                await osdp.until(collector, lambda: osdp.events(collector, "reader_offline"))
                assert b"\x53\x01" not in site.line.heard
                (refused,) = osdp.events(collector, "reader_key_refused")
                assert "entry.key: the default key (SCBK-D)" in str(refused.data["reason"])
            assert DEFAULT_KEY.hex() not in f"{collector.events}{caplog.text}"
            (line,) = await site.driver.probe()
            assert not line.ok
            assert "default key" in line.answer

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize("key", [DEFAULT_KEY.hex(), "00112a33445566778899aabbccddeeff"])
def test_settings_hold_no_key_at_all(key: str) -> None:
    table = {"name": "doors", "path": "/dev/ttyS0", "reader": [{"name": "a", "address": 1, "key": key}]}
    made, faults = check(table, OsdpDevice)
    assert made is None
    assert [fault.path for fault in faults] == ["reader[0].key"]


def test_key_file_that_others_may_read_is_refused_until_it_is_closed(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site:
            file = osdp.write_key(tmp_path, "entry", osdp.KEYS[0], 0o640)
            async with osdp.running(site, collector):
                await osdp.until(collector, lambda: osdp.events(collector, "reader_key_refused"))
                (refused,) = osdp.events(collector, "reader_key_refused")
                assert refused.data == {"reason": "entry.key: mode 0640: expected a file of mode 0600"}
                file.chmod(0o600)
                await osdp.until(collector, osdp.online(collector))

    asyncio.run(scenario())


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o601, 0o777])
def test_key_file_is_for_nobody_else(mode: int, osdp: Any, tmp_path: Path) -> None:
    file = osdp.write_key(tmp_path, "entry", osdp.KEYS[0], mode)
    with pytest.raises(KeyUnfitError, match=f"entry.key: mode {mode:04o}"):
        ReaderKeys(file.parent, "entry").load()


def test_fresh_key_is_made_once_and_kept_once_it_is_proven(tmp_path: Path) -> None:
    keys = ReaderKeys(tmp_path / "doors", "entry")
    fresh = keys.prepare()
    assert fresh.fresh
    assert keys.prepare() == fresh
    assert fresh.secret.hex() not in repr(fresh)
    keys.confirm()
    assert [(key.secret, key.fresh) for key in keys.load()] == [(fresh.secret, False)]
    with pytest.raises(KeyUnfitError, match="No such file"):
        keys.confirm()


def test_folder_that_cannot_be_written_makes_no_key(tmp_path: Path) -> None:
    (tmp_path / "doors").touch()
    with pytest.raises(KeyUnfitError, match=r"entry\.key\.new: "):
        ReaderKeys(tmp_path / "doors", "entry").prepare()


def test_missing_key_and_link_are_refused(osdp: Any, collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, readers=2) as site:
            (tmp_path / "doors" / "entry.key").unlink()
            file = tmp_path / "doors" / "exit.key"
            file.rename(tmp_path / "elsewhere")
            file.symlink_to(tmp_path / "elsewhere")
            async with osdp.running(site, collector):
                await osdp.until(collector, lambda: len(osdp.events(collector, "reader_key_refused")) == 2)
                first, second = (
                    event.data["reason"] for event in osdp.events(collector, "reader_key_refused")
                )
                assert "no key; pair the reader" in str(first)
                assert str(second).startswith("exit.key: ")

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.4b")
def test_new_reader_is_paired_with_a_fresh_key_and_pairing_closes(
    osdp: Any, collector: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    async def scenario() -> None:
        async with osdp.a_site(tmp_path, key=None) as site, osdp.running(site, collector):
            await osdp.until(collector, lambda: osdp.events(collector, "reader_offline"))
            await site.driver.pair("entry", said.append)
            assert said[0].startswith("it was paired, since ")
            assert said[1] == "the reader may be paired for 10 minutes: put it into its install mode"
            assert said[-2] == "the reader took its own key; from now on the default key is refused"
            assert said[-1].startswith("secure session with the new key; ")
            await osdp.until(collector, osdp.online(collector))
            (opened,), (closed,) = (
                osdp.events(collector, "install_opened"),
                osdp.events(collector, "install_closed"),
            )
            assert (opened.data["minutes"], closed.data["paired"]) == (10, True)
            fresh = site.entry.key
            assert fresh not in (None, DEFAULT_KEY, osdp.KEYS[0])
            file = tmp_path / "doors" / "entry.key"
            assert file.read_text().strip() == (fresh or b"").hex()
            assert file.stat().st_mode & 0o777 == 0o600
            assert sorted(file.name for file in file.parent.iterdir()) == ["entry.key"]
            assert (fresh or b"").hex() not in f"{collector.events}{caplog.text}{said}"
            site.entry.reboot()
            await osdp.until(collector, lambda: osdp.events(collector, "reader_session_lost"))
            await osdp.until(collector, lambda: len(osdp.events(collector, "reader_online")) > 1)

    asyncio.run(scenario())


def test_paired_reader_is_left_alone_and_it_is_said_what_to_do(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path) as site:
            os.utime(tmp_path / "doors" / "entry.key", (1_789_000_000, 1_789_000_000))
            async with osdp.running(site, collector):
                await osdp.until(collector, osdp.online(collector))
                with pytest.raises(NotDoneError) as caught:
                    await site.driver.pair("entry", lambda _: None)
                assert "is paired, since 2026-09-10 00:26 UTC" in str(caught.value)
                assert "put it back to its default key" in str(caught.value)
                site.entry.present(osdp.CARD, 26)
                await osdp.until(collector, lambda: osdp.events(collector, "card_read"))
                assert not osdp.events(collector, "install_opened")

    asyncio.run(scenario())


def test_key_from_a_time_without_a_clock_bears_no_date(tmp_path: Path) -> None:
    keys = ReaderKeys(tmp_path / "doors", "entry")
    assert keys.since() is None
    keys.prepare()
    keys.confirm()
    os.utime(tmp_path / "doors" / "entry.key", (100, 100))
    assert keys.since() == "since a time when there was no clock"


@pytest.mark.requirement("G-6.4b")
def test_pairing_closes_by_itself_after_10_minutes(osdp: Any, collector: Any, tmp_path: Path) -> None:
    clock = osdp.Clock()
    said: list[str] = []

    async def scenario() -> None:
        async with osdp.a_site(tmp_path, key=None, clock=clock) as site, osdp.running(site, collector):
            site.entry.fault = "silence"
            await osdp.until(collector, lambda: osdp.events(collector, "reader_offline"))
            pairing = asyncio.create_task(site.driver.pair("entry", said.append))
            await osdp.until(collector, lambda: osdp.events(collector, "install_opened"))
            with pytest.raises(NotDoneError, match="being paired already"):
                await site.driver.pair("entry", said.append)
            clock.ahead_ns += (INSTALL_S - 30) * 10**9
            await asyncio.sleep(1)
            assert not osdp.events(collector, "install_closed")
            clock.ahead_ns += 31 * 10**9
            await osdp.until(collector, lambda: osdp.events(collector, "install_closed"))
            (closed,) = osdp.events(collector, "install_closed")
            assert closed.data == {"paired": False, "reason": "not paired within 10 minutes"}
            with pytest.raises(NotDoneError, match="not paired within 10 minutes"):
                await pairing
            site.line.heard = b""
            site.entry.fault = ""
            await osdp.until(collector, lambda: osdp.events(collector, "reader_key_refused"))
            await asyncio.sleep(1)
            assert site.entry.key is None
            assert (0x11, 0) not in {(frame[6], frame[7]) for frame in _sent(site)}

    asyncio.run(scenario())


def test_pairing_does_not_outlive_the_run_nor_who_asked_for_it(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, key=None) as site:
            site.entry.fault = "silence"
            async with osdp.running(site, collector):
                await osdp.until(collector, lambda: osdp.events(collector, "reader_offline"))
                pairing = asyncio.create_task(site.driver.pair("entry", lambda _: None))
                await osdp.until(collector, lambda: osdp.events(collector, "install_opened"))
                pairing.cancel()
                await osdp.until(collector, lambda: osdp.events(collector, "install_closed"))
                (closed,) = osdp.events(collector, "install_closed")
                assert closed.data == {"paired": False, "reason": "nobody waits for it any more"}
                pairing = asyncio.create_task(site.driver.pair("entry", lambda _: None))
                await osdp.until(collector, lambda: len(osdp.events(collector, "install_opened")) == 2)
            with pytest.raises(NotDoneError, match="the driver ended"):
                await pairing
            closed = osdp.events(collector, "install_closed")[-1]
            assert closed.data == {"paired": False, "reason": "the driver ended"}
            assert len(osdp.events(collector, "install_closed")) == 2
            site.entry.fault = ""
            async with osdp.running(site, collector):
                await osdp.until(collector, lambda: osdp.events(collector, "reader_key_refused"))
                await asyncio.sleep(0.5)
                assert site.entry.key is None

    asyncio.run(scenario())


def test_key_that_a_power_cut_left_unconfirmed_is_tried_and_kept(
    osdp: Any, collector: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with osdp.a_site(tmp_path, key=osdp.KEYS[1]) as site:
            file = osdp.write_key(tmp_path, "entry", osdp.KEYS[1])
            file.rename(file.with_name("entry.key.new"))
            osdp.write_key(tmp_path, "entry", osdp.KEYS[0])
            async with osdp.running(site, collector):
                await osdp.until(collector, osdp.online(collector))
            assert file.read_text().strip() == osdp.KEYS[1].hex()
            assert not file.with_name("entry.key.new").exists()

    asyncio.run(scenario())
