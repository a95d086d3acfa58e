"""The site file: every fault at once, and applying it again changes nothing."""

import asyncio
from datetime import UTC, datetime

import pytest

from cloud.site_file import apply, read_site_file
from cloud.store.connection import open_connection
from cloud.store.migrate import upgrade
from cloud.store.sites_write import SiteConflictError

GOOD = """
organisation = "Institute"
[[site]]
name = "lab"
title = "Laboratory"
kind = "laboratory"
latitude = 30.25
longitude = 120.17
[[site]]
name = "van"
title = "Van"
kind = "vehicle"
[[gateway]]
name = "gw"
site = "lab"
"""


def read(tmp_path, text):
    path = tmp_path / "site.toml"
    path.write_text(text)
    return read_site_file(path)


def test_every_fault_is_listed(tmp_path):
    text = GOOD.replace('kind = "vehicle"', 'kind = "boat"') + 'since = "yesterday"\nspeed = 3\n'
    file, faults = read(tmp_path, text)
    assert file is None
    assert {fault.path for fault in faults} == {
        "site[1].kind",
        "gateway[0].speed",
        "gateway[0].since",
    }
    _, faults = read(tmp_path, GOOD.replace("30.25", "95") + 'since = "yesterday"\n')
    assert {fault.path for fault in faults} == {"site[0].latitude", "gateway[0].since"}
    _, faults = read(tmp_path, GOOD.replace('site = "lab"', 'site = "attic"'))
    assert [fault.path for fault in faults] == ["gateway[0].site"]


CALIBRATION = """
[[calibration]]
site = "lab"
point = "p"
indicated = [10.0, 20.0]
correction = [5.0, -5.5]
exponent = -3
"""


def test_correction_that_is_not_monotone_is_a_fault(tmp_path):
    _, faults = read(tmp_path, GOOD + CALIBRATION)
    assert [fault.path for fault in faults] == ["calibration[0].correction"]
    assert "14.5 follows 15.0" in str(faults[0])


def test_no_fault_hides_another(tmp_path):
    text = """
organisation = ""
speed = 3
[[site]]
name = "lab"
title = "Laboratory"
kind = "boat"
time_zone = "Asia/Nowhere"
latitude = 131.0
longitude = "east"
[[site]]
name = "lab"
kind = "laboratory"
[[gateway]]
name = "GW"
site = "attic"
since = "yesterday"
[[calibration]]
site = "cellar"
indicated = [1, 1]
correction = [0.1]
exponent = 99
from_at = "2026-02-01T00:00:00+08:00"
to_at = "2026-01-01T00:00:00+08:00"
"""
    file, faults = read(tmp_path, text)
    assert file is None
    assert sorted(fault.path for fault in faults) == [
        "calibration[0].correction",
        "calibration[0].exponent",
        "calibration[0].indicated",
        "calibration[0].point",
        "calibration[0].site",
        "calibration[0].to_at",
        "gateway[0].name",
        "gateway[0].since",
        "gateway[0].site",
        "organisation",
        "site[0].kind",
        "site[0].latitude",
        "site[0].longitude",
        "site[0].time_zone",
        "site[1].name",
        "site[1].title",
        "speed",
    ]
    told = "\n".join(map(str, faults))
    assert "site[0].latitude: 131.0: expected -90 to 90 degrees" in told
    assert "gateway[0].name: 'GW': expected 1 to 63 characters of a-z, 0-9, '-'" in told
    assert "organisation: '': expected a text of 1 to 200 characters" in told
    assert "site[1].name: 'lab': expected a name of its own; site[0] has this one" in told
    for jargon in ("Decimal", "^[", "more characters"):
        assert jargon not in told


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("10.0, 20.0", "10.0, 1e999999", "calibration[0].indicated"),
        ("5.0, -5.5", "9e9999999, 9e9999999", "calibration[0].correction"),
        ('"p"', '""', "calibration[0].point"),
        ("[10.0, 20.0]", '["a", true]', "calibration[0].indicated[0]"),
    ],
)
def test_odd_calibration_is_a_fault_and_no_crash(tmp_path, old, new, path):
    _, faults = read(tmp_path, GOOD + CALIBRATION.replace(old, new))
    assert path in {fault.path for fault in faults}


