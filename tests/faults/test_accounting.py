"""The accounting finds a lost, doubled or unexplained reading when there is one."""

from dataclasses import replace

import pytest

from cli.faults.accounting import Device, Instant, StoredGap, Window, account, account_device, overloads

POINTS = 3


def device(
    *,
    stored: dict[int, float],
    given: int = 10,
    rows: dict[int, int] | None = None,
    gaps: list[StoredGap] | None = None,
    windows: list[Window] | None = None,
) -> Device:
    """A device that answered once a second from t = 100 on; `stored` is number -> observed_at."""
    rows = rows or {}
    return Device(
        name="unit",
        points=POINTS,
        given_out={number: 100.0 + number for number in range(1, given + 1)},
        stored=[Instant(at, (number,), rows.get(number, POINTS)) for number, at in stored.items()],
        gaps=gaps or [],
        windows=windows or [],
    )


def all_but(*missing: int) -> dict[int, float]:
    return {number: 100.01 + number for number in range(1, 11) if number not in missing}


def test_everything_stored_once_is_clean() -> None:
    verdict = account_device(device(stored=all_but()))
    assert verdict.clean
    assert (verdict.given_out, verdict.stored, verdict.explained) == (30, 30, 0)


def test_missing_answer_without_gap_is_lost() -> None:
    verdict = account_device(device(stored=all_but(4)))
    assert (verdict.lost, verdict.stored, verdict.clean) == (3, 27, False)
    assert "answer 4" in verdict.findings[0]


def test_last_answer_missing_is_lost() -> None:
    assert account_device(device(stored=all_but(10))).lost == 3


def test_nothing_stored_at_all_is_lost() -> None:
    assert account_device(device(stored={})).lost == 30


def test_missing_answer_in_gap_with_right_cause_is_explained() -> None:
    verdict = account_device(
        device(
            stored=all_but(4, 5),
            gaps=[StoredGap("gateway", 103.01, 106.01)],
            windows=[Window("kill", 103.5, 106.0, frozenset({"gateway"}))],
        )
    )
    assert verdict.clean
    assert (verdict.explained, verdict.explained_by) == (6, {"gateway": 6})


def test_gap_with_wrong_cause_leaves_it_unexplained() -> None:
    verdict = account_device(
        device(
            stored=all_but(4),
            gaps=[StoredGap("bus", 103.0, 105.0)],
            windows=[Window("kill", 103.5, 106.0, frozenset({"gateway"}))],
        )
    )
    assert (verdict.unexplained, verdict.lost) == (3, 0)


def test_gap_where_no_fault_was_caused_leaves_it_unexplained() -> None:
    verdict = account_device(device(stored=all_but(4), gaps=[StoredGap("gateway", 103.0, 105.0)]))
    assert verdict.unexplained == 3


def test_gap_that_does_not_reach_the_answer_does_not_explain_it() -> None:
    verdict = account_device(
        device(
            stored=all_but(4, 5, 6),
            gaps=[StoredGap("gateway", 103.01, 105.0)],
            windows=[Window("kill", 103.5, 107.0, frozenset({"gateway"}))],
        )
    )
    assert (verdict.explained, verdict.lost) == (6, 3)


def test_answer_stored_under_two_times_is_doubled() -> None:
    known = device(stored=all_but())
    doubled = replace(known, stored=[*known.stored, Instant(170.0, (4,), POINTS)])
    verdict = account_device(doubled)
    assert (verdict.duplicated, verdict.stored) == (3, 30)


def test_rows_stored_twice_at_one_instant_are_doubled() -> None:
    assert account_device(device(stored=all_but(), rows={4: 2 * POINTS})).duplicated == 3


def test_answer_stored_in_part_is_lost_in_part() -> None:
    verdict = account_device(device(stored=all_but(), rows={4: 2}))
    assert (verdict.lost, verdict.stored) == (1, 29)


def test_answer_that_nobody_gave_out_is_unexplained() -> None:
    verdict = account_device(device(stored={**all_but(), 99: 140.0}))
    assert (verdict.unexplained, verdict.duplicated, verdict.stored) == (3, 0, 30)


