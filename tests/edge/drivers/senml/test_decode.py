"""Packs of RFC 8428 are resolved and counted without a digit lost, and refused whole where it says so."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.senml.decode import (
    Count,
    Moment,
    Resolved,
    SenmlError,
    Unused,
    count_of,
    exponent_of,
    place,
    resolve,
)
from wire.quantities import QUANTITIES
from wire.settings.check import check
from wire.settings.senml import UNITS, SenmlDevice, SenmlValue
from wire.status import Status

ONE_WIRE = "urn:dev:ow:10e2073a01080063"


def rows(body: bytes | str) -> list[tuple[str, str, str, str]]:
    """(name, unit, value, time) as texts."""
    records = resolve(body if isinstance(body, bytes) else body.encode())
    return [(one.name, one.unit, str(one.value), str(one.time)) for one in records]


def test_single_data_point() -> None:
    """Source: RFC 8428, 5.1.1."""
    assert rows(f'[{{"n":"{ONE_WIRE}","u":"Cel","v":23.1}}]') == [(ONE_WIRE, "Cel", "23.1", "None")]


MULTIPLE = """[
  {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,
   "bu":"A","bver":5,
   "n":"voltage","u":"V","v":120.1},
  {"n":"current","t":-5,"v":1.2},
  {"n":"current","t":-4,"v":1.3},
  {"n":"current","t":-3,"v":1.4},
  {"n":"current","t":-2,"v":1.5},
  {"n":"current","t":-1,"v":1.6},
  {"n":"current","v":1.7}
]"""


def test_multiple_data_points() -> None:
    """Source: RFC 8428, 5.1.2."""
    current = "urn:dev:ow:10e2073a0108006:current"
    assert rows(MULTIPLE) == [
        ("urn:dev:ow:10e2073a0108006:voltage", "V", "120.1", "1276020076.001"),
        *((current, "A", f"1.{7 + t}", f"127602007{6 + t}.001") for t in range(-5, 1)),
    ]


MEASUREMENTS = """[
  {"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,
   "bu":"%RH","v":20},
  {"u":"lon","v":24.30621},
  {"u":"lat","v":60.07965},
  {"t":60,"v":20.3},
  {"u":"lon","t":60,"v":24.30622},
  {"u":"lat","t":60,"v":60.07965},
  {"t":120,"v":20.7},
  {"u":"lon","t":120,"v":24.30623},
  {"u":"lat","t":120,"v":60.07966},
  {"u":"%EL","t":150,"v":98},
  {"t":180,"v":21.2},
  {"u":"lon","t":180,"v":24.30628},
  {"u":"lat","t":180,"v":60.07967}
]"""


def test_multiple_measurements_and_their_resolved_form() -> None:
    """Source: RFC 8428, 5.1.3 and 5.1.4."""
    expected = [
        *[("%RH", "20", 464), ("lon", "24.30621", 464), ("lat", "60.07965", 464)],
        *[("%RH", "20.3", 524), ("lon", "24.30622", 524), ("lat", "60.07965", 524)],
        *[("%RH", "20.7", 584), ("lon", "24.30623", 584), ("lat", "60.07966", 584)],
        *[("%EL", "98", 614)],
        *[("%RH", "21.2", 644), ("lon", "24.30628", 644), ("lat", "60.07967", 644)],
    ]
    found = [(unit, value, int(Decimal(time)) - 1_320_067_000) for _, unit, value, time in rows(MEASUREMENTS)]
    assert found == expected
    assert {name for name, *_ in rows(MEASUREMENTS)} == {ONE_WIRE}


def test_multiple_data_types() -> None:
    """Source: RFC 8428, 5.1.5: a number, a text, a boolean, data."""
    found = rows(
        """[
          {"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},
          {"n":"label","vs":"Machine Room"},
          {"n":"open","vb":false},
          {"n":"nfc-reader","vd":"aGkgCg"}
        ]"""
    )
    assert [row[2] for row in found] == ["23.1", "Machine Room", "False", "None"]
    assert found[2][0] == "urn:dev:ow:10e2073a01080063:open"


def test_collection_of_resources() -> None:
    """Source: RFC 8428, 5.1.6: the base name changes on the way."""
    found = rows(
        """[
          {"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},
          {"n":"humidity","u":"%RH","v":30},
          {"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3},
          {"n":"humidity","u":"%RH","v":67}
        ]"""
    )
    assert [row[0] for row in found] == [
        *("2001:db8::2/temperature", "2001:db8::2/humidity"),
        *("2001:db8::1/temperature", "2001:db8::1/humidity"),
    ]
    assert {Decimal(row[3]) for row in found} == {Decimal(1_320_078_429)}


def test_base_value_and_base_sum_are_added() -> None:
    (first, second, third) = resolve(
        b'[{"bn":"a","bv":0.1,"bs":100,"v":0.2},{"n":"b","bv":-1e-20,"v":1,"s":0.5},{"n":"c","s":1e3}]'
    )
    assert (first.value, first.sum) == (Decimal("0.3"), None)
    assert (second.value, second.sum) == (Decimal("0.99999999999999999999"), Decimal("100.5"))
    assert (third.value, third.sum) == (None, Decimal(1100))


def test_record_of_base_fields_alone_is_no_record() -> None:
    assert rows('[{"bn":"a:","bu":"Cel"},{"n":"b","v":1}]') == [("a:b", "Cel", "1", "None")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff", "not a pack"),
        (b"{}", "not a list"),
        (b"[]", "not a list"),
        (b"[" + b'{"n":"a","v":1},' * 2000 + b'{"n":"a","v":1}]', "not a list of 1 to 2000"),
        (b"[1]", "record 0: not a table"),
        (b'[{"n":"a","v":NaN}]', "not a pack"),
        (b'[{"n":"a","v":Infinity}]', "not a pack"),
        (b'[{"n":"a","v":1,"v":2}]', "not a pack"),
        (b'[{"n":"a","v":1e41}]', "not a pack"),
        (b'[{"n":"a","v":1e999999999999}]', "not a pack"),
        (b'[{"n":"a","v":' + b"1" * 41 + b"}]", "not a pack"),
        (b"[" * 100_000, "not a pack"),
        (b'[{"n":"a","v":"1"}]', "record 0: v: expected a number"),
        (b'[{"n":"a","v":true}]', "record 0: v: expected a number"),
        (b'[{"n":1,"v":1}]', "record 0: n: expected a text"),
        (b'[{"n":"a","vb":1}]', "record 0: vb: expected true or false"),
        (b'[{"n":"a","v":1,"vs":"x"}]', "record 0: expected one value"),
        (b'[{"n":"a","v":1},{"n":"a","v":1,"new_":1}]', "record 1: has a label"),
        (b'[{"n":"a","v":1,"bver":11}]', "record 0: bver: expected at most 10"),
        (b'[{"n":"a","v":1,"bver":"5"}]', "record 0: bver: expected at most 10"),
        (b'[{"n":"a","v":1,"bver":5},{"n":"a","v":1,"bver":6}]', "record 1: bver: expected the same"),
        (b'[{"v":1}]', "record 0: expected a name"),
        (b'[{"n":":a","v":1}]', "record 0: expected a name"),
        (b'[{"n":"a b","v":1}]', "record 0: expected a name"),
        (b'[{"n":"a\\n","v":1}]', "record 0: expected a name"),
        (b'[{"n":"' + b"a" * 257 + b'","v":1}]', "record 0: expected a name"),
    ],
)
def test_bad_pack_is_refused_whole(body: bytes, reason: str) -> None:
    with pytest.raises(SenmlError, match=reason):
        resolve(body)


FIELDS = st.sampled_from(
    ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "x_"]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.dictionaries(FIELDS, VALUES), max_size=5).map(lambda pack: json.dumps(pack).encode()),
    )
)
def test_anything_sent_is_resolved_or_refused_by_name(body: bytes) -> None:
    try:
        records = resolve(body)
    except SenmlError:
        return
    moment = Moment(10**9, 10**11, 360_000, 500)
    for record in records:
        tick, _ = place(record.time, moment)
        assert 0 <= tick <= moment.tick
        for quantity, units in UNITS.items():
            for unit in units:
                value = SenmlValue(name="a", point="a", quantity=quantity, step=Decimal("0.1"), unit=unit)
                assert isinstance(count_of(record, value), Count)


# --- values -----------------------------------------------------------------------------------------


def value(**more: Any) -> SenmlValue:
    return SenmlValue(
        **({"name": "a", "point": "a", "quantity": "temperature", "step": Decimal("0.01")} | more)
    )


def record(number: Any, unit: str = "Cel", **more: Any) -> Resolved:
    return Resolved(
        "a",
        unit,
        Decimal(number) if isinstance(number, str) else number,
        **({"sum": None, "time": None} | more),
    )


@pytest.mark.requirement("G-6.9c1")
@pytest.mark.parametrize(
    ("number", "unit", "quantity", "step", "count", "exponent"),
    [
        ("23.1", "Cel", "temperature", "0.1", 2310, -2),
        ("296.25", "K", "temperature", "0.01", 23100, -3),
        ("101325", "Pa", "pressure", "0.01", 1013250, -3),
        ("1013.25", "hPa", "pressure", "0.01", 1013250, -3),
        ("12", "Pa", "differential_pressure", "1", 120, -1),
        ("3600000", "J", "energy", "0.001", 10000, -4),
        ("1", "J", "energy", "0.001", 0, -4),
        ("0.0004", "/", "co2", "1", 4000, -1),
        ("36", "km/h", "speed", "0.1", 1000, -2),
        ("1", "km/h", "speed", "0.1", 28, -2),
        ("0.000000025", "kg/m3", "pm2_5", "0.1", 2500, -2),
        ("1e-3", "T", "magnetic_flux_density", "0.1", 100000, -2),
        ("0.85", "/", "battery_charge", "1", 850, -1),
        ("-0", "Cel", "temperature", "0.1", 0, -2),
    ],
)
def test_units_become_ours_exactly(
    number: str, unit: str, quantity: str, step: str, count: int, exponent: int
) -> None:
    """Checked by hand: each is one multiplication and at most one addition."""
    wanted = value(quantity=quantity, step=Decimal(step))
    assert exponent_of(wanted) == exponent
    assert count_of(record(number, unit), wanted) == Count(count, Status.GOOD)


def test_half_is_rounded_to_the_even_count_once() -> None:
    wanted = value(step=Decimal("0.1"))
    assert [count_of(record(number), wanted).count for number in ("0.005", "0.015", "0.0250000000001")] == [
        0,
        2,
        3,
    ]


def test_record_without_unit_has_that_of_the_settings() -> None:
    assert count_of(record("1", ""), value(unit="K")).count == -272150
    assert count_of(record("1", ""), value()) == Count(
        None, Status.INVALID, "unit missing: not one of temperature"
    )
    assert count_of(record("1", "V"), value()).reason == "unit V: not one of temperature"


def test_states_come_as_booleans_numbers_and_texts() -> None:
    state = value(quantity="state", kind="state", step=None, texts={"open": 1})
    assert exponent_of(state) == 0
    assert count_of(record(True, ""), state) == Count(1, Status.GOOD)
    assert count_of(record("1", ""), state) == Count(1, Status.GOOD)
    assert count_of(Resolved("a", "", "open", None, None), state) == Count(1, Status.GOOD)
    assert count_of(Resolved("a", "", "ajar", None, None), state).status is Status.INVALID


def test_sum_is_what_counts_where_the_settings_say_so() -> None:
    energy = value(quantity="energy", kind="counter", step=None, use="sum")
    assert count_of(Resolved("a", "kWh", Decimal(3), Decimal("17.4"), None), energy).count == 17
    assert count_of(record("3", "kWh"), energy) == Count(None, Status.NOT_MEASURED, "the record has no sum")
    assert count_of(Resolved("a", "Cel", None, None, None), value()).status is Status.NOT_MEASURED


def test_value_beyond_64_bits_is_over_range() -> None:
    assert count_of(record("1e30"), value()) == Count(None, Status.OVER_RANGE, "beyond 64 bits")


def test_every_unit_is_of_a_quantity_that_there_is() -> None:
    assert UNITS.keys() <= QUANTITIES.keys()


# --- times ------------------------------------------------------------------------------------------

NOW = Moment(tick=1_000_000, offset_ticks=170_000_000_000, age_max_ticks=360_000, future_max_ticks=500)
NOW_S = (NOW.tick + 170_000_000_000) / Decimal(100)


@pytest.mark.parametrize(
    ("time", "tick", "unused"),
    [
        (None, 1_000_000, None),
        ("0", 1_000_000, None),
        ("-5", 999_500, None),
        ("-0.004", 1_000_000, None),
        ("-3600", 640_000, None),
        ("-3600.01", 1_000_000, Unused.OLD),
        ("5", 1_000_000, None),
        ("5.01", 1_000_000, Unused.FUTURE),
        ("268435455", 1_000_000, Unused.FUTURE),
        (str(NOW_S), 1_000_000, None),
        (str(NOW_S - 60), 994_000, None),
        (str(NOW_S - 3601), 1_000_000, Unused.OLD),
        (str(NOW_S + 3), 1_000_000, None),
        (str(NOW_S + 60), 1_000_000, Unused.FUTURE),
        ("1e39", 1_000_000, Unused.FUTURE),
        ("-1e39", 1_000_000, Unused.OLD),
    ],
)
def test_record_stands_at_its_own_time_within_the_limits(
    time: str | None, tick: int, unused: Unused | None
) -> None:
    assert place(None if time is None else Decimal(time), NOW) == (tick, unused)


def test_gateway_that_does_not_know_the_time_takes_relative_times_alone() -> None:
    lost = Moment(NOW.tick, None, NOW.age_max_ticks, NOW.future_max_ticks)
    assert place(NOW_S - 60, lost) == (NOW.tick, Unused.CLOCK)
    assert place(Decimal(-60), lost) == (NOW.tick - 6000, None)


def test_settings_are_checked() -> None:
    table = {
        "driver": "senml",
        "name": "a",
        "prefix": "a",
        "http": {"address": "0.0.0.0", "port": 1},
        "mqtt": {"host": "a", "topics": ["a"]},
        "sender": [],
        "value": [
            {"name": "a", "point": "a", "quantity": "colour", "step": "1e20"},
            {"name": "a", "point": "b", "quantity": "temperature", "unit": "V", "states": {"x": "y"}},
        ],
    }
    assert {fault.path for fault in check(table, SenmlDevice)[1]} == {
        "http.address",
        "value[0].quantity",
        "value[0].step",
        "value[1].unit",
        "value[1].step",
        "value[1].states",
    }
    table |= {"value": [{"name": "a", "point": p, "quantity": "state", "kind": "state"} for p in "ab"]}
    table["http"] = {"address": "127.0.0.1", "port": 1}
    assert {fault.path for fault in check(table, SenmlDevice)[1]} == {"http", "sender", "value[1].name"}
    del table["http"]
    table["sender"] = [{"name": "x"}]
    assert {fault.path for fault in check(table, SenmlDevice)[1]} == {"sender", "value[1].name"}
