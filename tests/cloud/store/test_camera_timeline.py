"""A timeline covers its interval without hole or overlap, and nothing is recorded that was not told."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cloud.store.camera_timeline import Span, compose
from cloud.store.gaps_read import Gap

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(seconds=100)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def gap(number: int, start: int | None, end: int) -> Gap:
    return Gap(
        id=number,
        point_id=1,
        point="c/recorded",
        site_id=1,
        site="lab-1",
        cause="bus",
        reason="",
        from_at=None if start is None else at(start),
        to_at=at(end),
        open=False,
        stored_at=START,
    )


stretches = st.tuples(st.integers(-20, 120), st.integers(0, 60)).map(lambda pair: (pair[0], sum(pair)))


@given(st.lists(stretches, max_size=8), st.lists(stretches, max_size=8), st.integers(-20, 200), st.booleans())
def test_every_moment_is_in_exactly_one_span(
    recorded: list[tuple[int, int]], gaps: list[tuple[int, int]], awaited: int, open_start: bool
) -> None:
    told = [(at(low), at(high)) for low, high in sorted(recorded)]
    holes = [gap(n, None if open_start and not n else low, high) for n, (low, high) in enumerate(gaps)]
    spans = compose((START, END), told, holes, awaited=at(awaited))
    assert spans[0].from_at == START
    assert spans[-1].to_at == END
    assert all(one.from_at < one.to_at for one in spans)
    assert all(one.to_at == two.from_at for one, two in pairwise(spans))
    for second in range(100):
        moment = at(second)
        (span,) = [one for one in spans if one.from_at <= moment < one.to_at]
        is_recorded = any(low <= moment < high for low, high in told)
        is_gap = any((hole.from_at or START) <= moment < hole.to_at for hole in holes)
        expected = {"recorded"} if is_recorded else {"gap"} if is_gap else {"unknown", "awaited"}
        assert span.state in expected
        assert span.state != "awaited" or span is spans[-1]


def test_only_the_newest_part_is_awaited_and_only_until_it_is_due() -> None:
    told = [(at(0), at(60)), (at(70), at(90))]
    assert compose((START, END), told, [], awaited=at(120)) == [
        Span("recorded", at(0), at(60)),
        Span("unknown", at(60), at(70)),
        Span("recorded", at(70), at(90)),
        Span("awaited", at(90), END),
    ]
    assert compose((START, END), told, [], awaited=at(95))[-1] == Span("unknown", at(90), END)
    assert compose((START, END), [], [], awaited=at(120)) == [Span("unknown", START, END)]
