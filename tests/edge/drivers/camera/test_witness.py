"""A camera is told of the gateway's events and takes pictures of those that it is set to."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from edge.crew import Crew
from edge.driver import DeviceUnavailable, Given
from edge.drivers.camera.driver import CameraDriver
from edge.drivers.camera.evidence import WISHES_MAX
from edge.drivers.camera.live import live_frames
from edge.drivers.camera.recording import Recording
from wire.messages import Event
from wire.settings.camera import CameraDevice
from wire.settings.gateway import GatewaySection, GatewaySettings, UplinkSection
from wire.settings.ups import UpsDevice


@pytest.mark.requirement("G-6.9c3")
def test_events_of_other_devices_become_wishes_for_pictures(tmp_path: Path) -> None:
    camera = CameraDevice(name="cam", prefix="c", url="rtsp://10.0.0.1/x", snapshot_on=["power_lost"])
    settings = GatewaySettings(
        gateway=GatewaySection(id="lab-1"),
        uplink=UplinkSection(host="localhost"),
        device=[UpsDevice(name="ups"), camera],
    )
    crew = Crew(settings, Given(lambda: 0, tmp_path))
    driver = crew.drivers[1]
    assert isinstance(driver, CameraDriver)
    crew.noticed(Event("power_restored", "ups/power", 5, {}))
    assert driver.wished == 0
    crew.noticed(Event("power_lost", "ups/power", 6, {}))
    assert driver.wished == 1
    for _ in range(2 * WISHES_MAX):
        crew.noticed(Event("power_lost", "ups/power", 6, {}))
    assert driver.wished == WISHES_MAX


def driver_of(folder: Path, **more: Any) -> CameraDriver:
    known = {"name": "cam", "prefix": "c", "onvif": "http://127.0.0.1:9/x", "snapshot_on": ["door_forced"]}
    return CameraDriver(CameraDevice(**(known | more)), Given(lambda: 10**12, folder))


@pytest.mark.requirement("G-6.9c3")
@pytest.mark.parametrize("more", [{}, {"login": True}])
def test_camera_that_never_answers_is_told_as_missing_for_each_moment(
    more: dict[str, Any], collector: Any, tmp_path: Path
) -> None:
    driver = driver_of(tmp_path, **more)
    for tick in (5, 6):
        driver.noticed(Event("door_forced", "door", tick, {}))

    with pytest.raises(DeviceUnavailable):
        asyncio.run(driver.run(collector))
    missing = [event for event in collector.events if event.kind == "picture_missing"]
    assert [(event.tick, event.data["kind"]) for event in missing] == [
        (5, "before"),
        (5, "after"),
        (6, "before"),
        (6, "after"),
    ]
    assert driver.wished == 0


def test_wish_that_comes_while_another_is_pushed_out_is_kept(collector: Any, tmp_path: Path) -> None:
    driver = driver_of(tmp_path)
    told: list[int] = []

    class Crowd(type(collector)):  # type: ignore[misc]
        async def event(self, event: Event) -> None:
            told.append(event.tick)
            if len(told) == 1:  # so much happens at this moment that the first wish is forgotten
                for tick in range(100, 100 + WISHES_MAX):
                    driver.snapshot(tick=tick, reason="door_forced")

    driver.snapshot(tick=5, reason="door_forced")
    with pytest.raises(DeviceUnavailable):
        asyncio.run(driver.run(Crowd()))
    assert sorted(set(told)) == [5, *range(100, 100 + WISHES_MAX)]


def test_pictures_that_a_power_cut_damaged_are_told_at_the_start(collector: Any, tmp_path: Path) -> None:
    folder = tmp_path / "cam" / "pictures"
    folder.mkdir(parents=True)
    (folder / ("ab" * 32 + ".jpg")).write_bytes(b"")
    with pytest.raises(DeviceUnavailable):
        asyncio.run(driver_of(tmp_path).run(collector))
    dropped = [event.data for event in collector.events if event.kind == "picture_dropped"]
    assert dropped == [{"sha256": "ab" * 32}]


def test_live_view_ends_with_the_recording(tmp_path: Path) -> None:
    settings = CameraDevice(name="cam", prefix="c", url="http://127.0.0.1:9/x")
    recording = Recording(tmp_path, ending="mkv")
    recording.begin(1)
    recording.part(0).write_bytes(b"x")
    recording.active = True

    async def story() -> None:
        async with asyncio.timeout(20):
            looking = asyncio.create_task(live_frames(settings, recording, lambda _: None))
            await asyncio.sleep(0.01)
            assert not looking.done()
            recording.active = False
            await looking

    asyncio.run(story())
