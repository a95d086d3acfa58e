"""What needs attention stands on the first page and a site's page: by itself, with a link, on a phone too."""

import psycopg
import pytest
from playwright.sync_api import expect

from tests.browser.test_interlocks import tell
from tests.browser.test_pages import AXE, VIOLATIONS

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.9b", "G-6.11")]
ALARM = """
INSERT INTO alarm_occurrences (organisation_id, site_id, point, condition, revision, onset, raised_at,
                               priority, ack_required, grp, open, known_at, live)
SELECT 1, s.id, 'room-2/air/temperature ' || n, 'hi', 1, t, t, 2, true, 'room', true, t, true
FROM sites s, generate_series(1, 10) n, (SELECT (extract(epoch FROM now()) * 100)::bigint AS t) AS at
WHERE s.name = 'lab-2'
"""


@pytest.fixture(autouse=True)
def _quiet(hub):
    """Nothing waits for anybody, before and after."""
    statement = "DELETE FROM control_status; DELETE FROM alarm_occurrences"
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute(statement)
    yield
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute(statement)


def test_tripped_interlock_appears_with_its_link_and_goes_by_itself(browse, hub) -> None:
    watched = browse(360, 740)
    page = watched.open("/?lang=en")
    needs, count = page.locator("#needs"), page.locator("#needs-count")
    expect(count).to_have_text("0")
    expect(needs.locator("#needs-none")).to_be_visible()
    page.evaluate("window.sameDocument = true")
    tell(hub, "tripped", age_s=-600)
    line = needs.locator("li")
    expect(line.locator(".state")).to_have_text("Tripped")
    expect(count).to_have_text("1")
    expect(needs.locator("#needs-none")).to_be_hidden()
    expect(page.locator("section:has(#site-lab-1) header .state")).to_have_text("Needs attention")
    expect(page.locator("#figure-attention dd")).to_have_text("1")
    assert page.evaluate("window.sameDocument") is True
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute(ALARM)
    expect(count).to_have_text("11")
    expect(needs.locator("li").last).to_have_text("and 2 more alarms")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS) == []
    first = needs.locator("li a").first
    first.focus()
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute("UPDATE alarm_occurrences SET acknowledged_at = onset, acknowledged_by = 'ann'")
    expect(count).to_have_text("1")
    expect(first).to_be_focused()
    assert watched.complaints == []
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Room 2")


def test_site_lists_its_own_in_its_language(browse, hub) -> None:
    tell(hub, "reset", age_s=-600)
    page = browse().open("/sites/lab-1?lang=zh")
    expect(page.locator("#needs li a")).to_have_text("联锁：Room 2")
    expect(page.locator(".head .state")).to_have_text("需要处理")
    page = browse().open("/sites/mobile-1?lang=zh")
    expect(page.locator("#needs-count")).to_have_text("0")
