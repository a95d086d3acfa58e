"""Interlocks that no gateway could run are refused whole, each fault with its place and a sentence."""

import tomllib

import pytest

from edge.control.checks import control_faults
from edge.control.surroundings import sets_itself
from tests.edge.control.site import HEAD, RELAY, WARM, WORK, Board, settings_of
from wire.settings.gateway import judged

DOOR = """
[[interlock.group]]
name = "doors"
[[interlock.group.cause]]
name = "open"
kind = "state"
point = "room/door"
normal = ["closed"]
"""


def faults(text: str) -> list[str]:
    return [str(fault) for fault in control_faults(settings_of(text), [Board()])]


def test_interlocks_that_fit_the_gateway_have_no_fault() -> None:
    assert not faults(WARM + DOOR + RELAY + WORK + "[control]\nenable_output = 'gpio/enable'\n")


def test_guard_without_a_calibration_is_no_fault_of_the_settings() -> None:
    assert not faults(WARM.replace("guarded = false", "") + WORK)


@pytest.mark.requirement("G-6.9a2")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            WARM.replace("room/temperature", "room/temperatur") + WORK,
            "cause[0].point: 'room/temperatur': expected a rule that can be run: no point is called",
        ),
        (
            WARM.replace("24.1", "4000") + WORK,
            "the high limit 4000 of room/temperature is outside of what its sensor can tell",
        ),
        (WARM + RELAY.replace("gpio/relay", "gpio/lamp"), "does not say which value is towards safety"),
        (WARM + RELAY.replace("gpio/relay", "gpio/valve"), "no output is called gpio/valve"),
        (
            WARM + DOOR.replace('"closed"', '"shut"') + WORK,
            "interlock[0].group[1].cause[0].normal[0]: 'shut': expected a state of room/door: closed, open",
        ),
        (
            WARM + '[[interlock.effect]]\nkind = "lock_entry"\ntarget = "door-9"\n',
            "no portal is called door-9",
        ),
        (WARM + WORK + "[control]\nenable_output = 'gpio/lamp'\n", "control.enable_output: 'gpio/lamp'"),
        (WARM + WORK + "[control]\nenable_output = 'gpio/none'\n", "expected a switched output"),
    ],
)
def test_fault_is_named_with_its_sentence(text: str, said: str) -> None:
    found = faults(text)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            WARM + RELAY + WARM.replace('"room"', '"hall"') + RELAY,
            "[1].effect[0].target: 'gpio/relay': expected an output that interlock room does not own",
        ),
        (
            WARM + RELAY + WARM + WORK,
            "[1].name: 'room': expected a name that no other interlock has",
        ),
        (
            WARM + RELAY + "[control]\nenable_output = 'gpio/relay'\n",
            "expected an output that control.enable_output does not own",
        ),
        (WARM, "interlock[0].effect: missing"),
        (WARM.replace("high = 24.1", "") + WORK, "interlock[0].group[0].cause[0].low: None"),
        (WARM.replace('"climate"', '"climate"\nneeded = 2') + WORK, "needed: 2: expected at most 1"),
        (WARM.replace('"limit"', '"limits"') + WORK, "cause[0].kind: 'limits': expected one of alive"),
    ],
)
def test_fault_that_needs_no_plant_is_found_in_the_file(text: str, said: str) -> None:
    settings, found = judged(tomllib.loads(HEAD + text))
    assert settings is None
    assert any(said in str(fault) for fault in found), [str(fault) for fault in found]


def test_switch_is_set_again_by_its_interlock_unless_equipment_has_it() -> None:
    own, shared = (
        settings_of(WARM + RELAY),
        settings_of(
            WARM + RELAY + '[[equipment]]\nid = "source"\noutput = "gpio/relay"\ninterlock = "room"\n'
        ),
    )
    relay = Board.outputs[0]
    effect = own.interlock[0].effect[0]
    assert sets_itself(effect, relay, own)
    assert not sets_itself(effect, relay, shared)