@pytest.mark.slow
def test_applying_again_changes_nothing_and_moving_needs_a_time(tmp_path, postgres_dsn):
    async def scene():
        async with open_connection(postgres_dsn, "test") as connection:
            await upgrade(connection)
            file, faults = read(tmp_path, GOOD)
            assert faults == []
            assert await apply(connection, file) == ["gateway gw serves lab"]
            assert await apply(connection, file) == []
            moved, _ = read(tmp_path, GOOD.replace('site = "lab"', 'site = "van"'))
            with pytest.raises(SiteConflictError, match="since"):
                await apply(connection, moved)
            told = 'site = "van"\nsince = "2026-03-01T00:00:00+08:00"'
            dated, _ = read(tmp_path, GOOD.replace('site = "lab"', told))
            assert await apply(connection, dated) == ["gateway gw serves van"]
            cursor = await connection.execute(
                "SELECT lower(valid), upper(valid) FROM gateway_bindings ORDER BY valid"
            )
            at = datetime(2026, 2, 28, 16, tzinfo=UTC)
            assert await cursor.fetchall() == [(None, at), (at, None)]
            cursor = await connection.execute(
                "SELECT latitude_e9, longitude_e9 FROM sites WHERE name = 'lab'"
            )
            assert await cursor.fetchone() == (30_250_000_000, 120_170_000_000)

    asyncio.run(scene())


@pytest.mark.parametrize(("given", "missing"), [("latitude", "longitude"), ("longitude", "latitude")])
def test_half_a_place_is_a_fault(given, missing, tmp_path):
    text = 'organisation = "o"\n[[site]]\nname = "lab"\ntitle = "Lab"\nkind = "laboratory"\n'
    file = tmp_path / "sites.toml"
    file.write_text(f"{text}{given} = 30.5\n", encoding="utf-8")
    _, (fault,) = read_site_file(file)
    assert str(fault) == f"site[0].{missing}: missing: expected a {missing} beside the {given}, or neither"


ZONES = """
[[site]]
name = "house"
title = "House"
kind = "laboratory"
[[site.zone]]
name = "room-1"
title = "Room 1"
covers = ["room-1"]
cameras = ["cam-1"]
[[site.portal]]
name = "door"
title = "Door"
from = "outside"
to = "room-1"
reader_in = "door/in"
contact = "door/contact"
"""


def test_zones_and_portals_of_a_site_are_read(tmp_path):
    file, faults = read(tmp_path, 'organisation = "Institute"\n' + ZONES)
    assert faults == []
    (site,) = file.site
    assert (site.zone[0].kind, site.zone[0].covers, site.zone[0].readers) == ("room", ["room-1"], [])
    assert (site.portal[0].from_zone, site.portal[0].to_zone) == ("outside", "room-1")
    assert (site.portal[0].kind, site.portal[0].reader_out) == ("door", None)


def test_every_fault_of_zones_and_portals_is_listed(tmp_path):
    text = """
organisation = "Institute"
[[site]]
name = "house"
title = "House"
kind = "laboratory"
[[site.zone]]
name = "outside"
title = "Garden"
kind = "garden"
[[site.zone]]
name = "room-1"
covers = ["room-1", "room-1", "Room 2"]
[[site.zone]]
name = "room-1"
title = "Room 1"
[[site.portal]]
name = "door"
title = "Door"
from = "room-1"
to = "room-1"
[[site.portal]]
name = "door"
title = "Door"
from = "attic"
to = "room-1"
reader = "x"
"""
    file, faults = read(tmp_path, text)
    assert file is None
    assert sorted(fault.path for fault in faults) == [
        "site[0].portal[0].to",
        "site[0].portal[1].from",
        "site[0].portal[1].name",
        "site[0].portal[1].reader",
        "site[0].zone[0].kind",
        "site[0].zone[0].name",
        "site[0].zone[1].covers[1]",
        "site[0].zone[1].covers[2]",
        "site[0].zone[1].title",
        "site[0].zone[2].name",
    ]
    told = "\n".join(map(str, faults))
    assert "site[0].portal[1].from: 'attic': expected a [[site.zone]] of this site, or outside" in told


@pytest.mark.slow
def test_zone_that_leaves_the_file_is_retired_and_said_so(tmp_path, postgres_dsn):
    async def scene():
        async with open_connection(postgres_dsn, "test") as connection:
            await upgrade(connection)
            head = 'organisation = "Institute of zones"\n'
            file, _ = read(tmp_path, head + ZONES)
            assert await apply(connection, file) == ["house: zone room-1", "house: portal door"]
            assert await apply(connection, file) == []
            bare, _ = read(tmp_path, head + ZONES.partition("[[site.zone]]")[0])
            assert await apply(connection, bare) == [
                "house: portal door is retired",
                "house: zone room-1 is retired",
            ]

    asyncio.run(scene())
