"""Forms are made of the settings' own models; one that is sent changes what was changed in it alone."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cloud.web import settings_form, settings_schema
from cloud.web.settings_form import DRAWN, Table, added, merged, shown, without
from cloud.web.settings_help import HELP
from cloud.web.settings_parts import parts, with_entry
from cloud.web.settings_rewrite import same
from cloud.web.settings_schema import (
    LISTS,
    SECTIONS,
    driver_fields,
    drivers,
    every_help,
    list_fields,
    section_fields,
)
from wire.settings.base import Fault
from wire.settings.shadow import ShadowDocument, check_text
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
CONTROL_TEXT = """\
[control]
enable_output = "gpio/enable"
[panel]
interlocks = ["room-2"]
title = "Room 2"
[[interlock]]
name = "room-2"
title = "Room 2: environment"
colour = "red"
[[interlock.group]]
name = "climate"
needed = 2
[[interlock.group.cause]]
kind = "limit"
name = "warm"
point = "room-2/air/temperature"
high = 24.0
[[interlock.group.cause]]
kind = "state"
name = "door"
point = "gpio/door-2"
normal = ["closed"]
[[interlock.effect]]
kind = "hold_work"
target = "room-2"
[[interlock.effect]]
kind = "inhibit_output"
target = "gpio/source"
[interlock.proof]
every_days = 90
[[portal]]
name = "room-2"
reader_in = "door/room-2"
[[equipment]]
id = "balance-1"
output = "gpio/balance-1"
[[regulation]]
name = "fan"
output = "gpio/fan"
[[regulation.when]]
value = 1
days = ["mon", "tue"]
start = "07:30"
end = "18:00"
[[device]]
driver = "gnss"
name = "gps"
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


@pytest.mark.parametrize("text", [*SAMPLES, SECTIONS_TEXT, CONTROL_TEXT])
def test_form_that_nobody_touched_changes_nothing(text: str) -> None:
    values = tomllib.loads(text)
    for part in parts(values, ()):
        if not part.addable:
            assert same(sent(values, part.path), values), part.path


