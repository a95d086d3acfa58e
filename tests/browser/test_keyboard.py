"""Every way to a value goes by keyboard too."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

FOCUSED = "document.activeElement.textContent.trim()"


def test_skip_link_is_first_and_leads_to_the_content(browse) -> None:
    page = browse().open("/?lang=en")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_site_is_reached_from_now_by_keyboard(browse) -> None:
    page = browse().open("/?lang=en")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert "Sampling van" in page.evaluate(FOCUSED)
    page.keyboard.press("Enter")
    page.wait_for_url("**/sites/van-1")


def test_focus_is_visible(browse) -> None:
    page = browse().open("/?lang=en")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outline")
    assert "3px" in outline
    assert "solid" in outline


def test_vehicle_is_shown_on_the_map_by_keyboard(browse) -> None:
    page = browse().open("/map?lang=en")
    labels = page.locator(".grid-label.east")
    before = labels.all_inner_texts()
    button = page.locator("button[data-show-vehicle=mobile-1]")
    button.focus()
    page.keyboard.press("Enter")
    expect(labels).not_to_have_text(before)
    marks = page.locator(".vehicle-mark")
    assert marks.count() == 2


@pytest.mark.requirement("G-6.10b1")
def test_map_list_gives_position_speed_and_age_in_words(browse) -> None:
    page = browse().open("/map?lang=en")
    item = page.locator(".vehicles li").first
    text = item.inner_text()
    assert "° N" in text.replace("\u202f", " ")
    assert "km/h" in text
    assert "3D fix" in text
    assert "ago" in text
