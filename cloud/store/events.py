"""What happened, as gateways and the hub itself say it."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from wire.messages import Scalar


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event; `site_id` is the site its gateway served at that time."""

    organisation_id: int
    gateway_id: int
    site_id: int | None
    observed_us: int
    kind: str
    subject: str
    data: dict[str, Scalar]


_ROW = sql.SQL(
    """
    SELECT %s::smallint AS organisation_id, %s::int AS gateway_id, %s::int AS site_id,
           timestamptz '2000-01-01Z' + %s::bigint * interval '1 microsecond' AS observed_at,
           %s::text AS kind, %s::text AS subject, %s::jsonb AS data
    """
)
_COLUMNS = sql.SQL("organisation_id, gateway_id, site_id, observed_at, kind, subject, data")


async def insert(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Keep events that are new for sure."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            sql.SQL("INSERT INTO events ({}) {}").format(_COLUMNS, _ROW), [_values(row) for row in rows]
        )


async def insert_missing(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Keep those events that are not there yet."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            sql.SQL(
                """
                INSERT INTO events ({columns}) SELECT {columns} FROM ({row}) n
                 WHERE NOT EXISTS (
                       SELECT 1 FROM events e
                        WHERE e.gateway_id = n.gateway_id AND e.observed_at = n.observed_at
                          AND e.kind = n.kind AND e.subject = n.subject AND e.data = n.data)
                """
            ).format(columns=_COLUMNS, row=_ROW),
            [_values(row) for row in rows],
        )


def _values(row: EventRow) -> tuple[object, ...]:
    return (
        row.organisation_id,
        row.gateway_id,
        row.site_id,
        row.observed_us,
        row.kind,
        row.subject,
        Jsonb(row.data),
    )