def test_answers_are_placed_by_their_neighbours_when_the_clock_was_stepped() -> None:
    stored = {number: 3700.0 + number for number in (1, 2, 3, 6, 7, 8, 9, 10)}
    verdict = account_device(
        device(
            stored=stored,
            gaps=[StoredGap("gateway", 3703.0, 3706.0)],
            windows=[Window("kill", 103.5, 106.0, frozenset({"gateway"}))],
        )
    )
    assert verdict.clean


def test_answers_after_the_end_are_known_but_not_due() -> None:
    known = device(stored=all_but(10))
    ended = replace(known, until=108.5)
    verdict = account_device(ended)
    assert verdict.clean
    assert (verdict.given_out, verdict.stored) == (24, 24)


def test_gap_in_true_time_explains_what_left_before_the_clock_was_put_right() -> None:
    """The gateway ran 50 s ahead, was killed, and told its absence by the better clock."""
    ahead = {number: 150.0 + number for number in (1, 2, 3)}
    right = {number: 100.0 + number for number in range(6, 11)}
    verdict = account_device(
        device(
            stored={**ahead, **right},
            gaps=[StoredGap("gateway", 103.0, 106.0)],
            windows=[Window("kill", 103.5, 106.0, frozenset({"gateway"}))],
        )
    )
    assert verdict.clean


def test_gap_since_the_last_reading_explains_what_is_before_its_end_in_order() -> None:
    """Clocks moved: the end of the gap stands before readings that came earlier."""
    stored = {1: 101.0, 2: 102.0, 3: 107.5, 6: 104.0, **{number: 100.0 + number for number in range(7, 11)}}
    kill = Window("journal_bit_flipped", 103.5, 106.0, frozenset({"storage"}))
    gap = StoredGap("storage", 103.9, 104.0, since_last=True)
    assert account_device(device(stored=stored, gaps=[gap], windows=[kill])).clean
    elsewhere = replace(gap, to_at=104.5)
    assert not account_device(device(stored=stored, gaps=[elsewhere], windows=[kill])).clean


def test_gateway_that_asked_nothing_for_long_may_blame_itself_for_the_answer_before() -> None:
    given = {1: 100.0, 2: 100.2, 3: 105.4, 4: 105.6}
    assert [window.from_at for window in overloads(given)] == [100.2]
    stored = [Instant(given[number], (number,), POINTS) for number in (1, 3, 4)]
    late = Device("unit", POINTS, given, stored, [StoredGap("gateway", 100.0, 105.4)], overloads(given))
    assert account_device(late).clean
    assert not account_device(replace(late, gaps=[StoredGap("bus", 100.0, 105.4)])).clean
    assert not account_device(replace(late, gaps=[])).clean


def test_gap_may_be_named_by_the_fault_that_followed() -> None:
    """Killed, then the disk was full when it came back: the one gap says storage."""
    kill = Window("kill", 103.5, 105.0, frozenset({"gateway"}))
    full = Window("disk_full", 106.0, 108.0, frozenset({"storage"}))
    gap = StoredGap("storage", 103.0, 107.9)
    assert account_device(device(stored=all_but(4), gaps=[gap], windows=[kill, full])).clean
    assert not account_device(device(stored=all_but(4), gaps=[gap], windows=[full])).clean


@pytest.mark.parametrize(("rows", "lost", "doubled"), [(6, 0, 0), (5, 0, 0), (4, 0, 0), (3, 1, 0), (7, 0, 1)])
def test_equal_readings_of_one_instant_are_one_reading(rows: int, lost: int, doubled: int) -> None:
    """Two answers that differ in number only: each of the other two points has one reading or two."""
    together = replace(
        device(stored={}, given=2),
        stored=[Instant(101.0, (1, 2), rows)],
        values={1: [(1,), (7,), (8,)], 2: [(2,), (7,), (8,)]},
    )
    verdict = account_device(together)
    assert (verdict.lost, verdict.duplicated) == (lost, doubled)


@pytest.mark.parametrize("missing", [1, 5, 10])
def test_sum_over_devices_keeps_every_finding(missing: int) -> None:
    verdict = account([device(stored=all_but()), device(stored=all_but(missing))])
    assert (verdict.given_out, verdict.stored, verdict.lost) == (60, 57, 3)
    assert len(verdict.findings) == 1
