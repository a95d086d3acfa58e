"""Alarms in a real browser: on a phone, in two languages, worked by keyboard."""

import json
from datetime import UTC, datetime

import psycopg
import pytest
from playwright.sync_api import expect

from cloud.store.ticks import tick_of_datetime
from tests.browser.test_pages import AXE, VIOLATIONS

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.11", "G-6.11b")]
PATHS = ("/alarms", "/alarms/history", "/alarms/points", "/alarms/templates", "/alarms/calls")
TABLES = "alarm_occurrences, alarm_acts, alarm_desks, alarm_templates, alarm_channels"
RULES = [
    {"condition": "hi", "priority": 2, "limit": "23.00", "deadband": "0.50"},
    {"condition": "comms", "priority": 3, "on_delay_ticks": 6000},
]


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(hub):
    """What other pages count as needing attention is taken away again."""
    yield
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute(f"TRUNCATE {TABLES} CASCADE")


def raise_alarms(hub) -> None:
    """Have one alarm of each priority stand, a template watch a point, and a message go out."""
    now = tick_of_datetime(datetime.now(UTC))
    with psycopg.connect(hub.owner_dsn) as db:
        db.execute(f"TRUNCATE {TABLES} CASCADE")
        db.execute(
            "INSERT INTO alarm_templates (organisation_id, name, quantity) VALUES (1, 'air', 'temperature')"
        )
        db.execute(
            "INSERT INTO alarm_template_revisions (organisation_id, template_id, number, rules, author,"
            " reason, created_at) SELECT 1, id, 1, %s::jsonb, 'ann', 'new', now() FROM alarm_templates",
            (json.dumps(RULES),),
        )
        db.execute(
            "INSERT INTO alarm_applied SELECT p.id, 1, p.site_id, t.id, 'ann', now() FROM points p,"
            " alarm_templates t WHERE p.quantity = 'temperature' LIMIT 1"
        )
        db.execute(
            "INSERT INTO alarm_channels (organisation_id, name, kind, target, language, author, changed_at)"
            " VALUES (1, 'duty', 'email', 'duty@lab.example', 'zh', 'ann', now())"
        )
        db.execute(
            "INSERT INTO alarm_deliveries (organisation_id, site_id, channel, subject, body, state, attempts,"
            " next_at, created_at) VALUES (1, 1, 'duty', 'x', 'x', 'sent', 1, now(), now())"
        )
        for priority, (point, condition) in enumerate(
            (
                ("interlock/room-2", "event"),
                ("room-2/bench/a-rather-long-name-of-a-place/temperature", "hi"),
                ("room-2/air/humidity", "comms"),
                ("door-contact/tamper", "tamper"),
            ),
            1,
        ):
            db.execute(
                "INSERT INTO alarm_occurrences (organisation_id, site_id, point, condition, revision, onset,"
                " raised_at, priority, ack_required, alarm_limit, worst, grp, open, known_at, live, detail)"
                " VALUES (1, 1, %s, %s, 1, %s, %s, %s, true, 23, 24.15, 'room-2', true, %s, true, %s::jsonb)",
                (
                    *(point, condition, now - 6000 * priority, now, priority, now),
                    json.dumps({"first_out": "room-2/air/temperature"}),
                ),
            )


@pytest.mark.parametrize(("language", "width"), [("en", 360), ("zh", 1600)])
def test_pages_of_alarms_fit_and_axe_finds_no_violation(browse, hub, language: str, width: int) -> None:
    raise_alarms(hub)
    for path in PATHS:
        watched = browse(width, color_scheme="dark" if width == 360 else "light")
        page = watched.page
        page.goto(f"{hub.address}{path}?lang={language}")
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert watched.complaints == []


def test_alarms_are_worked_by_keyboard(browse, hub) -> None:
    raise_alarms(hub)
    page = browse().open("/alarms?lang=en")
    rows = page.locator(".alarm")
    expect(rows).to_have_count(4)
    page.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(rows.nth(1).locator("input[name=text]")).to_be_focused()
    page.keyboard.type("fan is looked at")
    rows.nth(1).locator("button[value=comment]").click()
    expect(page.get_by_text("fan is looked at")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator(".alarm .state", has_text="Acknowledged").first).to_be_visible()
