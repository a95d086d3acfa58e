from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from cloud.store.completeness import Completeness, read_completeness
from cloud.store.gaps_read import Gap, list_gaps
from cloud.store.ledger_read import list_epochs
from cloud.store.points import get_point

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=2)
Row = tuple[datetime, int | None, int]


class Lab(Protocol):
    def point(self, *, exponent: int = -2, period_ms: int | None = 1000) -> int: ...
    def store(self, point: int, rows: Sequence[Row]) -> None: ...
    def every_second(self, point: int, counts: Sequence[int], *, start: datetime = START) -> None: ...
    def gap(self, point: int, cause: str, from_at: datetime | None, to_at: datetime | None) -> None: ...
    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...
    def run(self, ask: object) -> object: ...


def second(n: float) -> datetime:
    return START + timedelta(seconds=n)


def account(lab: Lab, point: int, low: float, high: float, *, now: datetime = NOW) -> Completeness:
    async def ask(db: object) -> Completeness:
        found = await get_point(db, point)
        return await read_completeness(db, found, second(low), second(high), now=now)

    result = lab.run(ask)
    assert isinstance(result, Completeness)
    assert result.expected == result.stored + result.explained + result.unexplained
    assert result.explained == sum(result.causes.values())
    return result


@pytest.mark.requirement("G-6.9c1")
def test_unbroken_point_has_everything(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(600))
    result = account(lab, point, 0, 600)
    assert (result.expected, result.stored, result.unexplained) == (600, 600, 0)


@pytest.mark.requirement("G-6.9c1")
def test_overlapping_gaps_explain_each_reading_once(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(100))
    lab.every_second(point, range(100), start=second(200))
    lab.gap(point, "bus", second(100), second(150))
    lab.gap(point, "power", second(140), second(180))
    result = account(lab, point, 0, 300)
    assert result.causes == {"bus": 51, "power": 30}
    assert (result.stored, result.unexplained, result.awaited) == (200, 19, 0)
    assert [hole.missing for hole in result.holes] == [19]


def test_gap_without_start_begins_at_the_last_reading(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(100))
    lab.every_second(point, range(100), start=second(400))
    lab.gap(point, "gateway", None, second(400))
    assert account(lab, point, 0, 500).causes == {"gateway": 300}
    assert account(lab, point, 200, 300).causes == {"gateway": 100}


def test_open_gap_lasts_until_the_next_reading_or_now(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(100))
    lab.gap(point, "sensor", second(99), None)
    still = account(lab, point, 0, 300, now=second(200))
    assert (still.causes, still.unexplained, still.to_at) == ({"sensor": 100}, 0, second(200))
    lab.every_second(point, range(50), start=second(150))
    after = account(lab, point, 0, 300, now=second(300))
    assert (after.causes, after.unexplained, after.awaited) == ({"sensor": 50}, 100, 100)


def test_late_readings_take_the_place_of_what_was_missing(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(100))
    lab.every_second(point, range(100), start=second(200))
    assert account(lab, point, 0, 300).unexplained == 100
    lab.every_second(point, range(100), start=second(100))
    assert account(lab, point, 0, 300).unexplained == 0


def test_absent_readings_are_stored_and_counted(lab: Lab) -> None:
    point = lab.point()
    lab.store(point, [(second(n), None if n % 10 == 0 else n, 17 if n % 10 == 0 else 0) for n in range(100)])
    result = account(lab, point, 0, 100)
    assert (result.stored, result.absent, result.unexplained) == (100, 10, 0)


def test_reading_stored_twice_is_seen(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(100))
    lab.store(point, [(second(50), 50, 0)])
    assert account(lab, point, 0, 100).duplicated == 1


def test_period_is_the_one_valid_then(lab: Lab) -> None:
    point = lab.point(period_ms=1000)
    lab.execute(
        "UPDATE point_versions SET valid = tstzrange(NULL, %s) WHERE point_id = %s", second(100), point
    )
    lab.execute(
        "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms, valid)"
        " VALUES (1, %s, -2, 10000, tstzrange(%s, NULL))",
        point,
        second(100),
    )
    lab.every_second(point, range(100))
    lab.store(point, [(second(100 + 10 * n), n, 0) for n in range(20) if n not in (5, 6)])
    result = account(lab, point, 0, 300)
    assert (result.stored, result.unexplained, result.period_ms) == (118, 2, 10_000)


def test_point_without_period_owes_nothing(lab: Lab) -> None:
    point = lab.point(period_ms=None)
    lab.store(point, [(second(7), 1, 0)])
    result = account(lab, point, 0, 300)
    assert (result.period_ms, result.expected, result.stored) == (None, 1, 1)


def test_declared_point_that_never_spoke_is_not_complete(lab: Lab) -> None:
    point = lab.point()
    lab.execute("UPDATE points SET created_at = %s WHERE id = %s", START, point)
    result = account(lab, point, 0, 60)
    assert (result.expected, result.stored, result.unexplained, result.awaited) == (60, 0, 60, 60)


def test_positions_are_accounted_like_readings(lab: Lab) -> None:
    point = lab.point()
    lab.execute(
        "INSERT INTO positions (observed_at, point_id, organisation_id, mode)"
        " SELECT %s + n * interval '1 second', %s, 1, 1 FROM generate_series(0, 99) n WHERE n <> 40",
        START,
        point,
    )
    lab.execute("INSERT INTO latest_positions VALUES (%s, 1, %s, 1)", point, second(99))
    result = account(lab, point, 0, 100)
    assert (result.stored, result.absent, result.unexplained) == (99, 99, 1)


def test_gap_ends_are_resolved_and_named(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, range(10))
    lab.gap(point, "storage", None, second(100))
    lab.gap(point, "bus", second(200), None)
    found = lab.run(lambda db: list_gaps(db, START, NOW, now=NOW, point_id=point))
    assert isinstance(found, list)
    assert all(isinstance(gap, Gap) for gap in found)
    assert [(g.cause, g.from_at, g.to_at, g.open) for g in found] == [
        ("storage", second(9), second(100), False),
        ("bus", second(200), NOW, True),
    ]


@pytest.mark.requirement("G-7.2d")
def test_ledger_says_which_batches_are_missing(lab: Lab) -> None:
    lab.execute(
        "INSERT INTO ledger (gateway_id, organisation_id, epoch, received)"
        " VALUES (1, 1, decode(repeat('ab', 16), 'hex'), '{[1,5),[8,10)}')"
    )
    lab.execute(
        "INSERT INTO tombstones (gateway_id, organisation_id, epoch, seq, hash, reason)"
        " SELECT 1, 1, decode(repeat('ab', 16), 'hex'), seq, '', 'full' FROM unnest(ARRAY[2, 6, 12]) seq"
    )
    epochs = lab.run(list_epochs)
    assert isinstance(epochs, list)
    (epoch,) = epochs
    assert (epoch.highest, epoch.received, epoch.tombstoned, epoch.missing) == (12, 6, 2, 4)
    assert epoch.missing_ranges == [[5, 5], [7, 7], [10, 11]]
    assert epoch.highest == epoch.received + epoch.tombstoned + epoch.missing
