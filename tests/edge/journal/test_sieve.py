"""What waits while the line is dear: readings alone, unharmed, and each of them goes once in the end."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.journal.errors import JournalFullError
from edge.journal.group import Group, gather
from edge.journal.journal import Journal
from edge.journal.room import Limits
from edge.journal.sealer import Sealed
from edge.journal.sieve import FULL, NOTHING_YET, Pace, Sieve, tighter
from wire.layouts import make_layout
from wire.messages import Clock, Event, Gap, PointDeclaration, Poll, Position
from wire.status import ClockState, GapCause, PointKind

pytestmark = pytest.mark.requirement("G-5.2")
BOOT = b"B" * 16
CLOCK = Clock(ClockState.SYNCHRONISED, 179_000_000_000, 5, "system")
LAYOUT = make_layout(["room/t", "room/door"], [-2, 0])
DOOR = PointDeclaration("room/door", "state", PointKind.STATE, states={"0": "shut", "1": "open"})


def poll(tick: int, door: int = 0) -> Poll:
    return Poll(LAYOUT.id, tick, [tick, door])


def group(*items: Any) -> Group:
    return gather(items, BOOT, CLOCK)[0]


def sieve() -> Sieve:
    made = Sieve()
    made.feed([DOOR], [LAYOUT])
    return made


def test_each_nth_poll_goes_and_the_others_wait() -> None:
    now, later = sieve().part(group(*(poll(tick) for tick in range(8))), Pace(3, backlog=False))
    assert [one.tick for one in now.polls] == [0, 3, 6]
    assert [one.tick for one in later.polls] == [1, 2, 4, 5, 7]


def test_each_point_of_fixes_is_counted_apart() -> None:
    fixes = [Position(f"car-{tick % 2}", tick, 3) for tick in range(8)]
    now, later = sieve().part(group(*fixes), Pace(2, backlog=False))
    assert [fix.tick for fix in now.positions] == [0, 1, 4, 5]
    assert [fix.tick for fix in later.positions] == [2, 3, 6, 7]


def test_state_that_changes_is_not_thinned_out() -> None:
    polls = [poll(tick, door=int(tick >= 2)) for tick in range(5)]
    now, _ = sieve().part(group(*polls), Pace(100, backlog=False))
    assert [one.tick for one in now.polls] == [0, 2]


def test_state_that_changed_at_full_pace_and_changes_back_is_not_thinned_out() -> None:
    made, thin = sieve(), Pace(100, backlog=False)
    went = [
        [one.tick for one in made.part(group(poll(tick, door)), pace)[0].polls]
        for tick, (door, pace) in enumerate([(0, thin), (0, thin), (1, FULL), (0, thin), (0, thin)])
    ]
    assert went == [[0], [], [2], [3], []]


def test_reading_that_went_at_full_pace_counts_for_the_stride() -> None:
    made, thin = sieve(), Pace(3, backlog=False)
    made.part(group(poll(0)), FULL)
    now, _ = made.part(group(*(poll(tick) for tick in range(1, 7))), thin)
    assert [one.tick for one in now.polls] == [3, 6]


def test_stride_zero_lets_no_reading_go_and_everything_else() -> None:
    event, gap = Event("door_forced", "d", 1, {}), Gap("room/t", GapCause.BUS, 1, 2)
    now, later = sieve().part(group(poll(1), event, gap), NOTHING_YET)
    assert (now.polls, now.events, now.gaps) == ([], [event], [gap])
    assert (later.polls, later.events, later.gaps) == ([poll(1)], [], [])


def test_tightest_of_several_paces_holds() -> None:
    assert tighter([]) == FULL
    assert tighter([Pace(2, backlog=False), Pace(4)]) == Pace(4, backlog=False)
    assert tighter([Pace(8), NOTHING_YET]) == NOTHING_YET


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), max_size=30),
    st.sampled_from([0, 1, 2, 5, 64]),
)
def test_parting_loses_nothing_and_doubles_nothing(items: list[tuple[int, int]], stride: int) -> None:
    found = [poll(place, door) for place, (_, door) in enumerate(items)]
    whole = group(*found, Event("e", "s", 1, {}))
    now, later = sieve().part(whole, Pace(stride, backlog=False))
    assert sorted([*now.polls, *later.polls], key=lambda one: one.tick) == found
    assert (len(now.events), len(later.events)) == (1, 0)


def test_events_of_a_backlog_go_while_its_readings_stay(bench: Any, drain: Callable[..., Any]) -> None:
    journal = bench.open()
    event = Event("door_forced", "d", 3, {})
    groups = [*bench.groups(1, 2), *gather([bench.poll(3), event], bench.boot, CLOCK)]
    assert journal.append(groups, seal=0) == []
    assert journal.has_urgent
    (sealed,) = journal.seal_urgent(4)
    assert [one.kind for one in bench.batch(sealed).events] == ["door_forced"]
    assert bench.ticks(sealed) == []
    assert not journal.has_urgent
    journal.append(bench.groups(4), seal=0)
    assert not journal.has_urgent
    bench.kill(journal)
    journal = bench.open()
    assert journal.seal_urgent(4) == []
    found = drain(journal)
    assert [tick for one in found for tick in bench.ticks(one)] == [1, 2, 3, 4]
    assert [kind.kind for one in found for kind in bench.batch(one).events] == ["door_forced"]
    assert [one.seq for one in found] == list(range(1, len(found) + 1))
    journal.close(clean=True)


def test_rows_of_events_alone_may_all_go(bench: Any, drain: Callable[..., Any]) -> None:
    journal = bench.open()
    for tick in range(40):
        journal.append(gather([Event("e", "s", tick, {})], bench.boot, CLOCK), seal=0)
    while journal.has_urgent:
        assert len(journal.seal_urgent(1)) <= 1
    for tick in range(70):
        journal.append(bench.groups(tick), seal=0)
    assert sorted(tick for one in drain(journal) for tick in bench.ticks(one))[-70:] == list(range(70))
    journal.close(clean=True)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    story=st.lists(
        st.tuples(st.sampled_from(["poll", "event", "urgent", "kill"]), st.sampled_from([0, 1, 3])),
        max_size=40,
    )
)
def test_whatever_the_pace_was_each_reading_is_sealed_once(
    story: list[tuple[str, int]], make_bench: Callable[[], Any], drain: Callable[..., list[Sealed]]
) -> None:
    bench = make_bench()
    journal, kept = bench.open(), sieve()
    brought: list[int] = []
    events = 0
    for tick, (what, stride) in enumerate(story):
        if what == "kill":
            bench.kill(journal)
            journal = bench.open()
        elif what == "urgent":
            journal.seal_urgent(2)
        else:
            item = bench.poll(tick) if what == "poll" else Event("e", "s", tick, {})
            pace = Pace(stride, backlog=stride == 1)
            journal.append(
                gather([item], bench.boot, CLOCK), seal=tick % 2, part=lambda one, at=pace: kept.part(one, at)
            )
            brought += [tick] if what == "poll" else []
            events += what == "event"
    found = drain(journal)
    assert sorted(tick for one in found for tick in bench.ticks(one)) == brought
    assert sum(len(bench.batch(one).events) for one in found) == events
    assert sorted(one.seq for one in found) == list(range(1, len(found) + 1))
    journal.close(clean=True)


def journal_of(folder: Path, bench: Any, pace: list[Pace]) -> Journal:
    return Journal(
        folder,
        bench.given(),
        boot=BOOT,
        clock=lambda: CLOCK,
        now=lambda: 1.0,
        memory_bytes_max=10**6,
        pace=lambda: pace[0],
    )


def test_state_that_changed_goes_when_the_disk_takes_it_at_the_second_try(
    tmp_path: Path, bench: Any, files_up_to: Callable[..., Any]
) -> None:
    async def story() -> None:
        async with journal_of(tmp_path, bench, [Pace(100, backlog=False)]) as journal:
            await journal.open([LAYOUT], points=[DOOR])
            journal.room = 10
            journal.intake.add(poll(0, door=0))
            await journal.commit()
            journal.ready.clear()
            journal.intake.add(poll(1, door=1))
            with files_up_to(1):
                await journal.commit()
            assert not journal.ready
            await journal.commit()
            assert [tick for sealed in journal.ready for tick in bench.ticks(sealed)] == [1]

    asyncio.run(story())


def test_journal_seals_what_its_pace_allows(tmp_path: Path, bench: Any) -> None:
    async def story() -> None:
        pace = [Pace(2, backlog=False)]
        async with journal_of(tmp_path, bench, pace) as journal:
            await journal.open([LAYOUT])
            journal.room = 10
            for tick in range(5):
                journal.intake.add(poll(tick))
            journal.intake.add(Event("e", "s", 5, {}))
            await journal.commit()
            (sealed,) = journal.ready
            assert bench.ticks(sealed) == [0, 2, 4]
            assert (journal.waiting, journal.may_seal) == (True, False)
            assert await journal.seal_backlog(4) == []
            pace[0] = FULL
            assert journal.may_seal
            (later,) = await journal.seal_backlog(4)
            assert bench.ticks(later) == [1, 3]
            assert not journal.may_seal

    asyncio.run(story())


def test_what_finds_no_more_room_is_dropped_and_its_gaps_go_at_once(bench: Any) -> None:
    bench.limits = Limits(24_000, 1e9)
    journal, kept, number = bench.open(), sieve(), random.Random(1)
    for tick in range(600):
        bulky = Poll(bench.layout.id, tick, [number.getrandbits(62) for _ in range(4)])
        journal.append(
            gather([bulky], bench.boot, CLOCK), seal=1, part=lambda one: kept.part(one, NOTHING_YET)
        )
    told = [batch for batch in map(bench.batch, journal.seal_urgent(4)) if batch.gaps]
    lost = {
        (gap.point, batch.base_tick + gap.from_tick, batch.base_tick + gap.to_tick)
        for batch in told
        for gap in batch.gaps
    }
    rest: list[int] = []
    while more := journal.seal_backlog(8):
        rest += [tick for sealed in more for tick in bench.ticks(sealed)]
    assert len(rest) < 600
    assert rest == list(range(rest[0], 600))
    assert lost == {(point, 0, rest[0] - 1) for point in bench.layout.points}
    journal.close(clean=True)


def test_row_that_cannot_be_sealed_changes_nothing(bench: Any, files_up_to: Callable[..., Any]) -> None:
    journal = bench.open()
    journal.append(gather([bench.poll(1), Event("e", "s", 1, {})], bench.boot, CLOCK), seal=0)
    with files_up_to(1), pytest.raises(JournalFullError):
        journal.seal_urgent(4)
    assert journal.has_urgent
    (sealed,) = journal.seal_urgent(4)
    assert (bench.batch(sealed).events[0].kind, sealed.seq) == ("e", 1)
    journal.close(clean=True)
