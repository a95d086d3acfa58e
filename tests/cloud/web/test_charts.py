"""A chart judges each moment by what was declared for it, as completeness does."""

from datetime import timedelta
from typing import Any

import pytest

from cloud.store.completeness import read_completeness
from cloud.store.connection import Connection
from cloud.store.points import get_point
from cloud.web.charts import chart
from cloud.web.language import language
from tests.cloud.conftest import START, Lab

pytestmark = pytest.mark.slow

CHANGE = START + timedelta(seconds=60)
END = START + timedelta(seconds=120)


def _ask(lab: Lab, point_id: int) -> tuple[dict[str, Any], int]:
    async def ask(connection: Connection) -> tuple[dict[str, Any], int]:
        point = await get_point(connection, point_id)
        assert point is not None
        drawn = await chart(connection, point, (START, END), now=END, language=language("en"))
        account = await read_completeness(connection, point, START, END, now=END)
        return drawn, account.unexplained

    return lab.run(ask)


def _declare(lab: Lab, point: int, *periods: tuple[str, str, int]) -> None:
    lab.execute("DELETE FROM point_versions WHERE point_id = %s", point)
    for low, high, period_ms in periods:
        lab.execute(
            "INSERT INTO point_versions (organisation_id, point_id, valid, exponent, period_ms)"
            f" VALUES (1, %s, tstzrange({low}, {high}), -2, %s)",
            point,
            period_ms,
        )


def test_hole_of_before_a_longer_period_stays_a_hole(lab: Lab) -> None:
    point = lab.point()
    _declare(lab, point, ("NULL", f"'{CHANGE}'", 1000), (f"'{CHANGE}'", "NULL", 5000))
    taken = [*range(20), *range(33, 60), *range(60, 120, 5)]
    lab.store(point, [(START + timedelta(seconds=n), 2000, 0) for n in taken])
    drawn, missing = _ask(lab, point)
    seconds = [((hole["from"] - drawn["from"]) / 1000, hole["to"] - hole["from"]) for hole in drawn["holes"]]
    assert seconds == [(19, 14_000)]
    assert missing == 13


def test_stretch_taken_as_declared_is_no_hole_after_a_shorter_period(lab: Lab) -> None:
    point = lab.point()
    _declare(lab, point, ("NULL", f"'{CHANGE}'", 5000), (f"'{CHANGE}'", "NULL", 1000))
    taken = [*range(0, 60, 5), *range(60, 120)]
    lab.store(point, [(START + timedelta(seconds=n), 2000, 0) for n in taken])
    drawn, missing = _ask(lab, point)
    assert (drawn["holes"], missing) == ([], 0)
