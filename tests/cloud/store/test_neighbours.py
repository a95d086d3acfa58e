from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from cloud.store.neighbours import find_stored, first_from, last_before
from cloud.store.positions_read import list_latest_positions, read_track

START = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[datetime, int | None, int]


class Lab(Protocol):
    def point(self) -> int: ...
    def store(self, point: int, rows: Sequence[Row]) -> None: ...
    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...
    def run(self, ask: object) -> object: ...


@pytest.fixture(scope="module")
def scattered(lab: Lab) -> tuple[int, list[datetime]]:
    """A point with readings seconds, days, months and years apart."""
    hours = [0, 1, 1.5, 30, 31, 24 * 20, 24 * 200, 24 * 201, 24 * 1500]
    times = [START - timedelta(days=2000) + timedelta(hours=hour) for hour in hours]
    point = lab.point()
    lab.store(point, [(time, 1, 0) for time in times])
    return point, times


@pytest.mark.parametrize("offset_s", [-1, 0, 1])
def test_neighbours_are_found_near_and_far(
    lab: Lab, scattered: tuple[int, list[datetime]], offset_s: int
) -> None:
    point, times = scattered

    async def ask(db: object) -> list[tuple[datetime | None, datetime | None]]:
        stored = await find_stored(db, point)
        return [(await last_before(db, stored, time), await first_from(db, stored, time)) for time in asked]

    asked = [time + timedelta(seconds=offset_s) for time in [*times, START]]
    assert lab.run(ask) == [
        (
            max((time for time in times if time < moment), default=None),
            min((time for time in times if time >= moment), default=None),
        )
        for moment in asked
    ]


def test_point_without_readings_has_no_neighbours(lab: Lab) -> None:
    point = lab.point()

    async def ask(db: object) -> tuple[datetime | None, datetime | None]:
        stored = await find_stored(db, point)
        return await last_before(db, stored, START), await first_from(db, stored, START)

    assert lab.run(ask) == (None, None)


@pytest.mark.parametrize("max_points", [1, 7, 100, 5000])
def test_track_is_bounded_and_in_order(lab: Lab, max_points: int) -> None:
    point = lab.point()
    lab.execute(
        "INSERT INTO positions (observed_at, point_id, organisation_id, mode, latitude_e9, longitude_e9)"
        " SELECT %s + n * interval '1 second', %s, 1, 3, 39900000000 + n, 116400000000"
        " FROM generate_series(0, 999) n",
        START,
        point,
    )
    track = lab.run(
        lambda db: read_track(db, point, START, START + timedelta(hours=1), max_points=max_points)
    )
    times = [fix.observed_at for fix in track.fixes]
    assert 0 < len(times) <= max_points
    assert times == sorted(times)
    assert times[0] == START
    assert track.reduced == (max_points < 1000)


def test_latest_position_names_site_and_age(lab: Lab) -> None:
    point = lab.point()
    lab.execute("INSERT INTO latest_positions VALUES (%s, 1, %s, 3, 1, 2, 3, 4)", point, START)
    found = lab.run(lambda db: list_latest_positions(db, now=START + timedelta(seconds=90), site_id=1))
    (mine,) = [row for row in found if row.point_id == point]
    assert (mine.site, mine.mode, mine.latitude_e9, mine.age_s) == ("lab-1", 3, 1, 90.0)
