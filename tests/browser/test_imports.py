"""A workbook is looked at and imported in a real browser: with its faults, then whole, then undone."""

import itertools

import pytest

from tests.browser.test_calibration import shoot
from tests.browser.test_pages import AXE, VIOLATIONS
from tests.cloud.imports.conftest import make_book

pytestmark = pytest.mark.slow

HEADS = ["Staff number", "Name", "E-mail"]


def look(page, hub, tmp_path, rows, language="en") -> None:
    file = tmp_path / "people.xlsx"
    file.write_bytes(make_book({"People": [HEADS, *rows]}))
    page.goto(f"{hub.address}/imports?lang={language}")
    page.locator("input[type=file]").set_input_files(str(file))
    page.locator("#import button[value=preview]").click()
    page.locator("#result h3", has_text="people.xlsx").wait_for()


def test_workbook_is_previewed_applied_and_undone(browse, hub, tmp_path) -> None:
    watched = browse()
    page = watched.page
    look(page, hub, tmp_path, [["3001", None, "x"], ["3001", "Chen"]])
    assert page.locator("#result tbody tr").count() == 3  # no name, no address, twice the same number
    assert page.get_by_role("button", name="Apply all of it").count() == 0
    look(page, hub, tmp_path, [["3001", "Chen Wei", "chen@lab.example"]])
    page.get_by_role("button", name="Apply all of it").click()
    page.get_by_role("button", name="Undo the import of people.xlsx").first.click()
    page.locator("td", has_text="undone").first.wait_for()
    assert watched.complaints == []


@pytest.mark.parametrize(("language", "width"), list(itertools.product(("en", "zh"), (360, 1600))))
def test_page_of_imports_has_no_violation_and_fits(browse, hub, tmp_path, language: str, width: int) -> None:
    watched = browse(width, color_scheme="dark" if width == 360 else "light")
    page = watched.page
    for name, rows in (
        ("faults", [["3002", None], ["3002", "=1"]]),
        ("good", [["3003", "Li", "li@lab.example"]]),
    ):
        look(page, hub, tmp_path, rows, language)
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shoot(page, f"imports-{language}-{width}-{name}")
    assert watched.complaints == []
