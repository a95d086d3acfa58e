"""What events say of alarms."""

import pytest

from cloud.alarms.sources import SOURCES, sources_of
from cloud.notify.words import WHATS
from rules.alarm.model import Condition

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11b")


def test_duress_is_an_alarm_whether_it_was_granted_or_not() -> None:
    for kind in ("access_granted", "access_refused", "panel_asked"):
        assert sources_of(kind, {}) == ()
        (found,) = sources_of(kind, {"duress": True})
        assert (found.what, found.begins, found.once) == ("duress", True, True)


def test_lock_down_begins_and_ends_by_one_kind() -> None:
    ((begun,), (ended,)) = (sources_of("lock_down", {"on": on}) for on in (True, False))
    assert (begun.what, begun.begins, begun.once) == ("lock-down", True, False)
    assert (ended.what, ended.begins) == ("lock-down", False)


def test_door_that_is_shut_ends_what_was_forced_and_what_was_held() -> None:
    assert [(one.what, one.begins) for one in sources_of("door_shut", {})] == [
        ("door-forced", False),
        ("door-held", False),
    ]


def test_every_event_that_begins_an_alarm_has_words_and_an_end() -> None:
    all_of = [one for sources in SOURCES.values() for one in sources]
    begun = {(one.what, one.condition) for one in all_of if one.begins and not one.once}
    ended = {(one.what, one.condition) for one in all_of if not one.begins}
    assert begun - ended == {("lock-down", Condition.EVENT)}
    whats = {one.what for one in all_of} - {"tamper"}
    assert whats == WHATS["en"].keys() == WHATS["zh"].keys()
