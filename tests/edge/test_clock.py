"""The clock's arithmetic: never a step, an honest bound, an event for every disagreement."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.clock import S_NS, TICK_NS, ClockFace, Rules, advance, hear, resumed
from edge.driver import TimeHint
from wire.status import ClockState

EPOCH = 1_800_000_000 * S_NS
SOURCES = ("system", "gnss", "hub")


def at(source: str, second: float, *, off_ms: float = 0.0, bound_ms: int = 10) -> TimeHint:
    """A hint of a source whose time is `off_ms` wrong."""
    now = int(second * S_NS)
    return TimeHint(source, now, EPOCH + now + int(off_ms * 1e6), bound_ms)


def heard(*hints: TimeHint) -> tuple[ClockFace, list[str]]:
    face, kinds = ClockFace(Rules(drift_ppm=20, holdover_after_s=300)), []
    for hint in hints:
        face, changes = hear(face, hint)
        kinds += [change.kind for change in changes]
    return face, kinds


def error_ms(face: ClockFace, second: float) -> float:
    """How wrong the offset in use is."""
    return abs(face.offset_ticks * TICK_NS - EPOCH) / 1e6


def test_clock_without_a_source_has_an_open_offset() -> None:
    clock = ClockFace().reading(5 * S_NS)
    assert (clock.state, clock.offset_ticks, clock.bound_ms) == (ClockState.UNSYNCHRONISED, None, None)


def test_first_hint_sets_the_clock_at_once() -> None:
    face, kinds = heard(at("hub", 1, off_ms=3, bound_ms=40))
    clock = face.reading(S_NS)
    assert kinds == ["clock_found"]
    assert clock.state is ClockState.SYNCHRONISED
    assert clock.source == "hub"
    assert clock.bound_ms is not None
    assert error_ms(face, 1) <= clock.bound_ms <= 50


def test_better_source_takes_over_without_a_step() -> None:
    face, kinds = heard(at("hub", 1, off_ms=60, bound_ms=100), at("system", 2, off_ms=0, bound_ms=2))
    before = heard(at("hub", 1, off_ms=60, bound_ms=100))[0].offset_ticks
    assert abs(face.offset_ticks - before) <= 1
    assert kinds == ["clock_found"]
    for second in range(3, 12):
        face, _ = advance(face, second * S_NS)
    assert error_ms(face, 12) <= 10


def test_source_beyond_its_bound_makes_an_event_and_a_wider_bound() -> None:
    face, kinds = heard(at("system", 1), at("gnss", 1), at("hub", 2, off_ms=5000, bound_ms=20))
    assert kinds == ["clock_found", "clock_disagrees"]
    clock = face.reading(2 * S_NS)
    assert clock.bound_ms is not None
    assert clock.bound_ms >= 5000
    assert error_ms(face, 2) <= 10


def test_disagreement_is_told_once_and_ends_with_an_event() -> None:
    wrong = [at("hub", second, off_ms=5000, bound_ms=20) for second in (2, 3, 4)]
    face, kinds = heard(at("system", 1), at("gnss", 1), *wrong, at("system", 5), at("hub", 6, bound_ms=20))
    assert kinds == ["clock_found", "clock_disagrees", "clock_agrees"]
    bound = face.reading(6 * S_NS).bound_ms
    assert bound is not None
    assert bound < 100


def test_followed_source_that_jumps_is_slewed_to_at_a_tick_a_second() -> None:
    face, kinds = heard(at("system", 1), at("system", 10, off_ms=1000))
    assert kinds == ["clock_found", "clock_disagrees"]
    first = face.offset_ticks
    face, _ = advance(face, 30 * S_NS)
    assert face.offset_ticks - first <= 20


def test_silent_sources_lead_to_holdover_whose_bound_grows() -> None:
    face, _ = heard(at("system", 1, bound_ms=5))
    face, changes = advance(face, 400 * S_NS)
    assert [change.kind for change in changes] == ["clock_holdover"]
    early, late = face.reading(400 * S_NS), face.reading(86_400 * S_NS)
    assert early.state is late.state is ClockState.HOLDOVER
    assert early.bound_ms is not None
    assert late.bound_ms is not None
    assert late.bound_ms - early.bound_ms >= 0.9 * 20e-6 * 86_000 * 1000


def test_worse_hint_of_the_followed_source_confirms_and_moves_nothing() -> None:
    good = at("hub", 1, bound_ms=5)
    slow = [at("hub", second, off_ms=900, bound_ms=1000) for second in range(100, 1000, 100)]
    face, kinds = heard(good, *slow)
    assert kinds == ["clock_found"]
    assert error_ms(face, 1000) <= 10
    assert advance(face, 1000 * S_NS)[0].state is ClockState.SYNCHRONISED


def test_process_that_begins_anew_in_a_boot_goes_on_with_its_clock() -> None:
    face, _ = heard(at("hub", 1, bound_ms=5))
    again = resumed(face.rules, face.reading(50 * S_NS), 50 * S_NS)
    first, later = again.reading(60 * S_NS), face.reading(60 * S_NS)
    assert (first.state, first.offset_ticks) == (later.state, later.offset_ticks)
    assert first.bound_ms is not None
    assert later.bound_ms is not None
    assert later.bound_ms <= first.bound_ms <= later.bound_ms + 10
    again, _ = hear(again, at("hub", 61, off_ms=1100, bound_ms=1110))
    assert abs(again.offset_ticks - face.offset_ticks) <= 1


def test_clock_without_an_offset_resumes_as_none() -> None:
    assert resumed(Rules(), ClockFace().reading(0), 0) == ClockFace(Rules())


hints = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.floats(0, 100),
        st.floats(-10_000, 10_000),
        st.integers(1, 2000),
    ),
    min_size=1,
    max_size=40,
)


@given(hints)
def test_offset_never_moves_faster_than_a_tick_a_second(
    given_hints: list[tuple[str, float, float, int]],
) -> None:
    face = ClockFace()
    second = 0.0
    seen: list[tuple[float, int]] = []
    for source, wait, off_ms, bound_ms in given_hints:
        second += wait
        face, _ = hear(face, at(source, second, off_ms=off_ms, bound_ms=bound_ms))
        seen.append((second, face.offset_ticks))
    for (earlier, before), (later, after) in pairwise(seen):
        assert abs(after - before) <= later - earlier + 1


@given(hints, st.integers(0, 2))
def test_bound_covers_the_truth_when_all_sources_keep_theirs(
    given_hints: list[tuple[str, float, float, int]], after: int
) -> None:
    face = ClockFace()
    second = 0.0
    for source, wait, off, bound_ms in given_hints:
        second += wait
        honest = off / 10_000 * bound_ms
        face, changes = hear(face, at(source, second, off_ms=honest, bound_ms=bound_ms))
        assert "clock_disagrees" not in [change.kind for change in changes]
        clock = face.reading(int((second + after) * S_NS))
        assert clock.bound_ms is not None
        assert error_ms(face, second) <= clock.bound_ms
