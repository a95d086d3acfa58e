"""Forms are made of the settings' own models; one that is sent changes what was changed in it alone."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cloud.web import settings_form, settings_schema
from cloud.web.settings_form import DRAWN, Table, added, merged, parts, shown, with_device, without
from cloud.web.settings_help import HELP
from cloud.web.settings_rewrite import same
from cloud.web.settings_schema import SECTIONS, driver_fields, drivers, every_help, section_fields
from wire.settings.base import Fault
from wire.settings.shadow import check_text
from wire.settings.toml import to_toml

pytestmark = pytest.mark.requirement("G-4.3a")
DRIVERS = Path(__file__).parents[3] / "edge" / "drivers"
SAMPLES = [path.read_text("utf-8") for path in sorted(DRIVERS.glob("*/sample*.toml"))]
SECTIONS_TEXT = """\
[journal]
bytes_max = 2000000
[clock]
sources = ["hub", "system"]
[shutdown]
ups = "ups"
command = ["sudo", "poweroff"]
[media]
url = "https://hub:8443"
upload_on = []
"""
Sent = dict[str, list[str]]


def sent_of(table: Table) -> Sent:
    """What a browser sends of a form that nobody touched."""
    sent: Sent = {}
    for one in table.fields:
        if not one.fits:
            continue
        if one.field.kind == "tables":
            sent[one.path] = [str(len(one.tables))]
        elif one.field.kind == "table":
            sent |= {one.path: ["1"]} if one.tables else {}
        elif one.field.kind == "choices":
            sent[one.path + DRAWN] = ["1"]
            sent |= {one.path: list(one.chosen)} if one.chosen else {}
        else:
            sent[one.path] = [one.text.replace("\n", "\r\n")]
        for inner in one.tables:
            sent |= sent_of(inner)
    return sent


def sent(values: dict[str, Any], part: str, **changes: str) -> dict[str, Any]:
    table = shown(values, part, ())
    assert table is not None
    new = {f"{part}.{name}": [text] for name, text in changes.items()}
    return merged(values, part, {**sent_of(table), **new})


@pytest.mark.parametrize("text", [*SAMPLES, SECTIONS_TEXT])
def test_form_that_nobody_touched_changes_nothing(text: str) -> None:
    values = tomllib.loads(text)
    for part in parts(values, ()):
        if not part.addable:
            assert same(sent(values, part.path), values), part.path


@pytest.mark.parametrize("driver", drivers())
def test_every_driver_has_a_form_whose_empty_one_is_checked_by_the_gateway_s_code(driver: str) -> None:
    values = with_device({}, driver)
    assert values is not None
    assert same(sent(values, "device[0]"), _with_required_tables(values, driver))
    faults = check_text(to_toml(values))[1]
    table = shown(values, "device[0]", faults)
    assert table is not None
    required = {f"device[0].{one.key}" for one in driver_fields(driver) if one.required and one.key != "name"}
    wrong = {one.path for one in table.fields if one.wrong}
    assert required - {one.path for one in table.fields if one.field.kind == "table"} <= wrong


def _with_required_tables(values: dict[str, Any], driver: str) -> dict[str, Any]:
    tables = {one.key: {} for one in driver_fields(driver) if one.kind == "table" and one.required}
    return {"device": [{**values["device"][0], **tables}]}


def test_field_says_type_range_unit_default_and_help() -> None:
    field = next(one for one in driver_fields("modbus-rtu") if one.key == "late_ms")
    assert (field.kind, field.unit, field.low, field.high, field.default) == (
        *("whole", "ms", "10", "600000", "2000"),
    )
    assert field.help.startswith("So long after a question a unit may still answer it")
    baud = next(one for one in driver_fields("modbus-rtu") if one.key == "baud")
    assert baud.choices[:3] == ("1200", "2400", "4800")
    assert next(one for one in section_fields("clock") if one.key == "sources").default == "system, gnss, hub"


def test_every_field_of_every_model_has_a_kind() -> None:
    for fields in [*map(driver_fields, drivers()), *map(section_fields, SECTIONS)]:
        assert fields
    assert len(every_help()) > 200


def test_inputs_become_values_of_their_types() -> None:
    values = {"device": [{"driver": "gnss", "name": "gps"}]}
    new = sent(
        values,
        "device[0]",
        port="1502",
        own_messages="true",
        receiver="/dev/x",
        time_bound_ms="many",
        host="",
    )
    assert new["device"][0] == {
        "driver": "gnss",
        "name": "gps",
        "port": 1502,
        "own_messages": True,
        "receiver": "/dev/x",
        "time_bound_ms": "many",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1),
        ("3", 3),
        ("1e-11", 1e-11),
        ("0.10", 0.1),
        ("12345678901234567890.5", "12345678901234567890.5"),
    ],
)
def test_decimal_becomes_a_number_where_that_is_exact_and_a_text_elsewhere(text: str, value: object) -> None:
    values = {"device": [{"driver": "instrument", "name": "a", "query": [{"point": "p"}]}]}
    new = sent(values, "device[0]", **{"query[0].step": text})
    assert same(new["device"][0]["query"][0]["step"], value)


def test_lists_and_pairs_come_a_line_each() -> None:
    values = {"device": [{"driver": "ble", "name": "radio"}]}
    assert sent(values, "device[0]", adapters="hci0\r\n\r\nhci1\r\n")["device"][0]["adapters"] == [
        "hci0",
        "hci1",
    ]
    values = {"device": [{"driver": "senml", "name": "s", "value": [{}]}]}
    new = sent(values, "device[0]", **{"value[0].texts": "open = 1\r\nclosed=0"})
    assert new["device"][0]["value"][0]["texts"] == {"open": 1, "closed": 0}


def test_boxes_stay_by_default_until_one_is_touched_and_may_all_be_empty() -> None:
    values = {"media": {"url": "https://hub:1"}}
    table = shown(values, "media", ())
    assert table is not None
    whole = sent_of(table)
    assert merged(values, "media", whole) == values
    assert merged(values, "media", {**whole, "media.live_on": ["wifi"]})["media"]["live_on"] == ["wifi"]
    none = {name: value for name, value in whole.items() if name != "media.upload_on"}
    assert merged(values, "media", none)["media"]["upload_on"] == []


def test_what_no_model_knows_and_what_no_input_can_show_stays() -> None:
    values = {"device": [{"driver": "gnss", "name": "gps", "colour": "red", "port": [1], "sparse": 5}]}
    assert sent(values, "device[0]", prefix="car")["device"][0] == {**values["device"][0], "prefix": "car"}
    table = shown(values, "device[0]", check_text(to_toml(values))[1])
    assert table is not None
    port = next(one for one in table.fields if one.field.key == "port")
    assert (port.fits, port.text) == (False, "[1]")
    assert port.wrong


def test_tables_are_added_and_left_out() -> None:
    values = with_device({}, "modbus")
    assert values is not None
    two = added(added(values, "device[0].unit") or {}, "device[0].unit")
    assert two is not None
    assert two["device"] == [{"driver": "modbus", "name": "modbus", "unit": [{}, {}]}]
    deep = added(two, "device[0].unit[1].usage")
    assert deep is not None
    assert deep["device"][0]["unit"][1] == {"usage": {}}  # type: ignore[index]
    one = without(deep, "device[0].unit[0]")
    assert one is not None
    assert one["device"][0]["unit"] == [{"usage": {}}]  # type: ignore[index]
    assert without(one, "device[0]") == {"device": []}
    assert added(values, "shutdown") == {**values, "shutdown": {}}
    assert with_device(values, "modbus") == {
        "device": [*values["device"], {"driver": "modbus", "name": "modbus-2"}]
    }


@pytest.mark.parametrize(
    "path",
    [
        "",
        "device",
        "device[7].unit",
        "device[0].name",
        "device[0].nothing",
        "gateway",
        "device[0].unit[3]",
        "[0]",
    ],
)
def test_paths_that_lead_nowhere_change_nothing(path: str) -> None:
    values = {"device": [{"driver": "modbus", "name": "a"}]}
    assert added(values, path) in (None, values)
    assert without(values, path) is None
    assert shown(values, path, ()) is None


def test_numbers_of_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"device": [{"driver": "modbus", "name": "a"}]}
    new = merged(values, "device[0]", {"device[0].unit": ["9" * 18]})
    assert len(new["device"][0]["unit"]) == settings_form.ENTRIES_MAX  # type: ignore[index]
    assert shown(new, "device[0]", ()) is None


def test_faults_stand_with_their_fields_and_are_counted_for_their_part() -> None:
    values = {"device": [{"driver": "modbus", "name": "a", "unit": [{"address": 999, "points": ["A B"]}]}]}
    faults = [*check_text(to_toml(values))[1], Fault("device a", "x", "y")]
    (part,) = (one for one in parts(values, faults) if one.path == "device[0]")
    table = shown(values, "device[0]", faults)
    assert table is not None
    assert part.faults == len(faults)
    unit = next(one for one in table.fields if one.field.key == "unit").tables[0]
    assert {one.field.key for one in unit.fields if one.wrong} == {"address", "points", "profile", "prefix"}
    assert [one.expected for one in table.wrong] == ["y"]


def test_help_is_what_stands_behind_the_field() -> None:
    assert settings_schema.title(drivers()["ups"]) == "One UPS of one NUT server (upsd)."


def test_help_is_in_the_catalogues_word_for_word() -> None:
    assert set(HELP) == every_help()
