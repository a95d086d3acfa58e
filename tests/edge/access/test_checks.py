"""What a door names and no device has is refused with the sentence that a person needs."""

import time
import tomllib
from pathlib import Path

import pytest

from edge.shadow.sources import assembly_faults
from wire.settings.gateway import judged

SETTINGS = """
[gateway]
id = "g"
[uplink]
host = "localhost"
[[portal]]
name = "room-2"
reader_in = "wiegand"
lock_output = "gpio/lock"
contact_point = "gpio/door"
exit_button_point = "gpio/exit"
[[equipment]]
id = "balance-1"
output = "gpio/balance"
[[device]]
driver = "wiegand"
name = "reader"
d0_pin = 1
d1_pin = 2
[[device]]
driver = "gpio"
name = "pins"
[[device.input]]
name = "door"
kind = "door_contact"
pin = 3
[[device.input]]
name = "exit"
kind = "request_to_exit"
pin = 4
[[device.output]]
name = "lock"
kind = "relay"
pin = 5
[[device.output]]
name = "balance"
kind = "relay"
pin = 6
"""


def faults(text: str, folder: Path) -> list[str]:
    settings, wrong = judged(tomllib.loads(text))
    assert settings is not None, wrong
    return [str(fault) for fault in assembly_faults(settings, folder, now_ns=time.monotonic_ns)]


def test_door_of_this_board_is_right(tmp_path: Path) -> None:
    assert faults(SETTINGS, tmp_path) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            'lock_output = "gpio/lock"',
            'lock_output = "gpio/lck"',
            "lock_output: 'gpio/lck': expected a switched output of this gateway (gpio/balance, gpio/lock)",
        ),
        (
            'lock_output = "gpio/lock"',
            'lock_output = "gpio/lock"\nlock_unlocks = "off"',
            "lock_unlocks: 'off': expected another value than that in which gpio/lock rests",
        ),
        (
            "pin = 5",
            "pin = 5\napart_s = 5",
            "lock_output: 'gpio/lock': expected an output that may be written again after 1 s",
        ),
        (
            '"gpio/door"',
            '"gpio/lock"',
            "contact_point: 'gpio/lock': expected a point with the states closed and open (gpio/door)",
        ),
        (
            '"gpio/exit"',
            '"gpio/exits"',
            "exit_button_point: 'gpio/exits': expected an input of kind request_to_exit (gpio/exit)",
        ),
        (
            'output = "gpio/balance"',
            'output = "gpio/balance"\nreleased = "off"',
            "released: 'off': expected another value than that in which gpio/balance rests",
        ),
    ],
)
def test_what_a_door_names_and_is_not_there_is_refused(
    before: str, after: str, fault: str, tmp_path: Path
) -> None:
    (found,) = faults(SETTINGS.replace(before, after), tmp_path)
    assert found.partition("].")[2] == fault
