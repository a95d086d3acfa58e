"""The audit log over HTTP: searched in parts, and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.guard import needs
from cloud.api.services import Db, During, Limit, Page, Text, page
from cloud.api.strict import StrictRoute
from cloud.store.audit_log import Asked, AuditRow, search
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["audit"], route_class=StrictRoute)

Outcome = Annotated[Literal["done", "refused"] | None, Query()]
CSV_MAX = 50_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets take a cell that begins so for a formula."""


@router.get("/audit", response_model=Page[AuditRow], summary="Who did what, and what was refused")
@needs(Permission.AUDIT_READ)
async def audit(
    db: Db,
    during: During,
    actor: Text = None,
    action: Text = None,
    thing: Annotated[str | None, Query(alias="object", pattern=r"^[^\x00]{1,200}$")] = None,
    outcome: Outcome = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List rows of the audit log, the last first; `object` is the beginning of a name."""
    asked = Asked(during.from_at, during.to_at, actor, action, thing, outcome)
    found = await search(db, asked, before=before, limit=limit + 1)
    return page(found, limit, lambda row: row.id)


@router.get(
    "/audit.csv", response_class=Response, summary="The audit log of an interval as CSV, newest first"
)
@needs(Permission.AUDIT_READ)
async def export(
    db: Db,
    during: During,
    actor: Text = None,
    action: Text = None,
    thing: Annotated[str | None, Query(alias="object", pattern=r"^[^\x00]{1,200}$")] = None,
    outcome: Outcome = None,
) -> Response:
    """Return at most 50,000 rows; `heng audit export` writes all of them."""
    asked = Asked(during.from_at, during.to_at, actor, action, thing, outcome)
    rows = await search(db, asked, limit=CSV_MAX)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return Response(as_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


def as_csv(rows: Sequence[AuditRow]) -> str:
    """Return rows as CSV with a line of names."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([field.name for field in fields(AuditRow)])
    writer.writerows([cell(value) for value in astuple(row)] for row in rows)
    return text.getvalue()


def cell(value: object) -> str:
    """Return a value as a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) and isinstance(value, str) else text
