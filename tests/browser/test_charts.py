"""Charts: gaps are gaps with their cause, by eye, by keyboard and as a table."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def _figure(page, place: str, quantity: str):
    return page.locator("figure.chart", has=page.locator("figcaption", has_text=place)).filter(
        has=page.locator("h3", has_text=quantity)
    )


def test_gaps_are_drawn_with_their_cause(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en&range=24h")
    marks = _figure(page, "room-2/air", "Temperature").locator(".gap-mark")
    labels = [marks.nth(i).get_attribute("aria-label") for i in range(marks.count())]
    assert sum(label.startswith("Gap: power (supply of the cabinet lost)") for label in labels) == 1
    assert sum(label.startswith("No evidence, unexplained") for label in labels) >= 1
    assert _figure(page, "room-1/air", "Temperature").locator(".gap-mark:not(.unexplained)").count() == 0


def test_line_is_broken_where_the_gap_is(browse) -> None:
    """The pixels of the line's colour: none inside the hatched stretch, many beside it."""
    page = browse().open("/sites/lab-1?lang=en&range=24h")
    figure = _figure(page, "room-2/air", "Temperature")
    inked = figure.evaluate(
        """(figure) => {
            const canvas = figure.querySelector("canvas");
            const over = figure.querySelector(".u-over").getBoundingClientRect();
            const mark = figure.querySelector(".gap-mark:not(.unexplained)").getBoundingClientRect();
            const box = canvas.getBoundingClientRect();
            const scale = canvas.width / box.width;
            const probe = document.createElement("canvas").getContext("2d");
            probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
            probe.fillRect(0, 0, 1, 1);
            const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
            const count = (left, right) => {
                const x = Math.round((left - box.left) * scale), width = Math.round((right - left) * scale);
                const data = canvas.getContext("2d").getImageData(
                    x, Math.round((over.top - box.top) * scale), width, Math.round(over.height * scale)).data;
                let found = 0;
                for (let i = 0; i < data.length; i += 4) {
                    const off = [r, g, b].map((part, k) => Math.abs(data[i + k] - part));
                    if (off[0] + off[1] + off[2] < 60) found += 1;
                }
                return found;
            };
            const width = mark.width - 6;
            return [count(mark.left + 3, mark.right - 3), count(mark.right + 4, mark.right + 4 + width)];
        }"""
    )
    assert inked[0] == 0
    assert inked[1] > 10


def test_gap_tells_its_cause_on_focus(browse) -> None:
    page = browse().open("/sites/mobile-1?lang=zh&range=24h")
    figure = _figure(page, "cabin/air", "温度")
    mark = figure.locator("button.gap-mark:not(.unexplained)")
    mark.focus()
    assert figure.locator(".readout").inner_text().startswith("缺口：电源 (supply of the cabinet lost)")


def test_arrow_keys_read_values(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en&range=24h")
    figure = _figure(page, "room-1/air", "Temperature")
    figure.locator(".plot").focus()
    page.keyboard.press("ArrowLeft")
    first = figure.locator(".readout").inner_text()
    page.keyboard.press("ArrowLeft")
    second = figure.locator(".readout").inner_text()
    assert "°C" in first
    assert "°C" in second
    assert first != second


def test_table_says_the_same_as_the_chart(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en&range=1h")
    figure = _figure(page, "room-1/air", "Temperature")
    figure.locator("summary").click()
    rows = figure.locator("tbody tr")
    rows.first.wait_for()
    assert rows.count() >= 300
    low, high = figure.locator(".extent").inner_text().removeprefix("lowest ").split(", highest ")
    values = [text for text in figure.locator("tbody tr td:nth-child(2)").all_inner_texts() if "°C" in text]
    assert min(values) == low
    assert max(values) == high


def test_range_and_custom_interval_are_addresses(browse) -> None:
    watched = browse()
    page = watched.open("/sites/lab-1?lang=en")
    page.get_by_role("link", name="1 hour", exact=True).click()
    assert "range=1h" in page.url
    assert page.locator(".range a[aria-current]").inner_text() == "1 hour"
    page.get_by_role("button", name="Show", exact=True).click()
    assert "from=" in page.url
    assert page.locator(".range a[aria-current]").count() == 0


def test_completeness_is_due_equals_stored_plus_explained_plus_unexplained(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en&range=24h")
    rows = page.locator("section[aria-labelledby=completeness] tbody tr")
    rows.first.wait_for()
    for row in rows.all():
        due, stored, unexplained, explained = [
            int("".join(sign for sign in text.split("\n")[0] if sign.isdigit()))
            for text in row.locator("td.number").all_inner_texts()
        ]
        assert due == stored + explained + unexplained
        assert stored > 7000


def test_older_events_are_fetched_on_demand(browse) -> None:
    page = browse().open("/sites/mobile-1?lang=en")
    events = page.locator("section[aria-labelledby=events]")
    rows = events.locator("tbody tr")
    shown = rows.count()
    events.get_by_role("button", name="Older events").click()
    expect(rows).to_have_count(2 * shown)
    assert "Power lost" not in rows.first.inner_text()
