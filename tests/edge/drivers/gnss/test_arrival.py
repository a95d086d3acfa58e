"""When reports were made that waited to be read: pure arithmetic."""

from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.gnss.arrival import TICK_NS, Arrivals

S_NS = 10**9
UTC_MS = 1_800_000_000_000


def heard(*reports: tuple[float, float | None]) -> list[float | None]:
    """Seconds of reading and of the receiver in; seconds of making out."""
    arrivals = Arrivals()
    made = [
        arrivals.made_ns(None if own is None else UTC_MS + round(own * 1000), round(read * S_NS))
        for read, own in reports
    ]
    return [None if one is None else one / S_NS for one in made]


def test_report_on_time_was_made_when_it_was_read() -> None:
    assert heard((10, 0), (11, 1), (12.2, 2), (13, 3)) == [10, 11, 12.2, 13]


def test_reports_read_together_after_a_stall_lie_where_the_receiver_says() -> None:
    made = heard((10, 0), (11, 1), (15.5, 2), (15.5, 3), (15.5, 4), (15.5, 5), (16, 6))
    assert made == [10, 11, 12, 13, 14, 15, 16]


def test_receiver_without_time_is_believed_once_for_what_waited() -> None:
    assert heard((10, None), (11, None), (15, None), (15, None), (15.001, None), (16, None)) == [
        *(10, 11, 15),
        *(None, None),
        16,
    ]


def test_epoch_in_two_pieces_has_two_ticks() -> None:
    assert heard((10, 0), (10.002, 0), (11, 1)) == [10, 10.01, 11]


def test_time_that_steps_back_misplaces_one_report_at_most() -> None:
    assert heard((10, 0), (11, 1), (12, 1.5), (13, 2.5), (14, 3.5)) == [10, 11, 11.5, 13, 14]
    assert heard((10, 0), (11, 1), (12, -3600), (13, -3599)) == [10, 11, 12, 13]


def test_time_that_steps_forward_misplaces_none() -> None:
    assert heard((10, 0), (11, 1), (12, 3602), (13, 3603)) == [10, 11, 12, 13]


@given(
    st.lists(
        st.tuples(st.integers(0, 3 * S_NS), st.none() | st.integers(-5000, 5000)), min_size=1, max_size=60
    )
)
def test_no_two_reports_have_one_tick_and_none_is_of_the_future(steps: list[tuple[int, int | None]]) -> None:
    arrivals = Arrivals()
    now_ns, own_ms = 10 * S_NS, UTC_MS
    ticks = []
    for passed_ns, own_step_ms in steps:
        now_ns += passed_ns
        own_ms += own_step_ms or 0
        made_ns = arrivals.made_ns(None if own_step_ms is None else own_ms, now_ns)
        if made_ns is not None:
            assert made_ns <= now_ns + S_NS // 4
            ticks.append(made_ns // TICK_NS)
    assert ticks == sorted(set(ticks))
