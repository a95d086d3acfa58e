"""What cannot be placed is kept, says why, and is placed when it can be."""

from datetime import UTC, datetime

import pytest

from cloud.ingest.bracketing import bracket_boots
from cloud.ingest.commit import DirectoryChangedError, commit
from cloud.store import directory, sites_write
from cloud.store.sites_write import SiteRow
from wire.layouts import make_layout
from wire.messages import Clock, ClockFound, Gap, Poll, Position
from wire.status import ClockState, GapCause

pytestmark = pytest.mark.slow

POINTS = ("room/air/temperature", "room/air/humidity")
OPEN = Clock(ClockState.UNSYNCHRONISED)


async def states(laboratory):
    return await laboratory.rows("SELECT seq, state, reason FROM batches ORDER BY seq")


def test_undeclared_point_quarantines_its_own_batches_only(in_laboratory):
    async def scene(laboratory):
        known = await laboratory.declare(POINTS)
        late = make_layout(["late/point"], [0])
        chain = laboratory.chain()
        await laboratory.store(
            chain.seal(polls=[Poll(late.id, 0, [7])]), chain.seal(polls=[Poll(known, 0, [1, 2])])
        )
        assert await states(laboratory) == [
            (1, "quarantined", f"layout {late.id} is not declared"),
            (2, "placed", ""),
        ]
        assert await laboratory.place_quarantined() == 0
        await laboratory.declare(["late/point"], exponent=0)
        assert await laboratory.place_quarantined() == 1
        assert [row[1] for row in await states(laboratory)] == ["placed", "placed"]
        assert sorted(row[2] for row in (await laboratory.everything())["readings"]) == [1, 2, 7]
        assert await laboratory.place_quarantined() == 0

    in_laboratory(scene)


def test_position_and_gap_of_undeclared_points_are_kept_too(in_laboratory):
    async def scene(laboratory):
        chain = laboratory.chain()
        await laboratory.store(
            chain.seal(positions=[Position("late/fix", 5, 3, 1, 2)]),
            chain.seal(gaps=[Gap("late/fix", GapCause.RADIO, 1, 4)]),
        )
        assert [row[1] for row in await states(laboratory)] == ["quarantined", "quarantined"]
        await laboratory.declare(["late/fix"], exponent=0)
        assert await laboratory.place_quarantined() == 2
        rows = await laboratory.everything()
        assert (len(rows["positions"]), len(rows["gaps"]), len(rows["fixes"])) == (1, 1, 1)

    in_laboratory(scene)


