import tomllib

import pytest

from wire.settings.gateway import judged
from wire.settings.shadow import check_text

HEAD = """
[gateway]
id = "g"
[uplink]
host = "localhost"
"""
DEVICES = """
[[device]]
driver = "osdp"
name = "readers"
path = "/dev/ttyUSB0"
[[device.reader]]
name = "front"
address = 0
[[device.reader]]
name = "back"
address = 1
[[device]]
driver = "wiegand"
name = "side"
d0_pin = 1
d1_pin = 2
"""
GOOD = """
[[portal]]
name = "room-2"
reader_in = "door/front"
reader_out = "door/back"
lock_output = "gpio/lock"
contact_point = "gpio/door"
exit_button_point = "gpio/exit"
[[equipment]]
id = "balance-1"
output = "gpio/balance"
"""


def faults(sections: str) -> list[str]:
    found, told = judged(tomllib.loads(HEAD + sections + DEVICES))
    _, also = check_text(sections + DEVICES)
    assert [str(fault) for fault in also] == [str(fault) for fault in told], "the hub refuses the same"
    assert (found is None) == bool(told)
    return [str(fault) for fault in told]


def test_portal_with_everything_is_right() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            '"door/front"',
            '"door/frnt"',
            "portal[0].reader_in: 'door/frnt': expected one of door/back, door/front, wiegand",
        ),
        ('"door/back"', '"door/front"', "portal[0].reader_out: 'door/front': expected another reader than"),
        ('lock_output = "gpio/lock"', "", "exit_button_point: 'gpio/exit': expected a lock_output that it"),
        ('"gpio/exit"', '"gpio/door"', "exit_button_point: 'gpio/door': expected another point than contact"),
        (
            '"gpio/balance"',
            '"gpio/lock"',
            "equipment[0].output: 'gpio/lock': expected one that portal room-2",
        ),
        ('"room-2"', '"Room 2"', "portal[0].name: 'Room 2': expected 1 to 63 characters of a-z"),
    ],
)
def test_what_a_portal_cannot_be_is_named(before: str, after: str, fault: str) -> None:
    assert any(fault in one for one in faults(GOOD.replace(before, after)))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('reader_in = "door/front"', "portal[1].reader_in: 'door/front': expected one that portal room-2"),
        ('reader_in = "wiegand"\nlock_output = "gpio/lock"', "portal[1].lock_output: 'gpio/lock': expected"),
        ('reader_in = "wiegand"\ncontact_point = "gpio/door"', "portal[1].contact_point: 'gpio/door'"),
        ("", "portal[1].reader_in: None: expected reader_in, reader_out or both"),
    ],
)
def test_two_doors_never_share_a_reader_a_lock_or_a_contact(line: str, fault: str) -> None:
    assert any(fault in one for one in faults(GOOD + f'[[portal]]\nname = "room-3"\n{line}\n'))


INTERLOCK = """
[[interlock]]
name = "heat"
[[interlock.group]]
name = "any"
[[interlock.group.cause]]
kind = "alive"
name = "sensor"
point = "room/air/temperature"
[[interlock.effect]]
kind = "inhibit_output"
target = "gpio/balance"
"""


def test_equipment_names_the_interlock_that_owns_its_output_and_locks_have_none() -> None:
    named = GOOD.replace('output = "gpio/balance"', 'output = "gpio/balance"\ninterlock = "heat"')
    assert faults(named + INTERLOCK) == []
    assert faults(named) == ["equipment[0].interlock: 'heat': expected one that owns gpio/balance"]
    other = named.replace('"heat"', '"cold"')
    expected = "equipment[0].interlock: 'cold': expected heat, which owns gpio/balance"
    assert faults(other + INTERLOCK) == [expected]
    locked = faults(GOOD + INTERLOCK.replace('"gpio/balance"', '"gpio/lock"'))
    expected = "an output that no interlock owns; its effect lock_entry locks the door"
    assert locked == [f"portal[0].lock_output: 'gpio/lock': expected {expected}"]
    sets = INTERLOCK.replace('kind = "inhibit_output"', 'kind = "inhibit_output"\nrelease = "set"')
    expected = "leave: equipment balance-1 alone sets gpio/balance"
    assert faults(named + sets) == [f"interlock[0].effect[0].release: 'set': expected {expected}"]
