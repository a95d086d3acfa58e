"""What repeats itself is told once a minute, and told again where it could not be written down."""

from datetime import UTC, datetime, timedelta

from cloud.identity.told import Told

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_same_thing_is_new_once_a_minute_and_other_things_are_new_at_once():
    told = Told()
    assert told.is_new("192.0.2.1", "why", now=NOW)
    assert not told.is_new("192.0.2.1", "why", now=NOW + timedelta(seconds=60))
    assert told.is_new("192.0.2.2", "why", now=NOW)
    assert told.is_new("192.0.2.1", "why", now=NOW + timedelta(seconds=61))


def test_what_could_not_be_written_down_is_new_again():
    told = Told()
    assert told.is_new("a", now=NOW)
    told.forget("a")
    assert told.is_new("a", now=NOW)


def test_very_many_different_things_take_no_more_room():
    told = Told()
    assert all(told.is_new(str(number), now=NOW) for number in range(2500))
    assert not told.is_new("2499", now=NOW)
    assert told.is_new("0", now=NOW)
