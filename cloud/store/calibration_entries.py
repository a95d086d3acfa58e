"""Calibrations as they were entered: each a revision, with certificate, uncertainty, author and reason.

A revision holds from its beginning until the next one begins, or until its own end. One with the same
beginning takes an earlier one's place. What was entered stays; only how much of it is in force changes, so a
backdated revision rewrites nothing. Arithmetic is `cloud.store.calibration`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from psycopg.rows import class_row

from cloud.store.connection import Connection
from cloud.store.points import Point

DUE_SOON = timedelta(days=30)
LOOSE_FILES_MAX = 20
"""So many files of certificates wait at most, in one organisation, for the calibration that names them."""
_LOCK = 0x43414C49


@dataclass(frozen=True, slots=True)
class NewCalibration:
    """A calibration to enter; numbers are exact decimals in the point's unit."""

    from_at: datetime
    to_at: datetime | None
    """Not included; None: until the next one."""
    indicated: Sequence[Decimal]
    correction: Sequence[Decimal]
    exponent: int
    """The corrected value is given to 10 to the power of this."""
    expanded_uncertainty: Decimal
    coverage_factor: Decimal
    certificate: str
    laboratory: str
    calibrated_on: date
    due_on: date | None
    certificate_sha256: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """One revision of a point's calibration."""

    id: int
    point_id: int
    revision: int
    """Counts from 1 for each point, in the order of entering."""
    from_at: datetime | None
    """As it was entered; None: since ever."""
    to_at: datetime | None
    """As it was entered, not included; None: until the next one."""
    in_force_from: datetime | None
    in_force_to: datetime | None
    """What later revisions left of it."""
    replaced_at: datetime | None
    """When a revision with the same beginning took its place; it counts nowhere since then."""
    indicated: list[str]
    """Nodes, exact decimals in the point's unit."""
    correction: list[str]
    """What is added at each node; linear between nodes, constant outside of them."""
    exponent: int
    """The corrected value is given to 10 to the power of this."""
    expanded_uncertainty: str | None
    """U in the point's unit."""
    coverage_factor: str | None
    """k of U."""
    certificate: str
    """Its number."""
    certificate_sha256: str | None
    """Of its file, hexadecimal; None: there is none."""
    laboratory: str
    calibrated_on: date | None
    due_on: date | None
    author: str
    reason: str
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a point's values rest on a calibration today."""

    point_id: int
    site: str
    name: str
    title: str
    """What people call it, as imported; empty: nothing is known."""
    quantity: str
    state: str
    """`in_calibration`; `due` (within 30 days); `overdue`; `undated` (no due date is known); `elsewhere` (a
    due date was imported, and no calibration is in force here); `none`. Where no calibration says when it is
    due, the day that was imported counts."""
    calibration_id: int | None
    """The one in force now."""
    certificate: str | None
    laboratory: str | None
    due_on: date | None
    days_left: int | None
    """Until the due date in the site's time zone; negative when it is over."""
    expanded_uncertainty: str | None
    """U in the point's unit."""
    coverage_factor: str | None
    """k of U."""


_ENTRIES = """
SELECT c.id, c.point_id, n.revision::int,
       lower(c.entered_for) AS from_at, upper(c.entered_for) AS to_at,
       lower(c.valid) AS in_force_from, upper(c.valid) AS in_force_to, c.replaced_at,
       c.indicated::text[] AS indicated, c.correction::text[] AS correction, c.exponent,
       c.expanded_uncertainty::text AS expanded_uncertainty, c.coverage_factor::text AS coverage_factor,
       c.certificate, encode(c.certificate_sha256, 'hex') AS certificate_sha256, c.laboratory,
       c.calibrated_on, c.due_on, c.author, c.reason, c.entered_at
FROM calibrations c
CROSS JOIN LATERAL (SELECT count(*) AS revision FROM calibrations e
                     WHERE e.point_id = c.point_id AND e.id <= c.id) n
WHERE c.id > %(after)s
  AND (%(id)s::int IS NULL OR c.id = %(id)s)
  AND (%(point_id)s::int IS NULL OR c.point_id = %(point_id)s)
  AND (%(at)s::timestamptz IS NULL OR c.valid @> %(at)s::timestamptz)
ORDER BY c.id
LIMIT %(limit)s
"""


