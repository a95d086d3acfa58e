"""The camera wall and one camera's page in a real browser: live frames, the time line, pictures."""

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.filmed import CAMERA, GATEWAY, GREY, SEGMENT, SILENT, Blinking, sha256
from tests.browser.test_pages import AXE, VIOLATIONS
from tests.live_camera import channel_of

pytestmark = pytest.mark.slow
LOOK = "one => one.getContext('2d').getImageData(4, 4, 1, 1).data[0]"


@pytest.fixture(scope="module")
def source(hub, gateway_identity) -> Iterator[Blinking]:
    """The camera at its gateway, whose channel runs in a thread of its own."""
    blinking, up, loops = Blinking(), threading.Event(), []

    async def run() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        async with channel_of(hub.media_url, gateway_identity(GATEWAY), blinking):
            up.set()
            await stop.wait()

    with ThreadPoolExecutor(max_workers=1) as owner:
        running = owner.submit(asyncio.run, run())
        assert up.wait(30)
        yield blinking
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        running.result(30)


def tile(page: Page, camera: str) -> Locator:
    return page.locator(".tile", has=page.get_by_role("link", name=camera, exact=True))


def one(browse, *, language: str = "en", query: str = "range=24h", width: int = 1440) -> Page:
    page = browse(width).open(f"/cameras?lang={language}")
    address = tile(page, CAMERA).get_by_role("link", name=CAMERA, exact=True).get_attribute("href")
    page.goto(page.url.split("/cameras")[0] + f"{address}?{query}&lang={language}")
    page.wait_for_selector("#link-state[data-state=live]")
    return page


def watch(browse, source: Blinking) -> tuple[Page, Locator]:
    """The wall, once its gateway is connected for live views."""
    page = browse().open("/cameras?lang=en")
    box = tile(page, CAMERA)
    button = box.get_by_role("button", name="Watch live")
    expect(button).to_be_visible(timeout=30_000)
    return page, box


def test_wall_says_of_each_camera_what_it_does_and_where_it_is(browse) -> None:
    page = browse().open("/cameras?lang=en")
    assert [link.inner_text() for link in page.locator(".tile h3").all()] == [SILENT, CAMERA]
    assert tile(page, SILENT).locator(".state").inner_text() == "Never heard"
    assert "No picture of it is here yet." in tile(page, SILENT).inner_text()
    box = tile(page, CAMERA)
    assert box.locator(".state").inner_text() == "Recording now"
    assert "前院 Front yard" in box.inner_text()
    assert "hash in evidence" in box.inner_text()
    assert box.locator("img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 32


@pytest.mark.requirement("G-6.9c2")
def test_live_view_shows_moving_frames_in_its_tile_until_it_is_stopped(browse, source) -> None:
    page, box = watch(browse, source)
    box.get_by_role("button", name="Watch live").click()
    canvas = box.locator("canvas")
    expect(canvas).to_be_visible()
    expect(canvas).to_have_attribute("data-frames", re.compile(r"^([3-9]|\d\d+)$"))
    seen = set()
    for _ in range(100):
        seen.add(canvas.evaluate(LOOK) > 200)
        if len(seen) == 2:
            break
        page.wait_for_timeout(100)
    assert seen == {True, False}
    assert box.get_by_role("status").inner_text() == "Live view"
    box.get_by_role("button", name="Stop").click()
    expect(canvas).to_be_hidden()
    expect(box.get_by_role("status")).to_have_text("Stopped")
    expect(box.get_by_role("button", name="Watch live")).to_be_focused()


def test_live_view_that_dries_up_says_so_and_no_longer_looks_alive(browse, source) -> None:
    _, box = watch(browse, source)
    box.get_by_role("button", name="Watch live").click()
    expect(box.locator("canvas")).to_be_visible()
    source.dark = True
    try:
        expect(box.locator(".live-badge")).to_contain_text("No new frame for", timeout=10_000)
        expect(box.get_by_role("status")).to_have_text(
            "The live view ended: no frame came any more", timeout=30_000
        )
        expect(box.locator("canvas")).to_be_hidden()
    finally:
        source.dark = False


def test_live_view_stops_while_its_tab_is_hidden(browse, source) -> None:
    page, box = watch(browse, source)
    box.get_by_role("button", name="Watch live").click()
    expect(box.locator("canvas")).to_be_visible()
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(box.get_by_role("status")).to_have_text("Stopped while this tab was hidden")
    expect(box.locator("canvas")).to_be_hidden()


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Too many viewers", "No live view: as many look at cameras as may; try again later"),
        ("Something new", "The hub refuses: in so many words"),
    ],
)
def test_live_view_that_is_refused_says_why(browse, source, title: str, said: str) -> None:
    page, box = watch(browse, source)
    body = f'{{"title": "{title}", "detail": "in so many words"}}'
    page.route("**/live", lambda route: route.fulfill(status=503, body=body))
    box.get_by_role("button", name="Watch live").click()
    expect(box.get_by_role("status")).to_have_text(said)


def test_line_draws_what_was_recorded_and_the_gap_with_its_cause(browse) -> None:
    page = one(browse)
    bars = page.locator(".line .bar:not(.here)")
    states = bars.evaluate_all("all => all.map((one) => one.classList[1])")
    assert states == ["unknown", "recorded", "recorded", "awaited", "gap"]
    assert "Not recorded: bus: no answer" in page.locator(".line .gap title").text_content()
    page.get_by_text("As a list").click()
    rows = page.locator(".as-list tbody tr")
    assert rows.count() == 5
    assert "bus: no answer" in rows.nth(2).inner_text()


