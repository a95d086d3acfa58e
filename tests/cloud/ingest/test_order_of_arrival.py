"""Whatever order batches come in, however often, and however they are grouped: the same rows."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.ingest.commit import commit
from cloud.store.connection import open_connection
from wire.messages import Batch, Clock, ClockFound, Event, Gap, Poll, Position, Tombstone
from wire.status import ClockState, GapCause

pytestmark = pytest.mark.slow

LAYOUT_POINTS = ("room/air/temperature", "room/air/humidity")


def story(laboratory, layout: str) -> list[Batch]:
    """Two boots, the first without time for a while; absent values, gaps, events, fixes, a tombstone."""
    chain = laboratory.chain()
    waiting = Clock(ClockState.UNSYNCHRONISED)
    found = Clock(ClockState.SYNCHRONISED, 178_000_000_000, 20, "system")
    first_boot = chain.boot
    batches = [
        chain.seal(clock=waiting, polls=[Poll(layout, 100 * n, [n, 10 * n]) for n in range(4)]),
        chain.seal(
            clock=waiting,
            base_tick=400,
            polls=[Poll(layout, 0, [4, None], [(1, 17)])],
            gaps=[Gap(LAYOUT_POINTS[1], GapCause.BUS, 0, None, "no answer")],
            events=[Event("door_opened", "portal-1", 3, {"by": "card"})],
        ),
        chain.seal(
            clock=found,
            base_tick=500,
            polls=[Poll(layout, 0, [5, None], [(1, 17)]), Poll(layout, 100, [6, 60])],
            gaps=[Gap(LAYOUT_POINTS[1], GapCause.BUS, -100, 100, "no answer")],
            clocks=[ClockFound(chain.boot, 178_000_000_000, 20, "system")],
        ),
        chain.seal(
            clock=found,
            base_tick=700,
            positions=[
                Position(LAYOUT_POINTS[0], n, 3, 30_000_000_000 + n, 110_000_000_000) for n in range(3)
            ],
            tombstones=[Tombstone(chain.epoch, 999, bytes(32), "journal full")],
        ),
    ]
    chain.boot = bytes(16)
    later = Clock(ClockState.SYNCHRONISED, 178_000_100_000, 5, "system")
    batches += [
        chain.seal(
            clock=later, polls=[Poll(layout, 100 * n, [100 + n, 200 + n], [(0, 1)]) for n in range(3)]
        ),
        chain.seal(
            clock=later,
            base_tick=300,
            events=[Event("power_lost", "ups-1", 0), Event("power_back", "ups-1", 5)],
        ),
    ]
    assert first_boot != chain.boot
    return batches


def test_rows_do_not_depend_on_order_repetition_or_grouping(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(LAYOUT_POINTS)
        batches = story(laboratory, layout)
        await laboratory.store(*batches)
        return batches, await laboratory.everything()

    batches, expected = in_laboratory(scene)
    assert len(expected["readings"]) == 20
    assert {row[3] for row in expected["batches"]} == {"placed"}
    assert [row[4:] for row in expected["gaps"]] != [(None, None)]

    arrivals = st.lists(st.sampled_from(batches), max_size=6).flatmap(
        lambda more: st.permutations([*batches, *more])
    )

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(arrivals, st.lists(st.integers(1, 4), min_size=12, max_size=12))
    def any_arrival(order, sizes):
        async def replay(laboratory):
            await laboratory.clear()
            left = list(order)
            for size in sizes:
                if left:
                    await laboratory.store(*left[:size])
                    left = left[size:]
            if left:
                await laboratory.store(*left)
            return await laboratory.everything()

        assert in_laboratory(replay) == expected

    any_arrival()


def test_a_group_that_is_committed_twice_changes_nothing(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(LAYOUT_POINTS)
        group = await laboratory.group(story(laboratory, layout))
        first = await commit(laboratory.connection, group)
        before = await laboratory.everything()
        second = await commit(laboratory.connection, group)
        assert await laboratory.everything() == before
        assert (first.batches, first.known) == (6, 0)
        assert (second.batches, second.known) == (0, 6)
        assert first.acks == second.acks

    in_laboratory(scene)


def test_workers_at_the_same_time_store_each_batch_once(in_laboratory, schema_dsn):
    async def scene(laboratory):
        layout = await laboratory.declare(LAYOUT_POINTS)
        chain = laboratory.chain()
        batches = [chain.seal(base_tick=100 * n, polls=[Poll(layout, 0, [n, n])]) for n in range(40)]
        parts = [batches[start : start + 4] for start in range(0, 40, 4)]
        groups = {
            turn: [await laboratory.group(part) for part in parts[:: 1 - 2 * (turn % 2)]] for turn in range(4)
        }

        async def worker(turn: int) -> None:
            async with open_connection(schema_dsn, "test") as connection:
                for group in groups[turn]:
                    await commit(connection, group)

        async with asyncio.TaskGroup() as workers:
            for turn in groups:
                workers.create_task(worker(turn))
        rows = await laboratory.everything()
        assert len(rows["readings"]) == 80
        assert len(rows["batches"]) == 40

    in_laboratory(scene)
