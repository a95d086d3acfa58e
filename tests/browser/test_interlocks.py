"""Interlocks in a real browser: live, by keyboard, on a phone, in two languages, grey when nobody knows."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import AXE, VIOLATIONS
from wire.codec import encode_body
from wire.control import (
    BypassNow,
    CauseNow,
    ControlStatus,
    EffectNow,
    GroupNow,
    InterlockNow,
    UnmetNow,
)

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.9b")]
PAGE = "/interlocks/lab-1/room-2"


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(hub):
    """What other pages count as needing attention is taken away again."""
    yield
    with psycopg.connect(hub.owner_dsn) as connection:
        connection.execute("DELETE FROM control_status")


def tell(hub, phase: str, *, age_s: float = 0, tick: int = 1) -> None:
    """Have the gateway lab-1 say how its interlock stands, and wake the pages."""
    names = ("temperature", "relative-humidity", "door-to-the-corridor", "uninterruptible-supply")
    causes = tuple(
        CauseNow(
            name=name,
            group="climate of the whole room",
            words=f"room-2/air/{name} below 18 °C or above 24 °C, uncertainty counted in for 30 s",
            state="voting" if name == "temperature" and phase != "healthy" else "normal",
            votes=name == "temperature" and phase != "healthy",
            value="24.31",
            uncertainty="0.12",
            verdict="out",
        )
        for name in names
    )
    now = InterlockNow(
        name="room-2",
        title="Room 2",
        rule="r",
        phase=phase,
        breach=4,
        first_out=("temperature",) if phase != "healthy" else (),
        causes=causes,
        groups=(GroupNow(name="climate of the whole room", needed=2, of=4, votes=1),),
        effects=(
            EffectNow(kind="lock_entry", target="room-2-door", safe=phase != "healthy", confirmed=True),
            EffectNow(kind="inhibit_output", target="gpio/source-1", safe=phase != "healthy", confirmed=True),
        ),
        bypasses=(
            BypassNow(cause="door-to-the-corridor", by="a", second="b", reason="repair", remaining_s=600),
        ),
        unmet=(UnmetNow(reason="out", cause="temperature"), UnmetNow(reason="not_acknowledged"))
        if phase == "tripped"
        else (),
        worst_s=31.55,
    )
    said = ControlStatus(gateway="lab-1", boot=bytes(16), tick=tick, interlocks=(now,))
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    with psycopg.connect(hub.owner_dsn, autocommit=True) as connection:
        row = connection.execute("SELECT id FROM gateways WHERE name = 'lab-1'").fetchone()
        assert row is not None
        connection.execute("DELETE FROM control_status WHERE gateway_id = %s", row)
        connection.execute(
            "INSERT INTO control_status VALUES (1, %s, %s, %s, %s, %s, %s)",
            (row[0], bytes(16), tick, encode_body(said), at, at),
        )
        connection.execute("SELECT pg_notify('heng_control', %s)", (str(row[0]),))


@pytest.mark.parametrize(("language", "width"), [("en", 360), ("zh", 1600)])
def test_pages_of_interlocks_fit_and_axe_finds_no_violation(browse, hub, language: str, width: int) -> None:
    tell(hub, "tripped")
    for path in ("/interlocks", PAGE, "/gateways/lab-1/commands"):
        watched = browse(width, color_scheme="dark" if width == 360 else "light")
        page = watched.open(f"{path}?lang={language}")
        page.evaluate(AXE)
        assert page.evaluate(VIOLATIONS) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert watched.complaints == []


def test_page_follows_the_gateway_and_nobody_loses_what_they_type(browse, hub) -> None:
    tell(hub, "healthy")
    page = browse().open(f"{PAGE}?lang=en")
    expect(page.locator("[data-part=badge] .state")).to_have_text("Healthy")
    page.locator("#comment").fill("half a sen")
    tell(hub, "tripped", tick=2)
    expect(page.locator("[data-part=badge] .state")).to_have_text("Tripped")
    expect(page.locator("#comment")).to_be_focused()
    page.keyboard.type("tence")
    assert page.locator("#comment").input_value() == "half a sentence"
    expect(page.locator("#do-reset")).to_be_disabled()
    expect(page.locator("#why-reset")).to_contain_text("out of bounds")


def test_interlock_is_acknowledged_by_keyboard(browse, hub) -> None:
    tell(hub, "tripped")
    page = browse(360, 740).open(f"{PAGE}?lang=en")
    page.locator("#comment").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#do-acknowledge")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=history]")).to_contain_text("On its way, no receipt yet")
    expect(page.locator("#do-acknowledge")).to_be_focused()


def test_state_that_grows_old_is_not_known_any_more(browse, hub) -> None:
    tell(hub, "healthy", age_s=27)
    page = browse().open(f"{PAGE}?lang=en")
    badge = page.locator("[data-part=badge] .state")
    expect(badge).to_have_text("Not known", timeout=15_000)
    assert badge.get_attribute("class") == "state unmonitored"
    expect(page.locator("[data-part=standing]")).to_contain_text("Nobody knows how the interlock stands")


def test_countdown_runs(browse, hub) -> None:
    tell(hub, "healthy")
    page = browse().open(f"{PAGE}?lang=en")
    countdown = page.locator(".bypass .countdown")
    before = countdown.inner_text()
    assert before.startswith(("9:", "10:"))
    expect(countdown).not_to_have_text(before)
