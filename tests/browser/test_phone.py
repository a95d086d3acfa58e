"""A phone gets what is wrong first and the rest folded; a desk its whole width; the map keeps its names."""

import psycopg
import pytest
from playwright.sync_api import expect

from tests.browser.test_doors import furnish
from tests.browser.test_interlocks import PAGE, tell

pytestmark = pytest.mark.slow

OPEN = "details.place[open]"
SOUND = (
    ("room-1/air/temperature", 2000),
    ("room-1/air/relative_humidity", 4870),
    ("room-1/air/pressure", 101_325),
    ("room-2/air/temperature", 2010),
    ("room-2/air/relative_humidity", 5120),
    ("room-2/light/illuminance", 512),
)
"""Points of lab-1 whose newest reading may be too old by now."""


@pytest.fixture
def heard(hub):
    """Let every sound point of lab-1 be heard just now."""
    for point, raw in SOUND:
        hub.store(point, raw)


def test_sound_groups_are_folded_on_a_phone_and_those_with_a_remark_open_and_first(browse, heard) -> None:
    page = browse(360, 740).open("/sites/lab-1?lang=en")
    groups = page.locator(".groups details.place")
    assert groups.first.locator(".place-name").inner_text() == "cold-store/air"
    assert groups.first.get_attribute("open") is not None
    assert groups.first.locator(".group-flag").inner_text() == "1 with a remark"
    charts = page.locator("section[aria-labelledby=charts] details.place")
    assert charts.first.locator(".place-name").inner_text() == "With a remark"
    assert charts.last.locator(".place-name").inner_text() == "room-2/light"
    assert charts.last.get_attribute("open") is None
    assert groups.last.get_attribute("open") is None


def test_folded_group_shows_its_first_values_live(browse, hub) -> None:
    page = browse(360, 740).open("/sites/mobile-1?lang=en")
    group = page.locator(".groups details.place", has_text="ups").last
    if group.get_attribute("open") is not None:
        group.locator("summary").click()
    hub.store("ups/battery_charge", 77_000)
    expect(group.locator("summary .brief")).to_contain_text("77")


def test_desk_has_every_group_open(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en")
    assert page.locator("details.place").count() == page.locator(OPEN).count()


@pytest.mark.parametrize(("path", "most"), [("/", 4000), ("/sites/lab-1", 4000), ("/sites/mobile-1", 4500)])
def test_page_is_not_endless_on_a_phone(browse, heard, path: str, most: int) -> None:
    page = browse(360, 740).open(f"{path}?lang=zh")
    assert page.evaluate("document.documentElement.scrollHeight") < most
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_group_is_opened_and_folded_by_keyboard_and_stays_so(browse, heard) -> None:
    watched = browse(360, 740)
    page = watched.open("/sites/lab-1?lang=en")
    fold = page.locator("section[aria-labelledby=charts] details.place").last
    fold.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(fold).to_have_attribute("open", "")
    figure = fold.locator("figure").first
    figure.scroll_into_view_if_needed()
    figure.locator("xpath=self::*[@data-drawn]").wait_for(state="attached")
    page = watched.open("/sites/lab-1?lang=en&range=24h")
    expect(page.locator("section[aria-labelledby=charts] details.place").last).to_have_attribute("open", "")


def test_link_to_a_folded_chart_opens_it(browse, heard) -> None:
    page = browse(360, 740).open("/sites/lab-1?lang=en")
    group = page.locator(".groups details.place").last
    group.locator("summary").click()
    link = group.locator("th a").first
    target = link.get_attribute("href").removeprefix("#")
    link.click()
    expect(page.locator(f"#{target}")).to_be_visible()
    expect(page.locator(f"#{target}")).to_be_in_viewport()


def test_map_comes_before_the_list_on_a_phone(browse) -> None:
    page = browse(360, 740).open("/map?lang=zh")
    tops = [page.locator(one).bounding_box()["y"] for one in (".map-box", ".vehicles")]
    assert tops[0] < tops[1]


def test_sites_with_problems_come_first(browse) -> None:
    page = browse().open("/?lang=en")
    names = page.locator(".sites > section .state").evaluate_all("(all) => all.map((one) => one.className)")
    order = ["state suspected", "state partly", "state unmonitored", "state online"]
    assert [order.index(name) for name in names] == sorted(order.index(name) for name in names)
    assert names[0] == "state suspected"


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("path", ["/map?lang=en", "/sites/van-1?lang=zh"])
def test_no_label_of_the_map_is_cut_off(browse, path: str, width: int) -> None:
    page = browse(width, 900).open(path)
    cut = page.evaluate(
        """() => {
            const box = document.querySelector(".map-box").getBoundingClientRect();
            return [...document.querySelectorAll(".vehicle-name, .grid-label")].filter((one) => {
                const at = one.getBoundingClientRect();
                return at.left < box.left - 1 || at.right > box.right + 1
                    || at.top < box.top - 1 || at.bottom > box.bottom + 1;
            }).map((one) => one.textContent);
        }"""
    )
    assert cut == []
    assert page.locator(".vehicle-name").count() >= 1


@pytest.mark.parametrize("path", ["/sites/lab-1?lang=en", "/sites/mobile-1?lang=zh"])
def test_desk_leaves_no_empty_column(browse, path: str) -> None:
    """At 1600 px every panel that stands alone in its row is as wide as the page."""
    page = browse(1600, 1000).open(path)
    widths = page.evaluate(
        """() => [...document.querySelectorAll("main > .panel, main > .columns")]
            .map((one) => one.getBoundingClientRect().width)"""
    )
    assert min(widths) > 1450
    for row in page.locator("main > .columns").all():
        boxes = [panel.bounding_box() for panel in row.locator("> .panel").all()]
        assert max(box["x"] + box["width"] for box in boxes) > 1500


HEADS = """(part) => {
    const table = document.querySelector(`section[aria-labelledby=${part}] table`);
    const heads = [...table.querySelectorAll("thead th")].map((one) => one.textContent);
    const before = (one) => getComputedStyle(one, "::before").content;
    const said = (row) => [...row.querySelectorAll("td")].map(before);
    return [heads, said(table.querySelector("tbody tr")), said(table.querySelector("tfoot tr") ?? table)];
}"""
"""Heads of a table that a phone shows as lists, and what stands before cells of its first and last row."""


def test_cells_of_a_table_name_their_columns_on_a_phone(browse, hub) -> None:
    furnish(hub)
    watched = browse(360, 740)
    pages = (("/doors?site=lab-1", "list"), ("/rights?site=lab-1", "matrix"), ("/rights?site=lab-1", "list"))
    for path, part in pages:
        watched.page.goto(f"{hub.address}{path}&lang=en")
        heads, first, _ = watched.page.evaluate(HEADS, part)
        named = [f'"{one}: "' for one in heads[1:] if one != "Act"]
        assert [one for one in first if one != "none"] == [
            one.replace(" (Asia/Shanghai)", "") for one in named
        ]
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360
    tell(hub, "tripped")
    watched.page.goto(f"{hub.address}{PAGE}?lang=en")
    heads, first, last = watched.page.evaluate(HEADS, "matrix")
    effects = ['"locks entry room-2-door: "', '"blocks the output gpio/source-1: "']
    assert heads[-2:] == [one.strip('": ') for one in effects]
    assert first[-2:] == last == effects
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute("DELETE FROM control_status")
