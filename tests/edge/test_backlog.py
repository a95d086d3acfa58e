"""What waits on a gateway is told when it is news, and no more often."""

import pytest

from edge.backlog import LOOK_S, BacklogTold, Waiting


@pytest.mark.parametrize(
    ("told", "now", "news"),
    [
        (None, Waiting(0, 0), False),
        (None, Waiting(1, 0), True),
        (Waiting(0, 0), Waiting(1, 1), True),
        (Waiting(100, 2), Waiting(100, 2), False),
        (Waiting(100, 2), Waiting(199, 3), False),
        (Waiting(100, 2), Waiting(201, 2), True),
        (Waiting(100, 2), Waiting(49, 2), True),
        (Waiting(100, 2), Waiting(100, 0), True),
        (Waiting(1, 0), Waiting(0, 0), True),
    ],
)
def test_backlog_is_news_when_it_begins_ends_doubles_or_halves(
    told: Waiting | None, now: Waiting, news: bool
) -> None:
    book = BacklogTold()
    book.told(told, 0.0)
    assert book.is_news(now, LOOK_S) is news


def test_backlog_is_looked_at_once_a_minute() -> None:
    book = BacklogTold()
    book.told(Waiting(5, 0), 100.0)
    assert not book.is_due(100.0 + LOOK_S - 1)
    assert book.is_due(100.0 + LOOK_S)
    book.is_news(Waiting(5, 0), 100.0 + LOOK_S)
    assert not book.is_due(100.0 + LOOK_S + 1)
