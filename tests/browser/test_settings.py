"""Settings of a gateway are written, checked and compared in a real browser, without a violation."""

import itertools
import os
from pathlib import Path

import pytest

from tests.browser.test_pages import AXE, VIOLATIONS

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-4.3a")]

GPS = '# The car\n[[device]]\ndriver = "gnss"\nname = "gps"\nprefix = "{}"\ninterval_ms = 1000\n'
PATH = "/gateways/lab-1/settings"


def shoot(page, name: str) -> None:
    if folder := os.environ.get("HENG_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def save(page, prefix: str, reason: str) -> None:
    page.locator("#document").fill(GPS.format(prefix).replace("interval_ms = 1000\n", ""))
    page.locator("form.settings [name=reason]").fill(reason)
    page.locator("form.settings").get_by_role("button", name="Save and send").click()


def test_settings_are_corrected_compared_saved_and_taken_back(browse, hub) -> None:
    watched = browse()
    page = watched.page
    page.goto(f"{hub.address}{PATH}?lang=en")
    page.locator("#document").fill(GPS.format("A B"))
    page.locator("form.settings").get_by_role("button", name="Check, and show what changes").click()
    page.locator(".faults a", has_text="line 5").click()
    assert page.evaluate("document.activeElement.id") == "document"
    assert page.evaluate(
        "getSelection().toString() || document.activeElement.value.slice("
        "document.activeElement.selectionStart, document.activeElement.selectionEnd)"
    ) == ('prefix = "A B"')
    shoot(page, "settings-faults")
    save(page, "car", "the first")
    page.locator("table.records", has_text="the first").wait_for()
    save(page, "van", "moved to the van")
    page.locator("table.records", has_text="moved to the van").wait_for()
    page.get_by_role("link", name="from 1", exact=True).click()
    assert page.locator(".diff .new").last.inner_text().strip() == '+prefix = "van"'
    shoot(page, "settings")
    page.locator("tr", has_text="the first").locator("[name=reason]").fill("sold")
    page.get_by_role("button", name="Run revision 1 again").click()
    page.locator("table.records", has_text="sold").wait_for()
    assert '"car"' in page.locator("#document").input_value()
    complaints = [one for one in watched.complaints if "422" not in one]
    assert complaints == []


def test_device_is_set_up_in_its_form_by_keyboard_alone(browse, hub) -> None:
    watched = browse()
    page = watched.page
    page.goto(f"{hub.address}{PATH}?lang=en")
    page.get_by_label("New device").select_option("modbus")
    page.get_by_role("button", name="Add it").press("Enter")
    page.get_by_role("button", name="Add unit").press("Enter")
    page.locator('[id="device[1].host"]').fill("10.0.0.1")
    page.locator('[id="device[1].unit[0].address"]').fill("999")
    page.locator('[id="device[1].unit[0].prefix"]').press("Enter")
    wrong = page.locator('[id="device[1].unit[0].address"]')
    assert wrong.get_attribute("aria-invalid") == "true"
    assert "at most 255" in page.locator('[id="device[1].unit[0].address~wrong"]').inner_text()
    assert page.locator('[id="device[1].host"]').input_value() == "10.0.0.1"
    shoot(page, "settings-form-faults")
    wrong.fill("1")
    page.locator('[id="device[1].unit[0].profile"]').fill("xy-md02")
    page.locator('[id="device[1].unit[0].prefix"]').fill("room")
    page.locator(".settings-form").get_by_role("button", name="Check, and show what changes").press("Enter")
    assert "+address = 1" in page.locator(".diff").first.inner_text()
    page.locator(".settings-form [name=reason]").fill("a new room")
    page.locator(".settings-form").get_by_role("button", name="Save and send").press("Enter")
    page.locator("table.records", has_text="a new room").wait_for()
    assert [one for one in watched.complaints if "422" not in one] == []


def test_interlock_is_drawn_without_violation_and_fits_a_narrow_screen(browse, hub) -> None:
    watched = browse(360)
    page = watched.page
    page.goto(f"{hub.address}{PATH}?lang=zh")
    for do in ("new interlock", "add interlock[0].group", "add interlock[0].group[0].cause"):
        page.locator(f'button[value="{do}"]').press("Enter")
    page.locator('[id="interlock[0].group[0].cause[0].kind"]').select_option("rate")
    page.locator('[id="interlock[0].group[0].cause[0]"] button[value="open interlock[0]"]').press("Enter")
    page.locator('[id="interlock[0].group[0].cause[0].change_max"]').fill("2")
    page.locator('button[value="check"]:visible').first.press("Enter")
    page.locator('[id="interlock[0].group[0].cause[0].point~wrong"]').wait_for()
    assert page.locator('[id="interlock[0].group[0].cause[0].change_max"]').input_value() == "2"
    page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS) == []
    shoot(page, "settings-interlock-zh-360")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert [one for one in watched.complaints if "422" not in one] == []


def test_settings_become_a_template_that_is_filled_in(browse, hub) -> None:
    watched = browse()
    page = watched.page
    page.goto(f"{hub.address}{PATH}?lang=en")
    keeping = page.locator("form[action='/settings-templates']")
    keeping.locator("[name=name]").fill("room")
    keeping.locator("[name=reason]").fill("for every room")
    keeping.get_by_role("button", name="Keep").click()
    text = page.locator("#document").input_value()
    page.locator("#document").fill(text.replace('"gps"', '"{{receiver}}"'))
    page.locator("[name=reason]").fill("each has its own")
    page.get_by_role("button", name="Keep the change").click()
    shoot(page, "settings-template")
    page.goto(f"{hub.address}{PATH}?lang=en")
    page.get_by_role("button", name="Choose").click()
    page.locator("[name='place.receiver']").fill("rover")
    page.get_by_role("button", name="Fill in, and show what changes").click()
    assert '+name = "rover"' in page.locator(".diff").first.inner_text()
    assert watched.complaints == []


@pytest.mark.parametrize(("language", "width"), list(itertools.product(("en", "zh"), (360, 1600))))
def test_page_of_settings_has_no_violation_and_fits(browse, hub, language: str, width: int) -> None:
    watched = browse(width, color_scheme="dark" if width == 360 else "light")
    page = watched.page
    for name, path in (
        ("settings", f"{PATH}?lang={language}&from=1&to=2"),
        ("settings-media", f"{PATH}?lang={language}&part=clock"),
        ("settings-templates", f"/settings-templates?lang={language}"),
        ("settings-template", f"/settings-templates/1?lang={language}"),
    ):
        page.goto(f"{hub.address}{path}")
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shoot(page, f"{name}-{language}-{width}")
    assert watched.complaints == []
