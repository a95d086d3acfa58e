"""What only one value tells apart: the ends of stretches, and the second of two occurrences."""

from rules.alarm.desk import Desk
from rules.alarm.timeline import arrive, begin, compact
from tests.rules.alarm.test_desk import shelved
from tests.rules.alarm.world import applied, hi, occurrence, samples, seen


def test_stretch_overlaps_its_own_last_instant_and_none_after_it() -> None:
    one = occurrence(onset=5, cleared_at=10)
    assert one.overlaps(10, 20)
    assert not one.overlaps(11, 20)
    assert one.overlaps(0, 5)
    assert not one.overlaps(0, 4)
    assert occurrence(onset=5, cleared_at=5).duration_ticks(99) == 0


def test_sample_at_the_new_base_is_folded_into_it() -> None:
    timeline = arrive(begin(applied(hi()), 0), samples((5, "1"), (9, "1")))
    assert [one.at for one in compact(timeline, 5).samples] == [9]


def test_occurrence_that_needs_nobody_hides_none_behind_it() -> None:
    gone = occurrence(onset=0, cleared_at=1, ack_required=False)
    desk = seen(Desk(), gone, occurrence(onset=5), now=10)
    assert [item.occurrence.onset for item in desk.open["p"]] == [5]


def test_one_shot_shelf_stays_while_its_alarm_stands_whatever_was_before() -> None:
    desk = shelved(seen(Desk(), occurrence(onset=10), now=10), now=10)
    after = seen(desk, occurrence(onset=0, cleared_at=5), occurrence(onset=10), now=20)
    assert after.shelves == desk.shelves
