"""Pages without a live stream: they say as of when they are, and do not take themselves for cut off."""

import pytest

from rules.access.words import JobState
from tests.browser.test_doors import furnish
from tests.browser.test_jobs import job as job

pytestmark = pytest.mark.slow

STILL = (
    *("/alarms/calls", "/alarms/points", "/alarms/templates", "/alarms/history", "/operations"),
    *("/hub-interlocks", "/doors/gateways", "/doors/roll-call/lab-1", "/rights", "/rights/schedules"),
    *("/visitors", "/people", "/authorisations", "/calibrations", "/imports", "/audit", "/retention"),
    *("/gateways/lab-1/settings", "/settings-templates", "/api"),
)
BADGES = "() => [...document.querySelectorAll('.state')].map((one) => `${one.className}: ${one.textContent}`)"
ANOTHER = """() => document.querySelector("main").append(
    Object.assign(document.createElement("span"), {className: "state online", textContent: "Open"}))"""


def test_page_without_a_stream_keeps_its_badges_and_says_as_of_when_it_is(browse, hub, job) -> None:
    furnish(hub)
    record = f"/jobs/{job(JobState.HELD)}/record"
    watched = browse()
    watched.page.clock.install()
    for path in (*STILL, record):
        answer = watched.page.goto(f"{hub.address}{path}?lang=en")
        assert answer.ok, path
        if watched.page.locator("body").get_attribute("data-live"):
            continue  # It has been given a stream.
        assert "As of " in watched.page.locator("#link-state").inner_text(), path
        watched.page.evaluate(ANOTHER)
        before = watched.page.evaluate(BADGES)
        watched.page.clock.fast_forward(30_000)
        assert watched.page.evaluate(BADGES) == before, path
    assert watched.complaints == []
