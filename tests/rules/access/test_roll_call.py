"""Roll-call: everybody who came and was not seen to leave."""

import pytest

from rules.access import Called, roll_call
from rules.access.document import Portal, Zone
from rules.access.words import Passback
from tests.rules.access.world import HOUR_MS, NOW, STEADY, World, inside


@pytest.mark.requirement("G-6.4b")
def test_roll_call_names_everybody_who_came_and_was_not_seen_to_leave() -> None:
    world = World()
    world.put(Zone(id="yard", muster=True), Portal(id="gate", from_zone="lobby", to_zone="yard"))
    world.change("zones", "lab", passback=Passback.TIMED, forget_s=60)
    people = {"vera": "lobby", "anna": "lab", "ben": "yard", "of-yesterday": "cellar"}
    world.live(inside={one: inside(zone) for one, zone in people.items()})
    since_ms = NOW - HOUR_MS
    assert roll_call(world.snapshot(), world.state, steady_ms=STEADY) == [
        Called(person="of-yesterday", name="", zone="cellar", since_ms=since_ms),
        Called(person="anna", name="Anna Chen", zone="lab", since_ms=since_ms, doubtful=True),
        Called(
            person="vera", name="Vera Guest", zone="lobby", since_ms=since_ms, visitor=True, hosts=("ben",)
        ),
        Called(person="ben", name="Ben", zone="yard", since_ms=since_ms, safe=True),
    ]


def test_roll_call_works_without_any_rights() -> None:
    world = World()
    world.live(inside={"anna": inside("lab")})
    assert roll_call(None, world.state, steady_ms=STEADY) == [
        Called(person="anna", name="", zone="lab", since_ms=NOW - HOUR_MS)
    ]
