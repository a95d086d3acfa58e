"""One rule over samples in order, against the tables of docs/explanation/alarms.md."""

from decimal import Decimal

import pytest

from rules.alarm.detect import NEXT, SLOTS, Detector, Phase, Verdict, _judge, passed, see, standing
from rules.alarm.model import (
    LEVELS,
    Applied,
    Condition,
    Ended,
    Kind,
    Occurrence,
    Priority,
    Rule,
    Sample,
    sample_of,
)
from tests.rules.alarm.world import applied, hi, samples, table
from wire.status import Status

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11b", "G-6.11d")


def run(watched: Applied, given: list[Sample], to: int) -> tuple[list[Occurrence], Occurrence | None]:
    """Return what ended and what stands after samples for the first rule."""
    rule, detector, ended = watched.rules[0], Detector(heard=0), []
    for sample in given:
        detector, over = see(detector, rule, watched, sample=sample)
        ended += over
    detector, over = passed(detector, rule, watched, to=to)
    return [*ended, *over], standing(detector, rule, watched)


def test_conditions_are_those_of_the_page() -> None:
    rows = table("Rules and templates")
    assert [row["condition"] for row in rows] == list(Condition)
    for row in rows:
        condition = Condition(row["condition"])
        assert condition.kind is Kind(row["kind"])
        assert (condition in LEVELS) == (row["limit"] == "yes")


@pytest.mark.parametrize("row", table("What a sample says"), ids=str)
def test_verdicts_are_those_of_the_page(row: dict[str, str]) -> None:
    limit = None if row["limit"] == "-" else Decimal(row["limit"])
    deadband = Decimal(0) if row["deadband"] == "-" else Decimal(row["deadband"])
    rule = Rule(Condition(row["condition"]), Priority.LOW, limit=limit, deadband=deadband)
    value = None if row["value"] == "none" else Decimal(row["value"])
    assert _judge(Detector(), rule, Sample(1, value))[2] is Verdict(row["verdict"])


def test_phases_are_those_of_the_page() -> None:
    rows = table("From samples to an occurrence")
    assert [row["phase"] for row in rows] == list(Phase)
    for row in rows:
        for verdict in Verdict:
            assert NEXT[Phase(row["phase"]), verdict] is Phase(row[verdict]), (row, verdict)


@pytest.mark.parametrize("row", table("From samples to an occurrence"), ids=lambda row: row["phase"])
def test_delays_lead_where_the_page_says(row: dict[str, str]) -> None:
    watched = applied(hi(on_delay_ticks=10, off_delay_ticks=20))
    way = {
        "quiet": samples((0, 5)),
        "pending": samples((0, 11)),
        "active": samples((0, 11), (15, 11)),
        "returning": samples((0, 11), (15, 5)),
    }[row["phase"]]
    rule, detector = watched.rules[0], Detector()
    for sample in way:
        detector, _ = see(detector, rule, watched, sample=sample)
    assert detector.phase is Phase(row["phase"])
    after, _ = passed(detector, rule, watched, to=1000)
    then = row["its delay has run"]
    assert after.phase is Phase(row["phase"] if then == "-" else then)


@pytest.mark.parametrize(("status", "judged"), [
    (Status.GOOD, True), (Status.TIME_BRACKETED, True), (Status.IMPLAUSIBLE, False),
    (Status.STALE, False), (Status.DEVICE_ERROR, False),
])  # fmt: skip
def test_only_good_values_are_judged(status: Status, judged: bool) -> None:
    assert sample_of(7, Decimal("21.5"), status) == Sample(7, Decimal("21.5") if judged else None)


def test_occurrence_keeps_what_a_person_asks_for() -> None:
    watched = applied(hi(deadband=Decimal(1), on_delay_ticks=60, off_delay_ticks=30))
    ended, stands = run(watched, samples((100, "10.2"), (130, "11.7"), (200, "10.9"), (300, 9)), 1000)
    assert stands is None
    (one,) = ended
    assert (one.onset, one.raised_at, one.returned_at, one.cleared_at) == (100, 160, 300, 330)
    assert (one.value, one.worst, one.worst_at) == (Decimal("10.2"), Decimal("11.7"), 130)
    assert (one.limit, one.ended, one.duration_ticks(9999)) == (Decimal(10), Ended.RETURNED, 200)
    assert one.id == "room-2/air/temperature:hi:1:100"
    assert one.key == "room-2/air/temperature:hi"


def test_standing_alarm_lasts_until_now_and_worst_of_a_low_one_is_the_lowest() -> None:
    rule = Rule(Condition.LO, Priority.HIGH, limit=Decimal(5))
    _, stands = run(applied(rule), samples((10, 4), (20, 2), (30, 3)), 50)
    assert stands is not None
    assert (stands.worst, stands.worst_at, stands.duration_ticks(50)) == (Decimal(2), 20, 40)
    assert stands.stands


@pytest.mark.parametrize(("condition", "value"), [(Condition.LO, 4), (Condition.HI, 11)])
def test_worst_value_is_the_first_of_equal_ones(condition: Condition, value: int) -> None:
    rule = Rule(condition, Priority.HIGH, limit=Decimal(10 if condition is Condition.HI else 5))
    _, stands = run(applied(rule), samples((10, value), (20, value)), 50)
    assert stands is not None
    assert stands.worst_at == 10


@pytest.mark.parametrize(("second", "raised"), [(59, False), (60, True), (61, True)])
def test_on_delay_must_be_held_whole(second: int, raised: bool) -> None:
    ended, _ = run(applied(hi(on_delay_ticks=60)), samples((0, 11), (second, 9)), 1000)
    assert bool(ended) is raised
    assert all(one.raised_at == 60 for one in ended)


