"""A receiver's time is believed after three good fixes, and not while it is off by leap seconds or weeks."""

import pytest

from edge.drivers.gnss.trust import FLOOR_MS, TimeReport, Trust, judge

START = FLOOR_MS + 86_400_000
WEEKS_1024_MS = 1024 * 7 * 86_400_000


def told(*reports: TimeReport) -> Trust:
    trust = Trust()
    for report in reports:
        trust = judge(trust, report, late_ms=500)
    return trust


def fix(
    second: float, *, off_ms: int = 0, mode: int = 3, leap: int | None = 18, error_us: int | None = 5000
) -> TimeReport:
    return TimeReport(int(second * 1e9), START + int(second * 1000) + off_ms, mode, leap, error_us)


def test_three_fixes_in_a_row_are_enough() -> None:
    assert told(fix(1), fix(2)).bound_ms is None
    assert told(fix(1), fix(2), fix(3)).bound_ms == 500


@pytest.mark.parametrize(
    ("error_us", "bound_ms"), [(None, 500), (5_000, 500), (250_000, 500), (400_001, 801)]
)
def test_bound_grows_with_the_receivers_own_error(error_us: int | None, bound_ms: int) -> None:
    assert told(fix(1), fix(2), fix(3, error_us=error_us)).bound_ms == bound_ms


@pytest.mark.parametrize("rate_hz", [1, 5, 10])
def test_leap_seconds_learnt_late_are_a_step_and_start_the_count_anew(rate_hz: int) -> None:
    early = [fix(1 + n / rate_hz, off_ms=3000, leap=None) for n in range(5)]
    stepped = told(*early, fix(10, leap=None))
    assert (stepped.bound_ms, stepped.doubt) == (None, "a step of -3000 ms between two fixes")
    assert told(*early, fix(10, leap=None), fix(11), fix(12)).bound_ms is None
    assert told(*early, fix(10), fix(11), fix(12), fix(13)).bound_ms == 500


def test_too_few_leap_seconds_are_not_believed() -> None:
    trust = told(fix(1), fix(2), fix(3, leap=15))
    assert (trust.bound_ms, trust.doubt) == (None, "leap seconds 15: expected 18 or more")


@pytest.mark.parametrize("off_ms", [-WEEKS_1024_MS, 4 * WEEKS_1024_MS])
def test_rollover_of_weeks_is_never_believed(off_ms: int) -> None:
    trust = told(*(fix(second, off_ms=off_ms) for second in range(1, 9)))
    assert trust.bound_ms is None
    assert "rollover" in trust.doubt


def test_lost_fix_and_time_without_a_fix_start_anew_without_a_doubt() -> None:
    for lost in (fix(3, mode=2), fix(3, mode=1), TimeReport(3 * 10**9, None, 3)):
        trust = told(fix(1), fix(2), lost)
        assert (trust.fixes, trust.bound_ms, trust.doubt) == (0, None, "")


def test_reports_that_were_held_up_are_no_step() -> None:
    burst = [TimeReport(10**9 + n, START + 1000 * n, 3) for n in range(4)]
    assert told(*burst).bound_ms == 500
