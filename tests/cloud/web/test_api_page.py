"""The page of the API has every address in both languages, and browsers see pages where there is nothing."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.services import Services
from cloud.web.api_page import SUMMARIES, mount_api_page
from cloud.web.assets import mount_assets
from cloud.web.errors import mount_errors
from cloud.web.render import Renderer
from cloud.web.settings import WebSettings

NOWHERE = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


async def broken() -> None:
    raise RuntimeError("a defect")


def ask(path: str, **headers: str) -> tuple[FastAPI, httpx.Response]:
    """Ask an application whose database is not there: these pages need none."""

    async def scene() -> tuple[FastAPI, httpx.Response]:
        pool = AsyncConnectionPool(NOWHERE, min_size=0, max_size=1, open=False)
        app = create_app(Services(pool=pool, now=now, broker_connected=lambda: False))
        mount_assets(app, WebSettings())
        render = Renderer(now=now, policy="default-src 'self'")
        mount_api_page(app, render)
        mount_errors(app, render)
        app.add_api_route("/broken", broken)
        app.add_api_route("/api/broken", broken)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return app, await client.get(path, headers=headers)

    return asyncio.run(scene())


@pytest.mark.parametrize(("language", "said"), [("en", "One gateway"), ("zh", "单个网关")])
def test_page_lists_every_address_in_both_languages(language: str, said: str) -> None:
    app, answer = ask(f"/api?lang={language}")
    assert answer.status_code == 200
    assert [path for path in app.openapi()["paths"] if path not in answer.text] == []
    assert said in answer.text
    assert 'href="/openapi.json"' in answer.text


def test_page_comes_from_this_hub_alone() -> None:
    _, answer = ask("/api")
    assert "://" not in answer.text
    assert 'src="//' not in answer.text


def test_summaries_of_the_page_are_those_of_the_routes() -> None:
    app, _ = ask("/api")
    paths = {path: said for path, said in app.openapi()["paths"].items() if "broken" not in path}
    assert {said["summary"] for methods in paths.values() for said in methods.values()} == set(SUMMARIES)


def test_docs_lead_to_the_page_and_every_page_links_to_it() -> None:
    _, answer = ask("/docs")
    assert (answer.status_code, answer.headers["location"]) == (307, "/api")
    _, lost = ask("/nowhere", accept=BROWSER)
    assert '<a href="/api">' in lost.text


@pytest.mark.parametrize("path", ["/nowhere", "/api/nowhere", "/static/nowhere.js"])
def test_unknown_address_is_a_page_for_browsers_and_a_problem_for_programs(path: str) -> None:
    _, shown = ask(path, accept=BROWSER)
    assert (shown.status_code, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing at this address." in shown.text
    _, told = ask(path, accept="*/*")
    assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(("language", "said"), [("en", "a defect of the hub"), ("zh", "中心的缺陷")])
def test_browser_sees_a_page_in_its_language_where_the_hub_has_a_defect(language: str, said: str) -> None:
    _, answer = ask("/broken", **{"accept": BROWSER, "accept-language": language})
    assert answer.status_code == 500
    assert said in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("headers", [{}, {"accept": BROWSER, "hx-request": "true"}])
def test_program_is_told_of_a_defect_as_of_any_other_error(headers: dict[str, str]) -> None:
    _, answer = ask("/broken", **headers)
    assert (answer.status_code, answer.json()["title"]) == (500, "Defect")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/broken", "/api/broken"])
@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_answer_to_a_defect_has_the_headers_of_every_answer(path: str, accept: str) -> None:
    _, answer = ask(path, accept=accept)
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in answer.headers
