"""The driver against a simulated camera over RTSP and over HTTP, with the real ffmpeg."""

import asyncio
import hashlib
import logging
import subprocess
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from edge.driver import Given, ticks
from edge.drivers.camera.decode import Progress, segment_of
from edge.drivers.camera.driver import MOVING, Beat, CameraDriver
from simulators.devices.camera import BITS, Camera, Fault, Kind, camera_server, shown_ms
from wire.messages import Clock
from wire.settings.camera import CameraDevice
from wire.settings.check import check
from wire.status import ClockState, GapCause, Status

pytestmark = pytest.mark.slow
PASSWORD = "s3cret/'@:x"


def clock() -> Clock:
    offset = time.time_ns() // 10**7 - time.monotonic_ns() // 10**7
    return Clock(ClockState.SYNCHRONISED, offset, 5, "system")


def children() -> list[str]:
    """What still runs of what a driver started: every ffmpeg but the simulated camera's encoder."""
    return [
        one.name()
        for one in psutil.Process().children(recursive=True)
        if one.name() in ("ffmpeg", "ffprobe")
        and "rawvideo" not in one.cmdline()
        and one.status() != psutil.STATUS_ZOMBIE
    ]


@asynccontextmanager
async def watched(
    folder: Path, kind: Kind = "rtsp", *, login: bool = True, **more: Any
) -> AsyncIterator[tuple[Camera, CameraDriver]]:
    camera = Camera(kind=kind, user="admin", password=PASSWORD, now_s=time.time)
    data = folder / "data"
    (data / "cam").mkdir(parents=True, exist_ok=True)
    secret = data / "cam" / "credentials"
    secret.write_text(f"admin\n{PASSWORD}\n")
    secret.chmod(0o600)
    async with camera_server(camera, folder=folder) as port:
        scheme = "rtsp" if kind == "rtsp" else "http"
        settings = CameraDevice(
            **(
                {
                    "name": "cam",
                    "prefix": "room/camera",
                    "url": f"{scheme}://127.0.0.1:{port}/live",
                    "login": login,
                    "heartbeat_s": 1,
                    "segment_s": 2,
                    "silence_s": 4,
                    "frozen_s": 2,
                }
                | more
            )
        )
        yield camera, CameraDriver(settings, Given(time.monotonic_ns, data, clock))


def of(collector: Any, kind: str) -> list[dict[str, Any]]:
    return [event.data for event in collector.events if event.kind == kind]


