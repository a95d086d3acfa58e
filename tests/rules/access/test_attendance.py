"""Roll-call, and whether enough people were there all the time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.access import Called, Shortage, Stay, roll_call, shortages
from rules.access.document import Portal, Zone
from rules.access.words import Passback
from tests.rules.access.world import HOUR_MS, NOW, STEADY, World, inside

SPAN = {"from_ms": 100, "to_ms": 200}


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


@pytest.mark.requirement("H-6.3.3b", "H-6.4.3c")
@pytest.mark.parametrize(
    ("stays", "expected"),
    [
        ([Stay("a", 0), Stay("b", 100, 200)], []),
        ([Stay("a", 0), Stay("b", 101, 199)], [Shortage(100, 101, 1), Shortage(199, 200, 1)]),
        ([Stay("a", 0), Stay("b", 0, 150), Stay("c", 150)], []),
        ([Stay("a", 0), Stay("a", 0), Stay("x", 0)], [Shortage(100, 200, 1)]),
        ([], [Shortage(100, 200, 0)]),
        ([Stay("a", 120, 120), Stay("b", 300), Stay("c", 0, 50)], [Shortage(100, 200, 0)]),
        ([Stay("a", 120, 160)], [Shortage(100, 120, 0), Shortage(120, 160, 1), Shortage(160, 200, 0)]),
        ([Stay("a", 100, 150), Stay("b", 150, 200)], [Shortage(100, 200, 1)]),
    ],
)
def test_shortage_is_every_stretch_with_fewer_than_needed(
    stays: list[Stay], expected: list[Shortage]
) -> None:
    assert shortages(stays, {"a", "b", "c"}, least=2, **SPAN) == expected


STAYS = st.lists(
    st.builds(
        lambda one, start, length: Stay(one, start, None if length is None else start + length),
        st.sampled_from("abx"),
        st.integers(90, 210),
        st.none() | st.integers(0, 60),
    ),
    max_size=8,
)


@given(STAYS, st.randoms())
def test_shortages_are_those_of_every_instant_in_any_order(stays: list[Stay], rng: object) -> None:
    found = shortages(stays, {"a", "b"}, least=2, **SPAN)
    rng.shuffle(stays)  # type: ignore[attr-defined]
    assert shortages(stays, {"a", "b"}, least=2, **SPAN) == found
    told = {at: one.people for one in found for at in range(one.from_ms, one.to_ms)}
    for at in range(100, 200):
        there = {
            one.person
            for one in stays
            if one.person != "x" and one.from_ms <= at and (one.to_ms is None or at < one.to_ms)
        }
        assert told.get(at) == (len(there) if len(there) < 2 else None)
