"""Lines of NUT become power, flags and counts; sentinels and silence never become values."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.ups.decode import (
    FLAGS,
    NutProtocolError,
    NutRefusedError,
    Power,
    check_answer,
    flag_bits,
    flags_of,
    nothing,
    parse_variable,
    power_of,
    read,
)
from wire.settings.ups import UpsPoint
from wire.status import Status

ALL: list[UpsPoint] = list(get_args(UpsPoint))
DUMPS = Path(__file__).parents[3] / "data" / "ups"


def dump(name: str) -> dict[str, str]:
    lines = (DUMPS / f"{name}.dev").read_text(encoding="utf-8").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@pytest.mark.requirement("G-6.9c3")
@pytest.mark.parametrize(
    ("status", "power"),
    [
        ("OL", Power.MAINS),
        ("OL CHRG", Power.MAINS),
        ("OL CHRG LB", Power.MAINS),
        ("LB OL CHRG", Power.MAINS),
        ("OL DISCHRG", Power.MAINS),
        ("ALARM OL CHRG RB", Power.MAINS),
        ("OL BYPASS", Power.MAINS),
        ("OL OFF", Power.MAINS),
        ("BYPASS", Power.MAINS),
        ("TRIM", Power.MAINS),
        ("BOOST CHRG", Power.MAINS),
        ("ol boost", Power.MAINS),
        ("OB", Power.BATTERY),
        ("OB DISCHRG LB", Power.BATTERY),
        ("FSD OB LB", Power.BATTERY),
        ("CAL OB DISCHRG", Power.BATTERY),
        ("OL DISCHRG OB", Power.BATTERY),
        ("DISCHRG", Power.BATTERY),
        ("OL OB", None),
        ("OFF", None),
        ("CHRG", None),
        ("ALARM", None),
        ("WAIT", None),
        ("OL NOCOMM", None),
        ("", None),
        ("SOMETHING NEW", None),
    ],
)
def test_flags_say_where_the_power_comes_from(status: str, power: Power | None) -> None:
    assert power_of(flags_of(status)) is power


@pytest.mark.parametrize("name", sorted(path.stem for path in DUMPS.glob("*.dev")))
def test_dump_says_the_power_of_its_name(name: str) -> None:
    reading = read(dump(name), ALL)
    expected = {"mains": Power.MAINS, "battery": Power.BATTERY, "unknown": None}[name.split("-")[0]]
    assert reading.power is expected
    absent = dict(reading.statuses)
    for index, count in enumerate(reading.counts):
        assert (count is None) == (index in absent)
    assert (0 in absent) == (expected is None)


def test_full_dump_keeps_every_digit() -> None:
    reading = read(dump("mains-charged"), ALL)
    assert reading.counts == [1, 1, 100_000, 258_000, 21_000, 2_294_000, 2_294_000, 273_000, 26_500]
    assert reading.statuses == []


def test_runtime_full_of_ones_is_absent() -> None:
    reading = read(dump("battery-no-runtime"), ["battery_runtime", "load"])
    assert reading.counts == [None, 5250]
    assert reading.statuses == [(0, Status.INVALID)]


def test_nonsense_is_absent_with_its_reason() -> None:
    reading = read(dump("mains-nonsense-values"), ALL)
    assert reading.counts == [1, 1 << 0 | 1 << 4 | 1 << 14, None, None, None, None, None, None, -4500]
    assert dict(reading.statuses) == {
        2: Status.OVER_RANGE,
        3: Status.INVALID,
        4: Status.INVALID,
        5: Status.INVALID,
        6: Status.OVER_RANGE,
        7: Status.NOT_MEASURED,
    }


def test_nothing_known_is_absent_everywhere() -> None:
    reading = nothing(ALL, Status.STALE)
    assert reading.power is None
    assert reading.counts == [None] * len(ALL)
    assert reading.statuses == [(index, Status.STALE) for index in range(len(ALL))]


def test_missing_status_is_unknown_not_zero() -> None:
    reading = read({}, ["power", "flags"])
    assert reading.counts == [None, None]
    assert reading.statuses == [(0, Status.UNKNOWN), (1, Status.UNKNOWN)]


def test_every_flag_has_its_own_bit() -> None:
    assert [flag_bits(frozenset({word})) for word in FLAGS] == [1 << bit for bit in range(len(FLAGS))]
    assert flag_bits(frozenset({"NEW"})) == 0


def test_variable_lines_are_unquoted() -> None:
    assert parse_variable('VAR ups ups.model "Smart \\"2200\\" \\\\"', "ups") == (
        "ups.model",
        'Smart "2200" \\',
    )


@pytest.mark.parametrize(
    "line", ["", "VAR ups x", 'VAR other ups.load "1"', 'VAR ups ups.load "1', 'VAR ups a b "1"', "OK"]
)
def test_other_lines_are_named_errors(line: str) -> None:
    with pytest.raises(NutProtocolError):
        parse_variable(line, "ups")


def test_refusal_carries_the_servers_word() -> None:
    with pytest.raises(NutRefusedError) as caught:
        check_answer("ERR DATA-STALE", "BEGIN LIST VAR ups")
    assert caught.value.code == "DATA-STALE"
    with pytest.raises(NutProtocolError):
        check_answer("BEGIN LIST UPS", "BEGIN LIST VAR ups")
    check_answer("BEGIN LIST VAR ups", "BEGIN LIST VAR ups")


@given(st.text(max_size=100))
def test_any_line_is_a_variable_or_the_named_error(line: str) -> None:
    try:
        parse_variable(line, "ups")
    except NutProtocolError:
        return


VARIABLES = [
    "battery.charge",
    "battery.runtime",
    "ups.load",
    "input.voltage",
    "ups.temperature",
    "ups.status",
]


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=20) | st.floats().map(str)))
def test_any_values_keep_the_contract(variables: dict[str, str]) -> None:
    reading = read(variables, ALL)
    absent = dict(reading.statuses)
    for index, count in enumerate(reading.counts):
        assert (count is None) == (index in absent)
        assert count is None or -(2**63) <= count < 2**63


def test_ups_that_nut_looks_for_says_nothing() -> None:
    said = {"ups.status": "OL", "battery.charge": "100", "driver.state": "reconnect.updateinfo"}
    assert read(said, ["power", "battery_charge"]) == nothing(["power", "battery_charge"], Status.STALE)
    assert read({**said, "driver.state": "quiet"}, ["power"]).power is Power.MAINS
