"""Quantities: complete, in units of UCUM, with ranges that admit what is real."""

import pytest

from wire.quantities import QUANTITIES, plausible

UCUM = {
    *(
        "Cel",
        "By",
        "%",
        "g/m3",
        "hPa",
        "Pa",
        "lx",
        "dB",
        "dB[SPL]",
        "mm/s",
        "m/s2",
        "m/s",
        "[ppm]",
        "ug/m3",
        "L/min",
        "V/m",
    ),
    *(
        "1/min",
        "{dBm}",
        "V/m",
        "uT",
        "uSv/h",
        "V",
        "A",
        "Hz",
        "W",
        "kW.h",
        "s",
        "deg",
        "m",
        "{count}",
        "{state}",
        "1",
    ),
}
WANTED = {
    *("temperature", "relative_humidity", "pressure", "illuminance", "sound_level", "vibration", "air_speed"),
    *("co2", "pm2_5", "pm10", "gas_concentration", "flow_rate", "differential_pressure", "electric_field"),
    *("magnetic_flux_density", "radiation_dose_rate", "voltage", "current", "frequency", "power"),
    *("battery_charge", "battery_runtime", "position", "speed", "course"),
}


@pytest.mark.requirement("G-5.1c")
def test_named_quantities_are_all_there() -> None:
    """The list of the main job; particulate matter and field strength by their two common kinds."""
    assert QUANTITIES.keys() >= WANTED


def test_units_are_ucum_codes() -> None:
    assert {name: row.ucum for name, row in QUANTITIES.items() if row.ucum not in UCUM} == {}


def test_every_quantity_has_both_languages_and_a_range() -> None:
    for name, row in QUANTITIES.items():
        assert row.name == name
        assert row.low < row.high, name
        assert row.english, name
        assert any("\u4e00" <= character <= "\u9fff" for character in row.chinese), name


@pytest.mark.parametrize(
    ("quantity", "count", "exponent", "expected"),
    [
        ("temperature", 2134, -2, True),
        ("temperature", -27316, -2, False),
        ("relative_humidity", 1000, -1, True),
        ("relative_humidity", 1001, -1, False),
        ("battery_charge", 0, 0, True),
        ("battery_charge", -1, 0, False),
        ("co2", 420, 0, True),
        ("course", 360, 0, True),
        ("course", 361, 0, False),
        ("voltage", 2**63 - 1, 12, False),
    ],
)
def test_plausible_range_is_exact_at_its_edges(
    quantity: str, count: int, exponent: int, expected: bool
) -> None:
    assert plausible(quantity, count, exponent) is expected


def test_unknown_quantity_is_an_error() -> None:
    with pytest.raises(KeyError):
        plausible("charm", 1, 0)
