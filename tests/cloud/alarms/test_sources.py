"""What events of doors say of alarms."""

from cloud.alarms.sources import source_of


def test_duress_is_an_alarm_whether_the_door_opened_or_not() -> None:
    for kind in ("access_granted", "access_refused"):
        assert source_of(kind, {}) is None
        found = source_of(kind, {"duress": True})
        assert found is not None
        assert (found.what, found.begins) == ("duress", True)


def test_lock_down_begins_and_ends_by_one_kind() -> None:
    begun, ended = (source_of("lock_down", {"on": on}) for on in (True, False))
    assert begun is not None
    assert ended is not None
    assert (begun.what, begun.begins, begun.once) == ("lock-down", True, False)
    assert (ended.what, ended.begins) == ("lock-down", False)
