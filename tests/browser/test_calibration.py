"""Calibrations are entered and looked at in a real browser: by keyboard, on a phone, without a violation."""

import itertools
import os
from pathlib import Path

import pytest

from tests.browser.test_pages import AXE, VIOLATIONS

pytestmark = pytest.mark.slow


def point_of(page, hub) -> str:
    """Return the page of one point that is measured."""
    page.goto(f"{hub.address}/calibrations?lang=en")
    link = page.locator("a[href^='/calibrations/']").first
    return str(link.get_attribute("href"))


def shoot(page, name: str) -> None:
    if folder := os.environ.get("HENG_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.requirement("S-4.3.2")
def test_calibration_is_entered_with_its_curve_in_sight(browse, hub, tmp_path) -> None:
    watched = browse()
    page = watched.page
    path = point_of(page, hub)
    page.goto(f"{hub.address}{path}?lang=en")
    page.locator("#f-nodes").fill("0 0.1\n30 -0.2")
    page.locator("#f-sample").fill("15.0")
    page.locator("#f-expanded_uncertainty").fill("0.05")
    page.locator("#preview svg").wait_for()
    page.locator("#preview", has_text="14.95").wait_for()
    shoot(page, "calibration-form")
    page.locator("#f-certificate").fill("T-2026-0042")
    page.locator("#f-laboratory").fill("Institute of metrology")
    page.locator("#f-calibrated_on").fill("2026-01-01")
    page.locator("#f-reason").fill("yearly calibration")
    file = tmp_path / "certificate.pdf"
    file.write_bytes(b"%PDF-1.7\n")
    page.locator("#f-file").set_input_files(str(file))
    page.locator("#f-reason").press("Enter")
    page.locator("table.records", has_text="T-2026-0042").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="certificate's file").first.click()
    assert download.value.suggested_filename.endswith(".pdf")
    assert watched.complaints == []


@pytest.mark.parametrize(("language", "width"), list(itertools.product(("en", "zh"), (360, 1600))))
def test_pages_of_calibration_have_no_violation_and_fit(browse, hub, language: str, width: int) -> None:
    watched = browse(width, color_scheme="dark" if width == 360 else "light")
    page = watched.page
    for path in ("/calibrations", point_of(page, hub)):
        page.goto(f"{hub.address}{path}?lang={language}")
        if page.locator("#f-nodes").count():
            page.locator("#f-nodes").fill("10.00 +0.02\n20.00 +0.01\n30.00 -0.01")
            page.locator("#preview svg").wait_for()
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        shoot(page, f"calibration-{language}-{width}-{'one' if page.locator('#f-nodes').count() else 'list'}")
    assert watched.complaints == []
