"""The panel in a real browser: on a small screen, by keyboard, in both languages, and never silently old."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from rules.interlock.inputs import Acknowledge
from tests.browser.panel_stand import STATUS, PanelStand, served
from tests.browser.test_pages import AXE, VIOLATIONS

pytestmark = pytest.mark.slow


@pytest.fixture
def stand() -> Iterator[PanelStand]:
    with served() as found:
        yield found


def opened(chromium: Browser, address: str, *, width: int = 320, height: int = 240) -> tuple[Page, list[str]]:
    """A page, and everything that the browser complains of."""
    page = chromium.new_context(viewport={"width": width, "height": height}).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    return page, complaints


@pytest.mark.requirement("H-7.3.3.3")
def test_panel_fits_a_small_screen_and_is_worked_by_keyboard_in_both_languages(
    chromium: Browser, stand: PanelStand
) -> None:
    for language, words in (("zh", "已完成。"), ("en", "Done.")):
        page, complaints = opened(chromium, f"{stand.address}/?lang={language}")
        for _ in range(2):
            page.keyboard.press("Tab")
        expect(page.locator("#act-room-2")).to_be_focused()
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.keyboard.press("Enter")
        expect(page.locator("#pin")).to_be_focused()
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        stand.card()
        expect(page.locator("[data-live] p")).to_contain_text("●")
        page.locator("[data-keys] button", has_text="2").click()
        page.locator("#pin").press_sequentially("468")
        page.locator("#pin").press("Enter")
        expect(page.get_by_role("status")).to_contain_text(words)
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == []
        assert complaints == []
        page.context.close()
    assert [type(asked) for _, asked in stand.asked] == [Acknowledge, Acknowledge]


def test_page_follows_the_state_and_says_when_the_gateway_is_silent(
    chromium: Browser, stand: PanelStand
) -> None:
    page, _ = opened(chromium, f"{stand.address}/?lang=en", width=1280, height=800)
    expect(page.get_by_role("alert")).to_be_hidden()
    tripped = replace(stand.status.interlocks[0], phase="tripped")
    stand.status = replace(STATUS, interlocks=(tripped,))
    expect(page.locator(".bad .state")).to_have_text("▲ Tripped")
    stand.end()
    expect(page.get_by_role("alert")).to_be_visible(timeout=15_000)
    page.context.close()
