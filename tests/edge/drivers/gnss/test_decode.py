"""Reports of gpsd become integers without loss; what is missing stays None."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.gnss.decode import (
    Devices,
    Extra,
    Failure,
    ReportError,
    Satellite,
    Sky,
    Tpv,
    Version,
    constellations_used,
    counts_of,
    parse,
    position_of,
    satellites_used,
    time_ms_of,
)
from edge.drivers.gnss.own import Antenna, Jamming, Own
from rules.motion import Motion, Place
from wire.messages import Position
from wire.settings.gnss import GnssPoint
from wire.status import Status

FULL = (
    b'{"class":"TPV","device":"/dev/ttyS0","mode":3,"time":"2026-11-20T11:55:18.640Z","ept":0.005,'
    b'"lat":28.193889052,"lon":-112.000000001,"altHAE":60.0005,"altMSL":76.0,"alt":76.0,"epv":26.45,'
    b'"speed":12.1715,"track":359.9996,"climb":-0.0,"eps":37.99,"eph":15.2}'
)


def fix(line: bytes, sky: Sky | None = None) -> Position:
    tpv = parse(line)
    assert isinstance(tpv, Tpv)
    return position_of(tpv, sky, point="v/position", tick=7)


@pytest.mark.requirement("G-3.11")
def test_full_fix_keeps_every_digit() -> None:
    sky = Sky(satellites=[Satellite(used=True, gnssid=3), Satellite(used=False, gnssid=0)])
    assert fix(FULL, sky) == Position(
        point="v/position",
        tick=7,
        mode=3,
        latitude_e9=28_193_889_052,
        longitude_e9=-112_000_000_001,
        altitude_mm=60_000,
        speed_mm_s=12_172,
        course_mdeg=360_000,
        climb_mm_s=0,
        error_horizontal_mm=15_200,
        error_vertical_mm=26_450,
        error_speed_mm_s=37_990,
        satellites_used=1,
        gnss_time_ms=1_795_175_718_640,
    )


def test_fix_without_anything_is_none_everywhere() -> None:
    position = fix(b'{"class":"TPV","mode":1}')
    assert position == Position(point="v/position", tick=7, mode=1)
    counts, flags = counts_of(position, None, ["speed", "course", "satellites", "mode", "error"])
    assert counts == [None, None, None, 1, None]
    assert flags == [(index, Status.NOT_MEASURED) for index in (0, 1, 2, 4)]


@pytest.mark.parametrize(
    "fields",
    [
        '"mode":1,"lat":1.0,"lon":2.0',
        '"mode":3,"lat":1.0',
        '"mode":3,"lon":1.0',
        '"mode":3,"lat":90.000000001,"lon":1',
        '"mode":3,"lat":1,"lon":180.000000001',
        '"mode":3,"lat":1e400,"lon":1',
    ],
)
def test_place_without_a_fix_or_half_a_place_is_none(fields: str) -> None:
    position = fix(f'{{"class":"TPV",{fields}}}'.encode())
    assert position.latitude_e9 is None
    assert position.longitude_e9 is None


def test_unknown_mode_is_zero_not_a_fix() -> None:
    assert fix(b'{"class":"TPV","mode":9,"lat":1,"lon":1}').mode == 0


def test_course_beyond_the_circle_is_absent() -> None:
    assert fix(b'{"class":"TPV","mode":3,"track":360.1}').course_mdeg is None


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("2026-11-20T11:55:18.6499Z", 1_795_175_718_649),
        ("2016-12-31T23:59:60.000Z", None),
        ("2026-11-20T11:55:18", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_time_is_ms_or_absent(text: str | None, ms: int | None) -> None:
    assert time_ms_of(text) == ms


def test_satellites_are_counted_by_constellation() -> None:
    sky = parse(
        b'{"class":"SKY","device":"x","nSat":4,"uSat":3,"satellites":['
        b'{"PRN":1,"gnssid":0,"used":true},{"PRN":2,"gnssid":0,"used":false},'
        b'{"PRN":401,"gnssid":3,"used":true},{"PRN":402,"gnssid":3,"used":true}]}'
    )
    assert isinstance(sky, Sky)
    assert satellites_used(sky) == 3
    assert satellites_used(sky, 0) == 1
    assert satellites_used(sky, 3) == 2
    counts, flags = counts_of(
        Position(point="p", tick=0, mode=3, satellites_used=3),
        sky,
        ["satellites_gps", "satellites_beidou", "satellites_galileo", "satellites"],
    )
    assert counts == [1, 2, 0, 3]
    assert flags == []


def test_untold_satellites_are_none_not_zero() -> None:
    assert satellites_used(None) is None
    assert satellites_used(Sky()) is None
    assert satellites_used(Sky(u_sat=5)) == 5
    assert satellites_used(Sky(u_sat=5), 0) is None
    assert satellites_used(Sky(u_sat=-1)) is None
    assert satellites_used(Sky(satellites=[Satellite(used=True)])) == 1
    assert satellites_used(Sky(satellites=[Satellite(used=True)]), 0) is None


def test_other_classes_are_told_apart() -> None:
    version = parse(b'{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}')
    assert version == Version(release="3.22", proto_major=3, proto_minor=14)
    assert isinstance(parse(b'{"class":"DEVICES","devices":[{"path":"/dev/x"}]}'), Devices)
    assert parse(b'{"class":"ERROR","message":"no"}') == Failure(message="no")
    assert parse(b'{"class":"PPS","device":"x","real_sec":1}') is None


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"{}", b'{"class":"TPV"}', b'{"class":"TPV","mode":"3"}', b"\xff\xfe", b"[" * 5000],
)
def test_line_that_is_no_report_is_named(line: bytes) -> None:
    with pytest.raises(ReportError):
        parse(line)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_report_or_the_named_error(line: bytes) -> None:
    try:
        parse(line)
    except ReportError:
        return


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.none()


@given(st.fixed_dictionaries({"mode": st.integers(0, 3), "lat": NUMBERS, "lon": NUMBERS, "speed": NUMBERS}))
def test_any_numbers_keep_the_contract(fields: dict[str, float | None]) -> None:
    position = fix(json.dumps({"class": "TPV", **fields}).encode())
    for value, limit in ((position.latitude_e9, 90), (position.longitude_e9, 180)):
        assert value is None or abs(value) <= limit * 10**9
    assert position.speed_mm_s is None or abs(position.speed_mm_s) <= 2**63


@given(st.integers(-90 * 10**9, 90 * 10**9))
def test_every_billionth_of_a_degree_survives(count: int) -> None:
    text = str(Decimal(count).scaleb(-9))
    line = f'{{"class":"TPV","mode":3,"lat":{text},"lon":0}}'
    assert fix(line.encode()).latitude_e9 == count


@pytest.mark.requirement("G-3.11")
def test_constellations_in_use_are_bits() -> None:
    used = [Satellite(used=True, gnssid=0), Satellite(used=True, gnssid=3), Satellite(used=False, gnssid=2)]
    assert constellations_used(Sky(satellites=used)) == 0b101
    assert constellations_used(Sky(satellites=[])) == 0
    assert constellations_used(Sky(satellites=[*used, Satellite(used=True)])) is None
    assert constellations_used(Sky(u_sat=4)) is None
    assert constellations_used(None) is None


def test_what_is_known_beside_a_fix_becomes_points() -> None:
    anchor, last = Place(0, 10**9, 2 * 10**9), Place(1, 10**9 + 100, 2 * 10**9 - 200)
    motion = Motion(held=True, anchor=anchor, last=last)
    extra = Extra(Own(Antenna.SHORT, 200, Jamming.WARNING), 5000, motion, 77)
    names: list[GnssPoint] = ["antenna", "jamming", "jamming_state", "error_time", "hold", "hold_north",
                              "hold_east", "odometer", "constellations"]  # fmt: skip
    counts, flags = counts_of(fix(FULL), None, names, extra=extra)
    assert counts == [3, 200, 2, 5000, 1, 11, -22, 77, None]
    assert {type(count) for count in counts} == {int, type(None)}
    assert flags == [(8, int(Status.NOT_MEASURED))]
    moving = Extra(motion=Motion(held=False, anchor=anchor, last=last))
    assert counts_of(fix(FULL), None, ["hold", "hold_north", "hold_east"], extra=moving)[0] == [0, 0, 0]
