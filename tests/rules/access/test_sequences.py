"""What must hold after any sequence of people who come, go, wait and walk away, with restarts in between."""

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from rules.access import Reason, State, decide
from rules.access.case import people_in, staff_in
from rules.access.document import Person
from rules.access.passages import after_decision, entered, not_entered, restarted, tidied
from rules.access.words import Escort, Passback
from tests.rules.access.world import NOW, STEADY, World, card

SIDES = ("door-1/in", "door-2/in", "door-1/out", "inner/in", "inner/out", "front/in", "front/out")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("anna", "ben", "carl", "hugo", "vera")),
        st.sampled_from(SIDES),
        st.sampled_from(("pass", "pass", "pass", "turn back", "not yet", "restart")),
        st.sampled_from((1, 4, 29, 31)),
    ),
    max_size=40,
)


def site() -> World:
    world = World()
    world.change("zones", "lab", min_people=2, capacity=3, passback=Passback.HARD)
    world.change("rights", "r-staff", schedule=None)
    world.change("visits", "v-1", escort=Escort.ANY)
    world.put(Person("hugo", slow=True))
    return world


SITE = site()
SNAPSHOT = SITE.snapshot()


@pytest.mark.requirement("G-6.4b", "H-6.3.3b")
@limits(max_examples=2 * int(os.environ.get("HENG_ACCESS_SITES", "20")))
@given(STEPS)
def test_nobody_is_ever_let_in_alone_into_too_full_a_room_or_twice(
    steps: list[tuple[str, str, str, int]],
) -> None:
    state, seconds = State(), 0
    for person, side, then, wait_s in steps:
        seconds += wait_s
        at_ms, steady_ms = NOW + seconds * 1000, STEADY + seconds * 1000
        SITE.ask(side=side, factors=(card(person),), at_ms=at_ms, steady_ms=steady_ms)
        request = SITE.request()
        decision = decide(request, SNAPSHOT, state)
        assert decide(request, SNAPSHOT, tidied(state, SNAPSHOT, steady_ms=steady_ms)) == decision
        before = people_in(SNAPSHOT, state, "lab", steady_ms=steady_ms)
        if decision.reason is Reason.GRANTED and side != "front/in":
            assert not set(decision.admits) & set(before) or side == "inner/in"
        state = after_decision(state, SNAPSHOT, request=request, decision=decision)
        if then == "pass" and decision.granted:
            state = entered(state, SNAPSHOT, side=side, at_ms=at_ms, steady_ms=steady_ms).state
            after = people_in(SNAPSHOT, state, "lab", steady_ms=steady_ms)
            if side.startswith("door") and side.endswith("in"):
                assert len(after) <= 3
                assert len(staff_in(SNAPSHOT, after, at_ms)) >= 2
        elif then == "turn back":
            state = not_entered(state, side).state
        elif then == "restart":
            state = msgspec.json.decode(msgspec.json.encode(restarted(state)), type=State)
        assert all(inside.zone in ("lobby", "lab", "dark-room") for inside in state.inside.values())
