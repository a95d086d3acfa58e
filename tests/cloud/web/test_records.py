"""The account of completeness: what is missing for no known cause comes first."""

from datetime import UTC, datetime

from cloud.store.completeness import Completeness
from cloud.web.records import worst_first

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def _account(point: str, *, explained: int = 0, unexplained: int = 0, awaited: int = 0) -> Completeness:
    return Completeness(1, point, NOW, NOW, 1000, 100, 100, 0, 0, explained, {}, unexplained, awaited, [])


def test_worst_account_stands_first() -> None:
    accounts = [
        _account("a"),
        _account("b", explained=90),
        _account("c", unexplained=8, awaited=8),
        _account("d", unexplained=2),
        _account("e", unexplained=9, awaited=1),
    ]
    assert [one.point for one in worst_first(accounts)] == ["e", "d", "c", "b", "a"]