def test_batch_without_time_waits_for_the_clock_of_its_boot(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        waiting = chain.seal(clock=OPEN, polls=[Poll(layout, 3, [1, 2])])
        await laboratory.store(waiting)
        assert [row[1] for row in await states(laboratory)] == ["waiting"]
        assert (await laboratory.everything())["readings"] == []
        feed = await laboratory.rows("SELECT feed::text::bigint FROM batches")
        await laboratory.store(chain.seal(clocks=[ClockFound(chain.boot, 178_000_000_000, 40, "gnss")]))
        rows = await laboratory.rows(
            "SELECT state, offset_ticks, bound_ms, clock_source, first_at, feed::text::bigint > %s "
            "FROM batches WHERE seq = 1",
            feed[0][0],
        )
        at = datetime.fromtimestamp(1_780_000_000.03, UTC)
        assert rows == [("placed", 178_000_000_000, 40, "gnss", at, True)]
        assert await laboratory.rows("SELECT DISTINCT observed_at FROM readings") == [(at,)]

    in_laboratory(scene)


def test_batch_without_time_and_declaration_is_placed_when_both_are_there(in_laboratory):
    async def scene(laboratory):
        late = make_layout(["late/point"], [0])
        chain = laboratory.chain()
        await laboratory.store(chain.seal(clock=OPEN, polls=[Poll(late.id, 3, [1])]))
        await laboratory.store(chain.seal(clocks=[ClockFound(chain.boot, 178_000_000_000, 40, "gnss")]))
        assert (await states(laboratory))[0][1:] == ("quarantined", f"layout {late.id} is not declared")
        await laboratory.declare(["late/point"], exponent=0)
        assert await laboratory.place_quarantined() == 1
        assert len((await laboratory.everything())["readings"]) == 1

    in_laboratory(scene)


def test_finer_counts_begin_a_new_version_and_coarser_ones_are_converted_exactly(in_laboratory):
    async def scene(laboratory):
        coarse = await laboratory.declare(POINTS, exponent=-2)
        chain = laboratory.chain()
        await laboratory.store(chain.seal(polls=[Poll(coarse, 0, [2150, 4800])]))
        fine = await laboratory.declare(POINTS, exponent=-3)
        assert fine != coarse
        await laboratory.store(
            chain.seal(polls=[Poll(fine, 100, [21507, 48001])]),
            chain.seal(polls=[Poll(coarse, 50, [2151, 4801])]),
        )
        rows = await laboratory.rows(
            """
            SELECT r.raw, v.exponent FROM readings r
              JOIN point_versions v ON v.point_id = r.point_id AND v.valid @> r.observed_at
              JOIN points p ON p.id = r.point_id WHERE p.name = %s AND p.site_id = %s ORDER BY r.observed_at
            """,
            POINTS[0],
            laboratory.site_id,
        )
        assert rows == [(2150, -2), (21510, -3), (21507, -3)]
        assert {row[1] for row in await states(laboratory)} == {"placed"}

    in_laboratory(scene)


@pytest.mark.parametrize(
    ("poll", "reason"),
    [
        (lambda layout: Poll(layout, 0, [1]), "has 2 points, the poll has 1"),
        (lambda layout: Poll(layout, 0, [1, None]), "do not name the same places"),
        (lambda layout: Poll(layout, 0, [1, 2], [(1, 17)]), "do not name the same places"),
        (lambda layout: Poll(layout, 0, [1, None], [(1, 17), (1, 1)]), "twice"),
        (lambda layout: Poll(layout, 0, [1, 2], [(2, 1)]), "does not have"),
        (lambda layout: Poll(layout, -190_000_000_000, [1, 2]), "outside 2000 to 2200"),
    ],
)
def test_contradictory_poll_is_kept_with_its_reason(in_laboratory, poll, reason):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        done = await laboratory.store(laboratory.chain().seal(polls=[poll(layout)]))
        assert done.unplaced == 1
        [(_, state, told)] = await states(laboratory)
        assert state == "quarantined"
        assert reason in told

    in_laboratory(scene)


def test_group_under_an_old_directory_is_not_stored(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        group = await laboratory.group([laboratory.chain().seal(polls=[Poll(layout, 0, [1, 2])])])
        await laboratory.declare(["another/point"])
        with pytest.raises(DirectoryChangedError):
            await commit(laboratory.connection, group)
        assert await states(laboratory) == []

    in_laboratory(scene)


def test_moved_gateway_feeds_the_site_it_served_at_event_time(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        moved_at = datetime.fromtimestamp(1_780_000_010, UTC)
        connection, gateway = laboratory.connection, laboratory.gateway
        async with connection.transaction():
            await directory.change(connection)
            row = SiteRow(f"{gateway.name}-b", "B", "vehicle", "UTC", None, None)
            other = await sites_write.site(connection, gateway.organisation_id, row)
            assert await sites_write.bind(connection, gateway, other, moved_at)
        await laboratory.declare(POINTS)
        await laboratory.store(chain.seal(polls=[Poll(layout, 999, [1, 1]), Poll(layout, 1000, [2, 2])]))
        rows = await laboratory.rows(
            "SELECT p.site_id, r.raw FROM readings r JOIN points p ON p.id = r.point_id ORDER BY 2, 1"
        )
        assert rows == [(laboratory.site_id, 1)] * 2 + [(other, 2)] * 2

    in_laboratory(scene)


def test_unbound_gateway_is_kept_until_it_serves_a_site(in_laboratory):
    async def scene(laboratory):
        connection = laboratory.connection
        async with connection.transaction():
            await directory.change(connection)
            name = laboratory.gateway.name + "-new"
            laboratory.gateway = await sites_write.gateway(
                connection, laboratory.gateway.organisation_id, name
            )
        layout = await laboratory.declare(POINTS)
        await laboratory.store(laboratory.chain().seal(polls=[Poll(layout, 0, [1, 2])]))
        assert (await states(laboratory))[0][1:] == ("quarantined", "the gateway served no site at that time")
        async with connection.transaction():
            await directory.change(connection)
            await sites_write.bind(connection, laboratory.gateway, laboratory.site_id, None)
        await laboratory.declare(POINTS)
        assert await laboratory.place_quarantined() == 1

    in_laboratory(scene)


def test_boot_that_never_found_time_is_bracketed_by_its_neighbours(in_laboratory):
    async def scene(laboratory):
        layout = await laboratory.declare(POINTS)
        chain = laboratory.chain()
        early, lost, later = bytes(16), b"\1" * 16, b"\2" * 16
        chain.boot = early
        first = chain.seal(boot_number=1, polls=[Poll(layout, 0, [1, 1])])
        chain.boot = later
        clock = Clock(ClockState.SYNCHRONISED, 178_000_002_000, 0, "system")
        third = chain.seal(boot_number=3, clock=clock, polls=[Poll(layout, 0, [3, 3])])
        chain.boot = lost
        backlog = [
            chain.seal(boot_number=2, clock=OPEN, polls=[Poll(layout, 700, [2, 2])]),
            chain.seal(boot_number=2, clock=OPEN, polls=[Poll(layout, 900, [4, None], [(1, 17)])]),
        ]
        await laboratory.store(first, *backlog)
        far = datetime(2100, 1, 1, tzinfo=UTC)
        known = await laboratory.directory()
        assert await bracket_boots(laboratory.connection, known, far) == 0, "there is no later boot yet"
        await laboratory.store(third)
        long_ago = datetime(2001, 1, 1, tzinfo=UTC)
        assert await bracket_boots(laboratory.connection, known, long_ago) == 0, "more may be on its way"
        assert await bracket_boots(laboratory.connection, known, far) == 1
        rows = await laboratory.rows(
            "SELECT (extract(epoch FROM observed_at) * 1000)::bigint - 1780000000000, raw, status "
            "FROM readings ORDER BY 1, 2"
        )
        # 20 s and the bound of 5 ms, on the grid of 10 ms; 2 s of readings stand in the middle
        assert rows == [
            (0, 1, 0),
            (0, 1, 0),
            (8990, 2, 2),
            (8990, 2, 2),
            (10990, 4, 2),
            (10990, None, 17),
            (20000, 3, 0),
            (20000, 3, 0),
        ]
        bounds = await laboratory.rows("SELECT seq, state, bound_ms, clock_source FROM batches ORDER BY seq")
        assert bounds[2:] == [(3, "placed", 20_010, "bracket"), (4, "placed", 20_010, "bracket")]
        assert await bracket_boots(laboratory.connection, known, far) == 0

    in_laboratory(scene)
