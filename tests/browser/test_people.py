"""The way in and the pages of people in a real browser: by keyboard, on a phone, without a violation."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud.hub import run_hub
from cloud.identity.acts import Act
from cloud.identity.people_file import apply, read_people_file
from cloud.identity.secrets import Passwords
from cloud.identity.viewer import Origin, Viewer
from cloud.settings import Broker, HubSettings
from cloud.store.connection import open_connection
from cloud.store.migrate import upgrade
from tests.browser.conftest import READY_S
from tests.browser.test_pages import AXE, VIOLATIONS

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
PEOPLE = f"""
organisation = "Institute"

[[person]]
number = "1"
name = "Anna Li"
department = "Mass"
login = "anna"
password = "{PASSWORD}"
roles = ["administrator"]

[[person]]
number = "2"
name = "Bo"
login = "bo"
password = "{PASSWORD}"
roles = ["customer"]

[[authorisation]]
person = "2"
kind = "activity"
subject = "calibration of weights, class E2"
from_at = "2026-01-01T00:00:00+08:00"
basis = "certificate 2025-118"
"""
PAGES = ("/people", "/people/1", "/authorisations", "/retention", "/audit", "/me")


@pytest.fixture(scope="module")
def address(databases, hub_identity, tmp_path_factory) -> Iterator[str]:
    """Where the pages of a hub with accounts are."""
    owner_dsn = databases.create()
    file = tmp_path_factory.mktemp("people") / "people.toml"
    file.write_text(PEOPLE, "utf-8")
    settings = HubSettings(databases.hub_dsn(owner_dsn), Broker("127.0.0.1", 1), hub_identity.folder, port=0)
    told: list[str] = []
    ready, loops = threading.Event(), []

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))

        def note(where: str) -> None:
            told.append(where)
            ready.set()

        await run_hub(settings, ("web",), environment={}, stop=stop, ready=note)

    with ThreadPoolExecutor(max_workers=1) as owner:
        owner.submit(asyncio.run, fill(owner_dsn, file)).result(READY_S)
        running = owner.submit(asyncio.run, serve())
        while not ready.wait(0.2):
            assert not running.done(), running.exception()
        yield told[0].rstrip("/")
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        running.result(READY_S)
    databases.drop(owner_dsn)


async def fill(dsn: str, file: Path) -> None:
    people, faults = read_people_file(file)
    assert people is not None, faults
    async with open_connection(dsn, "test") as connection:
        await upgrade(connection)
        async with connection.transaction():
            viewer = Viewer(kind="command", login="test", origin=Origin("test"))
            await apply(Act(connection, viewer, datetime.now(UTC)), people, Passwords())


@pytest.fixture
def enter(chromium, address):
    """A function: login, width -> a page of who signed in by keyboard alone."""
    contexts = []

    def entering(login: str, width: int = 1440, **options):
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(f"{address}/?lang=en")
        page.wait_for_url("**/sign-in?**")
        page.locator("[name=login]:focus").wait_for()
        page.keyboard.type(login)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/?lang=en")
        return page

    yield entering
    for context in contexts:
        context.close()


def test_person_comes_in_by_keyboard_and_goes_by_button(enter, address) -> None:
    page = enter("anna")
    page.get_by_role("link", name="Anna Li").click()
    assert page.locator("h1").inner_text() == "What is stored about me"
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(f"{address}/people")
    page.wait_for_url("**/sign-in?next=%2Fpeople")


def test_button_says_that_the_password_is_looked_at(chromium, address) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{address}/sign-in?lang=en")
    page.evaluate("addEventListener('submit', (event) => event.preventDefault())")
    page.locator("[name=login]").fill("anna")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    waiting = page.get_by_role("button", name="Signing in …")
    waiting.wait_for()
    assert waiting.is_disabled()
    page.evaluate("dispatchEvent(new Event('pageshow'))")  # back by the browser's button
    assert page.get_by_role("button", name="Sign in").is_enabled()
    context.close()


def test_customer_is_shown_no_way_to_what_is_not_theirs(enter, address) -> None:
    page = enter("bo")
    assert page.get_by_role("link", name="People").count() == 0
    assert page.get_by_role("link", name="Map").count() == 0
    page.goto(f"{address}/audit")
    assert "You may not see this" in page.locator("main").inner_text()


def test_person_is_entered_and_invited_in_the_browser(enter, address) -> None:
    page = enter("anna")
    page.goto(f"{address}/people?lang=en")
    page.get_by_label("Name").fill("Chen Wei")
    page.get_by_label("Staff number").fill("3")
    page.get_by_role("button", name="Enter").click()
    page.get_by_role("link", name="Chen Wei").click()
    page.get_by_label("Login").fill("chen")
    page.get_by_role("button", name="Open an account and invite").click()
    invitation = page.locator(".secret").inner_text()
    page.context.clear_cookies()
    page.goto(invitation)
    assert page.locator("#code").input_value() == invitation.partition("#")[2].partition("&")[0]
    assert page.get_by_label("Login").input_value() == "chen"
    assert "#" not in page.url
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")


@pytest.mark.parametrize(("language", "width"), list(itertools.product(("en", "zh"), (360, 1600))))
def test_pages_of_people_have_no_violation_and_fit(enter, address, language: str, width: int) -> None:
    page = enter("anna", width, color_scheme="dark" if width == 360 else "light")
    for path in PAGES:
        page.goto(f"{address}{path}?lang={language}")
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert page.complaints == []


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/code", "/invitation"])
def test_way_in_has_no_violation_and_fits_a_phone(chromium, address, path: str) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{address}{path}?lang=zh")
    page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_page_that_stays_open_leads_to_the_sign_in_when_the_session_was_ended(enter, address) -> None:
    page = enter("anna")
    page.wait_for_selector("#link-state[data-state=live]")
    other = enter("anna")
    other.goto(f"{address}/me?lang=en")
    for _ in range(other.get_by_role("button", name="End").count()):  # those of other pages among them
        other.get_by_role("button", name="End").first.click()
    page.wait_for_url("**/sign-in?**", timeout=40_000)
