"""Doors, rights and visitors in a real browser: on a phone, in two languages, by forms."""

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import AXE, VIOLATIONS
from wire.codec import encode_body
from wire.control import ControlStatus, InsideNow, PortalNow

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.4b")]
_LONG = "the-door-of-the-climate-chamber"


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(hub):
    """What other pages count as needing attention is taken away again."""
    yield
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute("DELETE FROM control_status")


def furnish(hub) -> int:
    """Give the laboratory doors, people, rights, a visit and a refusal; return the refusal's event."""
    at = datetime.now(UTC)
    status = ControlStatus(
        gateway="lab-1",
        boot=bytes(16),
        tick=1,
        portals=(PortalNow(name=_LONG, contact="open", lock="unlocked", forced=True, locked_by=("room-2",)),),
        inside=(InsideNow(person="1001", zone="chamber", at_ms=round(at.timestamp() * 1000)),),
        lock_downs=("chamber",),
    )
    with psycopg.connect(hub.owner_dsn, autocommit=True) as connection:
        site, body = connection.execute(
            "SELECT id, organisation_id FROM sites WHERE name = 'lab-1'"
        ).fetchone()
        (gateway,) = connection.execute("SELECT id FROM gateways WHERE name = 'lab-1'").fetchone()
        connection.execute("DELETE FROM control_status WHERE gateway_id = %s", (gateway,))
        connection.execute(
            "INSERT INTO control_status VALUES (%s, %s, %s, 1, %s, %s, %s)",
            (body, gateway, bytes(16), encode_body(status), at, at),
        )
        zone = connection.execute(
            "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers, cameras, readers)"
            " VALUES (%s, %s, 'chamber', '恒温恒湿室 Climate chamber', 'room', '{}', '{}', '{}')"
            " ON CONFLICT (site_id, name) DO UPDATE SET title = excluded.title RETURNING id",
            (body, site),
        ).fetchone()
        connection.execute(
            "INSERT INTO portals (organisation_id, site_id, name, title, kind, to_zone_id)"
            " VALUES (%s, %s, %s, '恒温恒湿室门 Door of the climate chamber', 'door', %s)"
            " ON CONFLICT (site_id, name) DO NOTHING",
            (body, site, _LONG, *zone),
        )
        connection.execute(
            "INSERT INTO credential_keys VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (body, "0123456789abcdef", bytes(32), at),
        )
        connection.execute(
            "INSERT INTO people (organisation_id, number, name) VALUES (%s, '1001', '李娜 Li Na')"
            " ON CONFLICT DO NOTHING",
            (body,),
        )
        right = {"people": ["1001"], "zones": ["chamber"]}
        for kind, name, item in (("right", "staff", right), ("day", "2026-10-01", {"kind": "holiday"})):
            connection.execute(
                "INSERT INTO access_items (organisation_id, site_id, kind, name, title, body, changed_by,"
                " changed_at) VALUES (%s, %s, %s, %s, 'A title', %s, 'li', %s) ON CONFLICT DO NOTHING",
                (body, site, kind, name, json.dumps(item), at),
            )
        (event,) = connection.execute(
            "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
            " VALUES (%s, %s, %s, %s, 'access_refused', %s, %s) RETURNING id",
            (
                body,
                gateway,
                site,
                at - timedelta(seconds=5),
                f"{_LONG}/in",
                json.dumps(
                    {"reason": "out_of_schedule", "step": "right", "person": "1001", "revision": "0.1"}
                ),
            ),
        ).fetchone()
        return int(event)


@pytest.mark.parametrize(("language", "width", "most"), [("en", 360, 7), ("zh", 1600, 2)])
def test_pages_of_doors_fit_and_axe_finds_no_violation(
    browse, hub, language: str, width: int, most: int
) -> None:
    event = furnish(hub)
    paths = ("/doors?site=lab-1", "/rights?site=lab-1", "/rights/schedules?site=lab-1")
    others = (f"/doors/why/{event}?", "/doors/roll-call/lab-1?", "/doors/gateways?site=lab-1")
    for path in (*paths, *others, "/visitors?site=lab-1")[:most]:
        watched = browse(width, color_scheme="dark" if width == 360 else "light")
        watched.page.goto(f"{watched.hub.address}{path}&lang={language}")
        for fold in watched.page.locator("details").all():
            fold.locator("summary").click()
        watched.page.evaluate(AXE)
        assert watched.page.evaluate(VIOLATIONS) == [], path
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert watched.complaints == []


def test_right_is_entered_by_form_and_a_fault_keeps_what_was_typed(browse, hub) -> None:
    furnish(hub)
    page = browse().page
    page.goto(f"{hub.address}/rights?site=lab-1&lang=en")
    page.get_by_label("Short name").fill("night")
    page.get_by_label("People, by staff number").fill("4711")
    page.get_by_label("恒温恒湿室 Climate chamber", exact=True).check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#fault")).to_contain_text("4711")
    expect(page.get_by_label("Short name")).to_have_value("night")
    page.get_by_label("People, by staff number").fill("1001")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#fault")).to_have_count(0)
    expect(page.locator("section[aria-labelledby=list]")).to_contain_text("night")


def test_refusal_is_explained_in_plain_words(browse, hub) -> None:
    furnish(hub)
    page = browse().open("/doors?site=lab-1&lang=en")
    expect(page.locator("section[aria-labelledby=stream]")).to_contain_text("does not hold at this time")
    expect(page.locator("#fresh")).to_contain_text("Entry is locked down: chamber")
    page.locator("section[aria-labelledby=stream] a", has_text="Why?").first.click()
    expect(page.locator("tbody tr")).to_have_count(14)
    expect(page.locator("tbody tr", has_text="Right or visit")).to_contain_text("not passed")
