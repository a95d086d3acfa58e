"""The account of completeness: what is missing for no known cause comes first. Events: when they happened."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cloud.store.completeness import Completeness
from cloud.store.events_read import Event
from cloud.web.language import language
from cloud.web.records import event_row, worst_first

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


def _event(**data: Any) -> Event:
    return Event(1, NOW, NOW, "door_opened", "lab/door", data, "lab-1", 1, "lab")


def test_event_that_was_read_late_stands_between_two_times() -> None:
    row = event_row(_event(late=True, between_ms=30_000, edges=1), language("en"))
    assert row.since_ms is not None
    assert row.at - row.since_ms == 30_000
    assert [one.name.text for one in row.details] == ["read late", "edges"]


@pytest.mark.parametrize("wrong", [True, "30000", -1, 2**62, None, 0.5])
def test_doubt_that_makes_no_sense_is_shown_as_it_came(wrong: object) -> None:
    row = event_row(_event(between_ms=wrong), language("en"))
    assert row.since_ms is None
    assert len(row.details) == 1
