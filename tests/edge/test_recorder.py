"""The recorder: marks the implausible, and tells every silence once, from the last reading to the next."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from edge.clock import Rules
from edge.driver import TimeHint
from edge.journal.file import Surroundings
from edge.journal.group import Item
from edge.journal.journal import Journal, Past
from edge.journal.memory import LastTick, OpenGap
from edge.journal.room import Limits
from edge.journal.sealer import Sealer
from edge.recorder import Recorder
from edge.timekeeper import Timekeeper
from provisioning.keys import Ed25519Signer
from wire.layouts import make_layout
from wire.messages import ClockFound, Event, Gap, PointDeclaration, Poll
from wire.status import GapCause, Status

BOOT = b"B" * 16
LAYOUT = make_layout(["room/t", "room/rh"], [-2, -1])
POINTS = [
    PointDeclaration(name="room/t", quantity="temperature", exponent=-2, period_ms=1000),
    PointDeclaration(name="room/rh", quantity="relative_humidity", exponent=-1, period_ms=1000),
]


class Parts:
    """A recorder with a journal whose intake is looked into."""

    def __init__(self, folder: Path) -> None:
        self.tick = 500
        self.doubts: dict[int, int] = {}
        self.ns: Iterator[int] = count(10**12, 10**6)
        self.timekeeper = Timekeeper(
            Rules(), sources=["hub"], monotonic_ns=lambda: next(self.ns), system=lambda: None
        )
        given = Surroundings(
            Sealer("lab-1", Ed25519Signer.generate()), lambda: b"i" * 16, lambda: None, Limits(10**9, 1e9)
        )
        self.journal = Journal(
            folder,
            given,
            boot=BOOT,
            clock=self.timekeeper.reading,
            now=lambda: next(self.ns) / 1e9,
            memory_bytes_max=10**6,
        )
        self.recorder = Recorder(
            self.journal,
            self.timekeeper,
            gateway="lab-1",
            boot=BOOT,
            now_tick=lambda: self.tick,
            points=POINTS,
            layouts=[LAYOUT],
            doubt_ms=self.doubts.get,
        )

    def taken(self) -> list[Item]:
        return self.journal.intake.take()


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


@pytest.fixture
def past() -> Callable[..., Past]:
    def make(*, boot: bytes = BOOT, clean: bool = False, tick: int = 100, damage: str | None = None) -> Past:
        return Past(
            boot=boot,
            stopped_cleanly=clean,
            last_ticks={LAYOUT.id: LastTick(boot, tick)},
            open_gaps={},
            layouts={LAYOUT.id: LAYOUT.points},
            damage=damage,
            owed={} if damage is None else dict.fromkeys(LAYOUT.points, damage),
        )

    return make


def poll(tick: int, *counts: int | None) -> Poll:
    return Poll(LAYOUT.id, tick, list(counts) or [2000, 500])


def test_implausible_value_is_marked_and_kept(parts: Parts) -> None:
    asyncio.run(parts.recorder.poll(poll(1, 99_999, 500)))
    (taken,) = parts.taken()
    assert isinstance(taken, Poll)
    assert taken.counts == [99_999, 500]
    assert taken.flags == [(0, Status.IMPLAUSIBLE)]


def test_no_point_has_two_readings_at_one_instant(parts: Parts) -> None:
    async def story() -> None:
        counts = [(10, 2000), (10, 2000), (10, 2001), (10, 2002), (11, 2003), (15, 2003), (14, 2004)]
        for tick, raw in counts:
            await parts.recorder.poll(poll(tick, raw, 500))

    asyncio.run(story())
    told = [(item.tick, item.counts[0]) for item in parts.taken() if isinstance(item, Poll)]
    assert told == [(10, 2000), (11, 2001), (12, 2002), (13, 2003), (15, 2003), (14, 2004)]


def test_absent_value_keeps_its_reason(parts: Parts) -> None:
    asyncio.run(parts.recorder.poll(Poll(LAYOUT.id, 1, [None, 2000], [(0, Status.INVALID)])))
    (taken,) = parts.taken()
    assert isinstance(taken, Poll)
    assert taken.flags == [(0, Status.INVALID), (1, Status.IMPLAUSIBLE)]


def test_silence_is_told_open_once_and_closed_by_the_next_reading(parts: Parts) -> None:
    async def story() -> None:
        await parts.recorder.poll(poll(10))
        for tick in (12, 13, 14):
            await parts.recorder.silent(["room/t"], cause=GapCause.BUS, reason="no answer", tick=tick)
        await parts.recorder.poll(poll(20))

    asyncio.run(story())
    assert [item for item in parts.taken() if isinstance(item, Gap)] == [
        Gap("room/t", GapCause.BUS, 10, None, "no answer"),
        Gap("room/t", GapCause.BUS, 10, 20, "no answer"),
    ]


def test_other_cause_ends_one_gap_and_begins_another(parts: Parts) -> None:
    async def story() -> None:
        await parts.recorder.silent(["room/t"], cause=GapCause.BUS, reason="a", tick=5)
        await parts.recorder.silent(["room/t"], cause=GapCause.SENSOR, reason="b", tick=9)

    asyncio.run(story())
    assert parts.taken() == [
        Gap("room/t", GapCause.BUS, 5, None, "a"),
        Gap("room/t", GapCause.BUS, 5, 9, "a"),
        Gap("room/t", GapCause.SENSOR, 9, None, "b"),
    ]


def gaps_after(parts: Parts, past: Past, tick: int) -> list[Gap]:
    parts.recorder.resume(past)
    asyncio.run(parts.recorder.poll(poll(tick)))
    return [item for item in parts.taken() if isinstance(item, Gap)]


@pytest.mark.requirement("G-3.6")
def test_killed_gateway_tells_the_time_it_was_away(parts: Parts, past: Callable[..., Past]) -> None:
    first, second = gaps_after(parts, past(), 150)
    assert (first.point, first.cause, first.from_tick, first.to_tick) == (
        "room/t",
        GapCause.GATEWAY,
        100,
        150,
    )
    assert second.point == "room/rh"


def test_new_boot_without_a_clean_stop_is_a_loss_of_power(parts: Parts, past: Callable[..., Past]) -> None:
    first, _ = gaps_after(parts, past(boot=b"A" * 16), 150)
    assert (first.cause, first.from_tick, first.to_tick) == (GapCause.POWER, None, 150)


def test_clean_stop_excuses_a_pause_shorter_than_the_period(parts: Parts, past: Callable[..., Past]) -> None:
    assert gaps_after(parts, past(clean=True), 240) == []


def test_clean_stop_does_not_excuse_a_longer_pause(parts: Parts, past: Callable[..., Past]) -> None:
    first, _ = gaps_after(parts, past(clean=True), 300)
    assert (first.cause, first.from_tick, first.to_tick) == (GapCause.GATEWAY, 100, 300)


def test_damage_leaves_the_start_open_and_is_an_event(parts: Parts, past: Callable[..., Past]) -> None:
    parts.recorder.resume(past(damage="file is not a database"))
    asyncio.run(parts.recorder.poll(poll(150)))
    taken = parts.taken()
    assert [item.kind for item in taken if isinstance(item, Event)] == ["journal_damaged"]
    told = [item for item in taken if isinstance(item, Gap)]
    assert [(gap.cause, gap.from_tick, gap.to_tick) for gap in told] == [(GapCause.STORAGE, None, 150)] * 2


def test_damage_is_owed_for_a_point_whose_gap_was_not_told_before_the_kill(
    parts: Parts, past: Callable[..., Past]
) -> None:
    before = past(tick=100)
    parts.recorder.resume(replace(before, owed={"room/rh": "page 7 is no page"}))
    asyncio.run(parts.recorder.poll(poll(150)))
    taken = parts.taken()
    assert [(gap.point, gap.cause, gap.from_tick) for gap in taken if isinstance(gap, Gap)] == [
        ("room/t", GapCause.GATEWAY, 100),
        ("room/rh", GapCause.STORAGE, None),
    ]
    assert not [item for item in taken if isinstance(item, Event)]


def test_silence_before_a_kill_ends_with_what_was_last_known_and_the_rest_is_the_gateways(
    parts: Parts, past: Callable[..., Past]
) -> None:
    before = past(tick=100)
    before.open_gaps["room/t"] = OpenGap(BOOT, Gap("room/t", GapCause.SENSOR, 60, None, "no answer"))
    told = [gap for gap in gaps_after(parts, before, 700) if gap.point == "room/t"]
    assert [(gap.cause, gap.from_tick, gap.to_tick) for gap in told] == [
        (GapCause.SENSOR, 60, 100),
        (GapCause.GATEWAY, 100, 700),
    ]


def test_gap_that_was_open_before_a_restart_is_closed_as_it_began(
    parts: Parts, past: Callable[..., Past]
) -> None:
    began = Gap("room/t", GapCause.BUS, 40, None, "no answer")
    before = past(tick=40)
    before.open_gaps["room/t"] = OpenGap(BOOT, began)
    told = gaps_after(parts, before, 150)
    assert told[0] == Gap("room/t", GapCause.BUS, 40, 150, "no answer")
    assert told[1].cause is GapCause.GATEWAY


def test_time_found_after_readings_without_it_gives_one_clock_record(parts: Parts) -> None:
    async def story() -> None:
        async with parts.journal as journal:
            await journal.open([LAYOUT])
            await parts.recorder.poll(poll(1))
            await journal.commit()
            parts.recorder.time(TimeHint("hub", 10**12, 1_800_000_000 * 10**9, 30))
            parts.recorder.tick()
            parts.recorder.tick()
            taken = parts.taken()
            found = [item for item in taken if isinstance(item, ClockFound)]
            assert [(item.boot, item.source) for item in found] == [(BOOT, "hub")]
            assert "clock_found" in [item.kind for item in taken if isinstance(item, Event)]

    asyncio.run(story())


def gaps(parts: Parts) -> list[Gap]:
    return [item for item in parts.taken() if isinstance(item, Gap) and item.point == "room/t"]


@pytest.mark.requirement("G-3.6")
def test_round_that_was_left_out_is_a_closed_gap_of_the_line(parts: Parts) -> None:
    async def story() -> None:
        for tick in (100, 200, 349, 551, 650):
            await parts.recorder.poll(poll(tick))

    asyncio.run(story())
    (gap,) = gaps(parts)
    assert (gap.cause, gap.from_tick, gap.to_tick) == (GapCause.BUS, 349, 551)


@pytest.mark.requirement("G-3.6")
def test_frozen_gateway_takes_the_blame_for_readings_and_for_time_outs(parts: Parts) -> None:
    async def story() -> None:
        parts.tick = 500
        parts.recorder.tick()
        await parts.recorder.poll(poll(500))
        parts.tick = 12_500
        await parts.recorder.silent(["room/rh"], cause=GapCause.BUS, reason="no answer", tick=12_500)
        await parts.recorder.poll(poll(12_501))

    asyncio.run(story())
    told = [item for item in parts.taken() if isinstance(item, Gap)]
    assert [(gap.point, gap.cause, gap.from_tick, gap.to_tick) for gap in told] == [
        ("room/rh", GapCause.GATEWAY, 500, None),
        ("room/t", GapCause.GATEWAY, 500, 12_501),
        ("room/rh", GapCause.GATEWAY, 500, 12_501),
    ]


def test_device_that_fails_long_after_a_freeze_is_told_apart_from_it(parts: Parts) -> None:
    async def story() -> None:
        parts.tick = 500
        parts.recorder.tick()
        await parts.recorder.poll(poll(500))
        for parts.tick in range(12_500, 13_501, 100):
            parts.recorder.tick()
        await parts.recorder.silent(["room/t"], cause=GapCause.SENSOR, reason="no answer", tick=13_500)

    asyncio.run(story())
    assert [(gap.cause, gap.from_tick, gap.to_tick) for gap in gaps(parts)] == [
        (GapCause.GATEWAY, 500, 12_500),
        (GapCause.SENSOR, 12_500, None),
    ]


def test_event_that_was_read_late_says_since_when_it_may_have_happened(parts: Parts) -> None:
    parts.doubts[700] = 30_000
    asyncio.run(parts.recorder.event(Event("card_read", "door", 700, {"bits": 26})))
    asyncio.run(parts.recorder.event(Event("card_read", "door", 701, {"bits": 26})))
    assert parts.taken() == [
        Event("card_read", "door", 700, {"bits": 26, "late": True, "between_ms": 30_000}),
        Event("card_read", "door", 701, {"bits": 26}),
    ]


def test_what_the_gateway_does_itself_is_never_late(parts: Parts) -> None:
    parts.doubts[500] = 30_000
    parts.recorder.tell("output_set", {"counts": 1}, subject="lock")
    assert parts.taken() == [Event("output_set", "lock", 500, {"counts": 1})]
