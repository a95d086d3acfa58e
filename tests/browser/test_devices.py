"""Devices and coverage in a real browser: states in words, candidates, uncovered zones, kept fresh."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def test_gateway_that_is_not_heard_comes_first_and_says_why_its_devices_are_silent(browse) -> None:
    page = browse().open("/devices?lang=en")
    first = page.locator("section.gateway").first
    assert first.locator("h2").inner_text() == "van-1"
    row = first.locator("tr", has_text="gnss")
    assert row.locator("td .state").inner_text() == "Silent"
    assert "gateway suspected offline" in row.inner_text()


def test_device_shows_kind_state_points_and_parts(browse, hub) -> None:
    for point in ("room-1/air/temperature", "room-1/air/relative_humidity", "room-1/air/pressure"):
        hub.store(point, 2000)
    page = browse().open("/devices?lang=en")
    lab = page.locator("section.gateway", has=page.locator("#at-lab-1"))
    row = lab.locator("tr", has=page.locator("th", has_text="room-1"))
    assert row.locator("th .under").inner_text() == "Modbus RTU"
    assert row.locator("td .state").first.inner_text() == "Working"
    row.get_by_role("link", name="Points of room-1: 3").click()
    page.wait_for_url("**/sites/lab-1#chart-*")


def test_candidates_are_those_that_nobody_configured(browse) -> None:
    page = browse().open("/devices?lang=en")
    rows = page.locator("section > table.candidates tbody tr")
    assert rows.locator("th").all_inner_texts() == ["D4:3A:2C:10:77:01", "room-1/17"]
    assert "-68" in rows.first.inner_text()


def test_candidate_that_is_seen_no_more_leaves_the_list_with_a_word(browse) -> None:
    page = browse().open("/devices?lang=en")
    page.get_by_text("not seen any more for two days: 1").click()
    assert page.locator("details.left table th[scope=row]").all_inner_texts() == ["D4:3A:2C:10:77:09"]


def test_what_waits_on_a_gateway_is_said_beside_what_is_here(browse) -> None:
    watched = browse()
    told = re.compile(r"waiting on the gateway: 5.120 readings, 3 sealed batches")
    lab = watched.open("/devices?lang=en").locator("section.gateway", has_text=told)
    assert lab.locator("h2").all_inner_texts() == ["lab-1"]
    assert watched.open("/devices?lang=zh").get_by_text("网关上等待发送").count() == 1


def test_uncovered_zones_are_named_on_top_in_both_languages(browse) -> None:
    watched = browse()
    page = watched.open("/coverage?lang=en")
    said = page.locator(".lacks li").all_inner_texts()
    assert any("Length room" in one and "no camera" in one and "no reader" not in one for one in said)
    assert any("Cabin" in one and "no camera, no reader" in one for one in said)
    page = watched.open("/coverage?lang=zh")
    assert any("没有摄像机、没有读卡器" in one for one in page.locator(".lacks li").all_inner_texts())
    page.locator(".lacks a").first.click()
    assert page.locator("th:target").count() == 1


def test_what_is_named_and_not_there_covers_nothing(browse) -> None:
    page = browse().open("/coverage?lang=en")
    row = page.locator("table.matrix tr", has_text="Optics room")
    camera = row.locator("td").first
    assert camera.locator(".state").first.inner_text() == "None"
    assert "cam-2" in camera.inner_text()
    assert "No gateway has it" in camera.inner_text()


@pytest.mark.parametrize("path", ["/devices", "/coverage"])
def test_page_is_kept_fresh_but_not_under_the_hands_of_who_reads_by_keyboard(browse, hub, path: str) -> None:
    page = browse().open(f"{path}?lang=en")
    page.evaluate("document.getElementById('fresh').dataset.old = 'yes'")
    page.locator("#fresh a").first.focus()
    hub.store("room-1/air/temperature", 2001)
    page.wait_for_timeout(11_000)
    assert page.locator("#fresh[data-old]").count() == 1
    page.locator("#main").focus()
    expect(page.locator("#fresh[data-old]")).to_have_count(0, timeout=15_000)


def test_matrix_is_stacked_by_zone_on_a_phone(browse) -> None:
    page = browse(360, 740).open("/coverage?lang=zh")
    row = page.locator("table.matrix tbody tr").first
    labels = row.locator("td > .small-label")
    assert labels.count() == 8
    assert all(label.is_visible() for label in labels.all())
    tops = [cell.bounding_box()["y"] for cell in row.locator("td").all()]
    assert tops == sorted(tops)
    assert len(set(tops)) == 8


def test_devices_are_reached_from_a_site_and_by_the_navigation(browse) -> None:
    page = browse().open("/sites/lab-1?lang=en")
    page.get_by_role("link", name="lab-1", exact=True).click()
    page.wait_for_url("**/devices#at-lab-1")
    page.get_by_role("link", name="Coverage").click()
    page.wait_for_url("**/coverage")
    assert page.locator("nav [aria-current=page]").inner_text() == "Coverage"
