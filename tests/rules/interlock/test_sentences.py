"""Every cause that can be written has Chinese words; what no cause says is left as it is."""

from decimal import Decimal

import pytest

from rules.interlock.matrix import cause_words
from rules.interlock.model import (
    Alive,
    CalibrationDue,
    CheckDue,
    Condition,
    Happened,
    InState,
    Limit,
    Rate,
)
from rules.interlock.sentences import chinese
from tests.rules.interlock.world import PLANT, cause

CASES: list[tuple[Condition, str]] = [
    (
        Limit(point="t", low=Decimal(19), high=Decimal("-25.5"), guarded=False),
        "t 低于 19 °C 或 高于 -25.5 °C",
    ),
    (Limit(point="h", high=Decimal("60.0")), "h 高于 60 %RH(计入不确定度)"),
    (Limit(point="u", low=Decimal("0.5"), guarded=False), "u 低于 0.5"),
    (Rate(point="t", change_max=Decimal("0.5"), within_s=600), "t 在 600 s 内变化超过 0.5 °C"),
    (InState(point="door", normal=(0, 2)), "door 不是 0 或 2"),
    (Alive(point="h"), "h 没有读数"),
    (Happened(kind="gas_alarm", lasts_s=1), "发生事件:gas_alarm"),
    (Happened(kind="gas_alarm", lasts_s=1, subject="hall"), "hall 发生事件:gas_alarm"),
    (CheckDue(device="meter-7", after=("x",), commands=("y",)), "meter-7 尚未核查"),
    (CalibrationDue(point="t"), "t 校准已过期"),
]


@pytest.mark.parametrize(("condition", "said"), CASES)
def test_every_cause_is_said_in_chinese(condition: Condition, said: str) -> None:
    assert chinese(cause_words(cause(condition), PLANT)) == said
    assert chinese(cause_words(cause(condition, on=7.5), PLANT)) == f"{said} 持续 7.5 s"


def test_every_kind_of_cause_is_tried() -> None:
    assert {type(condition) for condition, _ in CASES} == set(Condition.__args__)


def test_kind_of_an_event_is_said_by_who_knows_its_word() -> None:
    assert chinese("event gas_alarm of hall", event={"gas_alarm": "气体"}.__getitem__) == "hall 发生事件:气体"


def test_output_that_does_not_follow_is_said_in_chinese() -> None:
    assert chinese("output fan is not what it was told to be") == "输出 fan 与指令不符"


@pytest.mark.parametrize(
    "words", ["", "somebody's own words", "air above all", "door not shut", "somebody tripped it"]
)
def test_other_words_are_nobodys_cause(words: str) -> None:
    assert chinese(words) is None