def shown_in(picture: Path) -> int:
    """The time that a picture shows, in ms since 1970."""
    command = ["ffmpeg", "-v", "error", "-i", str(picture), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    grey = subprocess.run(command, capture_output=True, check=True).stdout
    now_ms = time.time_ns() // 10**6
    return now_ms - (now_ms - shown_ms(grey)) % (1 << BITS)


def test_lateness_of_reports_does_not_gather_in_the_heartbeat() -> None:
    """Reports come once a second, and one of them 4 s late with all that waited behind it."""
    beat, told = Beat(0, 0, 0, 0), []
    for second in [*range(1, 31), *[35] * 4, *range(36, 60)]:
        now_ns = second * 10**9 + 900_000_000 + len(told)
        if now_ns >= beat.due_ns or not beat.frames:
            beat = beat.after(Progress(second, second), now_ns, period_ns=5 * 10**9)
            told.append(second)
    assert told == [1, 6, 11, 16, 21, 26, 35, 36 + 4, 45, 50, 55]


@pytest.mark.requirement("G-6.9c1")
@pytest.mark.parametrize("kind", ["rtsp", "mjpeg"])
def test_recording_heartbeat_and_pictures_of_a_moment(
    kind: Kind, collector: Any, run_until: Any, tmp_path: Path
) -> None:
    moments: list[int] = []

    async def scenario() -> None:
        async with watched(tmp_path, kind) as (_, driver):

            def done() -> bool:
                if len(collector.polls) >= 3 and not moments:
                    moments.append(time.time_ns() // 10**6)
                    driver.snapshot(tick=ticks(time.monotonic_ns()), reason="door_forced")
                return len(of(collector, "picture")) + len(of(collector, "picture_missing")) >= 2

            assert await run_until(driver, collector, done, timeout_s=90) is None

    asyncio.run(scenario())
    rate, recorded, picture = collector.polls[-1].counts
    assert 5_000 < rate < 20_000  # over a single second, on a machine that does other things too
    assert 500 < recorded < 3000
    assert picture == MOVING
    pictures = of(collector, "picture")
    assert [one["kind"] for one in pictures] == ["before", "after"]
    for one in pictures:
        file = tmp_path / "data" / "cam" / "pictures" / f"{one['sha256']}.jpg"
        assert hashlib.sha256(file.read_bytes()).hexdigest() == one["sha256"]
        really_ms = shown_in(file) - moments[0]
        assert abs(really_ms) <= 1000
        assert abs(really_ms - one["away_ms"]) < 500
        assert one["reason"] == "door_forced"
    assert pictures[0]["away_ms"] <= 0 <= pictures[1]["away_ms"]
    assert children() == []


@pytest.mark.requirement("G-6.9c1")
def test_segments_tell_their_time_and_the_oldest_go(collector: Any, run_until: Any, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cam" / "recording"
    old = [folder / f"000001-{n:06d}-t{n}-u{n}-d2000.ts" for n in range(1, 4)]
    folder.mkdir(parents=True)
    for file in old:
        file.write_bytes(b"x" * 100)
    collector.kept["run"] = b"6"

    async def scenario() -> None:
        async with watched(tmp_path) as (_, driver):

            def named() -> list[Path]:
                return [file for file in folder.glob("000007-*.ts") if segment_of(file.name)]

            await run_until(driver, collector, lambda: len(named()) >= 2, timeout_s=90)
            first, second = (segment_of(file.name) for file in sorted(named())[:2])
            assert first is not None
            assert second is not None
            assert second.utc_ms is not None
            assert abs(time.time() - second.utc_ms / 1000) < 15
            assert abs(second.tick - first.tick - first.duration_ms // 10) < 50
            assert first.duration_ms < 8000

    asyncio.run(scenario())
    assert not any(file.exists() for file in old)


def test_frozen_picture_is_told_and_its_end(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched(tmp_path) as (camera, driver):

            def steps() -> object:
                if len(collector.polls) >= 2 and not of(collector, "camera_frozen"):
                    camera.fault = "freeze"
                elif of(collector, "camera_frozen") and collector.polls[-1].counts[2] != MOVING:
                    camera.fault = ""
                return of(collector, "camera_moving")

            await run_until(driver, collector, steps, timeout_s=90)

    asyncio.run(scenario())
    assert {poll.counts[2] for poll in collector.polls} == {1, 2}


FAULTS: list[tuple[Fault, set[GapCause]]] = [
    ("silence", {GapCause.BUS, GapCause.SENSOR}),
    ("garbage", {GapCause.BUS, GapCause.SENSOR}),
    ("slow", {GapCause.BUS, GapCause.SENSOR}),
    ("reset", {GapCause.BUS, GapCause.SENSOR}),
    ("gone", {GapCause.BUS, GapCause.SENSOR}),
]


@pytest.mark.requirement("G-6.9c1")
@pytest.mark.parametrize(("fault", "causes"), FAULTS)
def test_fault_is_a_gap_and_the_recording_returns(
    fault: Fault, causes: set[GapCause], collector: Any, run_until: Any, insist: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with watched(tmp_path, silence_s=3) as (camera, driver):
            await run_until(driver, collector, lambda: collector.polls, timeout_s=90)
            camera.fault = fault
            error = await run_until(driver, collector, lambda: False, timeout_s=90)
            assert error.cause in causes
            assert error.reason
            assert PASSWORD not in error.reason
            assert children() == []
            camera.fault = ""
            before = len(collector.polls)
            await insist(driver, collector, lambda: len(collector.polls) > before, timeout_s=90)

    asyncio.run(scenario())
    assert children() == []


@pytest.mark.requirement("G-6.9c3")
def test_camera_that_is_cut_off_at_the_event_still_shows_what_was_before(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with watched(tmp_path, "mjpeg") as (camera, driver):

            def cut() -> bool:
                if len(collector.polls) >= 2 and not camera.fault:
                    driver.snapshot(tick=ticks(time.monotonic_ns()), reason="door_forced")
                    camera.fault = "gone"
                return False

            error = await run_until(driver, collector, cut, timeout_s=90)
            assert error is not None

    asyncio.run(scenario())
    assert [one["kind"] for one in of(collector, "picture")] == ["before"], collector.events
    assert [one["kind"] for one in of(collector, "picture_missing")] == ["after"]
    assert -1000 <= of(collector, "picture")[0]["away_ms"] <= 0


def test_nobody_sees_the_password(
    collector: Any, run_until: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    async def scenario() -> None:
        async with watched(tmp_path) as (camera, driver):

            def look() -> bool:
                seen.extend(word for one in psutil.Process().children() for word in one.cmdline())
                return bool(collector.polls)

            await run_until(driver, collector, look, timeout_s=90)
            camera.password = "another"
            error = await run_until(driver, collector, lambda: False, timeout_s=90)
            assert error.reason == "the camera refuses user and password"
            seen.append(error.reason)
            (line,) = await driver.probe()
            assert not line.ok
            seen.append(line.answer)

    caplog.set_level(logging.DEBUG, "edge")
    asyncio.run(scenario())
    assert "401" in caplog.text
    seen.append(caplog.text)
    assert seen
    assert not any("s3cret" in word for word in seen)


def test_bad_credentials_file_is_named(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched(tmp_path) as (_, driver):
            file = tmp_path / "data" / "cam" / "credentials"
            for make, words in (
                (lambda: file.chmod(0o644), "can be read by others"),
                (lambda: (file.chmod(0o600), file.write_text("one line")), "expected a user and a password"),
                (file.unlink, "No such file"),
            ):
                make()  # type: ignore[no-untyped-call]
                error = await run_until(driver, collector, lambda: False)
                assert words in error.reason
                assert error.cause is GapCause.GATEWAY

    asyncio.run(scenario())


def test_cancelling_at_any_moment_leaves_no_child(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched(tmp_path) as (_, driver):
            for turn in range(12):
                running = asyncio.create_task(driver.run(collector))
                await asyncio.sleep(0.02 * turn**2)
                driver.snapshot(tick=ticks(time.monotonic_ns()) - 120, reason="x")
                await asyncio.sleep(0)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                assert children() == []

    asyncio.run(scenario())


def test_probe_says_what_the_stream_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched(tmp_path) as (_, driver):
            (line,) = await driver.probe()
            assert (line.ok, line.answer) == (True, "h264,320,180")
            assert PASSWORD not in line.what

    asyncio.run(scenario())
    assert children() == []


def test_pictures_by_the_clock_wait_for_who_takes_them(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with watched(tmp_path, "mjpeg", snapshot_s=5, frozen_s=0) as (_, driver):
            await run_until(driver, collector, lambda: of(collector, "picture"), timeout_s=90)
            ((picture,), (told,)) = driver.pictures(5), of(collector, "picture")
            assert picture.sha256 == told["sha256"] == hashlib.sha256(picture.file.read_bytes()).hexdigest()
            description = picture.description
            assert (description.camera, description.device, description.moment) == (
                "room/camera",
                "cam",
                "timer",
            )
            assert description.bytes == told["bytes"]
            driver.sent(picture)
            assert driver.pictures(5) == []

    asyncio.run(scenario())
    assert not list((tmp_path / "data" / "cam" / "pictures").iterdir())
    assert collector.polls[-1].flags == [(2, int(Status.NOT_MEASURED))]


@pytest.mark.parametrize("kind", ["rtsp", "mjpeg"])
def test_live_view_shows_what_is_now_and_costs_nothing_without_a_viewer(
    kind: Kind, collector: Any, run_until: Any, tmp_path: Path
) -> None:
    frames: list[tuple[int, bytes]] = []

    async def scenario() -> None:
        async with watched(tmp_path, kind, segment_s=2) as (_, driver):
            assert await driver.live(lambda _: None) is None  # a camera that does not run shows nothing

            async def look() -> None:
                await collector.until(lambda: collector.polls)
                before = children()
                await driver.live(lambda frame: frames.append((time.time_ns() // 10**6, frame)))
                assert children() == before

            looking = asyncio.create_task(look())
            crowd: list[int] = []

            def enough() -> bool:
                crowd.append(len(children()))
                shown = len(frames)
                if shown > 8 and not looking.done():
                    looking.cancel()
                return shown > 8 and looking.done() and len(collector.polls) > 6

            await run_until(driver, collector, enough, timeout_s=90)
            await asyncio.gather(looking, return_exceptions=True)
            # ffmpeg that records; one more that makes frames of H.264, only while somebody looks
            assert max(crowd) <= (2 if kind == "rtsp" else 1) + 1
            assert await driver.live(lambda _: None) is None

    asyncio.run(scenario())
    assert children() == []
    (tmp_path / "frame.jpg").write_bytes(frames[-1][1])
    assert frames[-1][0] - shown_in(tmp_path / "frame.jpg") < 3000


@pytest.mark.requirement("G-6.9c1")
def test_recorded_stretch_is_found_by_its_time(collector: Any, run_until: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched(tmp_path) as (_, driver):
            begun_ms = time.time_ns() // 10**6

            def enough() -> bool:
                return len(driver.recorded(begun_ms - 20_000, begun_ms + 60_000)) >= 2

            assert not driver.recording_until(begun_ms)
            await run_until(driver, collector, enough, timeout_s=90)
            first, second = driver.recorded(0, begun_ms + 60_000)[:2]
            assert first.description.kind == "segment"
            assert first.description.content_type == "video/mp2t"
            assert first.description.bytes == first.file.stat().st_size
            start, end = first.description.from_ms, first.description.to_ms
            assert start is not None
            assert end is not None
            assert abs(end - (second.description.from_ms or 0)) < 500
            assert driver.recorded(start + 1, start + 2) == [first]
            assert driver.recorded(end + 100_000, end + 200_000) == []

    asyncio.run(scenario())


def test_settings_refuse_a_password_in_the_address() -> None:
    for url in ("rtsp://u:p@host/x", "ftp://host/x", "rtsp://host/a b", "rtsp://host/'x", "rtsp://host/a\nb"):
        _, faults = check({"name": "c", "prefix": "c", "url": url}, CameraDevice)
        assert [fault.path for fault in faults] == ["url"]
    _, faults = check({"name": "c", "prefix": "c", "url": "http://h/x", "transport": "udp"}, CameraDevice)
    assert [fault.path for fault in faults] == ["transport"]
    _, faults = check({"name": "c", "prefix": "c", "url": "rtsp://h/x", "snapshot_s": 3}, CameraDevice)
    assert [fault.path for fault in faults] == ["snapshot_s"]


def test_sample_runs_as_it_stands(tmp_path: Path) -> None:
    file = Path(__file__).parents[4] / "edge" / "drivers" / "camera" / "sample.toml"
    (table,) = tomllib.loads(file.read_text(encoding="utf-8"))["device"]
    settings, faults = check(table, CameraDevice)
    assert faults == []
    assert settings is not None
    assert CameraDriver(settings, Given(time.monotonic_ns, tmp_path)).points[2].states["2"] == "frozen"
