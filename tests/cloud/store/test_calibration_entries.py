"""Calibrations as revisions: what was entered stays, and values follow what is in force in event time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from cloud.store.calibration import load_scales
from cloud.store.calibration_entries import (
    NewCalibration,
    add_file,
    enter,
    has_file,
    list_calibrations,
    list_standings,
)
from cloud.store.points import get_point

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NEW = NewCalibration(
    from_at=START,
    to_at=None,
    indicated=[Decimal("0"), Decimal("30")],
    correction=[Decimal("0.1"), Decimal("-0.2")],
    exponent=-3,
    expanded_uncertainty=Decimal("0.050"),
    coverage_factor=Decimal("2"),
    certificate="T-1",
    laboratory="Institute",
    calibrated_on=date(2026, 1, 1),
    due_on=date(2027, 1, 1),
    certificate_sha256=None,
    reason="yearly",
)


def enter_one(lab: Any, point: int, **given: Any) -> int:
    async def ask(connection: Any) -> int:
        found = await get_point(connection, point)
        assert found is not None
        async with connection.transaction():
            return await enter(connection, found, replace(NEW, **given), author="anna", at=START + 400 * DAY)

    return int(lab.run(ask))


def values(lab: Any, point: int) -> list[str]:
    """What the view and the arithmetic of pages and API say about each reading; both must agree."""
    rows = lab.execute(
        "SELECT observed_at, raw, value FROM reading_values WHERE point_id = %s ORDER BY observed_at", point
    )
    scales = lab.run(lambda connection: load_scales(connection, point, START - 9 * DAY, START + 99 * DAY))
    said = []
    for observed_at, raw, value in rows:
        scale = scales.at(observed_at)
        assert scale.value(raw) == str(value)
        said.append(str(value))
    return said


def in_force(lab: Any, point: int) -> list[tuple[Any, Any, bool]]:
    rows = lab.run(lambda connection: list_calibrations(connection, point_id=point))
    return [(row.in_force_from, row.in_force_to, row.replaced_at is not None) for row in rows]


@pytest.fixture
def point(lab: Any) -> int:
    made = lab.point(exponent=-2)
    lab.store(made, [(START + n * DAY, 2000 + n, 0) for n in range(4)])
    return int(made)


@pytest.mark.requirement("S-4.3.2")
def test_backdated_revision_corrects_what_is_stored_and_rewrites_nothing(lab: Any, point: int) -> None:
    before = lab.execute("SELECT * FROM readings WHERE point_id = %s ORDER BY 1", point)
    assert values(lab, point) == ["20.00", "20.01", "20.02", "20.03"]
    enter_one(lab, point, from_at=START + 2 * DAY)
    assert values(lab, point) == ["20.00", "20.01", "19.920", "19.930"]
    enter_one(lab, point, from_at=START + DAY, correction=[Decimal(1), Decimal(1)], exponent=-2)
    assert values(lab, point) == ["20.00", "21.01", "19.920", "19.930"]
    assert lab.execute("SELECT * FROM readings WHERE point_id = %s ORDER BY 1", point) == before
    assert in_force(lab, point) == [
        (START + 2 * DAY, None, False),
        (START + DAY, START + 2 * DAY, False),
    ]


def test_later_revision_ends_the_earlier_one_where_it_begins(lab: Any, point: int) -> None:
    enter_one(lab, point)
    enter_one(lab, point, from_at=START + 3 * DAY, correction=[Decimal(1), Decimal(1)])
    assert values(lab, point) == ["19.900", "19.910", "19.920", "21.030"]
    assert in_force(lab, point)[0] == (START, START + 3 * DAY, False)


def test_revision_with_the_same_beginning_takes_the_place_of_the_earlier_which_stays(
    lab: Any, point: int
) -> None:
    enter_one(lab, point)
    enter_one(lab, point, certificate="T-1a", correction=[Decimal(2), Decimal(2)])
    assert values(lab, point) == ["22.000", "22.010", "22.020", "22.030"]
    rows = lab.run(lambda connection: list_calibrations(connection, point_id=point))
    assert [(row.certificate, row.revision, row.from_at, row.replaced_at is None) for row in rows] == [
        ("T-1", 1, START, False),
        ("T-1a", 2, START, True),
    ]


def test_revision_with_an_end_leaves_what_is_behind_it_uncorrected(lab: Any, point: int) -> None:
    enter_one(lab, point)
    enter_one(lab, point, from_at=START + DAY, to_at=START + 2 * DAY, correction=[Decimal(1), Decimal(1)])
    assert values(lab, point) == ["19.900", "21.010", "20.02", "20.03"]


def test_order_of_entering_does_not_matter_for_what_is_in_force(lab: Any) -> None:
    wanted = [START + n * DAY for n in (5, 1, 3, 2, 4)]
    point = lab.point()
    for from_at in wanted:
        enter_one(lab, point, from_at=from_at)
    found = sorted(in_force(lab, point))[:4]
    assert [(a, b) for a, b, _ in found] == [(START + n * DAY, START + (n + 1) * DAY) for n in range(1, 5)]


def test_what_was_entered_cannot_be_changed_by_the_hub(lab: Any, point: int) -> None:
    enter_one(lab, point)
    with psycopg.connect(lab.hub_dsn, autocommit=True) as hub:
        for change in ("correction = '{9,9}'", "certificate = 'x'", "entered_for = '(,)'", "author = 'x'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                hub.execute(f"UPDATE calibrations SET {change} WHERE point_id = %s", (point,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            hub.execute("DELETE FROM calibrations")


@pytest.mark.parametrize(
    ("day", "state", "days_left"),
    [
        (date(2026, 12, 1), "in_calibration", 31),
        (date(2026, 12, 2), "due", 30),
        (date(2027, 1, 1), "due", 0),
        (date(2027, 1, 2), "overdue", -1),
    ],
)
def test_due_state_is_judged_by_the_day_at_the_site(
    lab: Any, point: int, day: date, state: str, days_left: int
) -> None:
    enter_one(lab, point)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=8)
    (row,) = lab.run(lambda connection: list_standings(connection, now=midnight, point_id=point))
    assert (row.state, row.days_left) == (state, days_left)
    assert (row.expanded_uncertainty, row.coverage_factor) == ("0.050", "2")


def test_point_without_calibration_or_due_date_says_so(lab: Any) -> None:
    bare, undated = lab.point(), lab.point()
    lab.calibrate(undated, START, [("0", "1")])
    rows = lab.run(lambda connection: list_standings(connection, now=START + DAY))
    states = {row.point_id: row.state for row in rows}
    assert (states[bare], states[undated]) == ("none", "undated")


def test_due_date_alone_is_no_calibration(lab: Any) -> None:
    bare, undated = lab.point(), lab.point()
    lab.calibrate(undated, START, [("0", "1")])
    lab.execute(
        "UPDATE points SET calibration_due = '2027-01-06', title = 'Bench' WHERE id = ANY(%s)",
        [bare, undated],
    )
    rows = lab.run(lambda connection: list_standings(connection, now=START + DAY))
    states = {row.point_id: (row.state, row.title) for row in rows}
    assert states[bare] == ("elsewhere", "Bench")
    assert states[undated] == ("in_calibration", "Bench")


def test_states_and_counters_are_not_calibrated(lab: Any) -> None:
    state = lab.point(kind="state")
    rows = lab.run(lambda connection: list_standings(connection, now=START))
    assert state not in {row.point_id for row in rows}


def test_files_that_no_calibration_names_are_bounded(lab: Any) -> None:
    async def ask(connection: Any) -> list[bool]:
        return [
            await add_file(
                connection,
                1,
                sha256=f"{n:064x}",
                content_type="application/pdf",
                body=b"%PDF-",
                author="anna",
                at=START,
            )
            for n in (*range(21), 0)
        ]

    assert lab.run(ask) == [True] * 20 + [False, True]
    assert lab.run(lambda connection: has_file(connection, 1, f"{3:064x}"))
    assert not lab.run(lambda connection: has_file(connection, 1, f"{20:064x}"))
