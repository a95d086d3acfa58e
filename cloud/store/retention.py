"""How long an organisation keeps each class of personal data, and when its sites are on duty.

What is too old is deleted by functions of the database's owner (migration 14), which look at these rules
themselves: the hub's role can delete no evidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from cloud.store.connection import Connection

DEFAULTS: Mapping[str, int | None] = {
    "access_events": 730,
    "positions_off_duty": 0,
    "pictures": None,
}
"""Class -> days; None: as long as there is room for it."""
SWEEP = timedelta(days=7)
ROWS_MAX = 5000
"""So much is looked through, and so many rows are deleted, in one transaction at most."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How long an organisation keeps a class."""

    organisation_id: int
    organisation: str
    kind: str
    """`access_events`, `positions_off_duty` or `pictures`."""
    days: int | None
    """None: as long as there is room for it."""
    is_default: bool


@dataclass(frozen=True, slots=True)
class Duty:
    """When a site is on duty, in its own time zone."""

    site_id: int
    site: str
    organisation_id: int
    weekdays: list[int]
    """ISO: 1 is Monday."""
    from_time: time
    to_time: time
    """Not included."""
    keep_off_duty: bool
    """Whether positions off duty are kept nevertheless."""


async def list_kept(connection: Connection) -> list[Kept]:
    """Return every class of every organisation."""
    cursor = await connection.execute(
        """
        SELECT o.id, o.name, r.class, r.days
          FROM organisations o LEFT JOIN retention r ON r.organisation_id = o.id
         ORDER BY o.id
        """
    )
    names: dict[int, str] = {}
    days: dict[tuple[int, str], int] = {}
    for number, name, kind, given in await cursor.fetchall():
        names[number] = name
        if kind is not None:
            days[number, kind] = given
    return [
        Kept(number, name, kind, days.get((number, kind), default), (number, kind) not in days)
        for number, name in names.items()
        for kind, default in DEFAULTS.items()
    ]


async def set_days(connection: Connection, organisation_id: int, kind: str, days: int) -> None:
    """Keep a class for so many days from now on."""
    await connection.execute(
        """
        INSERT INTO retention (organisation_id, class, days) VALUES (%s, %s, %s)
            ON CONFLICT (organisation_id, class) DO UPDATE SET days = excluded.days
        """,
        (organisation_id, kind, days),
    )


_DUTIES = """
SELECT d.site_id, s.name, d.organisation_id, d.weekdays, d.from_time, d.to_time, d.keep_off_duty
FROM duty_hours d JOIN sites s ON s.id = d.site_id ORDER BY d.site_id
"""


async def list_duties(connection: Connection) -> list[Duty]:
    """Return the sites that declare when they are on duty."""
    rows = await (await connection.execute(_DUTIES)).fetchall()
    return [Duty(*row) for row in rows]


async def set_duty(
    connection: Connection,
    site_id: int,
    organisation_id: int,
    *,
    weekdays: Sequence[int],
    from_time: time,
    to_time: time,
    keep_off_duty: bool,
) -> None:
    """Declare when a site is on duty; what is stored already is looked through again."""
    await connection.execute(
        """
        INSERT INTO duty_hours (site_id, organisation_id, weekdays, from_time, to_time, keep_off_duty)
        VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (site_id) DO UPDATE SET weekdays = excluded.weekdays, from_time = excluded.from_time,
               to_time = excluded.to_time, keep_off_duty = excluded.keep_off_duty, swept_to = NULL,
               swept_at = NULL
        """,
        (site_id, organisation_id, list(weekdays), from_time, to_time, keep_off_duty),
    )


_LATE = timedelta(minutes=10)
"""Batches may be seen so long after the time that stands in them as that of storing."""
# What was placed after it was stored (it waited for time, or for its points to be declared) is as new as what
# is stored now: `feed` tells that, the time of storing does not.
_BEGIN = """
SELECT d.swept_to, d.swept_at, coalesce(r.days, %(days)s), least(
    coalesce(d.swept_to, (SELECT min(p.observed_at) FROM positions p JOIN points q ON q.id = p.point_id
                           WHERE q.site_id = d.site_id)),
    (SELECT min(b.first_at) FROM batches b JOIN gateway_bindings g ON g.gateway_id = b.gateway_id
      WHERE g.site_id = d.site_id AND d.swept_at IS NOT NULL AND b.feed >= coalesce(
          (SELECT feed FROM (SELECT feed FROM batches WHERE stored_at >= d.swept_at - %(late)s OFFSET 0) s
            ORDER BY feed LIMIT 1),
          (SELECT feed FROM batches ORDER BY id DESC LIMIT 1))))
FROM duty_hours d
LEFT JOIN retention r ON r.organisation_id = d.organisation_id AND r.class = 'positions_off_duty'
WHERE d.site_id = %(site)s AND NOT d.keep_off_duty
"""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What of a site's positions is still to be looked through, and how far that was noted."""

    site_id: int
    start: datetime
    until: datetime
    swept_to: datetime | None
    swept_at: datetime | None


