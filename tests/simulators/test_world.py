"""The world is a function of seed and time, and believable."""

import math

import pytest

from simulators.drives import ACCELERATION_M_S2, EARTH_M_PER_DEGREE, Driver, make_drive
from simulators.world import World

NOON = 1_789_000_000


def test_same_seed_and_time_are_the_same_truth_in_any_order() -> None:
    times = [NOON + 7 * index for index in range(50)]
    forward = [World(3).air("room", time) for time in times]
    backward = [World(3).air("room", time) for time in reversed(times)]
    assert forward == backward[::-1]
    assert World(4).air("room", NOON) != World(3).air("room", NOON)
    assert World(3).air("other", NOON) != World(3).air("room", NOON)


def test_a_year_of_rooms_stays_believable() -> None:
    for hour in range(0, 365 * 24, 7):
        air = World(11).air("room", NOON + 3600 * hour)
        assert 17 < air.temperature < 23
        assert 30 < air.relative_humidity < 70
        assert air.dew_point < air.temperature
        assert 990 < air.pressure < 1025
        assert 0 <= air.illuminance < 800
        assert 220 < air.supply_voltage < 240


def test_room_without_mains_is_dark_and_still() -> None:
    air = World(11).air("room", NOON, mains=False)
    assert air.supply_voltage == 0
    assert air.supply_frequency == 0
    assert air.illuminance < 20


def test_dew_point_agrees_with_published_tables() -> None:
    """Source: WMO-No. 8 Magnus formula; 20 degrees and 50 %RH have a dew point of 9.3 and 8.6 g/m3."""
    from simulators.world import _moisture

    dew_point, absolute = _moisture(20, 50)
    assert dew_point == pytest.approx(9.3, abs=0.05)
    assert absolute == pytest.approx(8.65, abs=0.05)


def test_drive_is_a_closed_believable_trip() -> None:
    drive = make_drive("1/van", latitude=28.19, longitude=112.97, altitude_m=60, legs=8, parked_s=120)
    again = make_drive("1/van", latitude=28.19, longitude=112.97, altitude_m=60, legs=8, parked_s=120)
    period = drive.driving_s + drive.parked_s
    start = math.ceil(NOON / period) * period
    before = drive.at(start)
    for second in range(1, int(period)):
        fix = drive.at(start + second)
        assert fix == again.at(start + second)
        north = (fix.latitude - before.latitude) * EARTH_M_PER_DEGREE
        east = (fix.longitude - before.longitude) * EARTH_M_PER_DEGREE * math.cos(math.radians(28.19))
        assert math.hypot(north, east) < 18
        assert fix.speed_m_s <= before.speed_m_s + ACCELERATION_M_S2 * 2
        assert fix.speed_m_s <= 16.5
        before = fix
    assert before.parked
    assert abs(before.latitude - 28.19) * EARTH_M_PER_DEGREE < 5


def test_vehicle_that_waits_drives_when_told_stands_where_it_is_and_goes_on_from_there() -> None:
    drive = make_drive("van", latitude=28.2, longitude=112.9, altitude_m=50, legs=4, parked_s=600)
    driver = Driver(drive)
    assert driver.at(1000.0).parked
    driver.tell(1000.0, driving=True)
    assert max(driver.at(1000.0 + second).speed_m_s for second in range(30)) > 3
    driver.tell(1030.0, driving=False)
    stopped = driver.at(1031.0)
    assert (stopped.parked, stopped.speed_m_s) == (True, 0.0)
    driver.tell(2000.0, driving=True)
    gone = driver.at(2001.0)
    assert abs(gone.latitude - stopped.latitude) < 0.0005
    assert driver.at(2000.0 + drive.driving_s).parked, "at the end of its round"
