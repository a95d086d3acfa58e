"""A campaign is drawn from its seed before anything starts."""

from collections import Counter

import pytest

from cli.faults.script import Fault, make_script

GATEWAYS = ("bench-1", "bench-2", "bench-3")


def test_same_seed_gives_same_script() -> None:
    assert make_script(100, 7, GATEWAYS) == make_script(100, 7, GATEWAYS)


def test_other_seed_gives_other_script() -> None:
    assert make_script(100, 7, GATEWAYS) != make_script(100, 8, GATEWAYS)


@pytest.mark.parametrize("kills", [1, 4, 25, 100])
def test_script_kills_exactly_as_often_as_asked(kills: int) -> None:
    steps = make_script(kills, 3, GATEWAYS)
    assert sum(len(step.targets) for step in steps if step.fault is Fault.KILL) == kills


def test_long_campaign_brings_every_fault_and_every_victim() -> None:
    steps = make_script(100, 3, GATEWAYS)
    assert {step.fault for step in steps} == set(Fault)
    victims = Counter(target for step in steps if step.fault is Fault.KILL for target in step.targets)
    assert set(victims) == {"broker", "hub", "database", *GATEWAYS}


def test_gateways_and_services_are_frozen() -> None:
    frozen = {
        target
        for seed in range(20)
        for step in make_script(25, seed, GATEWAYS)
        if step.fault is Fault.FROZEN
        for target in step.targets
    }
    assert frozen == {"broker", "hub", *GATEWAYS}


def test_processes_are_killed_in_combination() -> None:
    steps = make_script(100, 3, GATEWAYS)
    together = {frozenset(step.targets) for step in steps if len(step.targets) > 1}
    assert len(together) > 5
