"""A camera is told of the gateway's events and takes pictures of those that it is set to."""

from pathlib import Path

import pytest

from edge.crew import Crew
from edge.driver import Given
from edge.drivers.camera.driver import CameraDriver
from edge.drivers.camera.evidence import WISHES_MAX
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
