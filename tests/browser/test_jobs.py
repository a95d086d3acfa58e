"""Jobs in a real browser: the list and a job's page follow what happens, and nobody loses what they type."""

from datetime import UTC, datetime

import msgspec
import psycopg
import pytest
from playwright.sync_api import expect
from psycopg.types.json import Jsonb

from cloud.store.ticks import tick_of_datetime
from rules.access.words import JobState
from rules.jobs.model import Cause, Hold, Job
from rules.jobs.spans import Span
from tests.browser.test_pages import AXE, VIOLATIONS

pytestmark = [pytest.mark.slow, pytest.mark.requirement("H-7.3.1a")]


@pytest.fixture
def job(hub):
    """A job under way; called with a state it is so. Nothing of it is left."""

    def put(state: JobState) -> int:
        now = datetime.now(UTC)
        at = tick_of_datetime(now)
        holds = (
            (Hold(at, at, (Cause("limit/room-1/air/temperature", at),)),) if state is JobState.HELD else ()
        )
        document = Job(
            "J-7", "mass", 1, ("1001",), (), "room-1", Span(at, at + 1), state, started_at=at, holds=holds
        )
        with psycopg.connect(hub.owner_dsn) as connection:
            row = connection.execute(
                "INSERT INTO jobs (organisation_id, site_id, number, zone, state, planned_from, planned_to,"
                " started_at, document, author, made_at) SELECT 1, id, 'J-7', 'room-1', %s, %s, %s, %s, %s,"
                " 'x', %s FROM sites WHERE name = 'lab-1'"
                " ON CONFLICT (organisation_id, number) DO UPDATE SET state = excluded.state,"
                " document = excluded.document RETURNING id",
                (str(state), now, now, now, Jsonb(msgspec.to_builtins(document)), now),
            ).fetchone()
        return int(row[0])

    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute(
            "INSERT INTO limit_sets VALUES (1, 'mass', 1, '[]', 1, '{}', 'x', 'y', now())"
            " ON CONFLICT DO NOTHING"
        )
    yield put
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute("DELETE FROM jobs")


def test_list_follows_what_happens_without_a_reload(browse, job) -> None:
    job(JobState.RUNNING)
    watched = browse(360, 740)
    page = watched.open("/jobs?lang=en")
    state = page.locator("tr", has_text="J-7").locator(".state")
    expect(state).to_have_text("Running")
    page.evaluate("window.sameDocument = true")
    page.locator("a", has_text="J-7").focus()
    job(JobState.HELD)
    expect(state).to_have_text("Held")
    expect(page.locator("a", has_text="J-7")).to_be_focused()
    assert page.evaluate("window.sameDocument") is True
    page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS) == []
    assert watched.complaints == []


def test_page_of_a_job_follows_it_and_keeps_what_is_typed(browse, job) -> None:
    number = job(JobState.RUNNING)
    page = browse().open(f"/jobs/{number}?lang=en")
    reason = page.locator("#finish-reason")
    reason.fill("half a sen")
    job(JobState.HELD)
    expect(page.locator("[data-part=state] .state")).to_have_text("Held")
    expect(page.locator("#release-reason")).to_be_visible()
    expect(reason).to_be_focused()
    page.keyboard.type("tence")
    assert reason.input_value() == "half a sentence"
    expect(page.locator("[data-part=holds]")).to_contain_text("limit/room-1/air/temperature")
