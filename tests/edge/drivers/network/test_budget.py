"""What a data plan leaves for readings: it and one burst at most, and everything where nothing is spent."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.network.budget import (
    OVERHEAD_BYTES,
    SHARES,
    Account,
    Budget,
    Ledger,
    Period,
    Spending,
    day_of,
    month_of,
    pace_of,
)
from edge.journal.sieve import FULL, NOTHING_YET, Pace
from wire.settings.check import check
from wire.settings.network import DataBudget

pytestmark = pytest.mark.requirement("G-5.2")
DAY = 86_400
NOON = int(datetime(2026, 3, 5, 12, tzinfo=UTC).timestamp())
MIDNIGHT = NOON - DAY // 2
budgets = st.integers(100_000, 2**50)
parts = st.integers(0, DAY)


def rank(pace: Pace) -> float:
    """How little may go."""
    return float("inf") if pace.stride == 0 else pace.stride


@given(budgets, st.integers(0, 2**51), st.integers(0, 2**51), parts, st.booleans())
def test_who_spent_more_never_sends_more(
    budget: int, one: int, other: int, passed: int, thinned: bool
) -> None:
    less, more = (
        pace_of(Spending(budget, spent, passed, DAY), thinned=thinned) for spent in sorted((one, other))
    )
    assert rank(less) <= rank(more)
    assert less.backlog >= more.backlog


@given(budgets, st.integers(0, 2**51), parts, parts, st.booleans())
def test_later_of_the_day_never_less_may_go(
    budget: int, spent: int, one: int, other: int, thinned: bool
) -> None:
    early, late = (
        pace_of(Spending(budget, spent, passed, DAY), thinned=thinned) for passed in sorted((one, other))
    )
    assert rank(late) <= rank(early)
    assert late.backlog >= early.backlog


@given(budgets, st.integers(0, 2**51), parts)
def test_what_is_thinned_stays_so_a_little_longer(budget: int, spent: int, passed: int) -> None:
    spending = Spending(budget, spent, passed, DAY)
    assert rank(pace_of(spending, thinned=False)) <= rank(pace_of(spending, thinned=True))


@given(budgets, parts, st.booleans())
def test_nothing_of_a_spent_budget_goes_to_readings(budget: int, passed: int, thinned: bool) -> None:
    assert pace_of(Spending(budget, budget, passed, DAY), thinned=thinned) == NOTHING_YET
    assert pace_of(Spending(budget, 0, passed, DAY), thinned=thinned).full


def test_pace_of_a_day_is_as_documented() -> None:
    def at(hours_ahead: float, *, thinned: bool = False) -> Pace:
        spent = int((12 + hours_ahead) * 1_000_000)
        return pace_of(Spending(24_000_000, spent, DAY // 2, DAY), thinned=thinned)

    assert at(-1) == FULL
    assert at(-0.5) == at(0) == at(0.9) == Pace(1, backlog=False)
    assert at(0.5, thinned=True) == Pace(2, backlog=False)
    assert at(0, thinned=True) == Pace(1, backlog=False)
    assert [at(ahead).stride for ahead in (1, 2, 3, 3.5, 5)] == [2, 4, 8, 8, 32]
    assert at(11.9).stride == 1024
    assert at(12) == NOTHING_YET


@pytest.mark.parametrize(
    ("hours", "free"),
    [(0, 0.5), (0.25, 0.5), (1, 0.5), (1.5, 0.75), (2, 1), (3, 2), (12, 11), (24, 23)],
)
def test_what_waited_goes_while_this_much_is_spent(hours: float, free: float) -> None:
    def waited_goes(spent: int) -> bool:
        return pace_of(Spending(24_000_000, spent, int(hours * 3600), DAY), thinned=False).backlog

    assert waited_goes(int(free * 1_000_000))
    assert not waited_goes(int(free * 1_000_000) + 1)


@given(budgets, parts, st.booleans())
def test_what_waited_goes_at_any_hour_where_nothing_was_spent(
    budget: int, passed: int, thinned: bool
) -> None:
    assert pace_of(Spending(budget, 0, passed, DAY), thinned=thinned) == FULL


@given(budgets, st.integers(0, 2**51), parts, st.booleans())
def test_what_waited_goes_only_while_fresh_readings_have_half_a_share_ahead_at_least(
    budget: int, spent: int, passed: int, thinned: bool
) -> None:
    pace = pace_of(Spending(budget, spent, passed, DAY), thinned=thinned)
    if pace.backlog:
        assert pace.full
        assert 2 * SHARES * spent * DAY <= budget * (2 * SHARES * passed + DAY)
        assert SHARES * spent <= (SHARES - 1) * budget


@given(
    st.integers(10_000_000, 2**40),
    st.integers(0, DAY - 1),
    st.lists(st.tuples(st.integers(1, 1800), st.integers(0, 100), st.integers(0, 25)), max_size=100),
)
def test_what_waited_never_thins_fresh_readings_that_keep_to_their_share(
    limit: int, begun: int, steps: list[tuple[int, int, int]]
) -> None:
    """Steps: seconds until the next one, percent of these seconds' share for fresh readings, and percent of
    a share that goes at once of what waited where any may."""
    budget, now = Budget(DataBudget(day_bytes=limit)), MIDNIGHT + begun
    budget.looked(0, metered=True, utc_s=now)
    for after, fresh, waited in steps:
        spent = limit * waited // (100 * SHARES) if budget.pace().backlog else 0
        passed = min(after, MIDNIGHT + DAY - 1 - now)
        now += passed
        spent += limit * passed * fresh // (100 * DAY)
        budget.looked(spent, metered=True, utc_s=now)
        assert budget.pace().full
        assert budget.spent("day") <= limit


def test_what_waited_goes_with_the_first_look_at_a_new_day() -> None:
    budget = Budget(DataBudget(day_bytes=24_000_000))
    budget.looked(24_000_000, metered=True, utc_s=MIDNIGHT - 10)
    assert budget.pace() == NOTHING_YET
    budget.looked(1_000, metered=True, utc_s=MIDNIGHT)
    assert budget.pace() == Pace(2, backlog=False)  # ahead still, as it was thinned
    budget.looked(1_000, metered=True, utc_s=MIDNIGHT + 10)
    assert budget.pace() == FULL


@given(
    st.integers(100_000, 10_000_000),
    st.lists(st.tuples(st.integers(1, 600), st.integers(0, 50_000), st.integers(0, 3_000)), max_size=200),
)
def test_readings_of_a_day_stay_within_the_budget_and_one_burst(
    limit: int, steps: list[tuple[int, int, int]]
) -> None:
    budget = Budget(DataBudget(day_bytes=limit))
    now, readings, events, largest = MIDNIGHT, 0, 0, 0
    for after, burst, event in steps:
        now = min(now + after, MIDNIGHT + DAY - 1)
        stride = budget.pace().stride
        sent = burst // stride if stride else 0
        largest = max(largest, sent + OVERHEAD_BYTES)
        if sent:
            budget.carried(sent)
        assert readings <= limit + largest
        readings, events = readings + sent, events + event
        budget.looked(sent + event, metered=True, utc_s=now)
        assert budget.spent("day") == readings + events
    assert readings <= limit + largest


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_cheap_bearer_lets_everything_go_whatever_was_spent(spent: int, carried: int) -> None:
    budget = Budget(DataBudget(day_bytes=100_000))
    budget.looked(spent, metered=True, utc_s=NOON)
    budget.looked(0, metered=False, utc_s=NOON + 1)
    budget.carried(carried)
    assert budget.pace() == FULL


def test_nothing_goes_before_the_first_look_and_without_a_budget_all() -> None:
    assert Budget(DataBudget(day_bytes=100_000)).pace() == NOTHING_YET
    free = Budget(None)
    assert (free.pace(), list(free.names())) == (FULL, [])
    assert not free.looked(10**9, metered=True, utc_s=NOON)
    assert free.pace() == FULL


def test_what_was_sent_since_the_last_look_counts_until_the_next_one() -> None:
    budget = Budget(DataBudget(day_bytes=100_000))
    budget.looked(0, metered=True, utc_s=NOON)
    assert budget.pace() == FULL
    budget.carried(100_000 - OVERHEAD_BYTES)
    assert budget.pace() == NOTHING_YET
    budget.looked(40_000, metered=True, utc_s=NOON + 10)
    assert (budget.spent("day"), budget.left("day"), budget.pace()) == (40_000, 60_000, FULL)


def test_changes_are_news_once_and_not_again_after_a_restart() -> None:
    budget = Budget(DataBudget(day_bytes=2_400_000))
    assert not budget.looked(0, metered=True, utc_s=MIDNIGHT)
    assert budget.looked(150_000, metered=True, utc_s=MIDNIGHT + 10)
    assert (budget.pace().stride, budget.spent("day")) == (2, 150_000)
    assert not budget.looked(150_000, metered=True, utc_s=MIDNIGHT + 20)
    assert budget.pace().stride == 4
    kept = budget.ledger
    budget = Budget(DataBudget(day_bytes=2_400_000))
    budget.resume(kept)
    assert not budget.looked(0, metered=True, utc_s=MIDNIGHT + 30)
    assert budget.looked(2_100_000, metered=True, utc_s=MIDNIGHT + 40)
    assert budget.pace() == NOTHING_YET
    assert budget.looked(0, metered=False, utc_s=MIDNIGHT + 50)
    assert budget.pace() == FULL


def at(account: Account, utc_s: int, grown: int) -> Account:
    return account.on(day_of(utc_s, starts_h=0), grown, utc_s=utc_s)


def test_new_day_begins_anew_and_a_clock_that_steps_back_over_its_beginning_does_not() -> None:
    assert day_of(NOON, starts_h=0) == Period(MIDNIGHT, MIDNIGHT + DAY)
    spent = at(Account(None, 5).on(None, 5, utc_s=None), NOON, 5)
    assert spent == Account(MIDNIGHT, 15)
    for behind_s in (1, 3600):
        assert at(spent, MIDNIGHT - behind_s, 1) == Account(MIDNIGHT, 16)
    assert at(spent, NOON + DAY, 1) == Account(MIDNIGHT + DAY, 1, (MIDNIGHT, 15))


def test_day_that_a_wrong_clock_put_into_the_future_does_not_hold_for_years() -> None:
    far = Account(MIDNIGHT + 3000 * DAY, 7)
    again = at(far, NOON, 1)
    assert (again.start_s, again.spent) == (MIDNIGHT, 8)


@pytest.mark.parametrize("ahead", [1, 2, 300])
def test_one_look_with_a_clock_that_is_ahead_neither_frees_nor_holds_the_budget(ahead: int) -> None:
    spent = at(Account(MIDNIGHT, 1000), NOON + ahead * DAY, 10)
    back = at(spent, NOON, 100)
    assert (back.start_s, back.spent) == (MIDNIGHT, 1110)  # what went meanwhile went on this day
    following = at(at(back, MIDNIGHT + DAY - 1, 5), MIDNIGHT + DAY, 1)
    assert following.start_s == MIDNIGHT + DAY
    assert following.spent <= 11


def test_one_look_with_a_clock_that_is_behind_does_not_free_the_budget() -> None:
    spent = at(at(Account(MIDNIGHT, 1000), NOON - DAY, 10), NOON, 100)
    assert (spent.start_s, spent.spent) == (MIDNIGHT, 1100)


def test_account_that_an_earlier_version_kept_goes_on() -> None:
    kept = msgspec.msgpack.encode([{"day": [MIDNIGHT, 7]}, 2])
    assert msgspec.msgpack.decode(kept, type=Ledger) == Ledger({"day": Account(MIDNIGHT, 7)}, 2)


@pytest.mark.parametrize(
    ("moment", "starts_d", "start", "end"),
    [
        ((2026, 3, 5), 1, (2026, 3, 1), (2026, 4, 1)),
        ((2026, 3, 5), 28, (2026, 2, 28), (2026, 3, 28)),
        ((2026, 1, 5), 10, (2025, 12, 10), (2026, 1, 10)),
        ((2026, 12, 31), 1, (2026, 12, 1), (2027, 1, 1)),
    ],
)
def test_month_of_a_plan_begins_on_its_day(
    moment: tuple[int, int, int], starts_d: int, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    found = month_of(int(datetime(*moment, tzinfo=UTC).timestamp()), starts_d=starts_d, starts_h=0)
    assert found == tuple(int(datetime(*one, tzinfo=UTC).timestamp()) for one in (start, end))


@given(st.integers(0, 2**33), st.integers(1, 28), st.integers(0, 23))
def test_each_moment_lies_in_its_period(utc_s: int, starts_d: int, starts_h: int) -> None:
    for period in (
        day_of(utc_s, starts_h=starts_h),
        month_of(utc_s, starts_d=starts_d, starts_h=starts_h),
    ):
        assert period.start_s <= utc_s < period.end_s


def test_tighter_of_day_and_month_holds() -> None:
    budget = Budget(DataBudget(day_bytes=2**40, month_bytes=1_000_000))
    budget.looked(0, metered=True, utc_s=MIDNIGHT)
    budget.looked(1_000_000, metered=True, utc_s=MIDNIGHT + 1)
    assert budget.pace() == NOTHING_YET
    assert list(budget.names()) == ["day", "month"]
    budget.looked(0, metered=True, utc_s=MIDNIGHT + DAY)
    assert (budget.spent("day"), budget.spent("month")) == (0, 1_000_000)


def test_without_time_only_one_share_may_be_spent_ahead() -> None:
    budget = Budget(DataBudget(day_bytes=SHARES * 1_000_000))
    budget.looked(0, metered=True, utc_s=None)
    budget.looked(900_000, metered=True, utc_s=None)
    assert budget.pace().full
    budget.looked(200_000, metered=True, utc_s=None)
    assert budget.pace().stride == 2


def test_who_cannot_look_counts_what_goes_out() -> None:
    budget = Budget(DataBudget(day_bytes=100_000))
    budget.resume(Ledger())
    budget.blind()
    assert budget.pace().full
    budget.carried(100_000)
    assert budget.pace() == NOTHING_YET


def test_budget_without_a_limit_is_a_fault() -> None:
    _, faults = check({}, DataBudget)
    assert [str(fault) for fault in faults] == ["day_bytes: missing: expected day_bytes, month_bytes or both"]