def test_head_of_an_open_page_follows_the_camera(browse) -> None:
    page = one(browse)
    state = page.locator(".head .camera-state")
    true = state.inner_text()
    state.evaluate("(shown) => { shown.textContent = 'as it was'; }")
    page.evaluate("import('/static/js/cameras.js').then((code) => code.refresh())")
    expect(state).to_have_text(true)


def test_pictures_say_whether_they_are_here_waiting_or_dropped(browse) -> None:
    page = one(browse)
    cards = page.locator(".card")
    assert [card.locator(".state").inner_text() for card in cards.all()] == [
        "None could be taken",
        "In evidence, dropped at the gateway: no room",
        "In evidence, not here yet",
        "Stored, hash in evidence",
    ]
    stored = cards.last
    assert "Door opened door/yard" in stored.inner_text()
    assert "before" in stored.inner_text()
    stored.locator("summary").click()
    assert stored.locator(".hash > code").inner_text() == sha256(GREY)
    assert page.locator(".line use").count() == 4


def test_stretch_is_chosen_by_keyboard_and_what_became_of_it_is_told(browse, source) -> None:
    page = one(browse)
    page.get_by_text("As a list").press("Enter")
    page.locator(".as-list [data-choose]").first.press("Enter")
    ask = page.get_by_role("button", name="Ask for it")
    expect(ask).to_be_focused()
    ask.press("Enter")
    expect(page.locator(".ask-said")).to_have_text("Asked for; what becomes of it stands below")
    asked = page.locator(".wishes > li").first
    expect(asked).to_contain_text("nothing of it is recorded any more", timeout=20_000)
    assert page.locator(".wishes > li .state").all_inner_texts()[1:] == ["Failed", "Nothing there", "Here"]


def test_stretch_is_chosen_by_dragging_over_the_line(browse) -> None:
    page = one(browse, query="range=1h")
    box = page.locator(".line-box")
    box.scroll_into_view_if_needed()
    frame = box.bounding_box()
    page.mouse.move(frame["x"] + frame["width"] * 0.8, frame["y"] + 40)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] * 0.85, frame["y"] + 45, steps=4)
    page.mouse.up()
    begin, end = (page.locator(f"#ask [name={name}]").input_value() for name in ("from", "to"))
    seconds = page.evaluate("([from, to]) => (Date.parse(to) - Date.parse(from)) / 1000", [begin, end])
    assert 160 <= seconds <= 200
    assert page.locator(".selection rect").bounding_box()["width"] == pytest.approx(
        frame["width"] * 0.05, abs=8
    )


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        ("2026-01-01T10:00", "2026-01-01T10:00", "“To” is not later than “from”"),
        ("2026-01-01T10:00", "2026-01-01T10:11", "A stretch is at most 10 minutes long"),
        ("2099-01-01T10:00", "2099-01-01T10:01", "The stretch is not over yet"),
    ],
)
def test_stretch_that_makes_no_sense_is_not_asked_for(browse, begin: str, end: str, said: str) -> None:
    page = one(browse)
    page.locator("#ask [name=from]").fill(begin)
    page.locator("#ask [name=to]").fill(end)
    page.get_by_role("button", name="Ask for it").click()
    expect(page.locator(".ask-said")).to_have_text(said)


def test_part_is_downloaded_as_it_was_hashed_and_one_that_cannot_be_played_says_so(browse) -> None:
    page = one(browse)
    part = page.locator(".part-row").first
    with page.expect_download() as waiting:
        part.get_by_role("link", name="Download").click()
    assert waiting.value.path().read_bytes() == SEGMENT
    assert waiting.value.suggested_filename == f"{sha256(SEGMENT)}.ts"
    part.get_by_role("button", name="Play").click()
    expect(page.locator(".player-said")).to_have_text(
        "No video can be made of this part here; download it", timeout=20_000
    )


def test_range_that_is_too_long_is_refused_with_what_is_expected(browse) -> None:
    page = browse().page
    watched = one(browse)
    address = watched.url.split("?")[0]
    page.goto(f"{address}?from=2026-01-01T00:00&to=2026-01-09T00:00&lang=en")
    assert "at most 7 days later" in page.locator("main").inner_text()
    page.goto(f"{address}?range=1y&lang=zh")
    assert "1h, 24h, 7d" in page.locator("main").inner_text()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [360, 1600])
def test_page_of_a_camera_fits_and_axe_finds_no_violation(browse, language: str, width: int) -> None:
    page = one(browse, language=language, width=width)
    for fold in page.locator("details").all():
        fold.evaluate("one => { one.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS) == []


def test_cameras_are_reached_from_their_site_and_from_the_devices(browse) -> None:
    watched = browse()
    page = watched.open("/sites/yard-1?lang=en")
    page.locator(".head").get_by_role("link", name="Cameras").click()
    page.wait_for_url("**/cameras#site-yard-1")
    page = watched.open("/devices?lang=en")
    page.get_by_role("link", name="Live view, recordings and pictures").first.click()
    page.wait_for_url("**/cameras/*")
    assert page.locator("nav [aria-current=page]").inner_text() == "Cameras"
    page = watched.open("/sites/lab-1?lang=en")
    assert page.locator(".head").get_by_role("link", name="Cameras").count() == 0
