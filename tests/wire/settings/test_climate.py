"""Settings of regulation and of the panel: each fault with its place, its value and what was expected."""

import tomllib

import pytest

from wire.settings.gateway import judged
from wire.settings.regulation import zone_of

HEAD = """
[gateway]
id = "lab-1"
[uplink]
host = "127.0.0.1"
[[device]]
driver = "gpio"
name = "board"
output = [{ name = "lamp", kind = "relay", pin = 6 }]
"""
AIR = """
[[regulation]]
name = "air"
output = "gpio/lamp"
"""


def faults(text: str) -> list[str]:
    return [str(fault) for fault in judged(tomllib.loads(HEAD + text))[1]]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("otherwise = 1", ""),
        ("otherwise = 1\npoint = 'room/t'\nlow = 20\nhigh = 22", ""),
        ("", "regulation[0].when: []: expected a wish, or otherwise"),
        ("otherwise = 1\nlow = 20", "regulation[0].point: None: expected a point, since a range is given"),
        ("otherwise = 1\npoint = 'room/t'", "regulation[0].low: None: expected low, high or both"),
        (
            "otherwise = 1\npoint = 'room/t'\nlow = 22\nhigh = 22",
            "regulation[0].low: 22: expected below high (22)",
        ),
        (
            "otherwise = 1\ntime_zone = 'Mars/Olympus'",
            "regulation[0].time_zone: 'Mars/Olympus': expected a name as Asia/Shanghai",
        ),
        (
            "otherwise = 1\ncorrection = { step = 1, most = 2 }",
            "regulation[0].correction: None: expected a point with a range",
        ),
        (
            "point = 'room/t'\nlow = 1\notherwise = 1\ncorrection = { step = 2, most = 1 }",
            "regulation[0].correction.most: 1: expected at least step (2)",
        ),
        ("when = [{ value = 1 }]", "regulation[0].when[0].value: 1: expected exactly one of job, present"),
        (
            "when = [{ value = 1, job = 'a', present = 'b' }]",
            "regulation[0].when[0].value: 1: expected exactly one of job, present",
        ),
        (
            "when = [{ value = 1, start = '08:00' }]",
            "regulation[0].when[0].end: None: expected start and end together",
        ),
        (
            "when = [{ value = 1, start = '8:00', end = '25:00' }]",
            "regulation[0].when[0].start: '8:00': expected a time of day, as 07:30",
        ),
        (
            "when = [{ value = 1, job = 'a', days = ['mon'] }]",
            "regulation[0].when[0].days: ['mon']: expected start and end beside it",
        ),
        (
            "when = [{ value = 1, start = '08:00', end = '09:00', days = ['mon', 'mon'] }]",
            "regulation[0].when[0].days: ['mon', 'mon']: expected each day once",
        ),
        (
            "when = [{ value = 1, start = '08:00', end = '09:00', keep_s = 5 }]",
            "regulation[0].when[0].keep_s: 5.0: expected no such key for a time of day",
        ),
    ],
)
def test_regulation_that_makes_no_sense_is_refused(text: str, fault: str) -> None:
    found = faults(AIR + text)
    assert (found[0] if found else "").startswith(fault)
    assert bool(found) == bool(fault)


def test_two_regulations_of_one_output_are_refused() -> None:
    other = AIR.replace('"air"', '"more"')
    assert faults(f"{AIR}otherwise = 1\n{other}otherwise = 0\n") == [
        "regulation[1].output: 'gpio/lamp': expected an output that regulation air does not have"
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ""),
        ("address = '192.168.20.1'\npeers = ['192.168.20.14']", ""),
        ("address = '192.168.20.1'", "panel.peers: []: expected the addresses or networks that may connect"),
        ("address = 'door'", "panel.address: 'door': expected an address of the gateway"),
        (
            "address = '0.0.0.0'\npeers = ['10.0.0.0/8']",
            "panel.address: '0.0.0.0': expected an address on a LAN",
        ),
        ("peers = ['10.0.0.1/8']", "panel.peers[0]: '10.0.0.1/8': expected an address or a network"),
        ("interlocks = ['room']", "panel.interlocks[0]: 'room': expected an interlock of these settings"),
        ("portals = ['door']", "panel.portals[0]: 'door': expected a portal of these settings"),
        ("reader = 'door/front'", "panel.reader: 'door/front': expected a device with a reader"),
        ("language = 'fr'", "panel.language: 'fr': expected one of "),
        ("card_s = 1", "panel.card_s: 1: expected "),
    ],
)
def test_panel_that_nobody_could_use_or_everybody_reach_is_refused(text: str, fault: str) -> None:
    found = faults(f"[panel]\n{text}")
    assert [one[: len(fault)] for one in found] == ([fault] if fault else [])


@pytest.mark.parametrize(("name", "minutes"), [("UTC", 0), ("+08:00", 480), ("-03:30", -210)])
def test_time_zone_may_be_an_offset(name: str, minutes: int) -> None:
    offset = zone_of(name).utcoffset(None)
    assert offset is not None
    assert offset.total_seconds() == minutes * 60
