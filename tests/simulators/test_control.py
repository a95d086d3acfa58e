"""Who asks the control port for what is not there is told what is."""

import json
from pathlib import Path

import pytest

from simulators.control import obey
from simulators.devices.modbus import ModbusLine, Unit
from simulators.devices.osdp import Reader, ReaderLine
from simulators.running import Running


def _state() -> Running:
    unit = Unit(2, "xy-md02", lambda _: 20.0, name="lab-1/room-1/2")
    line = ModbusLine([unit], now=lambda: (0, 0), log=None)
    door = ReaderLine(Path("line"), [Reader(1, bytes(16))])
    return Running("one", {"lab-1/room-1": line, "lab-1/door": door}, {})


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (
            {"device": "lab-1/room-9", "fault": ""},
            "device 'lab-1/room-9': expected one of lab-1/door, lab-1/room-1",
        ),
        ({"device": "lab-1/door", "unit": 9, "fault": ""}, "unit 9 of lab-1/door: expected one of 1"),
        ({"device": "lab-1/room-1", "unit": 9, "fault": ""}, "unit 9 of lab-1/room-1: expected one of 2"),
    ],
)
def test_unknown_device_and_unit_are_answered_with_those_that_are_there(
    wish: dict[str, object], error: str
) -> None:
    answer = json.loads(obey(_state(), json.dumps(wish).encode()))
    assert answer == {"ok": False, "error": error}


def test_act_is_done_and_answered_with_what_there_is_to_tell() -> None:
    done: list[str] = []
    state = _state()
    state.acts["lab-1/door/entrance"] = {
        "card": lambda: {"number": 4711},
        "leave": lambda: done.append("left"),
    }
    wish = {"device": "lab-1/door/entrance", "do": "card"}
    assert json.loads(obey(state, json.dumps(wish).encode())) == {"ok": True, "number": 4711}
    assert json.loads(obey(state, json.dumps(wish | {"do": "leave"}).encode())) == {"ok": True}
    assert done == ["left"]
    answer = json.loads(obey(state, json.dumps(wish | {"do": "sing"}).encode()))
    assert answer["error"] == "do 'sing' with lab-1/door/entrance: expected one of card, leave"
    answer = json.loads(obey(state, json.dumps(wish | {"device": "lab-1/roof"}).encode()))
    assert answer["error"] == "device 'lab-1/roof': expected one of lab-1/door/entrance"


def test_words_are_taken_by_what_needs_them_alone() -> None:
    shown: list[tuple[str, ...]] = []
    state = _state()
    state.acts["lab-1/door/entrance"] = {"card": lambda *words: shown.append(words), "open": lambda: None}
    assert state.act("lab-1/door/entrance", "card 17 20001") == {}
    assert shown == [("17", "20001")]
    with pytest.raises(ValueError, match="expected nothing behind it"):
        state.act("lab-1/door/entrance", "open 3")
    with pytest.raises(ValueError, match="do ''"):
        state.act("lab-1/door/entrance", " ")
