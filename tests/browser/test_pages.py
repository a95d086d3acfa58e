"""The pages in a real browser: they load, stay on this machine, fit a phone, speak two languages."""

import itertools

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT

pytestmark = pytest.mark.slow

PAGES = (
    *("/", "/sites/lab-1", "/sites/mobile-1", "/sites/van-1", "/sites/lab-2", "/map"),
    *("/devices", "/coverage", "/cameras"),
)
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
VIOLATIONS = """
async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
    (one) => `${one.id} (${one.impact}): ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`)
"""


@pytest.mark.parametrize("path", PAGES)
def test_page_loads_without_complaint_and_from_this_machine_alone(browse, path: str) -> None:
    watched = browse()
    watched.open(path)
    assert watched.complaints == []
    assert watched.hosts == {watched.hub.address.removeprefix("http://")}


@pytest.mark.parametrize(("language", "width"), list(itertools.product(("en", "zh"), (360, 1600))))
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_violation(browse, path: str, language: str, width: int) -> None:
    watched = browse(width, color_scheme="dark" if width == 360 else "light")
    page = watched.open(f"{path}?lang={language}")
    page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS) == []


@pytest.mark.parametrize("path", PAGES)
def test_page_fits_a_phone(browse, path: str) -> None:
    page = browse(360, 740).open(f"{path}?lang=en")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_page_of_the_api_fits_a_phone_with_its_longest_address(browse) -> None:
    watched = browse(360, 740)
    watched.page.goto(f"{watched.hub.address}/api?lang=en")
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360
    watched.page.evaluate(AXE)
    assert watched.page.evaluate(VIOLATIONS) == []


SIGNED_IN = """
const word = (text) => Object.assign(document.createElement("a"), {className: "language", textContent: text});
document.querySelector(".push").prepend(...["People", "Administrator", "Sign out"].map(word));
document.querySelector("#link-state").replaceChildren("Connecting");
"""


@pytest.mark.parametrize("path", ["/gateways", "/gateways/lab-1"])
def test_page_of_who_is_signed_in_fits_a_phone_before_it_is_live(browse, path: str) -> None:
    watched = browse(360, 740)
    watched.page.route("**/live*", lambda route: route.abort())
    watched.page.goto(f"{watched.hub.address}{path}?lang=en")
    watched.page.evaluate("() => {" + SIGNED_IN + "}")
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_language_is_chosen_by_link_and_remembered(browse) -> None:
    watched = browse(locale="en-GB")
    page = watched.open("/")
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("link", name="中文").click()
    assert page.locator("h1").inner_text() == "实时"
    page = watched.open("/map")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert page.locator("h1").inner_text() == "地图"


def test_browser_that_prefers_chinese_gets_chinese(browse) -> None:
    page = browse(locale="zh-CN").open("/")
    row = page.locator("section", has=page.locator("#site-lab-1")).locator("tr", has_text="大气压力")
    assert row.locator(".unit").inner_text() == "hPa"


def state_of(page, site: str):
    return page.locator("section", has=page.locator(f"#site-{site}")).locator("header .state")


def test_state_is_said_in_words_and_nothing_unheard_is_green(browse, hub) -> None:
    """Points of a laboratory fall silent while its gateway is online: time alone ends its green."""
    page = browse().open("/?lang=en")
    expect(state_of(page, "lab-1")).not_to_have_text("Online", timeout=60_000)
    hub.store("room-1/air/pressure", 98_765)
    expect(state_of(page, "lab-1")).to_have_text("Partly online")
    states = {name: state_of(page, name) for name in ("lab-1", "van-1", "lab-2")}
    assert {name: state.inner_text() for name, state in states.items()} == {
        "lab-1": "Partly online",
        "van-1": "Suspected offline",
        "lab-2": "Not monitored",
    }
    kinds = [state.get_attribute("class") for state in states.values()]
    assert kinds == ["state partly", "state suspected", "state unmonitored"]
    assert len({state.evaluate("one => getComputedStyle(one).color") for state in states.values()}) == 3


def test_absent_value_is_a_dash_with_its_reason(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en")
    row = page.locator("table.values tr[data-point]").first
    assert row.locator("th").inner_text() == "Temperature"
    assert row.locator(".value").inner_text() == "—"
    assert row.locator(".flag").inner_text() in ("Device reports an error", "Silent: nothing newer")


def test_address_that_is_nothing_gets_a_page_that_says_so(browse) -> None:
    watched = browse()
    answer = watched.page.goto(watched.hub.address + "/sites/nowhere?lang=en")
    assert answer is not None
    assert answer.status == 404
    assert "There is nothing at this address." in watched.page.locator("main").inner_text()
