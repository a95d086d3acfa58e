"""The subject of a message says what matters, also in a flood: it is all that a text message has."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from cloud.notify.texts import write_message
from cloud.store.alarm_messages import SiteFacts, Way
from rules.alarm.calls import Call, Notification, Why
from rules.alarm.model import Condition, Occurrence, Priority

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11a")
SITE = SiteFacts(1, "lab", "Lab 1", "Asia/Shanghai", {"room-2/air/temperature": "temperature"})
HOT = Occurrence(
    "room-2/air/temperature",
    Condition.HIHI,
    1,
    onset=0,
    raised_at=0,
    priority=Priority.URGENT,
    limit=Decimal(26),
    worst=Decimal("27.5"),
)
TRIPPED = Occurrence(
    "interlock/climate", Condition.EVENT, 1, onset=10, raised_at=10, priority=Priority.URGENT
)
DOOR = Occurrence("door-held/a", Condition.EVENT, 1, onset=20, raised_at=20, priority=Priority.MEDIUM)
NAMED = "room-2/air/temperature: very high, since 1970-01-01 08:00:00 +0800, value 27.5 °C, limit 26 °C"


def subject(why: Why, calls: tuple[Call, ...], *urgent: Occurrence, language: str = "en") -> str:
    way = Way(1, 1, "w", "sms", "x", {}, language)
    told = Notification(1, 0, why, calls, ("w",), urgent=urgent)
    return write_message(SITE, told, calls, way=way)[0]


def call(one: Occurrence, *, escalated: bool = False) -> Call:
    return Call(one, ("w",), int(escalated), 1, escalated)


@pytest.mark.parametrize("why", [Why.FLOOD_BEGAN, Why.DIGEST, Why.FLOOD_ENDED])
def test_flood_names_the_first_urgent_alarm_that_stands_and_how_many_do_before_it_counts(why):
    said = subject(why, (call(DOOR),), HOT, TRIPPED)
    assert said.startswith(f"[Heng] Lab 1: 2 URGENT stand, first {NAMED}; ")
    assert "flood" in said.lower()


def test_urgent_alarm_that_is_told_now_is_named_before_one_that_was_told_before():
    assert "1 URGENT stand, first interlock/climate: interlock tripped" in subject(
        Why.DIGEST, (call(DOOR), call(TRIPPED)), TRIPPED
    )
    assert "2 URGENT stand, first interlock/climate: interlock tripped" in subject(
        Why.DIGEST, (call(DOOR), call(TRIPPED)), HOT, TRIPPED
    )


def test_escalation_of_an_urgent_alarm_is_named_as_such_also_in_a_flood():
    said = subject(Why.DIGEST, (call(TRIPPED), call(HOT, escalated=True)), HOT, TRIPPED)
    assert said.startswith(f"[Heng] Lab 1: ESCALATED, nobody acknowledged: {NAMED}; 2 urgent stand; ")
    over = replace(HOT, cleared_at=50)
    said = subject(Why.DIGEST, (call(over, escalated=True),))
    assert all(part in said for part in ("ESCALATED", ", over", "0 urgent stand"))


def test_escalation_of_what_is_not_urgent_is_not_named_before_what_is():
    said = subject(Why.DIGEST, (call(DOOR, escalated=True),), HOT)
    assert "ESCALATED" not in said
    assert "1 URGENT stand, first room-2/air/temperature" in said


def test_urgent_alarm_is_named_outside_of_a_flood_too_and_without_one_counts_are_said():
    assert NAMED in subject(Why.ALARMS, (call(HOT),), HOT)
    assert subject(Why.DIGEST, (call(DOOR),)) == (
        "[Heng] Lab 1: alarm flood goes on, 1 alarms since the last message"
    )


def test_chinese_subject_names_the_same():
    said = subject(Why.DIGEST, (call(HOT, escalated=True),), HOT, language="zh")
    assert said.startswith("【衡】Lab 1：升级通知，无人确认：room-2/air/temperature: 过高（上上限）")
    assert all(part in said for part in ("紧急 1 条未恢复", "报警泛滥"))
