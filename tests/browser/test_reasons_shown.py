"""Why a value is missing stands beside it, in the page's language; nothing is carried by colour alone."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def _row(page, name: str):
    return page.locator("table.values tr[data-point]", has=page.locator("th", has_text=name)).first


@pytest.mark.parametrize(
    ("code", "quantity", "said"),
    [
        ("en", "Speed", "bus: no answer within 1 s, since "),
        ("zh", "速度", "总线: 1 秒内无应答, 自 "),
    ],
)
def test_silent_point_has_its_reason_and_since_when_beside_its_value(browse, code, quantity, said) -> None:
    page = browse().open(f"/sites/van-1?lang={code}")
    row = _row(page, quantity)
    assert row.locator(".why").inner_text().startswith(said)
    assert "+08:00" in row.locator(".why").inner_text()
    assert row.locator(".flag").inner_text() != ""


def test_absent_point_says_since_when(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en")
    row = _row(page, "Temperature")
    expect(row.locator(".why")).to_contain_text("since ")


def test_now_says_cause_and_reason_and_on_a_phone_the_cause_alone(browse) -> None:
    page = browse().open("/?lang=zh")
    why = page.locator("section", has=page.locator("#site-van-1")).locator(".why").first
    assert why.inner_text().startswith("总线: 1 秒内无应答, 自 ")
    page.set_viewport_size({"width": 360, "height": 740})
    assert why.inner_text().startswith("总线, 自 ")


def test_map_says_cause_and_reason_of_a_silent_vehicle(browse) -> None:
    page = browse().open("/map?lang=en")
    said = page.locator(".vehicles li", has_text="Sampling van").locator(".why")
    assert "gateway suspected offline, since " in said.inner_text()


def test_reason_goes_when_a_value_comes(browse, hub) -> None:
    page = browse().open("/sites/van-1?lang=en")
    row = _row(page, "Speed")
    expect(row.locator(".why")).not_to_be_empty()
    hub.store("gnss/speed", 7000)
    expect(row.locator(".why")).to_be_empty()
    expect(row.locator(".flag")).to_be_empty()


def test_reasons_and_event_details_are_chinese_on_a_chinese_page(browse) -> None:
    page = browse().open("/sites/mobile-1?lang=zh&range=24h")
    details = page.locator("section[aria-labelledby=events] .details").first
    assert details.inner_text() == "误差界（毫秒） 40"
    gap = page.locator("section[aria-labelledby=gaps] .cause .under span").first
    assert gap.inner_text() == "supply of the cabinet lost"
    assert gap.get_attribute("lang") == "en"


def test_unknown_reason_is_marked_as_english_below_a_chart_too(browse) -> None:
    page = browse().open("/sites/mobile-1?lang=zh&range=24h")
    figure = page.locator("figure.chart", has=page.locator("button.gap-mark:not(.unexplained)")).first
    figure.locator("button.gap-mark:not(.unexplained)").first.focus()
    assert figure.locator(".readout [lang=en]").inner_text() == "supply of the cabinet lost"


def test_unknown_range_is_refused_with_field_value_and_expectation(browse) -> None:
    watched = browse()
    answer = watched.page.goto(watched.hub.address + "/sites/lab-1?range=99d&lang=en")
    assert answer is not None
    assert answer.status == 422
    said = watched.page.locator("main .notice").inner_text()
    assert said == "range is “99d”: expected one of 1h, 24h, 7d, 30d, 1y."
    for part in ("gaps", "completeness"):
        assert watched.page.request.get(watched.hub.address + f"/sites/lab-1/{part}?range=99d").status == 422


def test_times_say_which_they_are(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en")
    assert page.locator(".head .meta").inner_text().endswith("Times in Asia/Shanghai (UTC+08:00)")
    assert page.locator(".bottom").inner_text().count(" +08:00") == 1
    assert page.locator("section[aria-labelledby=events]").inner_text() != ""
    page = browse().open("/?lang=en")
    assert page.locator(".bottom").inner_text().count(" +08:00") == 1
    assert page.locator("tr[data-point] time").first.get_attribute("title").endswith("+08:00")


def test_remark_and_state_are_said_in_words_and_by_shape(browse) -> None:
    """Everything that a colour says is a word too, with a mark whose shape differs."""
    page = browse().open("/?lang=en")
    for state in page.locator(".state").all():
        assert state.inner_text() != ""
    for flag in page.locator("tr.stale .flag").all():
        assert flag.inner_text() != ""
    late = page.locator("tr.stale .age").first
    assert "late" in late.inner_text()
    shapes = page.locator(".state").evaluate_all(
        """(all) => all.map((one) => {
            const at = getComputedStyle(one, "::before");
            return [one.className, at.borderRadius + at.borderStyle + at.transform + at.backgroundImage];
        })"""
    )
    kinds = dict(shapes)
    assert len(set(kinds.values())) == len(kinds)


def test_open_page_asks_the_hub_why_while_a_value_is_missing(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en")
    why = _row(page, "Temperature").locator(".why")
    why.evaluate("(one) => one.replaceChildren()")
    expect(why).to_contain_text("since ", timeout=15_000)  # it asks every 10 s