def test_short_return_within_the_off_delay_is_one_occurrence() -> None:
    watched = applied(hi(off_delay_ticks=60))
    ended, stands = run(watched, samples((0, 11), (10, 9), (69, 11), (100, 9)), 159)
    assert ended == []
    assert stands is not None
    assert (stands.onset, stands.returned_at) == (0, 100)


def test_values_in_the_deadband_neither_return_nor_count_for_the_on_delay() -> None:
    watched = applied(hi(deadband=Decimal(1), on_delay_ticks=20, off_delay_ticks=20))
    assert run(watched, samples((0, 11), (10, "9.5"), (15, 11)), 34) == ([], None)
    ended, stands = run(watched, samples((0, 11), (30, 9), (40, "9.5"), (50, 9)), 69)
    assert ended == []
    assert stands is not None
    assert stands.returned_at == 50


def test_alarm_whose_data_fail_stands_and_one_that_was_pending_falls_away() -> None:
    watched = applied(hi(on_delay_ticks=50), hold=30)
    assert run(watched, samples((0, 11)), 1000) == ([], None)
    _, stands = run(watched, samples((0, 11), (25, 11)), 1000)
    assert stands is not None
    assert stands.raised_at == 50
    returning = applied(hi(off_delay_ticks=50), hold=30)
    _, stands = run(returning, samples((0, 11), (10, 9)), 1000)
    assert stands is not None
    assert stands.returned_at is None


def test_silence_is_a_comms_alarm_from_the_instant_the_sample_ran_out() -> None:
    watched = applied(Rule(Condition.COMMS, Priority.HIGH, on_delay_ticks=10), hold=30)
    ended, stands = run(watched, samples((100, 1)), 130)
    assert [(one.onset, one.cleared_at) for one in ended] == [(30, 100)]  # before the first sample
    assert stands is None
    ended, stands = run(watched, samples((20, 1), (40, None)), 80)
    assert ended == []
    assert stands is not None
    assert (stands.onset, stands.raised_at) == (70, 80)
    assert run(watched, samples((20, 1), (40, None)), 79) == ([], None)
    assert run(watched, samples((20, 1), (50, 1), (80, 1)), 110) == ([], None)


def test_comms_alarm_that_returns_and_falls_silent_again_is_one_with_an_off_delay() -> None:
    watched = applied(Rule(Condition.COMMS, Priority.HIGH, off_delay_ticks=100), hold=30)
    ended, stands = run(watched, samples((50, 1)), 120)  # back at 50, silent again from 80 on
    assert ended == []
    assert stands is not None
    assert (stands.onset, stands.returned_at) == (30, None)


def test_values_that_cannot_be_judged_are_a_device_alarm_and_silence_does_not_end_it() -> None:
    watched = applied(Rule(Condition.DEVICE, Priority.LOW), hold=30)
    _, stands = run(watched, samples((10, None)), 500)
    assert stands is not None
    assert (stands.value, stands.worst_at, stands.limit) == (None, None, None)
    ended, _ = run(watched, samples((10, None), (20, None), (40, 3)), 50)
    assert [(one.onset, one.cleared_at) for one in ended] == [(10, 40)]


def rate(window: int = 600, limit: str = "2", deadband: str = "0.5") -> Rule:
    return Rule(
        Condition.RATE, Priority.MEDIUM, limit=Decimal(limit), deadband=Decimal(deadband), window_ticks=window
    )


def test_change_within_the_window_is_seen_at_once_in_both_directions() -> None:
    for sign in (1, -1):
        _, stands = run(applied(rate()), samples((0, 20), (300, 20 + 2 * sign), (310, 20 + 3 * sign)), 310)
        assert stands is not None
        assert (stands.onset, stands.value, stands.limit) == (310, Decimal(3), Decimal(2))


def test_slow_change_over_more_than_the_window_is_none() -> None:
    drift = [Sample(at, Decimal(at) / 400) for at in range(0, 10_000, 10)]
    assert run(applied(rate()), drift, 10_000) == ([], None)


def test_that_nothing_changes_takes_a_whole_window_to_see() -> None:
    step = samples((0, 20), (10, 23), *((at, 23) for at in range(20, 2000, 10)))
    ended, _ = run(applied(rate()), step, 2000)
    (one,) = ended
    assert one.onset == 10
    assert one.returned_at is not None
    # The jump leaves the window when its slot does.
    assert 600 <= one.returned_at - one.onset <= 600 + 600 // SLOTS + 10
    gone = samples((0, 20), (10, 23), *((at, 23) for at in range(1000, 1500, 10)))
    _, stands = run(applied(rate(), hold=30), gone, 1500)
    assert stands is not None
    assert stands.returned_at is None


def test_bad_sample_breaks_the_window_of_a_rate() -> None:
    step = samples((0, 20), (10, 23), (400, None), *((at, 23) for at in range(410, 1000, 10)))
    _, stands = run(applied(rate()), step, 1000)
    assert stands is not None
    assert stands.returned_at is None


def test_memory_of_a_rate_is_bounded() -> None:
    rule, watched, detector = rate(window=360_000), applied(rate(window=360_000)), Detector()
    for at in range(0, 720_000, 100):
        detector, _ = see(detector, rule, watched, sample=Sample(at, Decimal(at % 700)))
    assert len(detector.slots) <= SLOTS + 1
