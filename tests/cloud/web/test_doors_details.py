"""What a gateway adds to a decision of a door is in Chinese on a Chinese page."""

import pytest

from cloud.web.doors_details import WHY, say_detail
from cloud.web.language import language
from edge.control.picture import WHY as WRITTEN
from rules.access.reasons import Reason


def test_every_word_that_a_gateway_writes_beside_causes_is_known() -> None:
    assert set(WHY) == set(WRITTEN.values())


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        (
            "Climate: room-2/t above 26 °C for 2 s, output doors/o is not what it was told to be",
            "Climate: room-2/t 高于 26 °C 持续 2 s；输出 doors/o 与指令不符",
        ),
        (
            "Room: north: room-1/gas: no good reading for 15 s, reset",
            "Room: north: room-1/gas: 已 15 s 没有有效读数；已复位，未启用",
        ),
        ("Room 2: t below 12 °C, uncertainty counted in", "Room 2: t 低于 12 °C(计入不确定度)"),
        ("Climate: the gateway was started again", "Climate: 网关重新启动"),
        ("Climate: something of a newer gateway", "Climate: something of a newer gateway"),
        ("Climate: ", "Climate: "),
        ("", ""),
    ],
)
def test_reason_of_an_interlock_is_said_in_chinese_or_stays_whole(detail: str, said: str) -> None:
    assert say_detail(language("zh"), Reason.INTERLOCK, detail) == said
    assert say_detail(language("en"), Reason.INTERLOCK, detail) == detail


def test_detail_of_any_other_reason_stays_as_it_is() -> None:
    assert say_detail(language("zh"), Reason.LOCK_DOWN, "gas: reset") == "gas: reset"
