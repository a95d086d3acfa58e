"""A backlog can always be placed: what was fed before is declared until it is delivered."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from edge.journal.declared import EARLIER_NAMES_MAX, RETIRED_POINTS_MAX, Declared, declare
from edge.journal.journal import Journal, Past
from wire import frame
from wire.codec import encode_body
from wire.layouts import make_layout
from wire.messages import Clock, Layout, PointDeclaration, Points
from wire.status import ClockState

if TYPE_CHECKING:
    from tests.edge.journal.conftest import Bench

BOOT = b"B" * 16


def point(name: str, period_ms: int | None = 1000) -> PointDeclaration:
    return PointDeclaration(name=name, quantity="temperature", exponent=-2, period_ms=period_ms)


def layout(*names: str) -> Layout:
    return make_layout(list(names), [-2] * len(names))


def fed(*names: str, tick: int = 0, period_ms: int = 1000) -> Declared:
    return Declared([point(name, period_ms) for name in names], [layout(*names)], (BOOT, tick))


@pytest.mark.requirement("G-3.6")
def test_what_a_backlog_may_hold_stays_declared_as_it_was() -> None:
    before = declare(fed("a", "b"), Declared(), backlog=False)
    now = declare(fed("b", tick=7, period_ms=500), before, backlog=True)
    assert now == Declared([point("b", 500)], [layout("b")], (BOOT, 7), [point("a")], [layout("a", "b")])


def test_nothing_earlier_is_declared_without_a_backlog() -> None:
    before = declare(fed("b", tick=7), declare(fed("a"), Declared(), backlog=True), backlog=True)
    assert before.retired == [point("a")]
    again = declare(fed("b", tick=9), before, backlog=False)
    assert again == Declared([point("b")], [layout("b")], (BOOT, 7))


def test_first_declaration_holds_for_ever_and_an_unchanged_one_since_when_it_changed() -> None:
    first = declare(fed("a", tick=1), Declared(), backlog=False)
    assert first.since is None
    changed = declare(fed("a", tick=5, period_ms=200), first, backlog=True)
    assert changed.since == (BOOT, 5)
    assert declare(fed("a", tick=8, period_ms=200), changed, backlog=True).since == (BOOT, 5)


def test_declaration_always_fits_into_a_frame() -> None:
    declared = Declared()
    for number in range(RETIRED_POINTS_MAX):
        names = [f"room-{number:04d}/air/a-rather-long-name-of-a-point-{place:03d}" for place in range(120)]
        declared = declare(fed(*names), declared, backlog=True)
    assert len(declared.retired) == RETIRED_POINTS_MAX
    assert len(declared.points) == 120
    assert sum(len(one.points) for one in declared.earlier) <= EARLIER_NAMES_MAX
    layouts = [*declared.layouts, *declared.earlier]
    body = encode_body(Points("lab-1", declared.points, layouts, retired=declared.retired))
    assert len(body) < frame.BODY_BYTES_MAX // 2


def test_next_run_knows_what_is_no_longer_fed(bench: "Bench") -> None:
    async def run(name: str) -> tuple[Past, Declared]:
        journal = Journal(
            bench.folder,
            bench.given(),
            boot=bench.boot,
            clock=lambda: Clock(ClockState.UNSYNCHRONISED),
            now=lambda: 3.0,
            memory_bytes_max=10**6,
        )
        async with journal as opened:
            past = await opened.open([layout(name)], points=[point(name)])
            assert past
            opened.intake.add(bench.poll(1))
            await opened.commit()
            return past, opened.declared()

    asyncio.run(run("a"))
    past, declared = asyncio.run(run("b"))
    assert past.gone == ["a"]
    assert (declared.points, declared.retired) == ([point("b")], [point("a")])
    assert declared.since == (bench.boot, 300)
    past, _ = asyncio.run(run("b"))
    assert past.gone == []
