"""What needs a person stands out; a vehicle without a fix stays where it was; accounts show the worst."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


@pytest.fixture
def on_battery(hub):
    """Let the UPS of mobile-1 be on battery."""
    hub.store("ups/power", 2)
    yield
    hub.store("ups/power", 1)


def test_power_loss_is_on_the_badge_in_the_summary_and_first(browse, on_battery) -> None:
    page = browse().open("/?lang=en")
    expect(page.locator("section:has(#site-mobile-1) header .state")).to_have_text("Needs attention")
    assert page.locator("#figure-attention dd").inner_text() == "1"
    group = page.locator("section", has=page.locator("#site-mobile-1")).locator("details.place").first
    assert group.locator(".place-name").inner_text() == "ups"
    flag = group.locator("tr .flag.urgent")
    assert flag.inner_text() == "On battery"
    assert flag.evaluate("(one) => getComputedStyle(one, '::before').clipPath").startswith("polygon")
    page = browse().open("/sites/mobile-1?lang=zh")
    assert page.locator(".groups .place-name").first.inner_text() == "ups"
    assert page.locator(".head .state").inner_text() == "需要处理"


def test_power_loss_shows_without_a_reload_and_goes_with_it(browse, hub) -> None:
    hub.store("ups/power", 1)
    page = browse().open("/?lang=en")
    flag = page.locator("tr[data-point]", has_text="Power supply").locator(".flag")
    hub.store("ups/power", 2)
    expect(flag).to_have_text("On battery")
    expect(page.locator("section:has(#site-mobile-1) header .state")).to_have_text("Needs attention")
    expect(page.locator("#figure-attention dd")).to_have_text("1")
    hub.store("ups/power", 1)
    expect(flag).to_have_text("")
    expect(page.locator("#figure-attention dd")).to_have_text("0")
    assert page.locator("section:has(#site-mobile-1) header .state").inner_text() != "Needs attention"


def test_summary_and_badges_never_disagree(browse, hub) -> None:
    """A point is heard and falls silent again by time alone: badge and count change in the same moment."""
    hub.store("room-1/air/pressure", 101_300)
    page = browse().open("/?lang=en")
    page.evaluate(
        """() => {
            window.disagreed = [];
            const look = () => {
                for (const kind of ["online", "partly", "attention", "unknown", "suspected", "unmonitored"]) {
                    const badges = document.querySelectorAll(`.sites .state.${kind}`).length;
                    const told = Number(document.querySelector(`#figure-${kind} dd`).textContent);
                    if (badges !== told) window.disagreed.push([kind, badges, told]);
                }
            };
            setInterval(look, 50);
        }"""
    )
    page.wait_for_timeout(1500)
    hub.store("room-2/air/temperature", 2010)
    page.wait_for_timeout(35_000)
    assert page.evaluate("window.disagreed") == []


def test_vehicle_without_a_fix_stays_on_the_map_as_an_old_place(browse, hub) -> None:
    hub.report("van-1", fix=True)
    hub.report("van-1", fix=False)
    page = browse().open("/map?lang=en")
    mark = page.locator(".vehicle-mark", has_text="Sampling van")
    expect(mark).to_have_class(re.compile("late"))
    assert "No fix: last place, " in mark.inner_text()
    button = page.locator("[data-show-vehicle=van-1]")
    button.click()
    page.wait_for_timeout(900)
    box, middle = mark.bounding_box(), page.locator(".map-box").bounding_box()
    assert middle["x"] < box["x"] < middle["x"] + middle["width"]
    hub.report("van-1", fix=True)
    expect(mark.locator(".vehicle-name")).to_have_text("抽样车一号 Sampling van 1")
    hub.report("van-1", fix=False)
    expect(mark.locator(".vehicle-name")).to_contain_text("No fix: last place, ")


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("code", ["en", "zh"])
def test_unexplained_readings_are_in_sight_beside_many_causes(browse, code: str, width: int) -> None:
    page = browse(width, 900).open(f"/sites/lab-1?lang={code}&range=24h")
    fold = page.locator("section[aria-labelledby=completeness] details.whole")
    fold.evaluate("(one) => { one.open = true; }")
    table = page.locator("table.account")
    table.wait_for()
    outside = table.evaluate(
        """(table) => {
            for (const under of table.querySelectorAll("td:last-child .under"))
                under.textContent = "gateway 86 400, maintenance 12 345, storage 1 234";
            const box = table.closest(".scroll").getBoundingClientRect();
            return [...table.querySelectorAll("td, th")].filter((cell) => {
                const at = cell.getBoundingClientRect();
                return at.width && (at.right > box.right + 1 || at.left < box.left - 1);
            }).map((cell) => cell.textContent);
        }"""
    )
    assert outside == []
    marked = [row.locator(".flag").count() for row in table.locator("tbody tr").all()]
    assert marked == sorted(marked, reverse=True)


def test_live_chart_breaks_its_line_at_once_where_readings_were_due(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en&range=1h")
    figure = page.locator("figure.chart", has=page.locator("h3", has_text="Illuminance"))
    before = figure.locator(".gap-mark.unexplained").count()
    figure.evaluate(
        """async (figure) => {
            const known = await (await fetch(figure.dataset.source)).json();
            const at = known.times.at(-1) + 3 * known.due_ms + 5000;
            const id = Number(figure.dataset.chart), due = known.due_ms;
            const point = {id, at, count: 500, exponent: 0, flag: "", due};
            document.dispatchEvent(new CustomEvent("heng:points", {detail: [point]}));
        }"""
    )
    expect(figure.locator(".gap-mark.unexplained")).not_to_have_count(0)
    last = figure.locator(".gap-mark.unexplained").last
    assert last.get_attribute("title").startswith("No evidence, unexplained")
    assert figure.locator(".gap-mark.unexplained").count() >= before


def test_age_of_a_late_value_breaks_into_two_lines_at_most(browse) -> None:
    page = browse(1600, 900).open("/?lang=en")
    late = page.locator("section", has=page.locator("#site-van-1")).locator("td .age.late").first
    lines = late.evaluate("(one) => one.getClientRects().length")
    assert lines <= 2
