"""The audit log as a page: searched, in parts, and as a file."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from cloud.api.guard import needs
from cloud.store.audit_log import Asked, search
from cloud.store.sites import shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.act_words import acts_by_word, say_act, say_actor
from cloud.web.context import Web
from cloud.web.figures import milliseconds
from cloud.web.render import language_of, zone_of
from rules.permissions import Permission

PAGE = 100
DAYS = {"1": 1, "7": 7, "30": 30, "366": 366}
_LATEST = timedelta(minutes=5)


def add_audit_pages(router: APIRouter, web: Web) -> None:
    """Add /audit."""

    @needs(Permission.AUDIT_READ)
    async def page(request: Request) -> HTMLResponse:
        """Return what fits, the last first."""
        language = language_of(request)
        given = request.query_params
        days = given.get("days", "7") if given.get("days") in DAYS else "7"
        before = given.get("before", "")
        to_at = web.now() + _LATEST
        asked = Asked(
            to_at - timedelta(days=DAYS[days]),
            to_at,
            actor=_text(given.get("actor")),
            action=_text(given.get("action")),
            object=_text(given.get("object")),
            outcome=given.get("outcome") if given.get("outcome") in ("done", "refused") else None,
        )
        number = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None
        async with snapshot(web.pool) as connection:
            rows = await search(connection, asked, before=number, limit=PAGE + 1)
            zone = zone_of(await shared_zone(connection))
        shown = {
            "actor": asked.actor or "",
            "action": asked.action or "",
            "object": asked.object or "",
            "outcome": asked.outcome or "",
        }
        kept = {name: value for name, value in shown.items() if value}
        shows = {
            "page": "people",
            "rows": [(row, say_act(language, row.action), say_actor(language, row)) for row in rows[:PAGE]],
            "acts": acts_by_word(language),
            "asked": shown,
            "days": days,
            "older": urlencode({**kept, "days": days, "before": rows[PAGE - 1].id})
            if len(rows) > PAGE
            else "",
            "file": urlencode({**kept, "from": _utc(asked.from_at), "to": _utc(asked.to_at)}),
            "ms": milliseconds,
        }
        return web.render.page(request, "audit.html", shows, zone=zone)

    router.add_api_route("/audit", page)


def _text(given: str | None) -> str | None:
    text = (given or "").strip()[:200]
    return text if text and "\0" not in text else None


def _utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
