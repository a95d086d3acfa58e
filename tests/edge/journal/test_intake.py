"""When what was accepted is due to be committed: soon, and seldom enough for a card."""

import asyncio
from collections.abc import Iterable, Sequence

from edge.journal.intake import EVENTS_AHEAD, QUIET_S, SLACK_S, SPACING_S, Intake
from wire.messages import Event, Poll

POLL = Poll("l", 0, [1])
EVENT = Event("card_read", "door", 0, {})
MINUTE_S = 60.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def commits(arrivals: Iterable[tuple[float, Poll | Event]]) -> Sequence[tuple[float, float]]:
    """Play arrivals; return of each commit its time and how long its first item waited."""
    clock = Clock()
    intake = Intake(clock)
    found: list[tuple[float, float]] = []
    waits_since = 0.0
    for at, item in [*sorted(arrivals, key=lambda one: one[0]), (1e9, POLL)]:
        while (due_in := intake.due_in()) is not None and clock.now_s + due_in < at:
            clock.now_s += due_in
            intake.take()
            found.append((clock.now_s, clock.now_s - waits_since))
        clock.now_s = at
        waits_since = at if intake.due_in() is None else waits_since
        intake.add(item)
    return found


def every(period_s: float, item: Poll | Event, *, phase_s: float = 0.0) -> list[tuple[float, Poll | Event]]:
    return [(phase_s + n * period_s, item) for n in range(int(MINUTE_S / period_s))]


def test_burst_a_second_is_committed_as_soon_as_it_is_over() -> None:
    assert {round(waited, 6) for _, waited in commits(every(1.0, POLL))} == {QUIET_S}


def test_burst_that_lost_its_turn_has_it_back_soon() -> None:
    bursts = [*every(1.0, POLL), (2.7, POLL), (3.5, POLL)]
    waits = [waited for at, waited in commits(bursts) if at > 30]
    assert {round(waited, 6) for waited in waits} == {QUIET_S}


def test_event_does_not_wait_for_the_turn_of_readings() -> None:
    found = commits([*every(1.0, POLL), (10.3, EVENT), (10.6, EVENT)])
    assert [round(at, 3) for at, _ in found if 10.2 < at < 10.9] == [10.35, 10.65]
    assert [waited for at, waited in found if 11 <= at < 12] == [
        waited for at, waited in found if 9 <= at < 10
    ]


def test_readings_all_the_time_are_committed_once_a_spacing() -> None:
    found = commits(every(0.03, POLL))
    assert len(found) <= (MINUTE_S + SLACK_S) / SPACING_S + 2
    assert max(waited for _, waited in found) <= SPACING_S + SLACK_S


def test_flood_of_events_is_bounded_too() -> None:
    found = commits([*every(0.1, EVENT), *every(0.07, POLL)])
    assert len(found) <= 2 * (MINUTE_S + SLACK_S) / SPACING_S + EVENTS_AHEAD + 2


def test_event_does_not_wait_until_readings_are_quiet() -> None:
    found = commits([*every(0.03, POLL), (10.31, EVENT)])
    assert min(at for at, _ in found if at > 10.31) <= 10.31 + QUIET_S + 1e-6


def test_who_waits_for_the_turn_of_readings_is_woken_by_an_event() -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        intake = Intake(loop.time)
        intake.add(POLL)
        assert await intake.due(1.0)
        intake.take()
        intake.add(POLL)
        loop.call_later(0.02, intake.add, EVENT)
        since = loop.time()
        assert await intake.due(1.0)
        return loop.time() - since

    assert asyncio.run(scenario()) < 0.5 * (SPACING_S - SLACK_S)
