"""When a device is asked whether an output is what was written: soon, then more rarely, up to its limit."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.control.outputs import Output, OutputError
from tests.edge.control.test_outputs import RELAY, Device, Stand


class Watched(Device):
    """Keeps when it was asked what its output is, in ms since 100 s; shows what was written after a while."""

    def __init__(self, output: Output, now: Callable[[], float], shows_at: float = math.inf) -> None:
        super().__init__(output)
        self.asked: list[int] = []
        self._now = now
        self._shows_at = shows_at

    async def read_back(self, output: str) -> int | None:
        self.asked.append(round((self._now() - 100) * 1000))
        return self.values.get(output) if self._now() >= self._shows_at else None


def watched(output: Output, shows_after_s: float = math.inf) -> tuple[Stand, Watched]:
    """Return a stand whose device shows so long after the beginning what was written."""
    stand = Stand(output)
    device = Watched(output, lambda: stand.now, 100 + shows_after_s)
    stand.outputs.own([device])
    return stand, device


@pytest.mark.parametrize(
    ("read_back_s", "asked"),
    [
        (0.5, [0, 5, 10, 20, 40, 90, 140, 190, 240, 290, 340, 390, 440, 490, 500]),
        (0.1, [0, 5, 10, 20, 40, 90, 100]),
        (0.012, [0, 5, 10, 12]),
        (0.0, [0]),
    ],
)
def test_device_is_asked_soon_after_the_write_then_more_rarely_and_last_at_the_limit(
    read_back_s: float, asked: list[int]
) -> None:
    stand, device = watched(replace(RELAY, read_back_s=read_back_s))
    with pytest.raises(OutputError, match=f"says nothing after {read_back_s:g} s"):
        stand.set("room/relay", 1)
    assert device.asked == asked
    assert stand.kinds == ["output_asked", "output_failed"]


def test_quick_device_is_believed_soon_after_it_shows_the_value_and_not_before() -> None:
    stand, device = watched(RELAY, shows_after_s=0.006)
    stand.set("room/relay", 1)
    assert device.asked == [0, 5, 10]
    assert stand.kinds == ["output_asked", "output_set"]


@given(st.floats(0, 60), st.floats(0, 61))
def test_device_that_shows_the_value_within_its_limit_is_believed(
    read_back_s: float, shows_after_s: float
) -> None:
    stand, device = watched(replace(RELAY, read_back_s=read_back_s), shows_after_s)
    if 100 + shows_after_s <= 100 + read_back_s:
        stand.set("room/relay", 1)
        assert stand.now - 100 <= shows_after_s + 0.051
    else:
        with pytest.raises(OutputError, match="was written"):
            stand.set("room/relay", 1)
    assert stand.now <= 100 + read_back_s
    assert len(device.asked) <= read_back_s / 0.05 + 6
