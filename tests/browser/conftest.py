"""A real hub's pages over a real PostgreSQL, and a real headless Chromium that reaches 127.0.0.1 alone."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from cloud.hub import run_hub
from cloud.settings import Broker, HubSettings
from tests.browser.filled import fill, store_reading, store_report
from tests.browser.filmed import GATEWAY, film

expect.set_options(timeout=20_000)
"""What has to come true is waited for, also on a busy machine; a bound is asserted by itself."""
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
READY_S = 60


@dataclass(frozen=True)
class Hub:
    """Where the pages are, and the database behind them."""

    address: str
    owner_dsn: str
    writer: ThreadPoolExecutor
    media_url: str
    """Where gateways bring what cameras see."""

    def store(self, point: str, raw: int) -> datetime:
        """Commit one reading as ingest does, from another thread: the browser has this one's event loop."""
        return self.writer.submit(asyncio.run, store_reading(self.owner_dsn, point, raw)).result(READY_S)

    def report(self, site: str, *, fix: bool) -> datetime:
        """Commit one report of where a site is."""
        stored = store_report(self.owner_dsn, site, fix=fix)
        return self.writer.submit(asyncio.run, stored).result(READY_S)


@pytest.fixture(scope="session")
def hub(databases, ca, hub_identity, gateway_identity, tmp_path_factory) -> Iterator[Hub]:
    """The web room of the real hub, over a database filled with a day, with its media listener."""
    owner_dsn = databases.create()
    folder, media_port = tmp_path_factory.mktemp("media"), _free_port()
    asyncio.run(fill(owner_dsn, datetime.now(UTC)))
    asyncio.run(film(owner_dsn, datetime.now(UTC), identity=gateway_identity(GATEWAY), folder=folder))
    environment = {
        "HENG_MEDIA_PORT": str(media_port),
        "HENG_MEDIA_FOLDER": str(folder),
        "HENG_MEDIA_CERTIFICATE": str(ca.broker_folder),
    }
    settings = HubSettings(databases.hub_dsn(owner_dsn), Broker("127.0.0.1", 1), hub_identity.folder, port=0)
    told: list[str] = []
    ready, loops = threading.Event(), []

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))

        def note(address: str) -> None:
            told.append(address)
            ready.set()

        await run_hub(settings, ("web",), environment=environment, stop=stop, ready=note)

    with ThreadPoolExecutor(max_workers=1) as owner, ThreadPoolExecutor(max_workers=1) as writer:
        running = owner.submit(asyncio.run, serve())
        while not ready.wait(0.2):
            assert not running.done(), running.exception()
        yield Hub(told[0].rstrip("/"), owner_dsn, writer, f"https://127.0.0.1:{media_port}")
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        running.result(READY_S)
    databases.drop(owner_dsn)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module: while it runs, this thread has an event loop of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page whose complaints and requests are kept."""

    page: Page
    hub: Hub
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Listen before anything is loaded."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob"):
            self.hosts.add(parts.netloc)

    def open(self, path: str) -> Page:
        """Go to a page and wait until it is live and its parts and charts, as far as unfolded, are there."""
        self.page.goto(self.hub.address + path)
        self.page.wait_for_selector("#link-state[data-state=live]")
        for box in self.page.locator(".map-box[data-source]").all():
            box.locator("xpath=self::*[@data-ready]").wait_for(state="attached", timeout=30_000)
        for figure in self.page.locator("figure[data-chart]:visible").all():
            figure.scroll_into_view_if_needed()
            figure.locator("xpath=self::*[@data-drawn]").wait_for(state="attached")
        expect(self.page.locator(".loading")).to_have_count(0)
        return self.page


@pytest.fixture
def browse(chromium: Browser, hub: Hub) -> Iterator[Any]:
    """A function: options of a browser context -> a watched page."""
    contexts: list[BrowserContext] = []

    def start(width: int = 1440, height: int = 900, **options: Any) -> Watched:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(45_000)
        contexts.append(context)
        return Watched(context.new_page(), hub)

    yield start
    for context in contexts:
        context.close()