async def begin_sweep(connection: Connection, site_id: int, *, now: datetime) -> Sweep | None:
    """Return what is to be looked through: what is new, and all behind what arrived or was placed late.

    None when the site keeps everything.
    """
    values = {"site": site_id, "days": DEFAULTS["positions_off_duty"], "late": _LATE}
    row = await (await connection.execute(_BEGIN, values)).fetchone()
    if row is None:
        return None
    swept_to, swept_at, days, start = row
    until = now - timedelta(days=days)
    return Sweep(site_id, until if start is None else start, until, swept_to, swept_at)


async def forget_positions(
    connection: Connection, sweep: Sweep, *, now: datetime
) -> tuple[int, int, Sweep | None]:
    """Take positions off duty away, of one stretch; return positions, batches' bytes, and what is left to do.

    Nothing is left either when the hours were declared anew meanwhile: the next sweep begins from the start.
    """
    end = max(sweep.start, min(sweep.start + SWEEP, sweep.until))
    found = await connection.execute(
        "SELECT positions, bodies FROM public.forget_positions(%s, %s, %s)", (sweep.site_id, sweep.start, end)
    )
    gone = await found.fetchone()
    assert gone is not None
    # `swept_at` stays while the past is looked through, so that what arrives meanwhile is found later.
    last = end >= sweep.until
    swept_at = now if last or sweep.swept_at is None else sweep.swept_at
    cursor = await connection.execute(
        """
        UPDATE duty_hours SET swept_to = %s, swept_at = %s
         WHERE site_id = %s AND swept_to IS NOT DISTINCT FROM %s AND swept_at IS NOT DISTINCT FROM %s
        """,
        (end, swept_at, sweep.site_id, sweep.swept_to, sweep.swept_at),
    )
    left = None
    if cursor.rowcount and not last:
        left = replace(sweep, start=end, swept_to=end, swept_at=swept_at)
    return int(gone[0]), int(gone[1]), left


async def forget_access_events(connection: Connection, organisation_id: int) -> tuple[int, int]:
    """Delete events of access that are too old; return how many, and of how many batches the bytes."""
    cursor = await connection.execute(
        "SELECT events, bodies FROM public.forget_access_events(%s::smallint, %s, %s)",
        (organisation_id, DEFAULTS["access_events"], ROWS_MAX),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


_PICTURES = """
UPDATE media SET deleted_at = %(now)s, deleted_why = 'older than its organisation keeps pictures'
 WHERE id IN (SELECT m.id FROM media m JOIN retention r
                  ON r.organisation_id = m.organisation_id AND r.class = 'pictures'
               WHERE m.deleted_at IS NULL
                 AND coalesce(m.from_at, m.received_at) < %(now)s - make_interval(days => r.days)
               ORDER BY m.id LIMIT %(limit)s)
RETURNING sha256, organisation_id
"""


async def forget_pictures(
    connection: Connection, *, now: datetime, limit: int = 1000
) -> tuple[list[str], dict[int, int]]:
    """Mark files that are too old as deleted; return hashes that no row needs any more, and counts."""
    rows = await (await connection.execute(_PICTURES, {"now": now, "limit": limit})).fetchall()
    counts: dict[int, int] = {}
    for _, organisation_id in rows:
        counts[organisation_id] = counts.get(organisation_id, 0) + 1
    marked = {bytes(sha256) for sha256, _ in rows}
    alive = await connection.execute(
        "SELECT DISTINCT sha256 FROM media WHERE deleted_at IS NULL AND sha256 = ANY(%s)", (list(marked),)
    )
    return [one.hex() for one in marked - {bytes(row[0]) for row in await alive.fetchall()}], counts
