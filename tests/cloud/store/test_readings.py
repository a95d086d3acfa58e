import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import pytest

from cloud.store.readings import Series, read_series

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=2)
Row = tuple[datetime, int | None, int]


class Lab(Protocol):
    def point(self, *, exponent: int = -2, period_ms: int | None = 1000) -> int: ...
    def store(self, point: int, rows: Sequence[Row]) -> None: ...
    def every_second(self, point: int, counts: Sequence[int], *, start: datetime = START) -> None: ...
    def calibrate(
        self, point: int, since: datetime, nodes: Sequence[tuple[str, str]], *, exponent: int = -4
    ) -> None: ...
    def gap(self, point: int, cause: str, from_at: datetime | None, to_at: datetime | None) -> None: ...
    def aggregate(self) -> None: ...
    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...
    def run(self, ask: object) -> object: ...


def ask(lab: Lab, point: int, from_at: datetime, to_at: datetime, **more: object) -> Series:
    series = lab.run(lambda db: read_series(db, point, from_at, to_at, now=LATER, **more))
    assert isinstance(series, Series)
    return series


def noisy(chooser: random.Random, n: int, *, start: datetime = START, absent: float = 0.02) -> list[Row]:
    """Readings about a second apart on the 10 ms grid, some of them absent."""
    rows: list[Row] = []
    time = start
    for _ in range(n):
        time += timedelta(milliseconds=10 * chooser.randrange(90, 111))
        if chooser.random() < absent:
            rows.append((time, None, 17))
        else:
            rows.append((time, chooser.randrange(-5000, 5000), chooser.choice([0, 0, 0, 1])))
    return rows


def check(series: Series, rows: Sequence[Row], exponent: int) -> None:
    """Compare every bucket with the readings that lie in it (a mean may be None across calibrations)."""
    assert series.buckets is not None
    inside = [row for row in rows if series.from_at <= row[0] < series.to_at]
    assert sum(bucket.n + bucket.absent for bucket in series.buckets) == len(inside)
    for bucket in series.buckets:
        mine = [row for row in inside if bucket.from_at <= row[0] < bucket.to_at]
        counts = [Decimal(row[1]).scaleb(exponent) for row in mine if row[1] is not None]
        assert (bucket.n, bucket.absent) == (len(counts), len(mine) - len(counts))
        assert [Decimal(v) if v else None for v in (bucket.min, bucket.max, bucket.first, bucket.last)] == (
            [min(counts), max(counts), counts[0], counts[-1]] if counts else [None] * 4
        )
        if bucket.mean is not None:
            assert abs(Decimal(bucket.mean) - sum(counts) / len(counts)) <= Decimal("0.00005")
    assert sum(bucket.mean is None for bucket in series.buckets if bucket.n) <= 1


@pytest.mark.parametrize("max_points", [1, 2, 7, 150, 600])
def test_buckets_keep_extremes_and_the_bound(lab: Lab, max_points: int) -> None:
    rows = noisy(random.Random(max_points), 3000)
    point = lab.point(exponent=-2)
    lab.store(point, rows)
    for rolled in (False, True):
        if rolled:
            lab.aggregate()
        series = ask(
            lab, point, START + timedelta(seconds=77), START + timedelta(minutes=47), max_points=max_points
        )
        assert series.buckets is not None
        assert len(series.buckets) <= max_points
        check(series, rows, -2)


@pytest.mark.parametrize("resolution", ["raw", "1m", "1h"])
def test_every_resolution_gives_the_same_extremes(lab: Lab, resolution: str) -> None:
    rows = noisy(random.Random(3), 5000)
    point = lab.point(exponent=-2)
    lab.store(point, rows)
    lab.aggregate()
    span = (START - timedelta(hours=1), START + timedelta(hours=2))
    series = ask(lab, point, *span, resolution=resolution, max_points=100)
    assert series.resolution == resolution
    check(series, rows, -2)


