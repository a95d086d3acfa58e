"""The demo's own page has a button for each scenario and takes nothing from other pages."""

import asyncio
from pathlib import Path

from cli.demo.page import Asked, Stage, answer, demo_page, page
from cli.demo.stories.scenes import SCENES

PORT = 8123
HOME = {"host": f"127.0.0.1:{PORT}"}
OWN = {**HOME, "origin": f"http://127.0.0.1:{PORT}"}


def stage() -> Stage:
    return Stage(Path("nowhere"), "http://127.0.0.1:8080/")


def test_page_has_a_button_for_every_scenario() -> None:
    status, kind, text = answer(stage(), Asked("GET", "/", HOME), PORT)
    assert (status, kind) == (200, "text/html")
    assert all(f'action="/play/{name}"' in text and scene.chinese in text for name, scene in SCENES.items())
    assert "refresh" not in text


def test_scenario_is_played_when_the_page_itself_asks_and_nothing_else_is_played() -> None:
    now = stage()
    assert answer(now, Asked("POST", "/play/ramp", OWN), PORT) == (303, "text/plain", "ramp")
    now.name, now.running = "ramp", True
    assert answer(now, Asked("POST", "/play/ramp", OWN), PORT)[0] == 409
    assert "refresh" in page(now)


def test_other_pages_hosts_and_names_are_refused() -> None:
    assert answer(stage(), Asked("POST", "/play/ramp", HOME), PORT)[0] == 403
    other = {**HOME, "origin": "http://example.org"}
    assert answer(stage(), Asked("POST", "/play/ramp", other), PORT)[0] == 403
    assert answer(stage(), Asked("GET", "/", {"host": f"example.org:{PORT}"}), PORT)[0] == 403
    assert answer(stage(), Asked("POST", "/play/nothing", OWN), PORT)[0] == 404
    assert answer(stage(), Asked("GET", "/play/ramp", OWN), PORT)[0] == 404


def test_what_is_seen_is_escaped() -> None:
    now = stage()
    now.name, now.lines = "ramp", ["<b>warm</b>"]
    assert "<b>" not in page(now)


def test_story_without_a_demo_ends_with_a_word_and_the_page_goes_on(tmp_path: Path) -> None:
    async def run() -> tuple[str, str]:
        async with demo_page(tmp_path, "http://127.0.0.1:8080/") as port:
            host = f"127.0.0.1:{port}"
            first = await _ask(
                port, f"POST /play/ramp HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\r\n"
            )
            return first, await _ask(port, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")

    first, then = asyncio.run(run())
    assert first.startswith("HTTP/1.1 303 See Other")
    assert "no demo runs" in then


async def _ask(port: int, request: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    text = (await reader.read()).decode()
    writer.close()
    return text
