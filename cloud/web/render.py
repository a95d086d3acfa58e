"""Turns a template and what it shows into a page: language, time zone, security headers. It reads no data."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment, StrictUndefined

from cloud.api.guard import origin_of
from cloud.identity.viewer import Viewer
from cloud.web.figures import milliseconds
from cloud.web.language import LANGUAGES, Language, choose, language
from cloud.web.values import clock_text, offset_text, since_text
from cloud.web.words import ago, for_browser
from rules.permissions import Permission

TEMPLATES = Path(__file__).parent / "templates"
COOKIE = "heng_language"
COOKIE_AGE_S = 365 * 86_400


class Renderer:
    """Makes pages; one per process."""

    def __init__(self, *, now: Callable[[], datetime], policy: str, referrer: str = "same-origin") -> None:
        """`policy` and `referrer` are the content security and referrer policies sent with every page.

        With `no-referrer` browsers would not say from which origin a form is sent, and the guard asks that.
        """
        self._now = now
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": referrer,
            "Cache-Control": "no-store",
        }
        self._version = version("heng")
        # What is on the disk may be that of the next version before this hub starts again.
        self._environments = {code: _environment(code) for code in LANGUAGES}

    def page(
        self, request: Request, template: str, shows: Mapping[str, Any], *, zone: ZoneInfo | None = None
    ) -> HTMLResponse:
        """Return the page; `zone` is the zone its times are written in (UTC when it shows several sites)."""
        speaks = language_of(request)
        now_ms = milliseconds(self._now())
        viewer = asker_of(request)
        zone = zone or ZoneInfo("UTC")
        text = (
            self._environments[speaks.code]
            .get_template(template)
            .render(
                language=speaks,
                languages=LANGUAGES,
                other_language=partial(_other_language, request),
                words=for_browser(speaks),
                version=self._version,
                viewer=viewer,
                may=lambda permission: viewer.holds(Permission(permission)),
                now_ms=now_ms,
                ago=lambda at_ms: ago(speaks, now_ms - at_ms),
                clock=lambda at_ms: clock_text(_moment(at_ms), zone),
                utc=lambda at_ms: f"{_moment(at_ms):%Y-%m-%d %H:%M:%S} UTC",
                since=lambda at_ms, of: since_text(_moment(at_ms), _moment(now_ms), of),
                offset=lambda of: offset_text(_moment(now_ms), of),
                zone=zone.key,
                short=lambda at_ms: f"{_moment(at_ms).astimezone(zone):%Y-%m-%d %H:%M:%S}",
                iso=lambda at_ms: _moment(at_ms).isoformat(timespec="milliseconds"),
                **shows,
            )
        )
        response = HTMLResponse(text, headers=self._headers)
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(COOKIE, speaks.code, max_age=COOKIE_AGE_S, samesite="lax", httponly=True)
        return response


def asker_of(request: Request) -> Viewer:
    """Return who asks; nobody where no guard stood, as on pages of things that are not there."""
    found = getattr(request.state, "viewer", None)
    return found if isinstance(found, Viewer) else Viewer(kind="nobody", login="", origin=origin_of(request))


def language_of(request: Request) -> Language:
    """Return the language in which a request is answered."""
    return language(
        choose(
            asked=request.query_params.get("lang"),
            remembered=request.cookies.get(COOKIE),
            accepted=request.headers.get("accept-language"),
        )
    )


def zone_of(name: str) -> ZoneInfo:
    """Return a site's time zone; an unknown one is read as UTC, and the page says UTC then."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _other_language(request: Request, code: str) -> str:
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return f"{request.url.path}?{urlencode([*kept, ('lang', code)])}"


@cache
def _templates() -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(TEMPLATES.glob("*.html"))}


@cache
def _environment(code: str) -> Environment:
    environment = Environment(
        loader=DictLoader(_templates()),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    catalogue = language(code).catalogue
    # The extension adds this function to the environment, where type checkers do not see it.
    vars(environment)["install_gettext_callables"](catalogue.gettext, catalogue.ngettext, newstyle=True)
    return environment