def test_few_readings_come_as_they_are_stored(lab: Lab) -> None:
    rows = noisy(random.Random(4), 500, absent=0.1)
    point = lab.point(exponent=-3)
    lab.store(point, rows)
    series = ask(lab, point, START, START + timedelta(hours=1), max_points=500)
    assert series.resolution == "raw"
    assert series.readings is not None
    assert [(r.observed_at, r.value and Decimal(r.value).scaleb(3)) for r in series.readings] == [
        (time, count) for time, count, _ in rows
    ]
    assert {r.status for r in series.readings if r.value is None} == {"invalid"}


def test_late_readings_correct_old_buckets(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, [2000] * 7200)
    lab.aggregate()
    late: list[Row] = [(START + timedelta(seconds=3000, milliseconds=500), 9999, 0)]
    lab.store(point, late)
    for rolled in (False, True):
        if rolled:
            lab.aggregate()
        series = ask(lab, point, START, START + timedelta(hours=2), max_points=3)
        assert series.buckets is not None
        assert [(b.n, b.max) for b in series.buckets] == [(3601, "99.99"), (3600, "20.00")]


def test_bucket_across_two_calibrations_is_corrected_apart(lab: Lab) -> None:
    rows = noisy(random.Random(5), 8000, absent=0)
    point = lab.point(exponent=-2)
    lab.store(point, rows)
    change = START + timedelta(minutes=61, seconds=17)
    lab.calibrate(point, change, [("-100", "-1.5"), ("0", "0.0004"), ("100", "1.5")], exponent=-4)
    lab.aggregate()
    values = {
        time: Decimal(str(value))
        for time, value in lab.execute(
            "SELECT observed_at, value FROM reading_values WHERE point_id = %s AND observed_at < %s",
            point,
            START + timedelta(hours=2),
        )
    }
    series = ask(lab, point, START, START + timedelta(hours=2), max_points=5)
    assert series.resolution == "1m"
    assert series.buckets is not None
    for bucket in series.buckets:
        mine = [value for time, value in values.items() if bucket.from_at <= time < bucket.to_at]
        assert (Decimal(bucket.min or 0), Decimal(bucket.max or 0)) == (min(mine), max(mine))
    across = next(bucket for bucket in series.buckets if bucket.from_at < change < bucket.to_at)
    assert across.mean is None
    plain = ask(lab, point, START, START + timedelta(hours=2), max_points=5, corrected=False)
    check(plain, rows, -2)


def test_change_of_exponent_never_mixes_counts(lab: Lab) -> None:
    point = lab.point(exponent=-1)
    change = START + timedelta(seconds=90)
    lab.execute("UPDATE point_versions SET valid = tstzrange(NULL, %s) WHERE point_id = %s", change, point)
    lab.execute(
        "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms, valid)"
        " VALUES (1, %s, -3, 1000, tstzrange(%s, NULL))",
        point,
        change,
    )
    lab.every_second(point, [200 if n < 90 else 20_000 for n in range(300)])
    lab.aggregate()
    series = ask(lab, point, START, START + timedelta(seconds=300), max_points=6)
    assert series.buckets is not None
    assert {Decimal(b.min or 0) for b in series.buckets} == {Decimal(20)}
    assert {Decimal(b.max or 0) for b in series.buckets} == {Decimal(20)}


def test_sums_beyond_64_bits_stay_exact(lab: Lab) -> None:
    point = lab.point(exponent=0)
    top = 2**63 - 1
    lab.every_second(point, [top] * 4000)
    lab.aggregate()
    series = ask(lab, point, START, START + timedelta(hours=2), max_points=3)
    assert series.buckets is not None
    assert [b.mean for b in series.buckets] == [f"{top}.00", f"{top}.00"]


def test_gaps_come_beside_the_readings(lab: Lab) -> None:
    point = lab.point()
    lab.every_second(point, [2000] * 60)
    lab.gap(point, "bus", START + timedelta(seconds=60), None)
    series = ask(lab, point, START, START + timedelta(minutes=5))
    assert [(g.cause, g.from_at, g.open) for g in series.gaps] == [
        ("bus", START + timedelta(seconds=60), True)
    ]
    assert series.readings is not None
    assert len(series.readings) == 60
