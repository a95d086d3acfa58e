"""Jobs in a real browser: the list and a job's page follow what happens, and nobody loses what they type."""

from datetime import UTC, datetime, timedelta

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


def test_page_of_a_job_says_what_would_be_refused_as_the_act_does(browse, hub, past) -> None:
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute("UPDATE jobs SET document = document - 'state' WHERE id = %s", (past,))
        connection.execute("UPDATE jobs SET state = 'planned', started_at = NULL WHERE id = %s", (past,))
        connection.execute("UPDATE jobs SET document = document - 'started_at' WHERE id = %s", (past,))
    page = browse().open(f"/jobs/{past}?lang=en")
    would = page.locator("[data-part=now] strong")
    expect(would).not_to_be_empty()
    words = would.inner_text()
    page.locator("#start-present").fill("1001")
    page.get_by_role("button", name="Begin the work").click()
    expect(page.locator("#fault")).to_have_text(words)


LIMITS = '[{"quantity": "temperature", "low": "18", "high": "22"}]'


@pytest.fixture
def past(hub, job):
    """A job of the last six hours whose method asks for a temperature, in a zone with more points."""
    number = job(JobState.RUNNING)
    began = datetime.now(UTC) - timedelta(hours=6)
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute(
            "INSERT INTO limit_sets VALUES (1, 'air', 1, %s, 1, '{}', 'x', 'y', now())"
            " ON CONFLICT DO NOTHING",
            (LIMITS,),
        )
        connection.execute(
            "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers, cameras, readers)"
            " SELECT organisation_id, id, 'record', 'Record', 'room', '{room-1,room-2,cold-store}', '{}',"
            " '{}' FROM sites WHERE name = 'lab-1' ON CONFLICT DO NOTHING"
        )
        tick = tick_of_datetime(began)
        document = Job(
            "J-7", "air", 1, ("1001",), (), "record", Span(tick, tick + 1), JobState.RUNNING, started_at=tick
        )
        connection.execute(
            "UPDATE jobs SET zone = 'record', started_at = %s, document = %s WHERE id = %s",
            (began, Jsonb(msgspec.to_builtins(document)), number),
        )
    yield number
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute("DELETE FROM zones WHERE name = 'record'")


@pytest.mark.parametrize("width", [360, 1600])
def test_record_fits_the_screen_with_what_the_method_asks_for_first_and_gaps_folded(
    browse, hub, past, width: int
) -> None:
    watched = browse(width, 800)
    page = watched.page
    page.goto(f"{hub.address}/jobs/{past}/record?lang=en")
    asked = page.locator("section[aria-labelledby=air] > table tbody tr")
    expect(asked).to_have_count(asked.count())
    assert asked.count() >= 1
    assert all("temperature" in one.lower() for one in asked.locator("th").all_inner_texts())
    beside = page.locator("section[aria-labelledby=air] > details")
    assert beside.get_attribute("open") is None
    gaps = page.locator("section[aria-labelledby=air] td details").first
    assert "altogether" in gaps.locator("summary").inner_text()
    expect(gaps.locator("ul")).to_be_hidden()
    for fold in page.locator("details").all():
        fold.evaluate("one => { one.open = true; }")
    expect(gaps.locator("ul")).to_be_visible()
    wide = "(width) => [...document.querySelectorAll('main *')].filter((one) =>"
    wide += " one.getBoundingClientRect().right > width).map((one) => one.outerHTML.slice(0, 200))"
    assert page.evaluate(wide, width) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS) == []
