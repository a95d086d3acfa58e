"""Changed values go into a text where they stand; remarks stay, and what is read again is what was wanted."""

import copy
import random
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud.web.settings_rewrite import rewritten, same

TEXT = """\
# The laboratory
[clock]
sources = ["system", # of the machine
    "hub"]
drift_ppm = 20.0  # measured

# The room
[[device]]
driver = "modbus" # over Ethernet
name = "room"
host = "10.0.0.1"

# Its first sensor
[[device.unit]]
address = 1
profile = "xy-md02"
prefix = "room/#1"  # by the door

[[device.unit]]
address = 2
profile = "xy-md02"
prefix = "room/2"

# The receiver
[[device]]
driver = "gnss"
name = "gps"
"""
RULES = """\
# The rules
[control]
pulse_ms = 200  # measured

# Room 2
[[interlock]]
name = "room-2"
[[interlock.group]]
name = "climate"
# From the meeting in May
[[interlock.group.cause]]
kind = "limit"
name = "warm"
high = 24.0  # °C
[[interlock.group.cause]]
kind = "limit"
name = "humid"
high = 60
[[interlock.effect]]
kind = "hold_work"  # jobs wait
target = "room-2"
[[interlock.effect]]
kind = "lock_entry"
target = "room-2"

# The door
[[portal]]
name = "room-2"
reader_in = "door/room-2"

# The panel
[panel]
roll_call = true
"""
DRIVERS = Path(__file__).parents[3] / "edge" / "drivers"
SAMPLES = [path.read_text("utf-8") for path in sorted(DRIVERS.glob("*/sample*.toml"))]
Values = dict[str, Any]


def changed(change: Callable[[Values], object]) -> str:
    values = tomllib.loads(TEXT)
    change(values)
    text = rewritten(TEXT, values)
    assert same(tomllib.loads(text), values)
    return text


def test_nothing_changed_is_the_very_text() -> None:
    assert changed(lambda values: None) == TEXT


def test_changed_values_keep_the_remarks_behind_them() -> None:
    def change(values: Values) -> None:
        values["clock"]["drift_ppm"] = 5
        values["device"][0]["unit"][0]["prefix"] = 'room "#" 1'

    text = changed(change)
    assert "drift_ppm = 5  # measured\n" in text
    assert 'prefix = "room \\"#\\" 1"  # by the door\n' in text


def test_value_over_several_lines_is_exchanged_whole() -> None:
    text = changed(lambda values: values["clock"].update(sources=["hub"]))
    assert 'sources = ["hub"]\ndrift_ppm' in text


def test_new_and_left_out_keys_touch_no_other_line() -> None:
    def change(values: Values) -> None:
        values["device"][0]["port"] = 1502
        del values["clock"]["drift_ppm"]

    text = changed(change)
    assert 'host = "10.0.0.1"\nport = 1502\n\n# Its first sensor' in text
    assert set(TEXT.splitlines()) - set(text.splitlines()) == {"drift_ppm = 20.0  # measured"}


def test_device_goes_with_its_own_remark_and_leaves_the_others() -> None:
    text = changed(lambda values: values["device"].pop(0))
    assert ["# The room" in text, "# The receiver" in text, "# The laboratory" in text] == [False, True, True]


def test_unit_in_the_middle_is_left_out_alone() -> None:
    text = changed(lambda values: values["device"][0]["unit"].pop(0))
    assert ["# Its first sensor" in text, "# The receiver" in text] == [False, True]


def test_new_device_stands_at_the_end_and_a_new_unit_with_its_device() -> None:
    def change(values: Values) -> None:
        values["device"].append({"driver": "sysfs", "name": "board", "sensor": [{"kind": "iio"}]})
        values["device"][0]["unit"].append({"address": 3})
        values["device"][1]["sparse"] = {"distance_m": 10.0}
        values["journal"] = {"age_max_d": 3.5}

    text = changed(change)
    assert text.startswith(TEXT.split("# The receiver")[0].rstrip("\n"))
    assert text.index("address = 3") < text.index("# The receiver")


def test_text_that_cannot_be_followed_is_written_anew() -> None:
    text = 'device = [{driver = "gnss", name = "gps"}] # inline\n'
    values = tomllib.loads(text)
    values["device"][0]["name"] = "car"
    assert rewritten(text, values) == '[[device]]\ndriver = "gnss"\nname = "car"\n'


@pytest.mark.parametrize("text", [TEXT, RULES, *SAMPLES])
def test_whatever_is_changed_is_read_again_as_it_was_wanted(text: str) -> None:
    chance = random.Random(1)
    for _ in range(60):
        values = tomllib.loads(text)
        for _ in range(chance.randint(1, 3)):
            _change(values, chance)
        assert same(tomllib.loads(rewritten(text, values)), values)


def _change(place: Any, chance: random.Random) -> None:
    while place:
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if isinstance(place[key], dict | list) and chance.random() < 0.7:
            place = place[key]
            continue
        kind = chance.randrange(3)
        if kind == 0:
            del place[key]
        elif kind == 1 and isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        else:
            place[key] = chance.choice((1, 2.5, True, 'a "#" b', "", ["x", "#"], {}, {"a": 1}))
        return


def ruled(change: Callable[[Values], object]) -> str:
    values = tomllib.loads(RULES)
    change(values)
    text = rewritten(RULES, values)
    assert same(tomllib.loads(text), values)
    return text


def test_causes_and_effects_are_changed_where_they_stand() -> None:
    def change(values: Values) -> None:
        values["interlock"][0]["group"][0]["cause"][0]["high"] = 23.5
        values["interlock"][0]["effect"][1]["target"] = "room-3"
        values["portal"][0]["lock_output"] = "gpio/lock-2"
        values["panel"]["roll_call"] = False

    text = ruled(change)
    assert set(text.splitlines()) - set(RULES.splitlines()) == {
        "high = 23.5  # °C",
        'target = "room-3"',
        'lock_output = "gpio/lock-2"',
        "roll_call = false",
    }


def test_new_entry_stands_behind_the_last_of_its_list() -> None:
    def change(values: Values) -> None:
        values["interlock"][0]["group"][0]["cause"].append({"kind": "alive", "name": "heard"})
        values["interlock"][0]["group"].append({"name": "doors", "cause": [{"kind": "state"}]})
        values["interlock"].append({"name": "room-3", "effect": [{"kind": "hold_work"}]})

    text = ruled(change)
    places = [text.index(one) for one in ('"humid"', '"heard"', '"doors"', '"hold_work"  #', '"room-3"')]
    assert places == sorted(places)
    assert text.index('name = "room-3"') < text.index("# The door")
    assert set(RULES.splitlines()) <= set(text.splitlines())


def test_last_entry_of_a_list_goes_and_one_comes_back_without_touching_remarks() -> None:
    text = ruled(lambda values: values["interlock"].clear())
    assert "interlock = []\n" in text
    assert all(one in text for one in ("# The rules", "# measured", "# The door", "# The panel"))
    values = tomllib.loads(text)
    values["interlock"].append({"name": "new"})
    again = rewritten(text, values)
    assert same(tomllib.loads(again), values)
    assert all(one in again for one in ("# The rules", "# measured", "# The door", "# The panel"))
    assert "interlock = []" not in again
