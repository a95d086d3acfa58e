from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cloud.store.latest import Latest, list_latest

START = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[datetime, int | None, int]


class Lab(Protocol):
    def point(self, *, exponent: int = -2, period_ms: int | None = 1000, kind: str = "analog") -> int: ...
    def store(self, point: int, rows: Sequence[Row]) -> None: ...
    def calibrate(
        self, point: int, since: datetime, nodes: Sequence[tuple[str, str]], *, exponent: int = -4
    ) -> None: ...
    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...
    def run(self, ask: object) -> object: ...


def latest(lab: Lab, point: int, now: datetime) -> Latest:
    found = lab.run(lambda db: list_latest(db, now=now, site_id=1))
    assert isinstance(found, list)
    (mine,) = [row for row in found if row.point.id == point]
    assert isinstance(mine, Latest)
    return mine


def test_value_is_corrected_and_raw_is_kept(lab: Lab) -> None:
    point = lab.point()
    lab.calibrate(point, START, [("20", "0.0125")], exponent=-3)
    lab.store(point, [(START, 2001, 0)])
    mine = latest(lab, point, START + timedelta(seconds=2))
    assert (mine.value, mine.raw, mine.state, mine.age_s) == ("20.022", "20.01", "live", 2.0)


def test_calibration_of_later_is_not_applied(lab: Lab) -> None:
    point = lab.point()
    lab.calibrate(point, START + timedelta(hours=1), [("20", "1")])
    lab.store(point, [(START, 2001, 0)])
    assert latest(lab, point, START).value == "20.01"


def test_absent_reading_says_why(lab: Lab) -> None:
    point = lab.point()
    lab.store(point, [(START, None, 18)])
    mine = latest(lab, point, START)
    assert (mine.value, mine.state, mine.status) == (None, "absent", "over_range")


def test_old_reading_is_silent_never_current(lab: Lab) -> None:
    point = lab.point(period_ms=1000)
    lab.store(point, [(START, 2000, 0)])
    assert latest(lab, point, START + timedelta(seconds=3)).state == "live"
    assert latest(lab, point, START + timedelta(seconds=3.01)).state == "silent"


def test_point_without_period_is_never_silent(lab: Lab) -> None:
    point = lab.point(period_ms=None)
    lab.store(point, [(START, 2000, 0)])
    assert latest(lab, point, START + timedelta(days=9)).state == "live"


def test_state_point_has_its_word(lab: Lab) -> None:
    point = lab.point(exponent=0, kind="state")
    lab.execute("UPDATE points SET states = %s WHERE id = %s", '{"1": "open", "0": "closed"}', point)
    lab.store(point, [(START, 1, 0)])
    assert latest(lab, point, START).word == "open"


def test_position_without_fix_is_absent(lab: Lab) -> None:
    fixed, lost = lab.point(), lab.point()
    lab.execute("INSERT INTO latest_positions VALUES (%s, 1, %s, 3, 1, 2, 3, 4)", fixed, START)
    lab.execute("INSERT INTO latest_positions VALUES (%s, 1, %s, 1)", lost, START)
    assert (latest(lab, fixed, START).state, latest(lab, fixed, START).value) == ("live", None)
    assert (latest(lab, lost, START).state, latest(lab, lost, START).status) == ("absent", "not_measured")


def test_point_that_never_spoke_says_never(lab: Lab) -> None:
    mine = latest(lab, lab.point(), START)
    assert (mine.state, mine.observed_at, mine.value, mine.age_s) == ("never", None, None, None)