@pytest.mark.parametrize("driver", drivers())
def test_every_driver_has_a_form_whose_empty_one_is_checked_by_the_gateway_s_code(driver: str) -> None:
    values = with_entry({}, "device", driver=driver)
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
    lists = map(list_fields, LISTS[1:])
    for fields in [*map(driver_fields, drivers()), *map(section_fields, SECTIONS), *lists]:
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
    values = with_entry({}, "device", driver="modbus")
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
    assert with_entry(values, "device", driver="modbus") == {
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


# --- what is controlled ------------------------------------------------------------------------------

CAUSE = "interlock[0].group[0].cause"


def test_every_key_of_a_document_is_a_part_or_a_list_of_parts() -> None:
    assert {*LISTS, *SECTIONS} == set(ShadowDocument.__struct_fields__)


def test_parts_are_every_entry_and_every_section() -> None:
    found = parts(tomllib.loads(CONTROL_TEXT), ())
    assert [(one.path, one.name, one.beside) for one in found if one.of_list] == [
        ("device[0]", "gps", "gnss"),
        ("interlock[0]", "room-2", "Room 2: environment"),
        ("portal[0]", "room-2", ""),
        ("equipment[0]", "balance-1", "gpio/balance-1"),
        ("regulation[0]", "fan", "gpio/fan"),
    ]
    assert [one.path for one in found if one.addable] == ["shutdown", "media"]
    assert [one.path for one in parts({}, ()) if one.addable] == ["panel", "shutdown", "media"]


def test_text_of_all_parts_has_but_the_faults_that_were_put_into_it() -> None:
    wrong = {fault.path for fault in check_text(CONTROL_TEXT)[1]}
    assert wrong == {"interlock[0].colour", "portal[0].reader_in"}


def test_causes_and_effects_of_an_interlock_are_changed_and_the_rest_stays() -> None:
    values = tomllib.loads(CONTROL_TEXT)
    changes = {
        "group[0].cause[0].high": "24.5",
        "group[0].cause[0].guarded": "false",
        "group[0].cause[1].normal": "closed\r\nlocked",
        "effect[1].kind": "isolate_power",
    }
    new = sent(values, "interlock[0]", **changes)
    values["interlock"][0]["group"][0]["cause"][0] |= {"high": 24.5, "guarded": False}
    values["interlock"][0]["group"][0]["cause"][1]["normal"] = ["closed", "locked"]
    values["interlock"][0]["effect"][1]["kind"] = "isolate_power"
    assert same(new, values)


def test_cause_has_the_fields_of_its_kind_and_says_what_each_kind_is() -> None:
    table = shown(tomllib.loads(CONTROL_TEXT), "interlock[0]", ())
    assert table is not None
    group = next(one for one in table.fields if one.field.key == "group").tables[0]
    limit, state = next(one for one in group.fields if one.field.key == "cause").tables
    kind = limit.fields[0].field
    assert (kind.key, limit.fields[0].text, state.fields[0].text) == ("kind", "limit", "state")
    assert kind.words[kind.choices.index("limit")] == "A measured value leaves its limits."
    only = [{one.field.key for one in table.fields} for table in (limit, state)]
    assert (only[0] - only[1], only[1] - only[0]) == (
        *({"low", "high", "deadband", "guarded", "undetermined"}, {"normal"}),
    )


def test_cause_of_another_kind_loses_what_its_kind_of_before_alone_had() -> None:
    values = tomllib.loads(CONTROL_TEXT)
    values["interlock"][0]["group"][0]["cause"][0]["colour"] = "red"
    new = sent(values, "interlock[0]", **{"group[0].cause[0].kind": "alive"})
    point = "room-2/air/temperature"
    expected = {"kind": "alive", "name": "warm", "point": point, "colour": "red"}
    assert new["interlock"][0]["group"][0]["cause"][0] == expected
    left = sent(values, "interlock[0]", **{"group[0].cause[0].kind": ""})
    assert left["interlock"][0]["group"][0]["cause"][0] == {
        **{key: value for key, value in expected.items() if key != "kind"},
        "high": 24.0,
    }


@pytest.mark.parametrize("kind", [["limit"], {"of": "limit"}, 3, None])
def test_kind_that_is_no_text_stays_as_it_was_written(kind: object) -> None:
    values = tomllib.loads(CONTROL_TEXT)
    values["interlock"][0]["group"][0]["cause"][0]["kind"] = kind
    assert sent(values, "interlock[0]")["interlock"][0]["group"][0]["cause"][0]["kind"] == kind


def test_interlock_comes_with_a_name_of_its_own_and_causes_with_their_kind() -> None:
    values = with_entry(tomllib.loads(CONTROL_TEXT), "interlock")
    assert values is not None
    assert [one["name"] for one in values["interlock"]] == ["room-2", "interlock"]  # type: ignore[attr-defined]
    values = added(values, "interlock[1].group")
    values = added(values or {}, "interlock[1].group[0].cause", kind="rate")
    values = added(values or {}, "interlock[1].group[0].cause", kind="nothing")
    values = added(values or {}, "interlock[1].proof")
    assert values is not None
    assert values["interlock"][1] == {  # type: ignore[index]
        "name": "interlock",
        "group": [{"cause": [{"kind": "rate"}, {}]}],
        "proof": {},
    }
    again = with_entry(values, "interlock")
    assert again is not None
    assert again["interlock"][2] == {"name": "interlock-2"}  # type: ignore[index]


def test_door_equipment_and_regulation_come_and_go() -> None:
    values: dict[str, Any] = {}
    for key, entry in (
        ("portal", {"name": "portal"}),
        ("equipment", {"id": "equipment"}),
        ("regulation", {"name": "regulation"}),
    ):
        values = with_entry(values, key) or {}
        assert values[key] == [entry]
        assert without(values, f"{key}[0]") == {**values, key: []}
    assert with_entry(values, "gateway") is None
    assert with_entry({"portal": {"name": "x"}}, "portal") is None
    new = sent(values, "portal[0]", reader_in="door/a", lock_mode="pulse", forced="false", held_open_s="45")
    assert new["portal"] == [
        {"name": "portal", "reader_in": "door/a", "lock_mode": "pulse", "forced": False, "held_open_s": 45}
    ]


def test_panel_is_added_and_its_lists_come_a_line_each() -> None:
    values = added({}, "panel")
    assert values == {"panel": {}}
    new = sent(
        values, "panel", address="192.168.20.1", peers="192.168.20.0/24\r\n10.0.0.1", roll_call="false"
    )
    peers = ["192.168.20.0/24", "10.0.0.1"]
    assert new == {"panel": {"address": "192.168.20.1", "peers": peers, "roll_call": False}}


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("interlock room-2", "interlock[0]"),
        ("interlock room-2/climate", "interlock[0]"),
        ("portal room-2", "portal[0]"),
        ("equipment balance-1", "equipment[0]"),
        ("regulation fan", "regulation[0]"),
    ],
)
def test_fault_that_names_an_entry_finds_its_form(path: str, part: str) -> None:
    values, faults = (
        tomllib.loads(CONTROL_TEXT),
        [Fault(path, "x", "y"), Fault(path.partition("/")[0] + "0", "x", "z")],
    )
    assert [one.path for one in parts(values, faults) if one.faults] == [part]
    table = shown(values, part, faults)
    assert table is not None
    assert [one.expected for one in table.wrong] == ["y"]


def test_faults_of_causes_and_effects_stand_at_their_fields() -> None:
    text = CONTROL_TEXT.replace("high = 24.0", "high = 24.0\nlow = 30").replace(
        'target = "gpio/source"', 'target = ""'
    )
    values = tomllib.loads(text)
    table = shown(values, "interlock[0]", check_text(text)[1])
    assert table is not None

    def wrong(one: Table) -> set[str]:
        inner = {path for field in one.fields for table in field.tables for path in wrong(table)}
        return inner | {field.path for field in one.fields if field.wrong}

    assert wrong(table) == {f"{CAUSE}[0].high", "interlock[0].effect[1].target"}
