from datetime import UTC, datetime, timedelta

from rules.silence import is_silent, is_suspected, silent_since

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_point_is_silent_after_three_periods_and_not_before():
    assert not is_silent(AT, SECOND, AT + 3 * SECOND)
    assert is_silent(AT, SECOND, AT + 3 * SECOND + timedelta(milliseconds=10))
    assert silent_since(AT, SECOND) == AT + 3 * SECOND


def test_point_without_period_is_never_silent():
    assert not is_silent(AT, None, AT + timedelta(days=400))


def test_gateway_is_suspected_only_after_the_longest_silence():
    assert not is_suspected(AT, AT + 120 * SECOND, 120 * SECOND)
    assert is_suspected(AT, AT + 121 * SECOND, 120 * SECOND)