async def list_calibrations(
    connection: Connection,
    *,
    point_id: int | None = None,
    at: datetime | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Calibration]:
    """Return revisions by id, those with an id greater than `after`; with `at` only those in force then."""
    values = {"id": None, "point_id": point_id, "at": at, "after": after, "limit": limit}
    async with connection.cursor(row_factory=class_row(Calibration)) as cursor:
        await cursor.execute(_ENTRIES, values)
        return await cursor.fetchall()


async def get_calibration(connection: Connection, calibration_id: int) -> Calibration | None:
    """Return one revision, or None."""
    values = {"id": calibration_id, "point_id": None, "at": None, "after": 0, "limit": 1}
    async with connection.cursor(row_factory=class_row(Calibration)) as cursor:
        await cursor.execute(_ENTRIES, values)
        return await cursor.fetchone()


_STANDINGS = """
SELECT p.id, s.name, p.name, p.title, p.quantity, s.time_zone, c.id, c.certificate, c.laboratory,
       coalesce(c.due_on, p.calibration_due), c.expanded_uncertainty::text, c.coverage_factor::text
FROM points p
JOIN sites s ON s.id = p.site_id
LEFT JOIN calibrations c ON c.point_id = p.id AND c.valid @> %(now)s::timestamptz
WHERE p.kind = 'analog' AND p.quantity <> 'position' AND p.id > %(after)s
  AND (%(site_id)s::int IS NULL OR p.site_id = %(site_id)s)
  AND (%(point_id)s::int IS NULL OR p.id = %(point_id)s)
ORDER BY p.id
LIMIT %(limit)s
"""


async def list_standings(
    connection: Connection,
    *,
    now: datetime,
    site_id: int | None = None,
    point_id: int | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Standing]:
    """Return how each measured point stands today, by id; states, counters and positions are left out."""
    values = {"now": now, "site_id": site_id, "point_id": point_id, "after": after, "limit": limit}
    rows = await (await connection.execute(_STANDINGS, values)).fetchall()
    return [_standing(row, now) for row in rows]


def _standing(row: Sequence[Any], now: datetime) -> Standing:
    point_id, site, name, title, quantity, time_zone, *held = row
    calibration, certificate, laboratory, due_on, *uncertainty = held
    days_left = None if due_on is None else (due_on - local_day(now, time_zone)).days
    return Standing(
        point_id=point_id,
        site=site,
        name=name,
        title=title,
        quantity=quantity,
        state=_state(calibration, days_left),
        calibration_id=calibration,
        certificate=certificate,
        laboratory=laboratory,
        due_on=due_on,
        days_left=days_left,
        expanded_uncertainty=uncertainty[0],
        coverage_factor=uncertainty[1],
    )


def _state(calibration: int | None, days_left: int | None) -> str:
    if days_left is None:
        return "none" if calibration is None else "undated"
    if days_left < 0:
        return "overdue"
    if days_left <= DUE_SOON.days:
        return "due"
    return "elsewhere" if calibration is None else "in_calibration"


def local_day(at: datetime, time_zone: str) -> date:
    """Return the day at a site; in UTC where its zone is not known."""
    try:
        return at.astimezone(ZoneInfo(time_zone)).date()
    except (ZoneInfoNotFoundError, ValueError):
        return at.astimezone(UTC).date()


