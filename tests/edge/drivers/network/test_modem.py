"""What ModemManager says about a modem: decoded exactly, or refused by name; no value that nobody gave."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.network.modem import MODEM, MODEM_3GPP, SIGNAL, Modem, ModemError, choose, decode

pytestmark = pytest.mark.requirement("G-5.2")
PATH = "/org/freedesktop/ModemManager1/Modem/0"
UNKNOWN = -1.7976931348623157e308


def objects(signal: dict[str, object] | None = None, **more: object) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {
        MODEM: {"State": 11, "AccessTechnologies": 0x4000, "SignalQuality": [74, True], **more},
        MODEM_3GPP: {"RegistrationState": 5, "OperatorCode": "46000", "OperatorName": "CHINA MOBILE"},
    }
    return found if signal is None else {**found, SIGNAL: signal}


def test_modem_in_4g_tells_everything() -> None:
    lte = {"rssi": -60.0, "rsrp": -97.3, "rsrq": -10.5, "snr": 12.4}
    found = decode(PATH, objects({"Rate": 10, "Lte": lte, "Nr5g": {}}))
    assert found == Modem(PATH, 11, 74, 4, 5, ("46000", "CHINA MOBILE"), -973, -105, 124)


@pytest.mark.parametrize(
    ("bits", "generation"),
    [(0, 0), (1 << 1, 2), (1 << 4, 2), (1 << 5, 3), (1 << 9, 3), (1 << 14, 4), (3 << 14, 5), (1 << 17, 6)],
)
def test_best_of_the_technologies_is_told(bits: int, generation: int) -> None:
    assert decode(PATH, objects(AccessTechnologies=bits)).technology == generation


def test_best_technology_that_tells_a_level_tells_all_of_them() -> None:
    found = decode(PATH, objects({"Rate": 1, "Nr5g": {"rsrp": UNKNOWN}, "Umts": {"rssi": -71.0}}))
    assert (found.level_ddbm, found.rsrq_ddb, found.snr_ddb) == (-710, None, None)


@pytest.mark.parametrize("value", [UNKNOWN, 2.2250738585072014e-308, float("nan"), float("inf")])
def test_level_that_the_modem_does_not_know_is_absent(value: float) -> None:
    assert decode(PATH, objects({"Rate": 1, "Lte": {"rsrp": value}})).level_ddbm is None


def test_level_of_exactly_nothing_is_a_level() -> None:
    assert decode(PATH, objects({"Rate": 1, "Lte": {"snr": 0.0}})).snr_ddb == 0


def test_quality_that_is_not_recent_or_not_told_is_absent() -> None:
    assert decode(PATH, objects(SignalQuality=[74, False])).quality_percent is None
    assert decode(PATH, {MODEM: {}}) == Modem(PATH, 0, None, 0)


def test_levels_have_to_be_asked_for_where_they_are_offered_and_not_measured() -> None:
    assert not decode(PATH, objects()).levels_off
    assert decode(PATH, objects({"Rate": 0})).levels_off
    assert not decode(PATH, objects({"Rate": 5})).levels_off


def test_modem_of_the_interface_is_chosen_and_else_the_first() -> None:
    both = {
        f"{PATH}{number}": objects(Ports=[["ttyUSB0", 3], [f"wwan{number}", 2], "rubbish"])
        for number in (1, 2)
    }
    assert choose(both, interfaces=["wwan2"]).path == PATH + "2"
    assert choose(both, interfaces=["ppp0"]).path == PATH + "1"
    assert choose(both, interfaces=[]).path == PATH + "1"
    assert choose({PATH: objects(Ports="rubbish")}, interfaces=["wwan0"]).path == PATH


def test_no_modem_is_said() -> None:
    with pytest.raises(ModemError, match="ModemManager shows no modem"):
        choose({PATH: {"org.freedesktop.ModemManager1.Sim": {}}}, interfaces=[])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (objects(State="up"), "State: expected -1 to 11"),
        (objects(State=12), "State: expected -1 to 11"),
        (objects(AccessTechnologies=True), "AccessTechnologies: expected 0 to 4294967295"),
        (objects(SignalQuality=[101, True]), "SignalQuality: expected 0 to 100"),
        (objects(SignalQuality=74), "SignalQuality: expected 0 to 100"),
        (objects({"Lte": 5}), "Lte: expected a table"),
        (objects({"Lte": {"rsrp": "-97"}}), "rsrp: expected a number with a fraction"),
        ({MODEM: {}, MODEM_3GPP: {"OperatorCode": 46000}}, "OperatorCode: expected text"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(found: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(ModemError, match=message):
        decode(PATH, found)


plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(
    [
        "State",
        "AccessTechnologies",
        "SignalQuality",
        "Ports",
        "RegistrationState",
        "OperatorCode",
        "Rate",
        "Lte",
    ]
)


@given(st.dictionaries(st.sampled_from([MODEM, MODEM_3GPP, SIGNAL]), st.dictionaries(keys, plain)))
def test_nothing_but_a_modem_error_is_ever_raised(found: dict[str, dict[str, object]]) -> None:
    try:
        modem = choose({PATH: found}, interfaces=["wwan0"])
    except ModemError:
        return
    assert modem.quality_percent is None or 0 <= modem.quality_percent <= 100
    assert -1 <= modem.state <= 11
