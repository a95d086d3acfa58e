"""What is seen and not configured is told, but never so much that it fills a journal."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from edge.candidates import AGAIN_TICKS, BURST_MAX, HOUR_TICKS, KEPT_MAX, Candidates
from wire.messages import Event


class Events:
    """The part of an emitter that candidates use."""

    def __init__(self) -> None:
        self.all: list[Event] = []

    async def event(self, event: Event) -> None:
        self.all.append(event)


def seen(times: list[tuple[int, str]]) -> list[Event]:
    events, now = Events(), 0

    async def story() -> None:
        nonlocal now
        candidates = Candidates(device="ble", now_tick=lambda: now)
        for tick, address in times:
            now = tick
            await candidates.seen(events, address, {"rssi": -60})  # type: ignore[arg-type]

    asyncio.run(story())
    return events.all


def test_candidate_is_told_once_and_again_after_a_day() -> None:
    told = seen([(tick, "aa") for tick in range(0, 3 * AGAIN_TICKS, HOUR_TICKS)])
    assert [(event.kind, event.subject, event.tick) for event in told] == [
        ("candidate_seen", "aa", tick) for tick in (0, AGAIN_TICKS, 2 * AGAIN_TICKS)
    ]
    assert told[0].data == {"device": "ble", "rssi": -60}


@given(st.lists(st.integers(0, 20), min_size=1, max_size=400))
def test_crowd_is_told_no_faster_than_the_bound(waits: list[int]) -> None:
    tick, times = 0, []
    for number, wait in enumerate(waits):
        tick += wait * 100
        times.append((tick, f"{number % (2 * KEPT_MAX):04x}"))
    told = seen(times)
    for hour in range(tick // HOUR_TICKS + 1):
        assert sum(event.tick // HOUR_TICKS == hour for event in told) <= BURST_MAX
