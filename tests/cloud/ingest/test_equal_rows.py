"""What is equal in every column is stored once, and the newest is the same, on both ways into the tables."""

import pytest

from cloud.store.rollups import is_kept_by_hub, roll_up
from wire.messages import Clock, Event, Gap, Poll, Position
from wire.status import ClockState, GapCause

pytestmark = pytest.mark.slow

POINTS = ("room/air/temperature", "room/air/humidity")
LATEST = "SELECT raw, status FROM latest ORDER BY point_id"
FIXES = "SELECT mode, latitude_e9, longitude_e9, speed_mm_s, course_mdeg FROM latest_positions"


async def both_ways(laboratory, batch_of, statement):
    """Store a batch as the next of its chain, and behind a hole; return the rows after each."""
    found = []
    for turned in (False, True):
        await laboratory.clear()
        chain = laboratory.chain()
        first, second = chain.seal(), batch_of(chain)
        for batch in (second, first) if turned else (first, second):
            await laboratory.store(batch)
        found.append(await laboratory.rows(statement))
    return found


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("SELECT point_id, observed_at, raw, status FROM readings ORDER BY 1, 2, 3, 4", 4),
        ("SELECT observed_at, kind, subject, data::text FROM events ORDER BY 1, 2, 3, 4", 2),
        ("SELECT observed_at, mode, speed_mm_s, course_mdeg FROM positions ORDER BY 1, 2, 3, 4", 3),
    ],
    ids=["readings", "events", "positions"],
)
def test_equal_rows_of_one_batch_are_stored_once(in_laboratory, statement, count):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)

        def batch(chain):
            absent = Poll(layout, 5, [None, 2], [(0, 17)])
            fixes = [Position(POINTS[0], 5, 1, speed_mm_s=speed) for speed in (1, 1, 2, None)]
            return chain.seal(
                polls=[absent, Poll(layout, 5, [1, 3]), absent, Poll(layout, 5, [1, 3])],
                events=[Event("k", "s", 5, {"n": 1}), Event("k", "s", 5, {"n": 1}), Event("k", "s", 5)],
                positions=fixes,
            )

        chained, filled = await both_ways(laboratory, batch, statement)
        assert chained == filled
        assert len(chained) == count

    in_laboratory(scene)


def test_reading_that_stands_at_the_edge_of_two_batches_is_stored_once(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        for _ in range(2):
            await laboratory.store(chain.seal(polls=[Poll(layout, 5, [1, 2])]))
        assert await laboratory.rows("SELECT raw FROM readings ORDER BY 1") == [(1,), (2,)]

    in_laboratory(scene)


@pytest.mark.parametrize("value", [-5, 0, 7])
def test_newest_of_one_instant_is_the_same_together_and_apart(in_laboratory, value):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        batches = [
            chain.seal(polls=[Poll(layout, 0, [value, 1], [(1, 3)])]),
            chain.seal(polls=[Poll(layout, 0, [None, 1], [(0, 16)])]),
        ]
        found = []
        for order in (batches, batches[::-1]):
            for together in (True, False):
                await laboratory.clear()
                for group in [order] if together else [[batch] for batch in order]:
                    await laboratory.store(*group)
                found.append(await laboratory.rows(LATEST))
        assert found == [[(value, 0), (1, 3)]] * 4

    in_laboratory(scene)


def test_newest_fix_of_one_instant_is_the_same_together_and_apart(in_laboratory):
    async def scene(laboratory):
        await laboratory.declare(POINTS)
        chain = laboratory.chain()
        fixes = [Position(POINTS[0], 0, 1, speed_mm_s=n) for n in (None, 0, 3, -2)]
        batches = [chain.seal(positions=[fix]) for fix in fixes]
        found = []
        for groups in ([batches], [[batch] for batch in batches], [[batch] for batch in batches[::-1]]):
            await laboratory.clear()
            for group in groups:
                await laboratory.store(*group)
            found.append(await laboratory.rows(FIXES))
        assert found == [[(1, None, None, 3, None)]] * 3

    in_laboratory(scene)


@pytest.mark.parametrize("correction", [-360_000, -3, 3, 360_000])
def test_gap_that_closes_under_a_corrected_clock_is_one_row_whatever_came_first(in_laboratory, correction):
    async def scene(laboratory):
        corrected = Clock(ClockState.SYNCHRONISED, 178_000_000_000 + correction, 5, "gnss")
        chain = laboratory.chain()
        opened = chain.seal(gaps=[Gap(POINTS[0], GapCause.BUS, 1000, None, "no answer")])
        closed = chain.seal(clock=corrected, gaps=[Gap(POINTS[0], GapCause.BUS, 1000, 2000, "no answer")])
        found = []
        for order in ((opened, closed), (closed, opened)):
            await laboratory.clear()
            for batch in order:
                await laboratory.store(batch)
            found.append(await laboratory.rows("SELECT from_at, to_at FROM gaps"))
        assert found[0] == found[1]
        ((from_at, to_at),) = found[0]
        assert (to_at - from_at).total_seconds() == 10

    in_laboratory(scene)


def test_readings_of_a_clash_are_rolled_up(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        copy = laboratory.chain(chain.epoch)
        await laboratory.store(chain.seal(polls=[Poll(layout, 0, [1, 1])]))
        await laboratory.store(copy.seal(polls=[Poll(layout, 600_000, [2, 2])]))
        assert await is_kept_by_hub(laboratory.connection)
        while await roll_up(laboratory.connection):
            pass
        assert await laboratory.rows("SELECT sum(n) FROM readings_1m") == [(4,)]
        assert await laboratory.rows("SELECT sum(n) FROM readings_1h") == [(4,)]

    in_laboratory(scene)
