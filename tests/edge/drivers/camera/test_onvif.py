"""The client against a simulated camera that checks logins, and the driver that finds its stream with it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edge.driver import DeviceUnavailable, Given
from edge.drivers.camera.alarms import follow_alarms
from edge.drivers.camera.driver import CameraDriver
from edge.drivers.camera.ffmpeg import Login
from edge.drivers.camera.onvif import Onvif, ask_clock
from edge.drivers.camera.onvif_events_soap import CALM_NS
from edge.drivers.camera.onvif_soap import Identity
from simulators.devices.camera import Camera, camera_server
from simulators.devices.onvif import Fault, OnvifCamera, onvif_server
from wire.messages import Clock
from wire.settings.camera import CameraDevice
from wire.settings.check import check
from wire.status import ClockState

pytestmark = pytest.mark.requirement("G-6.9c1")
PASSWORD = "s3cret/'@:x"
LOGIN = Login("admin", PASSWORD)


def clock() -> Clock:
    offset = time.time_ns() // 10**7 - time.monotonic_ns() // 10**7
    return Clock(ClockState.SYNCHRONISED, offset, 5, "system")


def camera_of(rtsp_port: int = 8554, **more: Any) -> OnvifCamera:
    return OnvifCamera(rtsp_port, **({"password": PASSWORD, "now_s": time.time} | more))


@asynccontextmanager
async def reached(camera: OnvifCamera, login: Login = LOGIN) -> AsyncIterator[Onvif]:
    async with onvif_server(camera) as port:
        url = f"http://127.0.0.1:{port}/onvif/device_service"
        yield Onvif(url, login, monotonic_ns=time.monotonic_ns, answer_s=0.5)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"media2": True},
        {"login": "digest"},
        {"ahead_s": 86_400.0},
        {"ahead_s": -3_600.0, "media2": True},
        {"password": ""},
    ],
)
def test_stream_is_found_at_the_host_that_was_asked(more: dict[str, Any]) -> None:
    async def story() -> None:
        camera = camera_of(**more)
        async with reached(camera) as asked:
            found = await asked.locate()
            assert found.url == "rtsp://127.0.0.1:8554/live?profile=main&x=1"
            assert found.identity == Identity("Heng simulators", "SIM-CAM", "1.0", "SIM0001")
            assert (await asked.locate("sub")).url.endswith("?profile=sub&x=1")

    asyncio.run(story())


@pytest.mark.parametrize("ahead_s", [0.0, 90.0, -7200.0])
def test_clock_of_the_camera_is_told_with_its_bound(ahead_s: float) -> None:
    async def story() -> None:
        camera = camera_of(ahead_s=ahead_s)
        async with onvif_server(camera) as port:
            url = f"http://127.0.0.1:{port}/onvif/device_service"
            found = await ask_clock(url, Given(time.monotonic_ns, clock=clock))
            assert found is not None
            ahead_ms, bound_ms = found
            assert abs(ahead_ms - ahead_s * 1000) <= bound_ms
            assert 505 <= bound_ms < 1000
            assert await ask_clock(url, Given(time.monotonic_ns)) is None
        assert await ask_clock(url, Given(time.monotonic_ns, clock=clock)) is None

    asyncio.run(story())


@pytest.mark.parametrize(
    ("login", "more"),
    [
        (Login("admin", "wrong"), {}),
        (Login("guest", PASSWORD), {}),
        (Login(), {}),
        (Login("admin", "wrong"), {"login": "digest"}),
        (Login(), {"login": "digest"}),
        (LOGIN, {"fault": "denied"}),
    ],
)
def test_wrong_login_is_told_and_nothing_of_it_is_shown(login: Login, more: dict[str, Any]) -> None:
    async def story() -> None:
        async with reached(camera_of(**more), login) as asked:
            with pytest.raises(DeviceUnavailable) as caught:
                await asked.locate()
            assert caught.value.reason == "ONVIF: the camera refuses user and password"

    asyncio.run(story())


FAULTS: list[tuple[Fault, str]] = [
    ("silence", "ONVIF: no answer within 0.5 s"),
    ("slow", "ONVIF: no answer within 0.5 s"),
    ("garbage", "ONVIF: an answer that is no HTTP"),
    ("reset", "ONVIF: "),
    ("gone", "ONVIF: "),
    ("bomb", "ONVIF: an answer with a document type"),
    ("huge", "ONVIF: an answer of more than 262144 bytes"),
    ("page", "ONVIF: an answer that is no SOAP"),
    ("empty", "ONVIF: the camera does not say its UTC"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_every_fault_is_told_and_the_camera_is_found_when_it_is_over(fault: Fault, reason: str) -> None:
    async def story() -> None:
        camera = camera_of(fault=fault)
        async with reached(camera) as asked:
            with pytest.raises(DeviceUnavailable) as caught:
                await asked.locate()
            assert caught.value.reason.startswith(reason)
            assert await asked.ahead(clock) is None
            camera.fault = ""
            assert (await asked.locate()).url

    asyncio.run(story())


def test_nobody_there_is_told_without_the_address() -> None:
    async def story() -> None:
        async with reached(camera_of()) as asked:
            pass
        with pytest.raises(DeviceUnavailable) as caught:
            await asked.locate()
        assert caught.value.reason == "ONVIF: cannot connect: Connection refused"
        strange = Onvif("http://camera.invalid/", LOGIN, monotonic_ns=time.monotonic_ns, answer_s=5)
        with pytest.raises(DeviceUnavailable, match=r"ONVIF: (cannot connect|no answer)"):
            await strange.locate()

    asyncio.run(story())


def test_unknown_profile_names_what_there_is() -> None:
    async def story() -> None:
        async with reached(camera_of()) as asked:
            with pytest.raises(DeviceUnavailable, match="no profile third: expected one of main, sub"):
                await asked.locate("third")

    asyncio.run(story())


def test_alarms_of_the_camera_become_events(collector: Any, tmp_path: Path) -> None:
    now_ns = [1_000_000_000]

    async def story() -> None:
        camera = camera_of()
        async with onvif_server(camera) as port, asyncio.TaskGroup() as tasks:
            settings = CameraDevice(
                name="cam", prefix="room/camera", onvif=f"http://127.0.0.1:{port}/onvif/device", alarms=True
            )
            given = Given(lambda: now_ns[0], tmp_path)
            following = tasks.create_task(follow_alarms(settings, LOGIN, given, emit=collector))

            async def until(kinds: list[str]) -> None:
                async with asyncio.timeout(45):
                    await collector.until(lambda: [event.kind for event in collector.events] == kinds)

            camera.alarm("RuleEngine/CellMotionDetector/Motion", on=True, name="IsMotion")
            await until(["camera_motion"])
            camera.alarm("VideoSource/GlobalSceneChange/ImagingService", on=True)
            await until(["camera_motion", "camera_tampered"])
            camera.alarm("RuleEngine/CellMotionDetector/Motion", on=False, name="IsMotion")
            camera.alarm("Device/Trigger/DigitalInput", on=True)
            asked = len(camera.asked)
            for _ in range(1000):
                if len(camera.asked) > asked + 1:
                    break
                await asyncio.sleep(0.01)
            now_ns[0] += CALM_NS
            await until(["camera_motion", "camera_tampered", "camera_motion_ended"])
            assert {event.subject for event in collector.events} == {"room/camera"}
            following.cancel()

    asyncio.run(story())


def test_camera_that_answers_at_once_is_not_asked_without_a_pause() -> None:
    async def story() -> None:
        camera = camera_of()

        async def heard(_: object) -> None:
            camera.alarm("Device/Trigger/DigitalInput", on=True)  # the next answer comes at once

        await heard(())
        async with reached(camera) as asked:
            with suppress(TimeoutError):
                async with asyncio.timeout(1.5):
                    await asked.alarms(heard)
        assert 1 <= camera.asked.count("PullMessages") <= 3, camera.asked

    asyncio.run(story())


def test_camera_without_alarms_is_no_worse_a_camera(tmp_path: Path) -> None:
    async def story() -> None:
        async with reached(camera_of(alarms=False)) as asked:
            with pytest.raises(DeviceUnavailable, match="the camera has no alarms"):
                await asked.alarms(lambda _: asyncio.sleep(0))
            assert (await asked.locate()).url

    asyncio.run(story())


@pytest.mark.slow
def test_driver_records_what_onvif_found_and_tells_which_camera_it_is(
    collector: Any, run_until: Any, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (data / "cam").mkdir(parents=True)
    secret = data / "cam" / "credentials"
    secret.touch(mode=0o600)
    secret.write_text(f"admin\n{PASSWORD}\n")

    async def story() -> None:
        stream = Camera(user="admin", password=PASSWORD, now_s=time.time)
        async with camera_server(stream, folder=tmp_path) as rtsp_port:
            camera = camera_of(rtsp_port)
            async with onvif_server(camera) as port:
                settings = CameraDevice(
                    name="cam",
                    prefix="room/camera",
                    onvif=f"http://127.0.0.1:{port}/onvif/device_service",
                    login=True,
                    heartbeat_s=1,
                    segment_s=2,
                    silence_s=4,
                )
                driver = CameraDriver(settings, Given(time.monotonic_ns, data, clock))
                for serial in ("SIM0001", "SIM0001", "SIM0002"):
                    camera.serial = serial
                    collector.polls.clear()
                    assert await run_until(driver, collector, lambda: collector.polls, timeout_s=90) is None
                (line,) = await driver.probe()
                assert line.ok
                assert line.answer.endswith("; Heng simulators SIM-CAM SIM0002")
                camera.fault = "denied"
                error = await run_until(driver, collector, lambda: False)
                assert error.reason == "ONVIF: the camera refuses user and password"
                assert not (await driver.probe())[0].ok

    asyncio.run(story())
    told = [event.data for event in collector.events if event.kind == "camera_identified"]
    assert [one["serial"] for one in told] == ["SIM0001", "SIM0002"]
    assert told[0] == {"maker": "Heng simulators", "model": "SIM-CAM", "firmware": "1.0", "serial": "SIM0001"}
    assert PASSWORD not in repr(collector.events)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "url"),
        ({"url": "rtsp://a/b", "onvif": "http://a/b"}, "url"),
        ({"onvif": "rtsp://a/b"}, "onvif"),
        ({"onvif": "http://user:pass@a/b"}, "onvif"),
        ({"url": "rtsp://a/b", "profile": "main"}, "profile"),
        ({"url": "rtsp://a/b", "alarms": True}, "alarms"),
        ({"onvif": "http://a/b", "transport": "sctp"}, "transport"),
        ({"onvif": "http://a/b", "snapshot_on": ["door_forced", "picture_missing"]}, "snapshot_on"),
    ],
)
def test_settings_name_one_way_to_the_stream(given: dict[str, Any], path: str) -> None:
    table = {"name": "cam", "prefix": "room/camera"}
    _, faults = check(table | given, CameraDevice)
    assert [fault.path for fault in faults] == [path]
    device, _ = check(table | {"onvif": "http://a/b", "transport": "udp"}, CameraDevice)
    assert device is not None
