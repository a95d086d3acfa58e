"""Use of an instrument from its power draw: nothing is made up about what the meter did not say."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.usage import Ended, Happened, Limits, Reading, Started, State, resume, see

LIMITS = Limits(on=500, off=200, least=3_000, rest=12_000, gap=3_000)
SECOND = 100
Sample = tuple[float, int | None, int | None]
"""(seconds, power, counter)"""


def readings(*stretches: tuple[float, float, int], step_s: float = 10) -> list[Sample]:
    """Samples of (from, to, power), every ten seconds; the counter counts power times seconds."""
    samples: list[Sample] = []
    counter = 1000
    for start, end, power in stretches:
        at = start
        while at < end:
            counter += int(power * step_s)
            samples.append((at, power, counter))
            at += step_s
    return samples


def run(samples: Iterable[Sample], state: State | None = None) -> tuple[State, list[Happened]]:
    state, happened = state or State(), []
    for at, power, energy in samples:
        state, more = see(state, Reading(round(at * SECOND), power, energy), LIMITS)
        happened += more
    return state, happened


def one_session(samples: Iterable[Sample], state: State | None = None) -> tuple[Started, Ended]:
    _, (started, ended) = run(samples, state)
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert started.session.number == ended.session.number
    return started, ended


@pytest.mark.requirement("G-6.5b")
def test_use_is_a_session_with_start_end_and_energy() -> None:
    started, ended = one_session(readings((0, 100, 3), (100, 400, 800), (400, 600, 3)))
    assert started.session.start == 100 * SECOND
    assert started.tick == 130 * SECOND
    assert started.session.start_known
    assert (ended.end, ended.end_known, ended.duration_s) == (400 * SECOND, True, 300)
    assert ended.tick == 520 * SECOND
    assert ended.energy == 29 * 8000 + 30
    assert ended.session.gap == 0


def test_switching_on_shortly_is_no_session() -> None:
    assert run(readings((0, 100, 3), (100, 120, 800), (120, 400, 3)))[1] == []


def test_short_pause_does_not_end_a_session() -> None:
    samples = readings((0, 50, 3), (50, 200, 800), (200, 300, 3), (300, 500, 800), (500, 700, 3))
    _, ended = one_session(samples)
    assert (ended.end, ended.duration_s) == (500 * SECOND, 450)


def test_long_pause_makes_two_sessions() -> None:
    samples = readings((0, 50, 3), (50, 200, 800), (200, 400, 3), (400, 500, 800), (500, 700, 3))
    _, happened = run(samples)
    assert [(type(one), one.session.number) for one in happened] == [
        (Started, 1),
        (Ended, 1),
        (Started, 2),
        (Ended, 2),
    ]


def test_power_between_the_thresholds_changes_nothing() -> None:
    assert run(readings((0, 600, 300)))[1] == []
    samples = readings((0, 50, 3), (50, 200, 800), (200, 600, 300))
    assert [type(one) for one in run(samples)[1]] == [Started]
    samples = readings((0, 50, 3), (50, 200, 800), (200, 210, 3), (210, 600, 300))
    assert [type(one) for one in run(samples)[1]] == [Started, Ended], "only `on` ends a pause"


def test_session_over_a_gap_says_so() -> None:
    samples = readings((0, 50, 3), (50, 200, 800), (900, 1000, 800), (1000, 1200, 3))
    _, ended = one_session(samples)
    assert ended.end_known
    assert ended.duration_s == 950
    assert ended.session.gap == 710 * SECOND


def test_session_that_ended_in_a_gap_ends_with_the_last_reading_that_showed_it() -> None:
    _, ended = one_session(readings((0, 50, 3), (50, 200, 800), (900, 1100, 3)))
    assert (ended.end, ended.end_known) == (190 * SECOND, False)
    assert ended.session.gap == 0
    assert ended.energy == 14 * 8000 + 30


def test_session_that_began_in_a_gap_does_not_know_its_start() -> None:
    started, _ = one_session(readings((0, 50, 3), (500, 800, 800), (800, 1000, 3)))
    assert started.session.start == 500 * SECOND
    assert not started.session.start_known


def test_instrument_that_is_in_use_at_the_first_reading_does_not_know_its_start() -> None:
    _, (started,) = run(readings((0, 200, 800)))
    assert not started.session.start_known


def test_pause_that_a_gap_made_long_ends_the_session_where_the_pause_began() -> None:
    samples = readings((0, 50, 3), (50, 200, 800), (200, 220, 3), (900, 1000, 800), (1000, 1200, 3))
    _, (first, end, second, last) = run(samples)
    assert isinstance(end, Ended)
    assert (end.end, end.end_known) == (200 * SECOND, True)
    assert isinstance(second, Started)
    assert not second.session.start_known
    assert (first.session.number, last.session.number) == (1, 2)


def test_short_gap_within_a_pause_belongs_to_the_session() -> None:
    samples = readings((0, 50, 3), (50, 200, 800), (200, 220, 3), (260, 400, 800), (400, 600, 3))
    _, ended = one_session(samples)
    assert ended.duration_s == 350
    assert ended.session.gap == 50 * SECOND


def test_readings_without_power_are_a_gap() -> None:
    samples = readings((0, 50, 3), (50, 200, 800))
    missing: list[Sample] = [(200 + 10 * place, None, None) for place in range(20)]
    rest = readings((400, 500, 800), (500, 700, 3))
    _, ended = one_session([*samples, *missing, *rest])
    assert ended.session.gap == 210 * SECOND


def test_counter_that_goes_back_tells_no_energy() -> None:
    samples = readings((0, 50, 3), (50, 200, 800))
    later = readings((200, 300, 800), (300, 500, 3))
    _, ended = one_session([*samples, *later])
    assert ended.energy is None
    assert "went back" in ended.session.energy_lost


def test_meter_without_a_counter_tells_no_energy() -> None:
    samples = readings((0, 50, 3), (50, 200, 800), (200, 400, 3))
    _, ended = one_session((at, power, None) for at, power, _ in samples)
    assert ended.energy is None
    assert "no counter" in ended.session.energy_lost


def test_session_over_a_restart_knows_no_duration_but_its_energy() -> None:
    state, _ = run(readings((0, 50, 3), (50, 200, 800)))
    later = [(at, power, counter + 10**6) for at, power, counter in readings((5, 105, 800), (105, 305, 3))]
    _, (ended,) = run(later, resume(state))
    assert isinstance(ended, Ended)
    assert ended.session.restarted
    assert ended.session.number == 1
    assert ended.duration_s is None
    assert ended.end_known
    assert ended.energy is not None
    assert ended.energy > 10**6 - 15 * 8000


def test_session_that_ended_during_a_restart_says_so() -> None:
    state, _ = run(readings((0, 50, 3), (50, 200, 800)))
    _, (ended,) = run(readings((5, 305, 3)), resume(state))
    assert isinstance(ended, Ended)
    assert (ended.end, ended.end_known, ended.duration_s) == (5 * SECOND, False, None)


def test_restart_without_a_session_keeps_only_the_number() -> None:
    state, _ = run(readings((0, 50, 3), (50, 200, 800), (200, 400, 3), (400, 410, 800)))
    assert resume(state) == State(numbers=1)


@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 400),
            st.one_of(st.none(), st.integers(-10, 1000)),
            st.one_of(st.none(), st.integers(0, 1000)),
        ),
        max_size=60,
    )
)
def test_any_readings_give_sessions_one_after_another(
    steps: list[tuple[float, int | None, int | None]],
) -> None:
    at, samples = 0.0, []
    for step, power, energy in steps:
        at += step
        samples.append((at, power, energy))
    _, happened = run(samples)
    kinds = [type(one) for one in happened]
    assert kinds == [Started, Ended] * (len(kinds) // 2) + [Started] * (len(kinds) % 2)
    assert [one.session.number for one in happened] == [place // 2 + 1 for place in range(len(happened))]
    ends = [-1]
    for one in happened:
        if isinstance(one, Ended):
            assert one.session.start is not None
            assert ends[-1] <= one.session.start <= one.end <= one.tick
            assert one.end - one.session.start >= one.session.gap
            ends.append(one.end)
