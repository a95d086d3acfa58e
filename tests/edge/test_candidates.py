"""What is seen and not configured is told, but never so much that it fills a journal."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from edge.candidates import AGAIN_TICKS, BURST_MAX, HOUR_TICKS, KEPT_MAX, Candidates
from edge.driver import Given
from wire.messages import Clock, Event
from wire.status import ClockState


class Events:
    """The part of an emitter that candidates use."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self.kept: dict[str, bytes] = {}
        self.writes = 0

    async def event(self, event: Event) -> None:
        self.all.append(event)

    def remember(self, key: str, value: bytes) -> None:
        self.kept[key] = value
        self.writes += 1

    def recall(self, key: str) -> bytes | None:
        return self.kept.get(key)


def seen(times: list[tuple[int, str]], events: Events | None = None) -> list[Event]:
    """What one run tells; `events` carries over what was kept."""
    events, now = events or Events(), 0
    before = len(events.all)

    async def story() -> None:
        nonlocal now
        candidates = Candidates(device="ble", now_tick=lambda: now)
        for tick, address in times:
            now = tick
            await candidates.seen(events, address, {"rssi": -60})  # type: ignore[arg-type]

    asyncio.run(story())
    return events.all[before:]


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


def test_restart_tells_no_candidate_again() -> None:
    events = Events()
    seen([(5, "aa"), (6, "bb")], events)
    told = seen([(7, "aa"), (8, "bb"), (9, "cc")], events)
    assert [event.subject for event in told] == ["cc"]


def test_restart_of_the_machine_tells_none_again_although_its_ticks_begin_anew() -> None:
    events = Events()
    seen([(AGAIN_TICKS * 50, "aa")], events)
    assert seen([(3, "aa"), (AGAIN_TICKS // 2, "aa")], events) == []


def test_day_goes_on_over_restarts_but_for_the_time_nobody_ran() -> None:
    events = Events()
    half = AGAIN_TICKS // 2
    assert len(seen([(tick, "aa") for tick in range(0, half + 1, HOUR_TICKS)], events)) == 1
    told = seen([(1000 + tick, "aa") for tick in range(0, AGAIN_TICKS, HOUR_TICKS)], events)
    assert [event.tick for event in told] == [1000 + half]


def test_what_is_kept_is_bounded_and_names_nobody() -> None:
    events = Events()
    for hour in range(30):
        seen([(hour * HOUR_TICKS, f"{hour}-{number}") for number in range(BURST_MAX)], events)
    assert len(events.kept["candidates"]) == KEPT_MAX * 16
    assert b"29-1" not in events.kept["candidates"]
    assert seen([(30 * HOUR_TICKS, "29-1")], events) == []


def test_disk_is_asked_once_an_hour_at_most_for_what_is_only_seen_again() -> None:
    events = Events()
    seen([(tick, "aa") for tick in range(0, 3 * HOUR_TICKS, 100)], events)
    assert events.writes == 3


@given(st.binary(max_size=40))
def test_kept_bytes_that_make_no_sense_do_no_harm(kept: bytes) -> None:
    events = Events()
    events.kept["candidates"] = kept
    assert [event.subject for event in seen([(5, "aa")], events)] == ["aa"]


def test_machine_that_runs_an_hour_a_day_tells_again_after_a_day() -> None:
    events, day = Events(), 86_400

    def run(utc_s: int | None) -> int:
        candidates = Candidates(device="ble", now_tick=lambda: 500, utc_s=lambda: utc_s)
        before = len(events.all)
        asyncio.run(candidates.seen(events, "aa", {}))  # type: ignore[arg-type]
        return len(events.all) - before

    assert run(1_800_000_000) == 1
    assert run(None) == 0
    assert run(1_800_000_000 + day - 1) == 0
    assert run(1_800_000_000 + day) == 1
    assert run(1_700_000_000) == 0


def test_time_that_is_found_later_counts_from_when_it_was_told() -> None:
    events, found = Events(), 1_800_000_000

    async def see(candidates: Candidates) -> None:
        await candidates.seen(events, "aa", {})  # type: ignore[arg-type]

    async def story() -> None:
        await see(Candidates(device="ble", now_tick=lambda: 0))
        now = [1]
        second = Candidates(device="ble", now_tick=lambda: now[0], utc_s=lambda: found)
        await see(second)
        now[0] += HOUR_TICKS
        await see(second)
        await see(Candidates(device="ble", now_tick=lambda: 0, utc_s=lambda: found + 86_399))
        await see(Candidates(device="ble", now_tick=lambda: 0, utc_s=lambda: found + 86_400))

    asyncio.run(story())
    assert len(events.all) == 2


def test_driver_is_given_its_candidates_with_the_clock() -> None:
    clock = Clock(ClockState.SYNCHRONISED, 500, 5, "system")
    events = Events()
    candidates = Candidates.of("ble", Given(lambda: 10**9, clock=lambda: clock))
    asyncio.run(candidates.seen(events, "aa", {}))  # type: ignore[arg-type]
    assert events.all[0].tick == 100
    assert events.kept["candidates"][-4:] == (6).to_bytes(4, "big")
    asyncio.run(Candidates.of("x", Given(lambda: 0)).seen(events, "bb", {}))  # type: ignore[arg-type]
    assert [event.tick for event in events.all] == [100, 0]
