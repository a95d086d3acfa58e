"""What this gateway has against a command: its own rights, and interlocks that hold a device or an output."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from edge.command.doing import asked_of
from edge.command.making import Gate
from edge.control.given import Member
from edge.control.room import Shared
from rules.access import Snapshot
from rules.access.document import Authorisation
from rules.access.words import PersonState, Subject
from rules.interlock.inputs import BeginBypass, Right
from tests.edge.control.site import RELAY, WARM, Site, running
from tests.rules.access.world import NOW, World
from wire.control import Command
from wire.messages import Scalar
from wire.shadow import Revision

RESET = Command(
    gateway="gw-1",
    id=bytes(16),
    fence=Revision(1, 1),
    name="interlock.reset",
    arguments={"interlock": "room", "breach": 1},
    by="anna",
    rights=("reset", "operate"),
    issued_at_ms=NOW,
    not_after_ms=NOW + 1000,
)


class Guarded(Site):
    """A gateway whose gate can be asked."""

    rights: Snapshot | None = None

    def _shared(self, shared: Shared) -> Sequence[Member]:
        super()._shared(shared)
        self.gate = Gate(shared, lambda: self.rights)
        return []


def world(*subjects: str) -> World:
    """Anna and Ben, with these authorisations of Anna's."""
    found = World()
    for number, subject in enumerate(subjects):
        found.put(Authorisation(f"i-{number}", "anna", Subject.ACTIVITY, subject))
    return found


def lacks(command: Command, rights: World | None) -> str:
    site = Guarded()
    site.utc_ms = NOW
    site.rights = None if rights is None else rights.snapshot()
    return site.gate.lacks(command)


@pytest.mark.requirement("H-7.3.3.3")
def test_gateway_takes_from_a_person_whom_it_knows_what_its_own_rights_do_not_give() -> None:
    assert lacks(RESET, world("interlock.reset")) == ""
    assert lacks(RESET, world("interlock.reset:room")) == ""
    assert "no authorisation to reset" in lacks(RESET, world("interlock.reset:another"))
    assert "no authorisation to reset" in lacks(RESET, world())
    gone = world("interlock.reset")
    gone.change("people", "anna", state=PersonState.REVOKED)
    assert "not active staff" in lacks(RESET, gone)
    visitor = replace(RESET, by="vera", name="output.set", arguments={"output": "gpio/lamp", "value": "1"})
    assert "not active staff" in lacks(visitor, world())


def test_hub_has_the_last_word_on_whom_the_gateway_does_not_know() -> None:
    assert lacks(RESET, None) == ""
    assert lacks(replace(RESET, by="nobody here"), world()) == ""
    assert lacks(replace(RESET, by="hub: the vehicle moves"), world()) == ""
    assert lacks(replace(RESET, name="interlock.trip", arguments={"interlock": "room"}), world()) == ""


@pytest.mark.parametrize("number", ["hub", "hub anna"])
def test_person_who_is_numbered_as_the_hub_is_called_is_judged_as_any_other(number: str) -> None:
    rights = world()
    rights.put(replace(rights.parts["people"]["anna"], id=number))
    assert "no authorisation to reset" in lacks(replace(RESET, by=number), rights)


def test_second_person_is_judged_too() -> None:
    arguments: dict[str, Scalar] = {"interlock": "room", "cause": "warm", "reason": "test", "seconds": 60}
    bypass = replace(RESET, name="interlock.bypass", arguments=arguments, rights=("bypass",), second="ben")
    assert "person ben" in lacks(bypass, world("interlock.bypass"))
    asked = asked_of(bypass)
    assert isinstance(asked, BeginBypass)
    assert asked.second is not None
    assert (asked.by.id, asked.by.rights, asked.second.id) == ("anna", {Right.BYPASS}, "ben")
    alone = asked_of(replace(bypass, second=""))
    assert isinstance(alone, BeginBypass)
    assert alone.second is None


def output(value: str, name: str = "gpio/relay") -> Command:
    return replace(RESET, name="output.set", arguments={"output": name, "value": value})


@pytest.mark.requirement("G-6.9d")
def test_output_that_an_interlock_holds_takes_its_safe_value_alone() -> None:
    async def run() -> None:
        site = Guarded(WARM + RELAY)
        async with running(site):
            assert site.gate.forbids(output("1")).startswith("interlock room: ")
            assert site.gate.forbids(output("0")) == ""
            assert site.gate.forbids(output("1", "gpio/lamp")) == ""
            await site.enabled()
            assert site.gate.forbids(output("1")) == ""

    asyncio.run(run())


CHECK = """
[[interlock]]
name = "meter"
[[interlock.group]]
name = "checks"
[[interlock.group.cause]]
name = "checked"
kind = "check"
device = "meter"
after = ["device_moved"]
commands = ["zero-check"]
[[interlock.effect]]
kind = "hold_work"
target = "lab"
"""


def procedure(name: str) -> Command:
    return replace(RESET, name="instrument.run", arguments={"device": "meter", "procedure": name})


@pytest.mark.requirement("H-7.3.3.5c", "H-7.3.3.5e")
def test_device_that_has_to_be_checked_runs_the_procedures_of_that_check_alone() -> None:
    async def run() -> None:
        site = Guarded(CHECK)
        site.later(1)
        assert site.gate.forbids(procedure("zero-check")) == ""
        assert "checked first" in site.gate.forbids(procedure("measure"))
        assert (
            site.gate.forbids(replace(procedure("x"), arguments={"device": "other", "procedure": "x"})) == ""
        )

    asyncio.run(run())
