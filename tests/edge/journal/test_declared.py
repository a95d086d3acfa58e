"""A backlog can always be placed: what was fed before stays declared, and owes nothing any more."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from edge.journal.declared import RETIRED_LAYOUTS_MAX, RETIRED_POINTS_MAX, Declared, declare
from edge.journal.journal import Journal
from wire.layouts import make_layout
from wire.messages import Clock, Layout, PointDeclaration
from wire.status import ClockState

if TYPE_CHECKING:
    from tests.edge.journal.conftest import Bench


def point(name: str, period_ms: int | None = 1000) -> PointDeclaration:
    return PointDeclaration(name, "temperature", exponent=-2, period_ms=period_ms)


def layout(*names: str) -> Layout:
    return make_layout(list(names), [-2] * len(names))


@pytest.mark.requirement("G-3.6")
def test_point_that_is_no_longer_fed_owes_nothing_and_its_layout_stays() -> None:
    before = declare([point("a"), point("b")], [layout("a", "b")])
    now = declare([point("b", 500)], [layout("b")], before=before)
    assert now == Declared([point("b", 500), point("a", None)], [layout("b"), layout("a", "b")])


def test_declaring_the_same_again_changes_nothing() -> None:
    first = declare([point("a")], [layout("a")])
    assert declare([point("a")], [layout("a")], before=first) == first


def test_what_was_fed_long_ago_goes_when_it_is_too_much() -> None:
    declared = Declared()
    for number in range(RETIRED_POINTS_MAX + 50):
        declared = declare([point(f"p{number}")], [layout(f"p{number}")], before=declared)
    assert len(declared.points) == RETIRED_POINTS_MAX + 1
    assert len(declared.layouts) == RETIRED_LAYOUTS_MAX + 1
    newest = RETIRED_POINTS_MAX + 49
    assert [p.name for p in declared.points[:2]] == [f"p{newest}", f"p{newest - 1}"]


def test_next_run_declares_what_the_last_one_fed(bench: "Bench") -> None:
    def journal() -> Journal:
        return Journal(
            bench.folder,
            bench.given(),
            boot=bench.boot,
            clock=lambda: Clock(ClockState.UNSYNCHRONISED),
            now=lambda: 0.0,
            memory_bytes_max=10**6,
        )

    async def run(name: str) -> Declared:
        async with journal() as opened:
            await opened.open([layout(name)], points=[point(name)])
            return opened.declared()

    asyncio.run(run("a"))
    declared = asyncio.run(run("b"))
    assert [(p.name, p.period_ms) for p in declared.points] == [("b", 1000), ("a", None)]
    assert declared.layouts == [layout("b"), layout("a")]
