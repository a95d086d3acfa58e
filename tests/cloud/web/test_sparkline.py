"""A sparkline bridges nothing and says in words what it draws."""

from decimal import Decimal

from cloud.web.sparkline import HEIGHT, MARGIN, WIDTH, Step, draw

NONE = Step(None, None, None)


def _step(value: str) -> Step:
    return Step(Decimal(value), Decimal(value), Decimal(value))


def test_hole_is_drawn_as_a_hole_and_cuts_the_line() -> None:
    drawing = draw([_step("1"), _step("2"), NONE, NONE, _step("3")], "")
    assert len(drawing.lines) == len(drawing.bands) == 2
    assert drawing.holes == ((f"{WIDTH * 2 / 5:.1f}", f"{WIDTH * 2 / 5:.1f}"),)


def test_extremes_touch_the_margins() -> None:
    drawing = draw([_step("-5"), _step("7.5")], "")
    assert f",{HEIGHT - MARGIN:.1f}" in drawing.lines[0]
    assert f",{MARGIN:.1f}" in drawing.lines[0]


def test_constant_value_is_a_line_in_the_middle() -> None:
    drawing = draw([_step("4")] * 3, "")
    assert {part.split(",")[1] for part in drawing.lines[0][1:].replace("L", " ").split()} == {
        f"{HEIGHT / 2:.1f}"
    }


def test_nothing_is_all_hole() -> None:
    assert draw([NONE] * 4, "").holes == (("0.0", f"{WIDTH:.1f}"),)
    assert draw([], "no readings").words == "no readings"
