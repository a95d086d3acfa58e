"""A layout's id stands for its content and for nothing else."""

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from wire.layouts import is_consistent, layout_id, make_layout

POINTS = st.from_regex(r"[a-z0-9][a-z0-9_./-]{0,20}", fullmatch=True)
COLUMNS = st.lists(st.tuples(POINTS, st.integers(-12, 12)), min_size=1, max_size=6)


@given(COLUMNS)
def test_made_layout_is_consistent(columns: list[tuple[str, int]]) -> None:
    names, exponents = zip(*columns, strict=True)
    layout = make_layout(names, exponents)
    assert is_consistent(layout)
    assert (layout.points, layout.exponents) == (list(names), list(exponents))


@given(COLUMNS, COLUMNS)
def test_other_content_has_another_id(one: list[tuple[str, int]], other: list[tuple[str, int]]) -> None:
    assume(one != other)
    assert layout_id(*zip(*one, strict=True)) != layout_id(*zip(*other, strict=True))


def test_layout_with_a_foreign_id_is_inconsistent() -> None:
    layout = make_layout(["room-1/t", "room-1/h"], [-2, -1])
    swapped = msgspec.structs.replace(layout, points=["room-1/h", "room-1/t"])
    shorter = msgspec.structs.replace(layout, exponents=[-2])
    assert not is_consistent(swapped)
    assert not is_consistent(shorter)


def test_layout_ids_do_not_change_between_versions() -> None:
    assert layout_id(["room-1/air/temperature", "room-1/air/humidity"], [-2, -2]) == "c7a3c0ae"