_PLACE = """
UPDATE calibrations SET valid = 'empty', replaced_at = %(at)s
 WHERE point_id = %(point)s AND replaced_at IS NULL AND lower(entered_for) = %(from)s
"""
_SHORTEN = """
UPDATE calibrations SET valid = tstzrange(lower(valid), %(from)s)
 WHERE point_id = %(point)s AND valid @> %(from)s::timestamptz
"""
_ENTER = """
INSERT INTO calibrations (organisation_id, point_id, valid, entered_for, indicated, correction, exponent,
                          certificate, expanded_uncertainty, coverage_factor, calibrated_on, due_on,
                          laboratory, certificate_sha256, author, reason, entered_at)
SELECT %(organisation)s, %(point)s,
       tstzrange(%(from)s, least(%(to)s::timestamptz, min(lower(entered_for)))),
       tstzrange(%(from)s, %(to)s), %(indicated)s::numeric[], %(correction)s::numeric[], %(exponent)s,
       %(certificate)s, %(uncertainty)s, %(factor)s, %(calibrated_on)s, %(due_on)s, %(laboratory)s,
       %(sha256)s, %(author)s, %(reason)s, %(at)s
  FROM calibrations
 WHERE point_id = %(point)s AND replaced_at IS NULL AND lower(entered_for) > %(from)s
RETURNING id
"""


async def enter(
    connection: Connection, point: Point, new: NewCalibration, *, author: str, at: datetime
) -> int:
    """Enter a revision and return its id; those of one point are entered one after the other."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, point.id))
    values = {
        "organisation": point.organisation_id,
        "point": point.id,
        "from": new.from_at,
        "to": new.to_at,
        "indicated": list(new.indicated),
        "correction": list(new.correction),
        "exponent": new.exponent,
        "certificate": new.certificate,
        "uncertainty": new.expanded_uncertainty,
        "factor": new.coverage_factor,
        "calibrated_on": new.calibrated_on,
        "due_on": new.due_on,
        "laboratory": new.laboratory,
        "sha256": bytes.fromhex(new.certificate_sha256) if new.certificate_sha256 else None,
        "author": author,
        "reason": new.reason,
        "at": at,
    }
    await connection.execute(_PLACE, values)
    await connection.execute(_SHORTEN, values)
    row = await (await connection.execute(_ENTER, values)).fetchone()
    assert row is not None
    return int(row[0])


async def add_file(
    connection: Connection,
    organisation_id: int,
    *,
    sha256: str,
    content_type: str,
    body: bytes,
    author: str,
    at: datetime,
) -> bool:
    """Keep a certificate's file; False when too many wait for a calibration already."""
    loose = await connection.execute(
        """
        SELECT count(*) FROM public.certificate_files f
         WHERE f.organisation_id = %(organisation)s AND f.sha256 <> %(sha256)s
           AND NOT EXISTS (SELECT 1 FROM public.calibrations c
                            WHERE c.organisation_id = f.organisation_id AND c.certificate_sha256 = f.sha256)
        """,
        {"organisation": organisation_id, "sha256": bytes.fromhex(sha256)},
    )
    row = await loose.fetchone()
    if row is not None and row[0] >= LOOSE_FILES_MAX:
        return False
    await connection.execute(
        """
        INSERT INTO public.certificate_files (organisation_id, sha256, content_type, body, author, stored_at)
        VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (organisation_id, bytes.fromhex(sha256), content_type, body, author, at),
    )
    return True


async def has_file(connection: Connection, organisation_id: int, sha256: str) -> bool:
    """Whether the organisation has brought a file with this hash."""
    cursor = await connection.execute(
        "SELECT 1 FROM public.certificate_files WHERE organisation_id = %s AND sha256 = %s",
        (organisation_id, bytes.fromhex(sha256)),
    )
    return await cursor.fetchone() is not None


async def read_file(connection: Connection, calibration_id: int) -> tuple[str, bytes] | None:
    """Return media type and bytes of a calibration's certificate, None when it has none."""
    cursor = await connection.execute(
        """
        SELECT f.content_type, f.body FROM calibrations c
          JOIN public.certificate_files f
            ON f.organisation_id = c.organisation_id AND f.sha256 = c.certificate_sha256
         WHERE c.id = %s
        """,
        (calibration_id,),
    )
    row = await cursor.fetchone()
    return None if row is None else (str(row[0]), bytes(row[1]))
